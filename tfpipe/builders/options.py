"""The options that each door takes, and what the arguments of Keras 3 mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, ParamSpec, Protocol, TypedDict, cast, overload

import keras

from tfpipe import seeds
from tfpipe.builders import keras_checks as checks
from tfpipe.builders.split_and_build import Share, deliver
from tfpipe.checks import check_bool, check_type
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.console import say
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.dataset.tuning import PreparationOptions, TuningOptions
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.label import LabelSpec
from tfpipe.keywords import routed, takes
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.resources import AUTOTUNE
from tfpipe.pipeline.spec import PipelineSpec, dtype_name
from tfpipe.sources.source import Source
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.standardize import Standardize

# What each label mode makes of the labels: the target columns of `from_dataframe`, and the
# encoding and dtype of `LabelSpec`.
LABEL_MODES: dict[str | None, tuple[str | None, str | None, str]] = {
    "int": ("classes", "index", "int32"),
    "binary": ("classes", "index_column", "float32"),
    "categorical": ("classes", "one_hot", "float32"),
    "multi_label": ("classes", "one_hot", "float32"),
    "raw": ("values", "value", "float32"),
    "multi_output": ("outputs", "outputs", "float32"),
    "input": (None, "image", "float32"),
    None: (None, None, "float32"),
}
DATAFRAME_LABEL_MODES = tuple(mode for mode in LABEL_MODES if mode is not None)

# Pillow's antialiased filters, by the names that Keras has for these kernels.
_PILLOW_NAMES = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos3": "lanczos"}


# The keyword-only options of the doors, one line each. The field of the same name has the default and the
# documentation: in `PipelineSpec`, `DecodeSpec`, `ResizeSpec`, `ErrorPolicy` or `Share`.


class ErrorOptions(TypedDict, total=False):
    on_error: str
    max_errors: float | None
    check_first: Any


class FileOptions(ErrorOptions, total=False):
    """The options of `flow_from_directory` and `flow_from_dataframe`."""

    max_pixels: int | None
    exif_orientation: bool
    dicom_range: str


class SampleOptions(PreparationOptions, total=False):
    augment: Augment | None
    standardize: Standardize | None
    antialias: bool
    fill_value: float
    dtype: str
    drop_remainder: bool
    stratify: bool
    keep_duplicates_together: str | None
    class_weights: str | Mapping[Any, float] | None
    class_output: str | None
    balance: str | None
    include_paths: bool
    deterministic: bool


class ShardOptions(SampleOptions, ErrorOptions, total=False):
    """The options of `image_dataset_from_shards`, whose images are already decoded."""

    targets: str


class Options(SampleOptions, FileOptions, TuningOptions, total=False):
    """Options of `image_dataset_from_directory` and `image_dataset_from_dataframe`."""

    mask_dtype: str
    targets: str
    shared_augment: bool


class Default(str):
    """A default that can be told from the same text, given by the user."""


LABEL_MODE, INFERRED, Y_COL = Default("int"), Default("inferred"), Default("class")


def with_labels_beside(**given: Any) -> bool:
    """Whether the user asks for labels where masks alone would be y.

    >>> with_labels_beside(label_mode=LABEL_MODE, class_names=None), with_labels_beside(label_mode="int")
    (False, True)
    """
    return any(not (value is None or isinstance(value, Default)) for value in given.values())


# What other libraries, and our other door, call these arguments.
SYNONYMS = {
    "img_size": "image_size",
    "target_size": "image_size",
    "image_size": "target_size",
    "class_mode": "label_mode",
    "label_mode": "class_mode",
    "classes": "class_names",
    "class_names": "classes",
    "workers": "num_parallel_calls",
    "num_workers": "num_parallel_calls",
}

FILE_SPECS = (DecodeSpec, ErrorPolicy)
SPECS = (PipelineSpec, DecodeSpec, ResizeSpec, ErrorPolicy, Share)


# Options whose None means the default of the field.
_DEFAULT_IF_NONE = ("augment", "standardize", "prefetch", "num_parallel_calls")


@dataclass(frozen=True)
class KerasArguments:
    """The arguments that every `image_dataset_from_...` has, as Keras' function has them."""

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


Parameters = ParamSpec("Parameters")


class Door(Protocol[Parameters]):
    """A function that returns a data set, or a list of two for `subset="both"`."""

    __name__: str

    @overload
    def __call__(  # type: ignore[overload-overlap]  # that is what the first one is for
        self, *args: Any, subset: Literal["both"], **options: Any
    ) -> list[ImageDataset]: ...

    @overload
    def __call__(self, *args: Parameters.args, **options: Parameters.kwargs) -> ImageDataset: ...


def door(options: Any, **defaults: Any) -> Callable[[Callable[Parameters, Any]], Door[Parameters]]:
    """Makes a door from a function that returns data sets, with the keywords of `options` and real types.

    Args:
        options: one of the lists above.
        **defaults: defaults of this door that differ from those of the fields.
    """

    def decorate(function: Callable[Parameters, Any]) -> Door[Parameters]:
        return cast(
            Door[Parameters], takes(options, *SPECS, defaults=defaults, synonyms=SYNONYMS)(function)
        )

    return decorate


