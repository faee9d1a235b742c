"""The stages of the graph: what is done to one sample and to one batch, as functions of tensors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe import (
    augment,
    balance,
    cache,
    color,
    decode,
    formats,
    gaps,
    masks,
    mix,
    order,
    readers,
    resize,
    tf_resize,
    transforms,
)
from tfpipe.affine import compiled, xla_available
from tfpipe.columns import Column, ColumnMaker
from tfpipe.graph import succeeds
from tfpipe.image import has_unit_range
from tfpipe.labels import encoder
from tfpipe.saving import saver
from tfpipe.sources import Arrays, Files, Source
from tfpipe.specs import ImageSpec, PipelineSpec
from tfpipe.standardize import in_graph_function, standardize_batch, with_tensors

# An image [H, W, C], and its mask [H, W, 1] if there is one.
Pixels: TypeAlias = tuple[tf.Tensor, ...]
SampleStep: TypeAlias = Callable[[tf.Tensor, tf.Tensor, Pixels], Pixels]  # epoch, index, pixels
# epoch, position of the first sample, indices [B], pixels [B, ...] -> what the model is given
BatchStep: TypeAlias = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, Pixels], Any]


@dataclass(frozen=True)
class Loader:
    """How one sample's image is had, and what it is.

    Attributes:
        load: index -> pixels.
        specs: static shapes [H, W, C] and dtypes of the pixels: the smallest that hold the truth.
        describe_failure: index -> path of the image and what is wrong with it; None where loading
            cannot fail.
    """

    load: Callable[[tf.Tensor], Pixels]
    specs: tuple[tf.TensorSpec, ...]
    describe_failure: gaps.Describe | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the image."""
        return tuple(self.specs[0].shape)


def epoch_order(
    source: Source, spec: PipelineSpec, column: ColumnMaker
) -> tuple[int, gaps.IndexAt]:
    """How many positions an epoch has, and (positions, epoch) -> the indices that stand there."""
    n = len(source)
    if spec.balance is not None:
        classes = balance.classes_of(source.targets)
        index_at = balance.balanced_order(
            classes, spec.balance, seed=spec.seed, shuffle=spec.shuffle, column=column
        )
        return classes.epoch_length(spec.balance), index_at
    if not spec.shuffle:
        return n, lambda positions, epoch: positions
    return n, lambda positions, epoch: order.shuffled(positions, n, spec.seed, epoch)


