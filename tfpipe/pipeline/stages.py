"""The stages of the graph: what is done to one sample and to one batch, as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe import seeds
from tfpipe.codecs import formats
from tfpipe.fields.field import IMAGE, Finish, Loader, Record, listed
from tfpipe.fields.label import check_mixable
from tfpipe.fields.layout import PATH, usual_kinds, usual_layout
from tfpipe.fields.mask import mask_needs_python
from tfpipe.graph import succeeds
from tfpipe.ops import color, kernels
from tfpipe.ops.xla import compiled, xla_available
from tfpipe.pipeline import bad_files, cache, order
from tfpipe.pipeline.cursor import Span
from tfpipe.pipeline.feeds import Feeds, Value
from tfpipe.pipeline.saving import saver
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import class_weights
from tfpipe.sources.source import Arrays, Files, Source
from tfpipe.transforms import draws, mix
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.motion import Motion
from tfpipe.transforms.standardize import standardize_batch, with_statistics
from tfpipe.transforms.user_function import in_graph_function

SampleStep: TypeAlias = Callable[[Span, tf.Tensor, Record], Record]  # span, index, record
ImageStep: TypeAlias = Callable[[Span, tf.Tensor, tf.Tensor], tf.Tensor]  # span, index, image
# span, position of the first sample, indices [B], record [B, ...] -> what the model is given
BatchStep: TypeAlias = Callable[[Span, tf.Tensor, tf.Tensor, Record], Any]


def epoch_order(
    source: Source, spec: PipelineSpec, seed: Value, feeds: Feeds
) -> tuple[int, bad_files.IndexAt]:
    """Returns the number of positions in an epoch, and (positions, epoch) -> the indices there."""
    n = len(source)
    if spec.balance is not None:
        classes = class_weights.classes_of(source.classes[0])
        index_at = order.balanced_order(
            classes, spec.balance, seed=seed, shuffle=spec.shuffle, feeds=feeds
        )
        return classes.epoch_length(spec.balance), index_at
    if not spec.shuffle:
        return n, lambda positions, epoch: positions
    length = feeds.value(n)
    return n, lambda positions, epoch: order.shuffled(positions, length(), seed(), epoch)


def kept(loader: Loader, source: Source, spec: PipelineSpec) -> Loader:
    """Returns the loader, which loads each sample only once if the spec has a cache."""
    if spec.cache is None or isinstance(source.images, Arrays) or loader.describe_failure is None:
        return loader
    if spec.cache == cache.MEMORY:
        return replace(loader, load=cache.in_memory(loader.load, loader.specs, len(source)))
    kinds = list(source.of_pixels.values())
    contents = [(cache.description_of_files(kind.stored_in), kind.paths) for kind in kinds]
    # Another library, or another release of it, may read other pixels from the same file.
    read_by = [formats.description_of_libraries(kind.suffixes) for kind in kinds]
    description = f"{contents} {read_by} {spec.image}"
    load = cache.in_directory(loader.load, loader.specs, spec.cache, description)
    describe = loader.describe_failure

    def describe_kept(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        path, reason = describe(index)
        # What was read once is read as quickly as possible, so it must stay readable.
        sound = f"it can be read, but its file in cache={spec.cache!r} no longer can"
        return path, tf.where(succeeds(lambda: loader.load(index)), sound, reason)

    return replace(loader, load=load, describe_failure=describe_kept)


def sample_transform(
    loader: Loader, spec: PipelineSpec, seed: Value, unit_range: bool
) -> SampleStep | None:
    """Returns saving and the user's function as one step over an augmented sample, or None.

    The first image of each sample is saved; the function is called with all of them.
    """
    save, preprocess = saving(loader, spec, seed, unit_range), preprocessing(loader, spec)

    def transform(span: Span, index: tf.Tensor, record: Record) -> Record:
        if save is not None:
            record = {**record, IMAGE: save(span, index, record[IMAGE])}
        if preprocess is None:
            return record
        function = partial(preprocess, span, index)
        return {n: kind.preprocess(record[n], function) for n, kind in loader.kinds.items()}

    return None if save is None and preprocess is None else transform


def augmentation(
    loader: Loader, source: Source, spec: PipelineSpec, seed: Value, unit_range: bool
) -> SampleStep | None:
    """Draws each sample's parameters and applies them: in one compiled pass, or with the kernels in C."""
    ranges = spec.augment
    if not ranges.changes_pixels:
        return None
    factor = (spec.standardize.rescale or 1.0) if spec.rescales_early else 1.0
    _check_values(source, ranges)
    used = kernels_of(spec)

    streams = dict.fromkeys(kind.stream for kind in loader.kinds.values())

    def apply(record: Record, numbers: dict[str, tf.Tensor]) -> Record:
        # The few scalar operations of the parameters would cost more outside a compiled pass than the pass.
        params = {
            stream: draws.parameters(ranges, of_stream, *loader.shape[:2])
            for stream, of_stream in numbers.items()
        }
        motions = {
            stream: Motion(of_stream, ranges, unit_range, used, factor)
            for stream, of_stream in params.items()
        }
        moved = {}
        for name, kind in loader.kinds.items():
            motion = motions[kind.stream]
            value = kind.move(kind.cast(record[name], spec.compute_dtype), motion)
            moved[name] = kind.recolor(value, motion)
        return moved

    if uses_xla(spec) and xla_available():  # which cannot hold a kernel in C
        apply = compiled(apply)

    def step(span: Span, index: tf.Tensor, record: Record) -> Record:
        numbers = {}
        for stream in streams:
            key = seeds.stream_key(seed(), stream)
            numbers[stream] = draws.uniform_numbers(seeds.sample_key(key, span[0], index, span[3]))
        return apply(record, numbers)

    return step


