"""What the spellings of Keras 3 mean: shared by the functions `image_dataset_from_...`."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import keras

from tfpipe import functional_checks as checks
from tfpipe import order
from tfpipe.augment import Augment
from tfpipe.checks import check_bool, check_type
from tfpipe.delivery import Share, deliver
from tfpipe.headers import MAX_PIXELS
from tfpipe.labels import LabelSpec
from tfpipe.reporting import say
from tfpipe.skipping import ErrorPolicy
from tfpipe.sources import Source
from tfpipe.specs import AUTOTUNE, ImageSpec, PipelineSpec, dtype_name
from tfpipe.standardize import Standardize

# What each label mode makes of the labels: the target columns of `frames.from_dataframe`, and the
# encoding and dtype of `LabelSpec`.
LABEL_MODES: dict[str | None, tuple[str | None, str | None, str]] = {
    "int": ("classes", "index", "int32"),
    "binary": ("classes", "index_column", "float32"),
    "categorical": ("classes", "one_hot", "float32"),
    "multi_label": ("classes", "one_hot", "float32"),
    "raw": ("values", "value", "float32"),
    "multi_output": ("outputs", "outputs", "float32"),
    "input": (None, "image", "float32"),
    "mask": (None, "mask", "int32"),  # not by this name: where masks are given
    None: (None, None, "float32"),
}
DATAFRAME_LABEL_MODES = tuple(mode for mode in LABEL_MODES if mode not in ("mask", None))

# Pillow's antialiased filters, by the names that Keras has for these kernels.
_PILLOW_NAMES = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos3": "lanczos"}


def pipeline_spec(
    *,
    color_mode: str,
    batch_size: int | None,
    image_size: Any,
    shuffle: bool,
    seed: int | None,
    interpolation: str,
    aspect: str,
    data_format: str | None,
    augment: Augment | None,
    standardize: Standardize | None,
    antialias: bool,
    decoding: str,
    dtype: str,
    drop_remainder: bool,
    num_parallel_calls: int | None,
    prefetch: int | None,
    ram_budget: int | None,
    on_error: str,
    max_errors: float | None,
    include_paths: bool,
    balance: str | None,
    cache: str | os.PathLike[str] | None,
    max_pixels: int | None = MAX_PIXELS,
    exif_orientation: bool = False,
) -> PipelineSpec:
    """What is to be done to the samples, but for their labels.

    The arguments are those of `image_dataset_from_directory`; `aspect` is that of `ImageSpec`.
    """
    size = checks.check_image_arguments(color_mode, image_size, interpolation)
    check_bool("antialias", antialias)
    kernel = interpolation.lower()
    with_pillow = antialias and aspect != "pad" and kernel in _PILLOW_NAMES
    image = ImageSpec(
        size,
        color_mode,
        _PILLOW_NAMES[kernel] if with_pillow else kernel,
        "pillow" if with_pillow else "tensorflow",
        antialias=antialias and not with_pillow,
        aspect=aspect,
        decoding=decoding,
        max_pixels=max_pixels,
        exif_orientation=exif_orientation,
    )
    check_type("augment", augment, Augment)
    check_type("standardize", standardize, Standardize)
    checks.check_fitted(standardize)
    parallel = num_parallel_calls not in (None, AUTOTUNE)
    given = {"num_parallel_calls": num_parallel_calls if parallel else None, "prefetch": prefetch}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return PipelineSpec(
        image=image,
        augment=augment or Augment(),
        standardize=standardize or Standardize(),
        batch_size=1 if batch_size is None else batch_size,
        batched=batch_size is not None,
        drop_remainder=drop_remainder,
        shuffle=shuffle,
        seed=order.as_seed(seed),
        dtype=dtype_name(dtype),
        data_format=data_format or keras.config.image_data_format(),
        errors=ErrorPolicy(on_error, max_errors),
        include_paths=include_paths,
        balance=balance,
        cache=os.fspath(cache) if isinstance(cache, os.PathLike) else cache,
        ram_budget=ram_budget,
        **settings,
    )


def label_spec(label_mode: str | None, mask_dtype: str) -> LabelSpec:
    """How the targets of a label mode are encoded; `num_classes` is still to come.

    >>> label_spec("categorical", "int32").encoding
    'one_hot'
    """
    _, encoding, dtype = LABEL_MODES[label_mode]
    return LabelSpec(encoding, mask_dtype if label_mode == "mask" else dtype)


def deliver_found(
    source: Source, spec: PipelineSpec, label: LabelSpec, share: Share, where: str, verbose: bool
) -> Any:
    """What was asked for, of the samples that were found, as `deliver`; says how many they are.

    Raises:
        ValueError: there are none; "binary" labels of other than two classes.
    """
    names = source.class_names
    if verbose:
        say(f"Found {len(source)} files{f' belonging to {len(names)} classes' if names else ''}.")
    if not len(source):
        raise ValueError(f"No images found {where}")
    checks.check_balance(spec.balance, source)
    if label.encoding == "index_column":
        checks.check_binary(names)
    spec = replace(spec, label=replace(label, num_classes=len(names)))
    return deliver(source, spec, share, where, verbose)
