"""The graph: order -> read -> decode -> resize -> augment -> batch -> standardise -> labels -> prefetch.

The only module that builds a `tf.data` graph, with the tools of `graph`. Read it from `batches` down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from tfpipe import gaps, stages
from tfpipe.affine import xla_has_own_threads
from tfpipe.cell import Cell
from tfpipe.columns import ColumnMaker, in_graph
from tfpipe.graph import as_is, filtered, flat_mapped, mapped, scanned, unbatched
from tfpipe.memory import check_budget
from tfpipe.order import Shard
from tfpipe.parallelism import AUTOTUNE, Parallelism, on_this_host
from tfpipe.service import ServiceSpec
from tfpipe.skipping import SkipList
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
        spec: what is to become of the samples.
        length: positions in an epoch.
        index_at: (positions, epoch) -> indices in the source.
        loader: index -> image.
        augment: (epoch, index, pixels) -> pixels, the random transforms; None where there are none.
        transform: the same for saving and the user's function.
        finish: (epoch, first position, indices, pixels) -> what the model is given.
        parallelism: how many samples are in work at once, and on which threads.
        skipping: how files that cannot be used are stepped over; None: they are errors.
    """

    spec: PipelineSpec
    length: int
    index_at: gaps.IndexAt
    loader: stages.Loader
    augment: stages.SampleStep | None
    transform: stages.SampleStep | None
    finish: stages.BatchStep
    parallelism: Parallelism
    skipping: gaps.Skipping | None = None

    @property
    def count(self) -> int:
        """The number of batches in an epoch; of files that are skipped, an upper bound."""
        size = self.spec.batch_size
        return self.length // size if self.spec.drop_remainder else -(-self.length // size)

    @property
    def end(self) -> int:
        """The position at which an epoch ends."""
        if self.skipping is not None:  # later samples fill up the batches of those left out
            return self.length
        return min(self.length, self.count * self.spec.batch_size)


def plan(
    source: Source,
    spec: PipelineSpec,
    column: ColumnMaker = in_graph,
    skipped: SkipList | None = None,
) -> Plan:
    """The stages for the samples of `source`, whose columns the graph gets at through `column`.

    `skipped` is where files that cannot be used are noted, if `spec` says so.
    """
    with tf.device("CPU:0"):  # the columns would land on a GPU, where tf.data does not read them
        length, index_at = stages.epoch_order(source, spec, column)
        if spec.image:
            loader = stages.file_loader(source, spec, column)
        else:
            loader = stages.array_loader(source, column)
        check_budget(spec, loader.specs, len(source) if spec.image else 0)  # before it is taken
        loader = stages.kept(loader, source, spec)
        skipping = None
        if skipped is not None and spec.errors.skips and loader.describe_failure is not None:
            limit = spec.errors.limit(len(source))
            skipping = gaps.Skipping(skipped, limit, loader.describe_failure, index_at)
        augment = stages.augmentation(loader, source, spec)
        threads_wait = augment is not None and xla_has_own_threads()
        return Plan(
            spec,
            length,
            index_at,
            loader,
            augment,
            stages.sample_transform(loader, source, spec),
            stages.batch_finisher(source, spec, column),
            on_this_host(spec.num_parallel_calls, threads_wait),
            skipping,
        )


def epochs(plan: Plan, cursor: Cell) -> tf.data.Dataset:
    """One epoch an iterator, from where `cursor`, (epoch, position), stands; it moves to the next."""

    def span() -> Span:
        epoch, position = tf.unstack(next_epoch(cursor))
        return tf.stack([epoch, tf.minimum(position, plan.end), plan.end])

    return _of_length(batches(plan, span), plan.count)


def shard_epochs(plan: Plan, cursor: Cell, shard: Shard) -> tf.data.Dataset:
    """`epochs`, of each batch only the parts of some replicas, each part an element.

    What the other replicas are given is neither read nor decoded.
    """
    size = plan.spec.batch_size // shard.of

    def spans(begin: tf.Tensor) -> tf.data.Dataset:
        epoch, position = tf.unstack(begin)
        batch = position // plan.spec.batch_size

        def of_part(number: tf.Tensor) -> Span:
            replica = shard.first + number % shard.count
            first = number // shard.count * plan.spec.batch_size + replica * size
            return tf.stack([epoch, first, tf.minimum(first + size, plan.end)])

        parts = tf.data.Dataset.range(batch * shard.count, plan.count * shard.count)
        # Of a short last batch, the last replicas may get nothing.
        return filtered(mapped(parts, of_part), lambda span: span[1] < span[2])

    dataset = batches_of_spans(plan, flat_mapped(_begins(cursor), spans), size)
    return _of_length(dataset, shard.parts(plan.end, plan.spec.batch_size))