def pipeline_spec(arguments: KerasArguments, options: Mapping[str, Any]) -> PipelineSpec:
    """Translates the arguments of a door, except its labels."""
    size = checks.check_image_arguments(
        arguments.color_mode, arguments.image_size, arguments.interpolation
    )
    aspect = checks.check_aspect(arguments.crop_to_aspect_ratio, arguments.pad_to_aspect_ratio)
    of_spec = routed(options, *SPECS)
    resize = ResizeSpec(
        size, **_kernel(arguments.interpolation.lower(), aspect, **of_spec[ResizeSpec])
    )
    decode = DecodeSpec(arguments.color_mode, **of_spec[DecodeSpec])
    batch_size = arguments.batch_size
    return PipelineSpec(
        image=ImageSpec(decode, resize),
        batch_size=1 if batch_size is None else batch_size,
        batched=batch_size is not None,
        shuffle=False if arguments.shuffle is None else arguments.shuffle,  # as Keras takes it
        seed=seeds.as_seed(arguments.seed, seeds.draw_keras_seed),
        data_format=arguments.data_format or keras.config.image_data_format(),
        errors=ErrorPolicy(**of_spec[ErrorPolicy]),
        **_settings(of_spec[PipelineSpec]),
    )


def _kernel(kernel: str, aspect: str, antialias: bool, **others: Any) -> dict[str, Any]:
    """Returns the fields of `ResizeSpec` for Keras' name of a kernel, which may mean Pillow's filter."""
    check_bool("antialias", antialias)
    with_pillow = antialias and aspect != "pad" and kernel in _PILLOW_NAMES
    return {
        "interpolation": _PILLOW_NAMES[kernel] if with_pillow else kernel,
        "resampling": "pillow" if with_pillow else "tensorflow",
        "antialias": antialias and not with_pillow,
        "aspect": aspect,
        **others,
    }


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of `PipelineSpec` among the options; None means the default of a field."""
    if isinstance(options["augment"], Mapping):
        given = ", ".join(f"{name}={value!r}" for name, value in options["augment"].items())
        raise TypeError(
            f"augment must be an Augment, not a dict. Received: augment={options['augment']!r}. "
            f"Pass tfpipe.Augment({given})."
        )
    check_type("augment", options["augment"], Augment)
    check_type("standardize", options["standardize"], Standardize)
    checks.check_fitted(options["standardize"])
    settings = {n: v for n, v in options.items() if not (v is None and n in _DEFAULT_IF_NONE)}
    if settings.get("num_parallel_calls") == AUTOTUNE:
        del settings["num_parallel_calls"]
    if isinstance(settings.get("cache"), os.PathLike):
        settings["cache"] = os.fspath(settings["cache"])
    return {**settings, "dtype": dtype_name(options["dtype"])}


def share_of(
    arguments: KerasArguments, options: Mapping[str, Any], label_mode: str | None
) -> Share:
    """Returns the part of the samples that is requested."""
    fraction, subset = arguments.validation_split, arguments.subset
    checks.check_split(fraction, subset, arguments.shuffle, arguments.seed)
    checks.check_stratify(options["stratify"], fraction, label_mode)
    seeded = arguments.seed is not None
    return Share(subset, fraction or 0.0, seeded=seeded, **routed(options, *SPECS)[Share])


def label_spec(label_mode: str | None) -> LabelSpec:
    """Returns how the targets of a label mode are encoded; `num_classes` is set later.

    >>> label_spec("categorical").encoding
    'one_hot'
    """
    _, encoding, dtype = LABEL_MODES[label_mode]
    return LabelSpec(encoding, dtype)


def deliver_found(
    source: Source,
    spec: PipelineSpec,
    label: LabelSpec,
    share: Share,
    where: str,
    verbose: bool,
    hint: str = "",
) -> ImageDataset | list[ImageDataset]:
    """Delivers the requested part of the samples that were found; prints how many there are.

    Raises:
        ValueError: there are no samples; "binary" labels do not have two classes.
    """
    names = source.class_names
    if verbose:
        say(f"Found {len(source)} files{f' belonging to {len(names)} classes' if names else ''}.")
    if not len(source):
        raise ValueError(f"No images found {where}{hint}")
    checks.check_class_output(share.class_output, source)
    source = replace(source, class_output=share.class_output)
    checks.check_balance(spec.balance, source)
    if label.encoding is None and not source.masks:
        checks.check_no_class_weights(share.class_weights)
        source = source.with_columns(weight=None)  # they belong to labels that are not requested
    if label.encoding == "index_column":
        checks.check_two_classes(names)
    spec = replace(spec, label=replace(label, num_classes=len(names)))
    return deliver(source, spec, share, verbose)