def check_bytes(source: Source, spec: PipelineSpec) -> None:
    """Raises `ValueError` if the images are arrays of numbers that uint8 does not hold."""
    if spec.dtype != "uint8" or spec.standardize.preprocessing_function is not None:
        return
    images = source.images.images if isinstance(source.images, Arrays) else np.empty(0)
    if not images.size or images.dtype == np.uint8:
        return
    low, high = images.min(), images.max()
    if low < 0 or high > 255 or (color.has_unit_range(images) and (images % 1).any()):
        raise ValueError(
            f"dtype='uint8' holds whole numbers from 0 to 255. Received: images from {low:g} to {high:g}. "
            "Choose dtype='float32', or scale them to 0..255 first."
        )


def kernels_of(spec: PipelineSpec) -> kernels.Kernels:
    """Returns what moves the pixels of a sample."""
    used = kernels.chosen(spec.kernels)
    ranges = spec.augment
    # The geometry of RandAugment is more operations than are worth it outside a compiled pass.
    takes = used.warps(tf.as_dtype(spec.compute_dtype), ranges.interpolation_order)
    return used if takes and ranges.rand_augment is None else kernels.TENSORFLOW


def uses_xla(spec: PipelineSpec) -> bool:
    """Tells whether the augmentation is compiled by XLA, where XLA is available."""
    ranges = spec.augment
    return kernels_of(spec) is kernels.TENSORFLOW and ranges.changes_pixels


def _check_values(source: Source, ranges: Augment) -> None:
    """Raises `ValueError` if the images are arrays with values that a transform would clip."""
    names = ("contrast_range", "saturation_range", "hue_range", "rand_augment")
    on = [name for name in names if getattr(ranges, name)]
    if not on or not isinstance(source.images, Arrays) or not len(source.images.images):
        return
    low, high = source.images.images.min(), source.images.images.max()
    if low < 0 or high > 255:
        raise ValueError(
            f"{on[0]} needs images of 0..255, or of 0..1. Received: values from {low} to {high}. Scale "
            "them first; rescale or preprocessing_function can then give the model the values it needs."
        )


def saving(loader: Loader, spec: PipelineSpec, seed: Value, unit_range: bool) -> ImageStep | None:
    """Writes each image on its way."""
    if spec.save is None:
        return None
    scale = 255.0 if unit_range else 1.0
    if spec.rescales_early and spec.standardize.rescale:
        scale /= spec.standardize.rescale
    return saver(spec.save, seed, loader.shape[-1], scale)