def service_epochs(plan: Plan, cursor: Cell, service: ServiceSpec, content: str) -> tf.data.Dataset:
    """`epochs`, prepared by the workers of a tf.data service.

    `content` says which samples these are, and what is done to them: trainers of one job share what is equal.
    Each iterator registers its epoch with the dispatcher as a data set of its own, with the epoch as a
    constant: a worker cannot read the cursor. The batches of the epoch are what the workers share out.
    """

    def of_epoch(begin: tf.Tensor) -> tf.data.Dataset:
        epoch, position = tf.unstack(begin)
        batch = position // plan.spec.batch_size

        def span(number: tf.Tensor) -> Span:
            first = number * plan.spec.batch_size
            return tf.stack([epoch, first, tf.minimum(first + plan.spec.batch_size, plan.end)])

        spans = mapped(tf.data.Dataset.range(batch, plan.count), span)
        name = tf.strings.join([content, ", epoch ", tf.strings.as_string(epoch)])
        dataset = batches_of_spans(plan, spans, plan.spec.batch_size)
        return service.through(dataset.with_options(_service_options()), name)

    dataset = flat_mapped(_begins(cursor), of_epoch).prefetch(plan.spec.prefetch)
    dataset = dataset.with_options(_options())
    return _of_length(dataset, plan.count) if service.keeps_length else dataset


def _begins(cursor: Cell) -> tf.data.Dataset:
    """One element an iterator: where it begins."""
    return mapped(tf.data.Dataset.from_tensors(0), lambda _: next_epoch(cursor))


def next_epoch(cursor: Cell) -> tf.Tensor:  # int64 [2]: epoch, position
    """Where an iterator begins; the one after it begins with the next epoch."""
    return tf.ensure_shape(cursor.read_then(lambda here: tf.stack([here[0] + 1, 0])), [2])


def _of_length(dataset: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """`dataset`, at most `count` elements of it, with `count` as its cardinality.

    `assert_cardinality` would raise at the end of an epoch that began in the middle, or whose files
    were left out (if it were unknown, Keras would warn at the end of every epoch). An endless data
    set, though it never gives anything, makes the cardinality that of `take`.
    """
    nothing = tf.nest.map_structure(
        lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), dataset.element_spec
    )
    never = filtered(tf.data.Dataset.from_tensors(nothing), lambda *_: tf.constant(False)).repeat()
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
    size = plan.spec.together
    spans = mapped(tf.data.Dataset.from_tensors(0), lambda _: tf.ensure_shape(span(), [3]))
    batched = samples(plan, spans).batch(size)
    if plan.skipping is None:
        return finished(plan, mapped(batched.enumerate(), checked(plan, size)), size)
    step_over = plan.skipping.step_over

    def stepped(expected: tf.Tensor, samples: gaps.Samples) -> tuple[tf.Tensor, gaps.Samples]:
        expected, whole = step_over(expected, samples)
        return expected, gaps.without_end_mark(whole)

    begin = tf.constant(-1, tf.int64)
    return finished(plan, scanned(batched, begin, stepped), size)


