"""The arguments of the classic's methods, as specifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfpipe.checks import check_bool
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.image import ImageSpec
from tfpipe.ops.resize_spec import ResizeSpec

DIRECTORY_CLASS_MODES = ("categorical", "binary", "sparse", "input", None)
DATAFRAME_CLASS_MODES = (
    "binary",
    "categorical",
    "input",
    "multi_output",
    "raw",
    "sparse",
    None,
)
SUBSETS = ("training", "validation", None)

# What each class mode makes of the labels: the target columns of `from_dataframe`, and the
# encoding of `LabelSpec`.
CLASS_MODES: dict[str | None, tuple[str | None, str | None]] = {
    "categorical": ("classes", "one_hot"),
    "binary": ("classes", "index"),
    "sparse": ("classes", "index"),
    "raw": ("values", "value"),
    "multi_output": ("outputs", "outputs"),
    "input": (None, "image"),
    None: (None, None),
}


def false_if_none(value: Any) -> Any:
    """Returns a flag, where the classic takes None for False."""
    return False if value is None else value


def image_spec(
    size: Any,
    color_mode: str,
    interpolation: str,
    keep_aspect_ratio: bool,
    decode: Mapping[str, Any],
) -> ImageSpec:
    """Returns how files become images, from the arguments of `flow_from_directory`."""
    check_bool("keep_aspect_ratio", false_if_none(keep_aspect_ratio))
    aspect = "crop" if keep_aspect_ratio else "stretch"
    return ImageSpec(
        DecodeSpec(color_mode, **decode), ResizeSpec(size, interpolation, aspect=aspect)
    )


def image_attributes(image: ImageSpec) -> dict[str, Any]:
    """Returns the attributes of the classic's iterators that say how files become images."""
    return {
        "target_size": image.resize.size,
        "color_mode": image.decode.color_mode,
        "interpolation": image.resize.interpolation,
        "keep_aspect_ratio": image.resize.aspect == "crop",
    }
