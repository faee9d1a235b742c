"""The graph: order -> read -> decode -> resize -> batch -> cast -> labels -> prefetch.

The only module that builds a `tf.data` graph. Read it from `batches` down.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import decode, formats, order
from tfpipe.checks import check_bool, check_int, check_one_of, check_size
from tfpipe.labels import LabelSpec, encoder
from tfpipe.resize import INTERPOLATIONS, resize
from tfpipe.saving import SaveSpec, saver
from tfpipe.sources import Arrays, Files, Source

DATA_FORMATS = ("channels_last", "channels_first")
DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8")

# Indices are computed this many at a time: one call a sample would cost 35 microseconds, not 0.1.
_CHUNK = 1024


def usable_cores() -> int:
    """One more than the cores this process may use: a thread that reads leaves its core idle."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) + 1


@dataclass(frozen=True)
class ImageSpec:
    """How files become images.

    Attributes:
        size: (height, width) in pixels.
        color_mode: "grayscale", "rgb" or "rgba".
        interpolation: one of Pillow's six; all but "nearest" are antialiased.
        keep_aspect_ratio: crop the centre to the ratio of `size` before resizing.
    """

    size: tuple[int, int] = (256, 256)
    color_mode: str = "rgb"
    interpolation: str = "nearest"
    keep_aspect_ratio: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("target_size", self.size))
        check_one_of("color_mode", self.color_mode, decode.COLOR_MODES)
        check_one_of("interpolation", self.interpolation, INTERPOLATIONS)
        check_bool("keep_aspect_ratio", self.keep_aspect_ratio)


@dataclass(frozen=True)
class PipelineSpec:
    """Everything but the source that decides what the batches are.

    Attributes:
        image: for a source of files; None for arrays, which keep their size.
        label: the encoding of the targets.
        batch_size: samples in a batch; the last one may be short.
        shuffle: a new order each epoch.
        seed: of every random number; None draws one.
        dtype: of the images.
        data_format: "channels_last" or "channels_first".
        save: write each image as it leaves the pipeline; None: do not.
        parallelism: samples in work at once. Never changes a batch.
    """

    image: ImageSpec | None = None
    label: LabelSpec = LabelSpec()
    batch_size: int = 32
    shuffle: bool = True
    seed: int | None = None
    dtype: str = "float32"
    data_format: str = "channels_last"
    save: SaveSpec | None = None
    parallelism: int = field(default_factory=usable_cores)

    def __post_init__(self) -> None:
        check_int("batch_size", self.batch_size, 1)
        check_int("parallelism", self.parallelism, 1)
        check_bool("shuffle", self.shuffle)
        check_one_of("dtype", self.dtype, DTYPES)
        check_one_of("data_format", self.data_format, DATA_FORMATS)
        object.__setattr__(self, "seed", order.as_seed(self.seed))


class Cell:
    """An int64 tensor outside of every graph, which a graph reads each time an iterator starts.

    A `tf.Variable` would become a mirrored one under a distribution strategy's scope, and could
    land on a GPU, where the input pipeline cannot read it.
    """

    _ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"  # TensorFlow's name for "share with nobody"

    def __init__(self, value: Any) -> None:
        initial = np.asarray(value, np.int64)
        with tf.init_scope(), tf.device("CPU:0"):
            self._handle = tf.raw_ops.VarHandleOp(
                dtype=tf.int64, shape=initial.shape, shared_name=self._ANONYMOUS
            )
            self.assign(initial)

    def assign(self, value: Any) -> None:
        tf.raw_ops.AssignVariableOp(
            resource=self._handle, value=tf.constant(np.asarray(value, np.int64))
        )

    def read(self) -> tf.Tensor:
        return tf.raw_ops.ReadVariableOp(resource=self._handle, dtype=tf.int64)

    def read_and_add_one(self) -> tf.Tensor:
        value = self.read()
        with tf.control_dependencies([value]):
            added = tf.raw_ops.AssignAddVariableOp(
                resource=self._handle, value=tf.constant(1, tf.int64)
            )
        with tf.control_dependencies([added]):
            return tf.identity(value)


Span = tf.Tensor  # int64 [3]: the epoch, and the first and the end position an iterator delivers


