"""How images are resized: the specification, and the function that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import tensorflow as tf

from tfpipe.checks import check_bool, check_one_of, check_size
from tfpipe.ops.resize import PILLOW_INTERPOLATIONS, resize
from tfpipe.ops.resize_tf import TF_INTERPOLATIONS, keeps_dtype, resize_with_tensorflow

ASPECTS = ("stretch", "crop", "pad")
INTERPOLATIONS = {"pillow": PILLOW_INTERPOLATIONS, "tensorflow": TF_INTERPOLATIONS}


@dataclass(frozen=True)
class ResizeSpec:
    """How images of any size become images of one size.

    Attributes:
        size: (height, width) in pixels.
        interpolation: one of `INTERPOLATIONS[resampling]`.
        resampling: whose kernels resize: "pillow" (antialiased, except nearest) or "tensorflow".
        antialias: widen the kernel where an image gets smaller. Through `image_dataset_from_...`, bilinear,
            bicubic and lanczos3 are then Pillow's filters, to the bit; with `pad_to_aspect_ratio` they are
            TensorFlow's antialiased kernels, as `tf.image.resize(..., antialias=True)` has them, which differ
            a little.
        aspect: "stretch" the image to `size`; "crop" its center to the ratio of `size` first; or "pad" it
            with zeros ("tensorflow" only).
    """

    size: tuple[int, int] = (256, 256)
    interpolation: str = "nearest"
    resampling: str = "pillow"
    antialias: bool = False
    aspect: str = "stretch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("target_size", self.size))
        check_one_of("resampling", self.resampling, tuple(INTERPOLATIONS))
        check_one_of("interpolation", self.interpolation, INTERPOLATIONS[self.resampling])
        check_bool("antialias", self.antialias)
        check_one_of("aspect", self.aspect, ASPECTS if self.resampling != "pillow" else ASPECTS[:2])

    @property
    def keeps_bytes(self) -> bool:
        """Whether a uint8 image stays uint8; the other kernels give float32."""
        return self.resampling == "pillow" or keeps_dtype(self.interpolation)


def resizer(spec: ResizeSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function image [H, W, C] -> [*size, C] that a specification describes."""
    if spec.resampling == "pillow":
        return partial(
            resize,
            size=spec.size,
            interpolation=spec.interpolation,
            keep_aspect_ratio=spec.aspect == "crop",
        )
    return partial(
        resize_with_tensorflow,
        size=spec.size,
        interpolation=spec.interpolation,
        aspect=spec.aspect,
        antialias=spec.antialias,
    )