def file_loader(source: Source, spec: PipelineSpec, column: ColumnMaker) -> Loader:
    """Reads, decodes and resizes files, or records of shards; with their masks, if those are the labels."""
    image, files = spec.image, source.images
    if image is None or isinstance(files, Arrays):
        raise TypeError("file_loader needs files, and an ImageSpec for them.")
    suffixes = files.suffixes
    formats.require_readers(suffixes, files.names)
    reader = readers.reader(files, image, column)
    finish = resizer(image)

    def load_image(index: tf.Tensor, finish: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        contents = reader.read(index)
        if reader.raw_shape is not None:
            pixels = tf.reshape(tf.io.decode_raw(contents, tf.uint8), reader.raw_shape)
            return finish(color.convert_color(pixels, image.color_mode))
        return decode.load(contents, image, suffixes, finish)

    shape = (*image.size, color.CHANNELS[image.color_mode])
    stays_uint8 = image.resampling == "pillow" or tf_resize.keeps_dtype(image.interpolation)
    dtype = tf.uint8 if stays_uint8 and not formats.may_be_deep(suffixes) else tf.float32
    loader = Loader(
        lambda index: (load_image(index, finish),), (tf.TensorSpec(shape, dtype),), reader.describe
    )
    if spec.label.encoding != "mask":
        return loader
    return _with_masks(loader, load_image, source, spec, column)


def _with_masks(
    loader: Loader,
    load_image: Callable[[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]], tf.Tensor],
    source: Source,
    spec: PipelineSpec,
    column: ColumnMaker,
) -> Loader:
    """A loader of images and their masks, of one that loads the images: (index, resize) -> image."""
    if source.masks is None or spec.image is None:
        raise ValueError("Labels that are masks need image files, and the file of a mask for each.")
    if spec.image.decoding == "fast":
        raise ValueError(
            "decoding='fast' decodes images at another size than their masks. Choose 'exact' or 'keras'."
        )
    dtype, suffixes = spec.label.dtype, source.masks.suffixes
    max_pixels = spec.image.max_pixels
    masks.require_reader(suffixes)
    reader = readers.reader(source.masks, spec.image, column)
    finish = resizer(spec.image)
    # The same pixels of the mask as of the image, none made up from several.
    finish_mask = resizer(replace(spec.image, interpolation="nearest", antialias=False))

    def decoded(index: tf.Tensor) -> tf.Tensor:
        return decoded_as(index, dtype)

    def decoded_as(index: tf.Tensor, dtype: str) -> tf.Tensor:
        return masks.decode_mask(reader.read(index), dtype, suffixes, max_pixels)

    def load(index: tf.Tensor) -> Pixels:
        mask = decoded(index)

        def finish_like_mask(image: tf.Tensor) -> tf.Tensor:
            same = tf.reduce_all(tf.shape(image)[:2] == tf.shape(mask)[:2])
            check = tf.raw_ops.Assert(condition=same, data=["The mask is of another size."])
            with tf.control_dependencies([check] if check is not None else []):
                return finish(tf.identity(image))

        return load_image(index, finish_like_mask), finish_mask(mask)

    def describe(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        path, reason = loader.describe_failure(index) if loader.describe_failure else ("", "")
        mask_path, mask_reason = reader.describe(index)
        mask_reason = tf.where(
            succeeds(lambda: decoded_as(index, "float32")),
            "a mask of whole numbers has no colours: save it as palette or grey, or choose float32",
            mask_reason,
        )
        of_mask = tf.strings.join(["its mask '", mask_path, "' cannot be read: ", mask_reason])
        of_sizes = tf.strings.join(["its size is not that of its mask '", mask_path, "'"])
        mask_is_sound = succeeds(lambda: decoded(index))
        reason = tf.where(
            succeeds(lambda: loader.load(index)), tf.where(mask_is_sound, of_sizes, of_mask), reason
        )
        return path, reason

    mask_spec = tf.TensorSpec([*spec.image.size, 1], dtype)
    return Loader(load, (*loader.specs, mask_spec), describe)


def kept(loader: Loader, source: Source, spec: PipelineSpec) -> Loader:
    """The same loader, each sample loaded once where the spec has a cache."""
    if spec.cache is None or isinstance(source.images, Arrays) or loader.describe_failure is None:
        return loader
    if spec.cache == cache.MEMORY:
        return replace(loader, load=cache.in_memory(loader.load, loader.specs, len(source)))
    kinds = [source.images, *([] if source.masks is None else [source.masks])]
    contents = [(cache.description_of_files(kind.stored_in), kind.paths) for kind in kinds]
    # Another release, or another library, may read the same file as other pixels.
    read_by = [formats.description_of_readers(kind.suffixes) for kind in kinds]
    description = f"{contents} {read_by} {spec.image}"
    load = cache.in_directory(loader.load, loader.specs, spec.cache, description)
    describe = loader.describe_failure

    def describe_kept(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        path, reason = describe(index)
        sound = (
            f"it is sound, but cannot be kept in cache={spec.cache!r}: is there space, and leave?"
        )
        return path, tf.where(succeeds(lambda: loader.load(index)), sound, reason)

    return replace(loader, load=load, describe_failure=describe_kept)


def resizer(spec: ImageSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function image [H, W, C] -> [*size, C] of one family of kernels."""
    if spec.resampling == "pillow":
        return partial(
            resize.resize,
            size=spec.size,
            interpolation=spec.interpolation,
            keep_aspect_ratio=spec.aspect == "crop",
        )
    return partial(
        tf_resize.resize,
        size=spec.size,
        interpolation=spec.interpolation,
        aspect=spec.aspect,
        antialias=spec.antialias,
    )


def array_loader(source: Source, column: ColumnMaker) -> Loader:
    """Takes images from memory."""
    if not isinstance(source.images, Arrays):
        raise TypeError("array_loader needs images in memory.")
    images = source.images.images
    rows = column(images)
    spec = tf.TensorSpec(images.shape[1:], tf.as_dtype(images.dtype))
    return Loader(lambda index: (rows(index),), (spec,))


def sample_transform(loader: Loader, source: Source, spec: PipelineSpec) -> SampleStep | None:
    """Saving and the user's function, on one augmented sample; None where none is asked for."""
    asked = (saving(loader, source, spec), preprocessing(loader, spec))
    steps = [step for step in asked if step is not None]

    def transform(epoch: tf.Tensor, index: tf.Tensor, pixels: Pixels) -> Pixels:
        image, *others = pixels
        for step in steps:
            image = step(epoch, index, image)
        return (image, *others)

    return transform if steps else None


def augmentation(loader: Loader, source: Source, spec: PipelineSpec) -> SampleStep | None:
    """Draws each sample's parameters and applies them in one compiled pass."""
    ranges = spec.augment
    if not ranges.changes_pixels:
        return None
    key = order.stream_key(spec.seed, "augment")
    factor = spec.standardize.rescale if spec.rescales_early else None
    unit_range = ranges.depends_on_range and _has_unit_range(source)
    _check_values(source, ranges)
    # A mask moves as its image does; what comes in from outside is class 0.
    of_masks = replace(ranges, interpolation_order=0, cval=0)

    def apply(pixels: Pixels, numbers: tf.Tensor) -> Pixels:
        # The few scalar operations of the parameters cost more outside of the compiled pass than
        # the pass itself.
        params = augment.parameters(ranges, numbers, *loader.shape[:2])
        image, *masks = pixels
        if (image.dtype, spec.compute_dtype) != (tf.uint8, "float32"):  # the default of `apply`
            image = tf.cast(image, spec.compute_dtype)
        image = transforms.apply(image, params, ranges, unit_range=unit_range)
        image = image if factor is None else image * tf.constant(factor, image.dtype)
        moved = [transforms.apply_geometry(mask, params, of_masks) for mask in masks]
        return (image, *(tf.cast(m, mask.dtype) for m, mask in zip(moved, masks, strict=True)))

    fast_apply = compiled(apply) if xla_available() else apply

    def step(epoch: tf.Tensor, index: tf.Tensor, pixels: Pixels) -> Pixels:
        numbers = augment.uniform_numbers(order.sample_key(key, epoch, index))
        return fast_apply(pixels, numbers)

    return step


def _check_values(source: Source, ranges: augment.Augment) -> None:
    """Raises `ValueError` where the images are arrays of values that a transform would cut."""
    names = ("contrast_range", "saturation_range", "hue_range", "rand_augment")
    on = [name for name in names if getattr(ranges, name)]
    if not on or not isinstance(source.images, Arrays) or not len(source.images.images):
        return
    low, high = source.images.images.min(), source.images.images.max()
    if low < 0 or high > 255:
        raise ValueError(
            f"{on[0]} needs images of 0..255, or of 0..1. Received: values from {low} to {high}. Scale "
            "them first, and use rescale or preprocessing_function for what the model wants."
        )


ImageStep: TypeAlias = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # epoch, index, image


def saving(loader: Loader, source: Source, spec: PipelineSpec) -> ImageStep | None:
    """Writes each image on its way."""
    if spec.save is None:
        return None
    scale = 255.0 if _has_unit_range(source) else 1.0
    if spec.rescales_early and spec.standardize.rescale:
        scale /= spec.standardize.rescale
    return saver(spec.save, spec.seed, loader.shape[-1], scale)


def preprocessing(loader: Loader, spec: PipelineSpec) -> ImageStep | None:
    """The user's function, which sees the image in the user's data_format."""
    user_function = spec.standardize.preprocessing_function
    if user_function is None:
        return None
    height, width, channels = loader.shape
    first = spec.data_format == "channels_first"
    shape = (channels, height, width) if first else (height, width, channels)
    function = in_graph_function(user_function, shape, tf.as_dtype(spec.compute_dtype))

    def step(epoch: tf.Tensor, index: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        image = tf.cast(image, spec.compute_dtype)
        if first:
            return tf.transpose(function(tf.transpose(image, [2, 0, 1])), [1, 2, 0])
        return function(image)

    return step


def python_parts(source: Source, spec: PipelineSpec) -> list[str]:
    """What may make the graph call Python, as a user would name it."""
    files, function = source.images, spec.standardize.preprocessing_function
    parts = []
    if isinstance(files, Files) and formats.needs_python(files.suffixes):
        suffixes = [suffix for suffix in files.suffixes if formats.needs_python([suffix])]
        parts.append(f"files that Python decodes ({_listed(suffixes)}): convert them to PNG")
    if source.masks is not None and masks.needs_python(source.masks.suffixes):
        suffixes = list(source.masks.suffixes - frozenset(formats.PNG.suffixes))
        parts.append(f"masks that Python decodes ({_listed(suffixes)}): convert them to PNG")
    if function is not None:
        name = getattr(function, "__name__", type(function).__name__)
        parts.append(
            f"preprocessing_function {name}, if it takes only NumPy: write it with tensors"
        )
    if spec.save is not None:
        parts.append(f"save_format={spec.save.format!r}, where Pillow writes it: use 'png'")
    return parts


def _listed(suffixes: Iterable[str]) -> str:
    return ", ".join(f".{suffix}" if suffix else "no suffix" for suffix in sorted(suffixes))


def _has_unit_range(source: Source) -> bool:
    """Whether the images are arrays of 0..1; files are 0..255."""
    return isinstance(source.images, Arrays) and has_unit_range(source.images.images)


def batch_finisher(source: Source, spec: PipelineSpec, column: ColumnMaker) -> BatchStep:
    """What the model is given of a batch: standardised, cast, with labels and weights."""
    mix.check_labels(spec.augment, spec.label, source.targets)
    encode = encoder(spec.label, source.targets, column)
    misc = [column(values) for values in getattr(source.images, "misc", ())]
    if source.weights is not None and spec.label.encoding is None:
        raise ValueError("Sample weights need labels: Keras would take the weights for them.")
    weights = None if source.weights is None else column(source.weights)
    paths = _paths(source, spec, column)
    # Tensors made here are captured; arrays would become constants inside the graph, which is slow
    # for a large ZCA matrix and fails above 2 GB.
    standardize = with_tensors(spec.standardize, spec.compute_dtype)

    first = spec.data_format == "channels_first"

    def finish(epoch: tf.Tensor, position: tf.Tensor, indices: tf.Tensor, pixels: Pixels) -> Any:
        x, y = pixels[0], None
        if encode is not None and spec.augment.mixes:
            key = mix.batch_key(spec.seed, epoch, position)
            x = tf.cast(x, spec.compute_dtype)
            x, y = mix.mix_batch(spec.augment, key, x, encode(indices, x))
        x = tf.transpose(x, [0, 3, 1, 2]) if first else x
        if spec.standardize.works_on_batches:
            x = tf.cast(x, spec.compute_dtype)
            x = standardize_batch(x, standardize, rescale=not spec.rescales_early)
        x = cast_image(x, tf.as_dtype(spec.dtype))
        if encode is not None and y is None:
            y = encode(indices, x)
        if spec.label.encoding == "mask":
            y = tf.transpose(pixels[1], [0, 3, 1, 2]) if first else pixels[1]
        if misc:
            x = (x, *(rows(indices) for rows in misc))
        extras = (() if y is None else (y,)) + (() if weights is None else (weights(indices),))
        extras += () if paths is None else (paths(indices),)
        return (x, *extras) if extras or misc else x

    return finish


def _paths(source: Source, spec: PipelineSpec, column: ColumnMaker) -> Column | None:
    """The path of each sample, where the batches are to have it."""
    if not spec.include_paths:
        return None
    if isinstance(source.images, Arrays):
        raise ValueError("include_paths=True needs files. Received images in memory.")
    return column(np.array([os.fsencode(path) for path in source.images.paths], object))


def cast_image(image: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """An image in another dtype, the values as they are; whole numbers are rounded to, not cut."""
    if dtype.is_integer and image.dtype.is_floating:
        return tf.saturate_cast(tf.round(image), dtype)
    return tf.cast(image, dtype)