@dataclass(frozen=True)
class Loader:
    """How one sample's image is had, and what it is.

    Attributes:
        load: index -> image.
        shape: (H, W, C) of the image.
        dtype: of the image: the smallest that holds the truth.
        name: index -> the image's name and what is wrong with it, where loading it failed.
    """

    load: Callable[[tf.Tensor], tf.Tensor]
    shape: tuple[int, int, int]
    dtype: tf.DType
    describe_failure: Callable[[tf.Tensor], tf.Tensor] | None = None


def epochs(source: Source, spec: PipelineSpec, epoch: Cell) -> tf.data.Dataset:
    """One whole epoch an iterator: the one that `epoch` holds, which then moves on by one."""

    def span() -> Span:
        return tf.stack([epoch.read_and_add_one(), 0, len(source)])

    count = -(-len(source) // spec.batch_size)
    return batches(source, spec, span).apply(tf.data.experimental.assert_cardinality(count))


def batches(source: Source, spec: PipelineSpec, span: Callable[[], Span]) -> tf.data.Dataset:
    """The batches of one span of one epoch.

    Args:
        source: the samples.
        spec: what is to become of them.
        span: called in the graph whenever an iterator starts.

    Returns:
        A data set of x, (x, y) or (x, y, weights). x is [B, H, W, C] in `spec.dtype`, or a tuple with
        the further inputs of an array source behind it.
    """
    loader = file_loader(source, spec) if spec.image else array_loader(source)
    samples = positions(len(source), spec, span).map(
        _as_is(load_or_end(loader)), num_parallel_calls=spec.parallelism, deterministic=True
    )
    if loader.describe_failure:
        # Costs nothing while all goes well; `whole_batch` finds the gap that an error leaves.
        samples = samples.ignore_errors(log_warning=True)
    if spec.save:
        samples = samples.map(_as_is(save_sample(loader, source, spec)))
    return (
        samples.batch(spec.batch_size)
        .enumerate()
        .map(_as_is(whole_batch(loader, len(source), spec)))
        .filter(_as_is(lambda span, indices, images: tf.size(indices) > 0))
        .map(_as_is(finish_batch(source, spec)), num_parallel_calls=2, deterministic=True)
        .prefetch(2)
        .with_options(_options())
    )


def positions(n: int, spec: PipelineSpec, span: Callable[[], Span]) -> tf.data.Dataset:
    """(span, position, index in the source) of each sample, int64, then an end mark: index -1."""

    def chunks(span: Span) -> tf.data.Dataset:
        epoch, first, end = tf.unstack(span)

        def chunk(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            position = tf.range(start, tf.minimum(start + _CHUNK, end))
            repeated = tf.repeat(span[None], tf.size(position), axis=0)
            return repeated, position, indices_at(position, epoch, n, spec)

        end_mark = tf.data.Dataset.from_tensors((span, end, tf.constant(-1, tf.int64)))
        starts = tf.data.Dataset.range(first, end, _CHUNK)
        return starts.map(_as_is(chunk)).unbatch().concatenate(end_mark)

    spans = tf.data.Dataset.from_tensors(0).map(_as_is(lambda _: tf.ensure_shape(span(), [3])))
    return spans.flat_map(_as_is(chunks))


def indices_at(position: tf.Tensor, epoch: tf.Tensor, n: int, spec: PipelineSpec) -> tf.Tensor:
    """The indices in the source at some positions of an epoch, int64."""
    return order.shuffled(position, n, spec.seed, epoch) if spec.shuffle else position


def file_loader(source: Source, spec: PipelineSpec) -> Loader:
    """Reads, decodes and resizes files."""
    image = spec.image
    suffixes = source.images.suffixes
    # The bytes of the file system: a name need not be UTF-8.
    paths = tf.constant([os.fsencode(path) for path in source.images.paths], tf.string, [len(source)])

    def finish(decoded: tf.Tensor) -> tf.Tensor:
        return resize(
            decoded, image.size, image.interpolation, keep_aspect_ratio=image.keep_aspect_ratio
        )

    def load(index: tf.Tensor) -> tf.Tensor:
        contents = tf.io.read_file(tf.gather(paths, index))
        return decode.load(contents, image.color_mode, suffixes, finish)

    def describe_failure(index: tf.Tensor) -> tf.Tensor:
        path = tf.gather(paths, index)
        reason = decode.failure_reason(tf.io.read_file(path))
        return tf.strings.join(["Cannot read the image file '", path, "': ", reason])

    shape = (*image.size, decode.CHANNELS[image.color_mode])
    dtype = tf.float32 if formats.may_be_deep(suffixes) else tf.uint8
    return Loader(load, shape, dtype, describe_failure)


def array_loader(source: Source) -> Loader:
    """Takes images from memory."""
    images = tf.constant(source.images.images)
    return Loader(lambda index: tf.gather(images, index), tuple(images.shape[1:]), images.dtype)


def load_or_end(loader: Loader) -> Callable[..., tuple[tf.Tensor, ...]]:
    """(span, position, index) -> (span, position, index, image); zeros for the end mark."""

    def load(span: Span, position: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        image = tf.cond(
            index < 0, lambda: tf.zeros(loader.shape, loader.dtype), lambda: loader.load(index)
        )
        return span, position, index, tf.ensure_shape(image, loader.shape)

    return load


def save_sample(
    loader: Loader, source: Source, spec: PipelineSpec
) -> Callable[..., tuple[tf.Tensor, ...]]:
    """Writes the image of each sample on its way."""
    unit_range = loader.dtype.is_floating and isinstance(source.images, Arrays)
    unit_range = unit_range and len(source) > 0 and source.images.images.max() <= 1
    save = saver(spec.save, spec.seed, loader.shape[-1], 255.0 if unit_range else 1.0)

    def write(
        span: Span, position: tf.Tensor, index: tf.Tensor, image: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        image = tf.cond(index < 0, lambda: image, lambda: save(span[0], index, image))
        return span, position, index, image

    return write


def whole_batch(loader: Loader, n: int, spec: PipelineSpec) -> Callable[..., tuple[tf.Tensor, ...]]:
    """(number, samples) -> (span, indices [B], images [B, H, W, C]), without the end mark.

    Raises, when it runs, an error that names the file wherever a position is missing.
    """

    def check(number: tf.Tensor, samples: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        spans, position, index, images = samples
        span = spans[0]
        expected = span[1] + number * spec.batch_size + tf.range(tf.size(position, tf.int64))
        gaps = tf.not_equal(position, expected)

        def fail() -> tf.Tensor:
            missing = expected[tf.argmax(tf.cast(gaps, tf.int32))]
            message = loader.describe_failure(indices_at(missing, span[0], n, spec))
            with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
                return tf.identity(images)

        if loader.describe_failure:
            images = tf.cond(tf.reduce_any(gaps), fail, lambda: images)
        ended = index[-1] < 0
        images = tf.cond(ended, lambda: images[:-1], lambda: images)
        index = tf.cond(ended, lambda: index[:-1], lambda: index)
        return span, index, tf.ensure_shape(images, [None, *loader.shape])

    return check


def finish_batch(source: Source, spec: PipelineSpec) -> Callable[..., Any]:
    """(span, indices, images) -> what the model is given."""
    encode = encoder(spec.label, source.targets)
    misc = [tf.constant(column) for column in getattr(source.images, "misc", ())]
    weights = None if source.weights is None else tf.constant(source.weights)

    def finish(span: Span, indices: tf.Tensor, images: tf.Tensor) -> Any:
        x = cast_image(images, tf.as_dtype(spec.dtype))
        if spec.data_format == "channels_first":
            x = tf.transpose(x, [0, 3, 1, 2])
        y = None if encode is None else encode(indices, x)
        if misc:
            x = (x, *(tf.gather(column, indices) for column in misc))
        if y is None:
            return (x,) if misc else x
        if weights is None:
            return x, y
        return x, y, tf.gather(weights, indices)

    return finish


def cast_image(image: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """An image in another dtype, the values as they are; whole numbers are rounded to, not cut."""
    if dtype.is_integer and image.dtype.is_floating:
        return tf.saturate_cast(tf.round(image), dtype)
    return tf.cast(image, dtype)


# Nothing here needs autograph's Python-to-graph translation, and tracing is twice as fast without.
_as_is = tf.autograph.experimental.do_not_convert


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    # Autotune stalls up to 0.8 s when an iterator is deleted, so at the end of each short epoch.
    options.autotune.enabled = False
    # The epoch counter is outside the graph: whoever restores an iterator sets it.
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    return options