def preprocessing(loader: Loader, spec: PipelineSpec) -> ImageStep | None:
    """Returns the user's function as a step; it sees the image in the user's data_format."""
    user_function = spec.standardize.preprocessing_function
    if user_function is None:
        return None
    height, width, channels = loader.shape
    first = spec.data_format == "channels_first"
    shape = (channels, height, width) if first else (height, width, channels)
    function = in_graph_function(user_function, shape, tf.as_dtype(spec.compute_dtype))

    def step(span: Span, index: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        image = tf.cast(image, spec.compute_dtype)
        if first:
            return tf.transpose(function(tf.transpose(image, [2, 0, 1])), [1, 2, 0])
        return function(image)

    return step


def python_parts(source: Source, spec: PipelineSpec) -> list[str]:
    """Returns what may make the graph call Python, in words that a user knows."""
    files, function = source.images, spec.standardize.preprocessing_function
    parts = []
    if isinstance(files, Files) and formats.needs_python(files.suffixes):
        suffixes = [suffix for suffix in files.suffixes if formats.needs_python([suffix])]
        parts.append(f"files that Python decodes ({_listed(suffixes)}): convert them to PNG")
    of_masks = frozenset().union(*(files.suffixes for files in source.masks.values()))
    if mask_needs_python(of_masks):
        suffixes = list(of_masks - frozenset(formats.PNG.suffixes))
        parts.append(f"masks that Python decodes ({_listed(suffixes)}): convert them to PNG")
    if function is not None:
        name = getattr(function, "__name__", type(function).__name__)
        parts.append(
            f"preprocessing_function {name}, if it takes only NumPy: write it with tensors"
        )
    if spec.save is not None:
        parts.append(f"save_format={spec.save.format!r}, if Pillow writes it: use 'png'")
    return parts


def _listed(suffixes: Iterable[str]) -> str:
    return ", ".join(f".{suffix}" if suffix else "no suffix" for suffix in sorted(suffixes))


def unit_range_of(source: Source, spec: PipelineSpec) -> bool:
    """Whether the images are arrays of 0..1, where that makes a difference; files are 0..255."""
    matters = spec.augment.depends_on_range or spec.save is not None
    return (
        matters and isinstance(source.images, Arrays) and color.has_unit_range(source.images.images)
    )


def batch_finisher(
    loader: Loader, source: Source, spec: PipelineSpec, seed: Value, feeds: Feeds
) -> BatchStep:
    """Returns the step that loads the other fields of a batch, mixes, finishes, and lays it out."""
    columns = _columns(source, spec)
    kinds = {**loader.kinds, **usual_kinds(source, spec.label), **spec.fields}
    layout = spec.layout or usual_layout(
        columns, spec.label, spec.targets, spec.include_paths, source.image_name
    )
    check_mixable(spec.augment, layout.y, kinds, columns)
    names = listed((layout.x, layout.y or (), layout.extras))
    kinds = {name: kind for name, kind in kinds.items() if name in {*names, *loader.kinds}}
    rows = {
        name: feeds.column(kind.held(columns[name]))
        for name, kind in kinds.items()
        if name not in loader.kinds
    }
    finish = Finish(_standardizer(source, spec, feeds), spec.data_format == "channels_first")

    def finish_batch(span: Span, position: tf.Tensor, indices: tf.Tensor, record: Record) -> Any:
        record = {**record, **{name: kinds[name].load(of(indices)) for name, of in rows.items()}}
        if spec.augment.mixes:
            record[IMAGE] = tf.cast(record[IMAGE], spec.compute_dtype)
            key = mix.batch_key(seed(), span[0], position, span[3])
            mixture = mix.draw_mixture(spec.augment, key, record[IMAGE])
            record = {name: kind.mix(record[name], mixture) for name, kind in kinds.items()}
        return layout.arranged(
            {name: kind.finish(record[name], finish) for name, kind in kinds.items()}
        )

    return finish_batch


def _columns(source: Source, spec: PipelineSpec) -> dict[str, Any]:
    """Returns the columns of a source, and the paths of its files if the specification includes them."""
    if not spec.include_paths:
        return dict(source.columns)
    if isinstance(source.images, Arrays):
        raise ValueError(
            "include_paths=True needs files; images in memory have no paths. Pass include_paths=False."
        )
    return {**source.columns, PATH: source.images.paths}


def _standardizer(
    source: Source, spec: PipelineSpec, feeds: Feeds
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the step that standardizes and casts a batch of images."""
    # Arrays would become constants inside the graph, which is slow for a large ZCA matrix and fails
    # above 2 GB.
    dtype, used = tf.as_dtype(spec.compute_dtype), kernels.chosen(spec.kernels)
    statistics = {
        name: feeds.value(values, dtype) for name, values in spec.standardize.statistics.items()
    }

    steps = spec.standardize
    may_overflow = spec.dtype == "float16" and (
        isinstance(source.images, Arrays)
        or steps.preprocessing_function is not None
        or bool(steps.centers_and_scales)
    )

    def standardize(images: tf.Tensor) -> tf.Tensor:
        if spec.standardize.works_on_batches:
            fitted = {name: value() for name, value in statistics.items()}
            steps = with_statistics(spec.standardize, fitted)
            images = standardize_batch(
                images, steps, rescale=not spec.rescales_early, dtype=dtype, kernels=used
            )
        if may_overflow:
            return _checked_float16(images)
        return cast_image(images, tf.as_dtype(spec.dtype))

    return standardize


def _checked_float16(images: tf.Tensor) -> tf.Tensor:
    """Casts images to float16; raises `InvalidArgumentError` if a finite number becomes infinite."""
    cast = tf.cast(images, tf.float16)
    if not images.dtype.is_floating:
        images = tf.cast(images, tf.float32)
    holds = tf.reduce_all(tf.math.is_finite(cast) | ~tf.math.is_finite(images))
    words = (
        "dtype='float16' holds numbers up to 65504, and this batch has larger ones. Choose dtype='float32' "
        "or 'bfloat16'."
    )
    check = tf.debugging.Assert(holds, [words])
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(cast)


def cast_image(image: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Casts an image without scaling its values; for an integer dtype they are rounded, not cut off."""
    if dtype.is_integer and image.dtype.is_floating:
        return tf.saturate_cast(tf.round(image), dtype)
    return tf.cast(image, dtype)