def batches_of_spans(plan: Plan, spans: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """One batch a span of at most `size` samples. Only the last span may have fewer."""
    batched = samples(plan, spans).batch(size + 1)  # its end mark with it
    check = checked(plan, size)
    whole = mapped(batched, lambda *samples: check(tf.constant(0, tf.int64), samples))
    return finished(plan, whole, size)


def checked(plan: Plan, size: int) -> Callable[..., gaps.Samples]:
    """(number in its span, samples) -> samples without the end mark; no file may be missing."""
    describe = plan.loader.describe_failure
    if describe is None:
        return lambda number, samples: gaps.without_end_mark(samples)
    check = gaps.raise_at_gap(describe, plan.index_at, size)
    return lambda number, samples: gaps.without_end_mark(check(number, samples))


def samples(plan: Plan, spans: tf.data.Dataset) -> tf.data.Dataset:
    """(span, position, index, pixels) of each sample of some spans, and of their end marks."""
    calls = plan.parallelism.calls
    samples = mapped(positions(plan, spans), load_or_end(plan), calls)
    if plan.loader.describe_failure is not None:
        # Costs nothing while all goes well; the batch shows the gap that an error leaves.
        samples = samples.ignore_errors(log_warning=plan.skipping is None)
    if plan.transform is not None:
        transform = transform_or_end(plan, plan.transform)
        if plan.spec.standardize.preprocessing_function is None:
            return mapped(samples, transform, calls)
        # The method: the user's function may have variables on another device.
        return samples.map(as_is(transform), num_parallel_calls=calls, deterministic=True)
    return samples


def finished(plan: Plan, batched: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """What the model is given, of batches of `size` samples."""
    dropping = plan.spec.drop_remainder and plan.spec.batched

    def finish(spans: tf.Tensor, positions: tf.Tensor, indices: tf.Tensor, pixels: Any) -> Any:
        if dropping:
            indices = tf.ensure_shape(indices, [size])
            pixels = tuple(tf.ensure_shape(image, [size, *image.shape[1:]]) for image in pixels)
        return plan.finish(spans[0, 0], positions[0], indices, pixels)

    if plan.skipping is not None and dropping:
        batched = filtered(batched, lambda *samples: tf.size(samples[1]) == size)
    batched = filtered(batched, lambda *samples: tf.size(samples[1]) > 0)
    whole = mapped(batched, finish, 2)
    delivered = whole if plan.spec.batched else unbatched(whole)
    return delivered.prefetch(plan.spec.prefetch).with_options(_parallel_options(plan.parallelism))


def positions(plan: Plan, spans: tf.data.Dataset) -> tf.data.Dataset:
    """(span, position, index in the source) of each sample, int64.

    Each span ends with a mark, index -1, so that what is missing before it can be seen.
    """

    def of_span(span: Span) -> tf.data.Dataset:
        epoch, first, end = tf.unstack(span)

        def chunk(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            position = tf.range(start, tf.minimum(start + _CHUNK, end))
            repeated = tf.repeat(span[None], tf.size(position), axis=0)
            return repeated, position, plan.index_at(position, epoch)

        end_mark = tf.data.Dataset.from_tensors((span, end, tf.constant(-1, tf.int64)))
        starts = tf.data.Dataset.range(first, end, _CHUNK)
        chunks = mapped(starts, chunk)
        return unbatched(chunks).concatenate(end_mark)

    return flat_mapped(spans, of_span)


def load_or_end(plan: Plan) -> Callable[..., gaps.Samples]:
    """(span, position, index) -> (span, position, index, pixels); zeros for the end mark.

    Loads and augments in one: a stage of its own would cost a tenth more time for each image.
    """
    loader, augment = plan.loader, plan.augment
    specs = loader.specs if augment is None else in_dtype(loader, plan.spec.compute_dtype)

    def load(span: Span, position: tf.Tensor, index: tf.Tensor) -> gaps.Samples:
        def sample() -> stages.Pixels:
            loaded = of_specs(loader.load(index), loader.specs)
            if augment is None:
                return loaded
            # A balanced epoch has samples more than once: each of its places draws for itself.
            drawer = index if plan.spec.balance is None else position
            return augment(span[0], drawer, loaded)

        pixels = tf.cond(index < 0, lambda: zeros(specs), sample)
        return span, position, index, of_specs(pixels, specs)

    return load


def transform_or_end(plan: Plan, transform: stages.SampleStep) -> Callable[..., gaps.Samples]:
    """The plan's transform on a sample. The end mark is not shown to it."""
    specs = in_dtype(plan.loader, plan.spec.compute_dtype)

    def transform_sample(
        span: Span, position: tf.Tensor, index: tf.Tensor, pixels: stages.Pixels
    ) -> gaps.Samples:
        def changed() -> stages.Pixels:
            image, *others = transform(span[0], index, pixels)
            return (tf.cast(image, plan.spec.compute_dtype), *others)

        pixels = tf.cond(index < 0, lambda: zeros(specs), changed)
        return span, position, index, of_specs(pixels, specs)

    return transform_sample


def in_dtype(loader: stages.Loader, dtype: str) -> tuple[tf.TensorSpec, ...]:
    """The specs of a loader's pixels, the image in another dtype."""
    image, *others = loader.specs
    return (tf.TensorSpec(image.shape, dtype), *others)


def zeros(specs: tuple[tf.TensorSpec, ...]) -> stages.Pixels:
    return tuple(tf.zeros(spec.shape, spec.dtype) for spec in specs)


def of_specs(pixels: stages.Pixels, specs: tuple[tf.TensorSpec, ...]) -> stages.Pixels:
    """The same tensors, with the static shapes that TensorFlow lost."""
    return tuple(tf.ensure_shape(p, spec.shape) for p, spec in zip(pixels, specs, strict=True))


def _options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    # Autotune stalls up to 0.8 s when an iterator is deleted, so at the end of each short epoch.
    options.autotune.enabled = False
    # The epoch counter is outside the graph: whoever restores an iterator sets it.
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    return options


def _parallel_options(parallelism: Parallelism) -> tf.data.Options:
    options = _options()
    if parallelism.calls == AUTOTUNE:
        # Without autotune it means as many calls as threads, but 16 at most by itself.
        options.autotune.initial_parallelism = 1024
    if parallelism.threads is not None:
        options.threading.private_threadpool_size = parallelism.threads
    return options


def _service_options() -> tf.data.Options:
    options = tf.data.Options()
    # The rewriting of the graph takes the dispatcher and each worker 2 s of CPU time at each epoch.
    options.experimental_optimization.apply_default_optimizations = False
    return options
