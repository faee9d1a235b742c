"""The graph: order -> read -> decode -> resize -> augment -> batch -> standardize -> labels -> prefetch.

Builds the `tf.data` graph with the tools of `graph`; `distribute` and `dataset` extend it. Read it from
`batches` down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfpipe.fields import field
from tfpipe.graph import as_is, filtered, flat_mapped, mapped, scanned, unbatched
from tfpipe.pipeline import bad_files, stages
from tfpipe.pipeline.cursor import Cursor, Span
from tfpipe.pipeline.plan import Plan
from tfpipe.pipeline.resources import AUTOTUNE, Parallelism

# Indices are computed this many at a time. One call per sample would cost 35 microseconds, not 1.
# The checkpoint of an iterator holds one chunk.
_CHUNK = 256


def epochs(plan: Plan, cursor: Cursor) -> tf.data.Dataset:
    """Returns a data set whose iterators give one epoch each, or the part of it that `cursor` tells."""

    def build(handle: tf.Tensor, end: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        once = tf.data.Dataset.from_tensors(0)
        span = mapped(once, lambda _: Cursor(handle).next_span(end))
        return of_length(batches(plan, span), count)

    lengths = [tf.constant(length, tf.int64) for length in (plan.end, plan.count)]
    dataset = plan.feeds.shared(plan.key, build, [cursor.handle, *lengths])
    return dataset.with_options(options_of(plan.parallelism))


def begins(cursor: Cursor) -> tf.data.Dataset:
    """Returns a data set whose iterators give one element each: where they begin."""
    return mapped(tf.data.Dataset.from_tensors(0), lambda _: cursor.next_begin())


def of_length(dataset: tf.data.Dataset, count: Any) -> tf.data.Dataset:
    """Returns at most `count` elements of `dataset`, with `count` as the cardinality.

    `assert_cardinality` would raise at the end of an epoch that began in the middle or left out files; with
    an unknown cardinality, Keras would warn at the end of every epoch. Concatenating an endless data set,
    though it never gives an element, lets `take` set the cardinality.
    """
    nothing = tf.nest.map_structure(
        lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), dataset.element_spec
    )
    never = filtered(tf.data.Dataset.from_tensors(nothing), lambda *_: tf.constant(False)).repeat()
    return dataset.concatenate(never).take(count)


def batches(plan: Plan, span: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the batches of one span of one epoch.

    Args:
        plan: the stages.
        span: a data set of one element.

    Returns:
        A data set of x, (x, y) or (x, y, weights). x is [B, H, W, C] in `spec.dtype`, or a tuple of
        it and the further inputs of an array source.
    """
    size = plan.spec.together
    batched = samples(plan, span).batch(size)
    if plan.skipping is None:
        return finished(plan, mapped(batched.enumerate(), checked(plan, size)), size)
    step_over = plan.skipping.step_over

    def stepped(
        expected: tf.Tensor, samples: bad_files.Samples
    ) -> tuple[tf.Tensor, bad_files.Samples]:
        expected, whole = step_over(expected, samples)
        return expected, bad_files.without_end_mark(whole)

    begin = tf.constant(-1, tf.int64)
    return finished(plan, scanned(batched, begin, stepped), size)


