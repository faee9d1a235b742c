"""The graph: order -> read -> decode -> resize -> augment -> batch -> standardise -> labels -> prefetch.

The only module that builds a `tf.data` graph. Read it from `batches` down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from tfpipe import order, stages
from tfpipe.cell import Cell
from tfpipe.columns import ColumnMaker, in_graph
from tfpipe.graph import as_is, out_of_line
from tfpipe.order import Shard
from tfpipe.service import ServiceSpec
from tfpipe.sources import Source
from tfpipe.specs import PipelineSpec

# Indices are computed this many at a time: one call a sample would cost 35 microseconds, not 1. The
# checkpoint of an iterator holds one chunk.
_CHUNK = 256

# A span is int64 [3]: an epoch, and the first and the end position of a part of it.
Span: TypeAlias = Any


@dataclass(frozen=True)
class Plan:
    """The stages of one data set, made once and shared by every graph that delivers its batches.

    Attributes:
        n: the number of samples.
        spec: what is to become of them.
        loader: index -> image.
        augment: (epoch, index, image) -> image, the random transforms; None where there are none.
        transform: the same for saving and the user's function.
        finish: (indices, images) -> what the model is given.
    """

    n: int
    spec: PipelineSpec
    loader: stages.Loader
    augment: stages.SampleStep | None
    transform: stages.SampleStep | None
    finish: Callable[[tf.Tensor, tf.Tensor], Any]

    @property
    def count(self) -> int:
        """The number of batches in an epoch."""
        size = self.spec.batch_size
        return self.n // size if self.spec.drop_remainder else -(-self.n // size)

    @property
    def end(self) -> int:
        """The position at which an epoch ends."""
        return min(self.n, self.count * self.spec.batch_size)


def plan(source: Source, spec: PipelineSpec, column: ColumnMaker = in_graph) -> Plan:
    """The stages for the samples of `source`, whose columns the graph gets at through `column`."""
    with tf.device("CPU:0"):  # the columns would land on a GPU, where tf.data does not read them
        if spec.image:
            loader = stages.file_loader(source, spec, column)
        else:
            loader = stages.array_loader(source, column)
        augment = stages.augmentation(loader, source, spec)
        transform = stages.sample_transform(loader, source, spec)
        finish = stages.batch_finisher(source, spec, column)
        return Plan(len(source), spec, loader, augment, transform, finish)


def epochs(plan: Plan, cursor: Cell) -> tf.data.Dataset:
    """One epoch an iterator, from where `cursor`, (epoch, batch), stands; it moves to the next epoch."""

    def span() -> Span:
        epoch, batch = tf.unstack(next_epoch(cursor))
        return tf.stack([epoch, tf.minimum(batch * plan.spec.batch_size, plan.end), plan.end])

    return _of_length(batches(plan, span), plan.count)


def shard_epochs(plan: Plan, cursor: Cell, shard: Shard) -> tf.data.Dataset:
    """`epochs`, of each batch only the parts of some replicas, each part an element.

    What the other replicas are given is neither read nor decoded.
    """
    size = plan.spec.batch_size // shard.of

    def spans(begin: tf.Tensor) -> tf.data.Dataset:
        epoch, batch = tf.unstack(begin)

        def of_part(number: tf.Tensor) -> Span:
            replica = shard.first + number % shard.count
            first = number // shard.count * plan.spec.batch_size + replica * size
            return tf.stack([epoch, first, tf.minimum(first + size, plan.end)])

        parts = tf.data.Dataset.range(batch * shard.count, plan.count * shard.count)
        # Of a short last batch, the last replicas may get nothing.
        return parts.map(as_is(of_part)).filter(as_is(lambda span: span[1] < span[2]))

    begins = tf.data.Dataset.from_tensors(0).map(as_is(lambda _: next_epoch(cursor)))
    dataset = batches_of_spans(plan, begins.flat_map(as_is(spans)), size)
    return _of_length(dataset, shard.parts(plan.end, plan.spec.batch_size))


def service_epochs(plan: Plan, cursor: Cell, service: ServiceSpec) -> tf.data.Dataset:
    """`epochs`, prepared by the workers of a tf.data service.

    Each iterator registers its epoch with the dispatcher as a data set of its own, with the epoch as a
    constant: a worker cannot read the cursor. The batches of the epoch are what the workers share out.
    """

    def of_epoch(begin: tf.Tensor) -> tf.data.Dataset:
        epoch, batch = tf.unstack(begin)

        def span(number: tf.Tensor) -> Span:
            first = number * plan.spec.batch_size
            return tf.stack([epoch, first, tf.minimum(first + plan.spec.batch_size, plan.end)])

        spans = tf.data.Dataset.range(batch, plan.count).map(as_is(span))
        return service.through(batches_of_spans(plan, spans, plan.spec.batch_size))

    begins = tf.data.Dataset.from_tensors(0).map(as_is(lambda _: next_epoch(cursor)))
    dataset = begins.flat_map(as_is(of_epoch)).prefetch(plan.spec.prefetch)
    dataset = dataset.with_options(_options())
    return _of_length(dataset, plan.count) if service.each_once else dataset


def next_epoch(cursor: Cell) -> tf.Tensor:  # int64 [2]: epoch, batch
    """Where an iterator begins; the one after it begins with the next epoch."""
    return tf.ensure_shape(cursor.read_then(lambda here: tf.stack([here[0] + 1, 0])), [2])


def _of_length(dataset: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """`dataset`, at most `count` elements of it, with `count` as its cardinality.

    `assert_cardinality` would raise at the end of an epoch that began in the middle. An endless
    data set, though it never gives anything, makes the cardinality that of `take`.
    """
    nothing = tf.nest.map_structure(
        lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), dataset.element_spec
    )
    never = tf.data.Dataset.from_tensors(nothing).filter(as_is(lambda *_: False)).repeat()
    return dataset.concatenate(never).take(count)


def batches(plan: Plan, span: Callable[[], Span]) -> tf.data.Dataset:
    """The batches of one span of one epoch.

    Args:
        plan: the stages.
        span: called in the graph whenever an iterator starts.

    Returns:
        A data set of x, (x, y) or (x, y, weights). x is [B, H, W, C] in `spec.dtype`, or a tuple with
        the further inputs of an array source behind it.
    """
    spans = tf.data.Dataset.from_tensors(0).map(as_is(lambda _: tf.ensure_shape(span(), [3])))
    size = plan.spec.batch_size
    return finished(plan, samples(plan, spans).batch(size).enumerate(), size)


def batches_of_spans(plan: Plan, spans: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """One batch a span of at most `size` samples. Only the last span may have fewer."""
    batched = samples(plan, spans).batch(size + 1)  # its end mark with it
    numbered = batched.map(as_is(lambda *parts: (tf.constant(0, tf.int64), parts)))
    return finished(plan, numbered, size)


def samples(plan: Plan, spans: tf.data.Dataset) -> tf.data.Dataset:
    """(span, position, index, image) of each sample of some spans, and of their end marks."""
    workers = plan.spec.parallelism
    samples = positions(plan, spans).map(
        as_is(load_or_end(plan)), num_parallel_calls=workers, deterministic=True
    )
    if plan.loader.describe_failure is not None:
        # Costs nothing while all goes well; `whole_batch` finds the gap that an error leaves.
        samples = samples.ignore_errors(log_warning=True)
    if plan.transform is not None:
        samples = samples.map(
            as_is(transform_or_end(plan, plan.transform)),
            num_parallel_calls=workers,
            deterministic=True,
        )
    return samples


def finished(plan: Plan, numbered: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """What the model is given, of (number in its span, samples) batches of `size`."""

    def finish(indices: tf.Tensor, images: tf.Tensor) -> Any:
        if plan.spec.drop_remainder:
            indices = tf.ensure_shape(indices, [size])
            images = tf.ensure_shape(images, [size, *plan.loader.shape])
        return plan.finish(indices, images)

    return (
        numbered.map(as_is(whole_batch(plan, size)))
        .filter(as_is(lambda indices, images: tf.size(indices) > 0))
        .map(as_is(finish), num_parallel_calls=2, deterministic=True)
        .prefetch(plan.spec.prefetch)
        .with_options(_options())
    )


def positions(plan: Plan, spans: tf.data.Dataset) -> tf.data.Dataset:
    """(span, position, index in the source) of each sample, int64.

    Each span ends with a mark, index -1, so that what is missing before it can be seen.
    """

    def of_span(span: Span) -> tf.data.Dataset:
        epoch, first, end = tf.unstack(span)

        def chunk(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            position = tf.range(start, tf.minimum(start + _CHUNK, end))
            repeated = tf.repeat(span[None], tf.size(position), axis=0)
            return repeated, position, indices_at(position, epoch, plan)

        end_mark = tf.data.Dataset.from_tensors((span, end, tf.constant(-1, tf.int64)))
        starts = tf.data.Dataset.range(first, end, _CHUNK)
        # One call at a time: left to itself, tf.data holds several chunks, and so does a checkpoint.
        chunks = starts.map(as_is(chunk), num_parallel_calls=1, deterministic=True)
        return chunks.unbatch().concatenate(end_mark)

    return spans.flat_map(as_is(of_span))


def indices_at(position: tf.Tensor, epoch: tf.Tensor, plan: Plan) -> tf.Tensor:
    """The indices in the source at some positions of an epoch, int64."""
    if not plan.spec.shuffle:
        return position
    return order.shuffled(position, plan.n, plan.spec.seed, epoch)


def load_or_end(plan: Plan) -> Callable[..., tuple[tf.Tensor, ...]]:
    """(span, position, index) -> (span, position, index, image); zeros for the end mark.

    Loads and augments in one: a stage of its own would cost a tenth more time for each image, and
    longer starts.
    """
    loader, augment = plan.loader, plan.augment
    dtype = loader.dtype if augment is None else tf.as_dtype(plan.spec.compute_dtype)

    def load(span: Span, position: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        def sample() -> tf.Tensor:
            image = tf.ensure_shape(loader.load(index), loader.shape)
            return image if augment is None else augment(span[0], index, image)

        image = tf.cond(index < 0, lambda: tf.zeros(loader.shape, dtype), sample)
        return span, position, index, tf.ensure_shape(image, loader.shape)

    return load


def transform_or_end(
    plan: Plan, transform: stages.SampleStep
) -> Callable[..., tuple[tf.Tensor, ...]]:
    """The plan's transform on a sample. The end mark is not shown to it."""
    shape, dtype = plan.loader.shape, plan.spec.compute_dtype

    def transform_sample(
        span: Span, position: tf.Tensor, index: tf.Tensor, image: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        changed = tf.cond(
            index < 0,
            lambda: tf.zeros(shape, dtype),
            lambda: tf.cast(transform(span[0], index, image), dtype),
        )
        return span, position, index, tf.ensure_shape(changed, shape)

    return transform_sample


def whole_batch(plan: Plan, size: int) -> Callable[..., tuple[tf.Tensor, ...]]:
    """(number in its span, samples) -> (indices [B], images [B, H, W, C]), without the end mark.

    Raises, when it runs, an error that names the file wherever a position is missing.
    """
    describe_failure, shape = plan.loader.describe_failure, plan.loader.shape

    def check(number: tf.Tensor, samples: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        spans, position, index, images = samples
        span = spans[0]
        expected = span[1] + number * size + tf.range(tf.size(position, tf.int64))
        gaps = tf.not_equal(position, expected)

        if describe_failure is not None:

            @out_of_line
            def fail() -> tf.Tensor:
                missing = expected[tf.argmax(tf.cast(gaps, tf.int32))]
                message = describe_failure(indices_at(missing, span[0], plan))
                # Assert shows quotes and letters beyond ASCII as octal codes; this op shows its
                # input as it is. Unless its result is used, it is optimised away.
                never = tf.strings.to_number(message, tf.int64)
                return images[never:]

            images = tf.cond(tf.reduce_any(gaps), fail, lambda: images)
        ended = index[-1] < 0
        images = tf.cond(ended, lambda: images[:-1], lambda: images)
        index = tf.cond(ended, lambda: index[:-1], lambda: index)
        return index, tf.ensure_shape(images, [None, *shape])

    return check


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    # Autotune stalls up to 0.8 s when an iterator is deleted, so at the end of each short epoch.
    options.autotune.enabled = False
    # The epoch counter is outside the graph: whoever restores an iterator sets it.
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    return options
