"""What the spellings of Keras 3 mean: shared by the functions `image_dataset_from_...`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import keras

from tfpipe import seeds
from tfpipe.builders import keras_checks as checks
from tfpipe.builders.split_and_build import Share, deliver
from tfpipe.checks import check_bool, check_type
from tfpipe.codecs.headers import MAX_PIXELS
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.console import say
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.label import LabelSpec
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.resources import AUTOTUNE
from tfpipe.pipeline.spec import PipelineSpec, dtype_name
from tfpipe.sources.source import Source
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.standardize import Standardize

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


@dataclass(frozen=True)
class Options:
    """The arguments that every `image_dataset_from_...` has, as its user gave them.

    What they mean is said there. Those with a default here are not of all functions.
    """

    color_mode: str
    batch_size: int | None
    image_size: Any
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    interpolation: str
    crop_to_aspect_ratio: bool
    pad_to_aspect_ratio: bool
    data_format: str | None
    augment: Augment | None
    standardize: Standardize | None
    antialias: bool
    dtype: str
    drop_remainder: bool
    stratify: bool
    class_weights: str | Mapping[Any, float] | None
    num_parallel_calls: int | None
    prefetch: int | None
    ram_budget: int | None
    on_error: str
    max_errors: float | None
    include_paths: bool
    balance: str | None
    cache: str | os.PathLike[str] | None
    decoding: str = "exact"
    max_pixels: int | None = MAX_PIXELS
    exif_orientation: bool = False

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Options:
        """Those among the arguments of a function, which are its `locals()` as it begins."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: arguments[name] for name in names if name in arguments})


def pipeline_spec(options: Options) -> PipelineSpec:
    """What is to be done to the samples, but for their labels."""
    size = checks.check_image_arguments(
        options.color_mode, options.image_size, options.interpolation
    )
    check_bool("antialias", options.antialias)
    aspect = checks.check_aspect(options.crop_to_aspect_ratio, options.pad_to_aspect_ratio)
    kernel = options.interpolation.lower()
    with_pillow = options.antialias and aspect != "pad" and kernel in _PILLOW_NAMES
    resize = ResizeSpec(
        size,
        _PILLOW_NAMES[kernel] if with_pillow else kernel,
        "pillow" if with_pillow else "tensorflow",
        antialias=options.antialias and not with_pillow,
        aspect=aspect,
    )
    decode = DecodeSpec(
        options.color_mode, options.decoding, options.max_pixels, options.exif_orientation
    )
    check_type("augment", options.augment, Augment)
    check_type("standardize", options.standardize, Standardize)
    checks.check_fitted(options.standardize)
    parallel = options.num_parallel_calls not in (None, AUTOTUNE)
    given = {
        "num_parallel_calls": options.num_parallel_calls if parallel else None,
        "prefetch": options.prefetch,
    }
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    batch_size, cache = options.batch_size, options.cache
    return PipelineSpec(
        image=ImageSpec(decode, resize),
        augment=options.augment or Augment(),
        standardize=options.standardize or Standardize(),
        batch_size=1 if batch_size is None else batch_size,
        batched=batch_size is not None,
        drop_remainder=options.drop_remainder,
        shuffle=options.shuffle,
        seed=seeds.as_seed(options.seed),
        dtype=dtype_name(options.dtype),
        data_format=options.data_format or keras.config.image_data_format(),
        errors=ErrorPolicy(options.on_error, options.max_errors),
        include_paths=options.include_paths,
        balance=options.balance,
        cache=os.fspath(cache) if isinstance(cache, os.PathLike) else cache,
        ram_budget=options.ram_budget,
        **settings,
    )


def share_of(options: Options, label_mode: str | None) -> Share:
    """The part of the samples that is asked for."""
    checks.check_split(options.validation_split, options.subset, options.shuffle, options.seed)
    checks.check_stratify(options.stratify, options.validation_split, label_mode)
    return Share(
        options.subset, options.validation_split or 0.0, options.stratify, options.class_weights
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
    if label.encoding is None:
        checks.check_no_class_weights(share.class_weights)
        source = replace(source, weights=None)  # of labels that nobody asked for
    if label.encoding == "index_column":
        checks.check_two_classes(names)
    spec = replace(spec, label=replace(label, num_classes=len(names)))
    return deliver(source, spec, share, where, verbose)