def batches_of_spans(plan: Plan, spans: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """Returns one batch per span. A span has `size` samples; only the last one may have fewer."""
    batched = samples(plan, spans).batch(size + 1)  # together with its end mark
    check = checked(plan, size)
    whole = mapped(batched, lambda *samples: check(tf.constant(0, tf.int64), samples))
    return finished(plan, whole, size).with_options(options_of(plan.parallelism))


def checked(plan: Plan, size: int) -> Callable[..., bad_files.Samples]:
    """Returns (number in its span, samples) -> samples without the end mark; no file may be missing."""
    describe = plan.loader.describe_failure
    if describe is None:
        return lambda number, samples: bad_files.without_end_mark(samples)
    check = bad_files.raise_at_gap(describe, plan.index_at, size)
    return lambda number, samples: bad_files.without_end_mark(check(number, samples))


def samples(plan: Plan, spans: tf.data.Dataset) -> tf.data.Dataset:
    """Returns (span, position, index, record) of each sample of some spans, and of their end marks."""
    calls = plan.parallelism.calls
    samples = mapped(positions(plan, spans), load_or_end(plan), calls)
    if plan.loader.describe_failure is not None:
        # Costs nothing as long as nothing fails; the batch shows the gap that an error leaves.
        samples = samples.ignore_errors(log_warning=plan.skipping is None)
    if plan.transform is not None:
        transform = transform_or_end(plan, plan.transform)
        if plan.spec.standardize.preprocessing_function is None:
            return mapped(samples, transform, calls)
        # tf.data's own method, since the user's function may have variables on another device.
        return samples.map(as_is(transform), num_parallel_calls=calls, deterministic=True)
    return samples


def finished(plan: Plan, batched: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """Returns what the model is given, made from batches of `size` samples."""
    dropping = plan.spec.drop_remainder and plan.spec.batched

    def finish(spans: tf.Tensor, positions: tf.Tensor, indices: tf.Tensor, record: Any) -> Any:
        if dropping:
            indices = tf.ensure_shape(indices, [size])
            record = {
                name: tf.ensure_shape(value, [size, *value.shape[1:]])
                for name, value in record.items()
            }
        return plan.finish(spans[0], positions[0], indices, record)

    if plan.skipping is not None and dropping:
        batched = filtered(batched, lambda *samples: tf.size(samples[1]) == size)
    batched = filtered(batched, lambda *samples: tf.size(samples[1]) > 0)
    whole = mapped(batched, finish, 2)
    delivered = whole if plan.spec.batched else unbatched(whole)
    return delivered.prefetch(plan.spec.prefetch)


def positions(plan: Plan, spans: tf.data.Dataset) -> tf.data.Dataset:
    """Returns (span, position, index in the source) of each sample, int64.

    Each span ends with a mark, index -1, so that missing samples before it are noticed.
    """

    def of_span(span: Span) -> tf.data.Dataset:
        epoch, first, end, _ = tf.unstack(span)

        def chunk(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            position = tf.range(start, tf.minimum(start + _CHUNK, end))
            repeated = tf.repeat(span[None], tf.size(position), axis=0)
            return repeated, position, plan.index_at(position, epoch)

        end_mark = tf.data.Dataset.from_tensors((span, end, tf.constant(-1, tf.int64)))
        starts = tf.data.Dataset.range(first, end, _CHUNK)
        chunks = mapped(starts, chunk)
        return unbatched(chunks).concatenate(end_mark)

    return flat_mapped(spans, of_span)


def load_or_end(plan: Plan) -> Callable[..., bad_files.Samples]:
    """Returns (span, position, index) -> (span, position, index, record); zeros for the end mark.

    Loads and augments in one step, because a separate stage would cost a tenth more time per image.
    """
    loader, augment = plan.loader, plan.augment
    specs = loader.specs if augment is None else in_dtype(loader, plan.spec.compute_dtype)

    def load(span: Span, position: tf.Tensor, index: tf.Tensor) -> bad_files.Samples:
        def sample() -> field.Record:
            at = index if plan.skipping is None else plan.skipping.unless_known(index)
            loaded = of_specs(loader.load(at), loader.specs)
            if augment is None:
                return loaded
            # A balanced epoch may have a sample more than once, so each position draws for itself.
            drawer = index if plan.spec.balance is None else position
            return augment(looked_at(plan, span, position), drawer, loaded)

        record = tf.cond(index < 0, lambda: zeros(specs), sample)
        return span, position, index, of_specs(record, specs)

    return load


def transform_or_end(plan: Plan, transform: stages.SampleStep) -> Callable[..., bad_files.Samples]:
    """Returns the plan's transform as a step over samples that never shows it the end mark."""
    specs = in_dtype(plan.loader, plan.spec.compute_dtype)

    def transform_sample(
        span: Span, position: tf.Tensor, index: tf.Tensor, record: field.Record
    ) -> bad_files.Samples:
        def changed() -> field.Record:
            result = transform(looked_at(plan, span, position), index, record)
            return {**result, field.IMAGE: tf.cast(result[field.IMAGE], plan.spec.compute_dtype)}

        whole = tf.cond(index < 0, lambda: zeros(specs), changed)
        return span, position, index, of_specs(whole, specs)

    return transform_sample


def looked_at(plan: Plan, span: Span, position: tf.Tensor) -> Span:
    """Returns a span whose look counts how many times the sample at a position came before."""
    if plan.repeats_at is None:
        return span
    return tf.concat([span[:3], [span[3] + plan.repeats_at(position)]], 0)


def in_dtype(loader: field.Loader, dtype: str) -> dict[str, tf.TensorSpec]:
    """Returns the specs of a loader's record, with the image in another dtype."""
    return {**loader.specs, field.IMAGE: tf.TensorSpec(loader.shape, dtype)}


def zeros(specs: Mapping[str, tf.TensorSpec]) -> field.Record:
    return {name: tf.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}


def of_specs(record: field.Record, specs: Mapping[str, tf.TensorSpec]) -> field.Record:
    """Restores the static shapes that TensorFlow lost."""
    return {name: tf.ensure_shape(record[name], spec.shape) for name, spec in specs.items()}


def host_options() -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    # Autotune stalls for up to 0.8 s when an iterator is deleted: at the end of each short epoch.
    options.autotune.enabled = False
    # The epoch counter is outside the graph, and whoever restores an iterator sets it.
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    return options


def for_a_loop(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a data set that starts faster, for a loop in Python alone.

    Rewriting the graph takes 0.1 s, and makes none of its stages faster. It must not be left out where a
    strategy makes the iterator: TensorFlow 2.21 would free a data set that was not rewritten while its
    iterator still reads it.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)


def options_of(parallelism: Parallelism) -> tf.data.Options:
    options = host_options()
    if parallelism.calls == AUTOTUNE:
        # Without autotune, AUTOTUNE means as many calls as threads, but by default at most 16.
        options.autotune.initial_parallelism = 1024
    if parallelism.threads is not None:
        options.threading.private_threadpool_size = parallelism.threads
    return options
