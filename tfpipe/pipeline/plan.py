"""The plan of a data set: its stages, made once, and where an epoch stands."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from tfpipe.fields import field, image, packed
from tfpipe.ops import kernels
from tfpipe.ops.xla import xla_has_own_threads
from tfpipe.pipeline import bad_files, stages
from tfpipe.pipeline.cursor import Order
from tfpipe.pipeline.feeds import Feeds, identity
from tfpipe.pipeline.resources import Parallelism, check_budget, on_this_host
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.columns import ColumnMaker
from tfpipe.sources.source import Records, Source
from tfpipe.transforms.standardize import with_statistics


@dataclass(frozen=True)
class Plan:
    """The stages of one data set, made once and shared by every graph that delivers its batches.

    Attributes:
        spec: what is done to the samples.
        feeds: the values that the graph is given.
        key: all that the graph depends on besides the feeds; None: there is more, so it is not shared.
        length: positions in an epoch.
        index_at: (positions, epoch) -> indices in the source.
        loader: index -> record.
        augment: (span, index, record) -> record, the random transforms, or None.
        transform: the same, for saving and the user's function.
        finish: (span, first position, indices, record) -> what the model is given.
        parallelism: how many samples are prepared at once, and on which threads.
        skipping: how files that cannot be used are stepped over; None: they are errors.
        repeats_at: position -> how many times its sample came before in the epoch; None: never.
    """

    spec: PipelineSpec
    feeds: Feeds
    key: Hashable | None
    length: int
    index_at: bad_files.IndexAt
    loader: field.Loader
    augment: stages.SampleStep | None
    transform: stages.SampleStep | None
    finish: stages.BatchStep
    parallelism: Parallelism
    skipping: bad_files.Skipping | None = None
    repeats_at: Callable[[tf.Tensor], tf.Tensor] | None = None

    @property
    def count(self) -> int:
        """The number of batches in an epoch, without the files that are known to be bad by now.

        An upper bound, as long as no epoch has come to all of them, and for balanced epochs, which have other
        samples each time.
        """
        if self.skipping is None or self.spec.balance is not None:
            return self.batches_without(0)
        return self.batches_without(self.skipping.skipped.size())

    def batches_without(self, left_out: int) -> int:
        """Returns the number of batches in an epoch without some of its samples."""
        size, length = self.spec.batch_size, self.length - left_out
        return length // size if self.spec.drop_remainder else -(-length // size)

    @property
    def end(self) -> int:
        """The position at which an epoch ends."""
        if self.skipping is not None:  # later samples fill the places of those left out
            return self.length
        return min(self.length, self.count * self.spec.batch_size)


def plan(source: Source, spec: PipelineSpec, feeds: Feeds | None = None) -> Plan:
    """Returns the stages for the samples of `source`, whose columns become `feeds` of the graph."""
    feeds = Feeds() if feeds is None else feeds
    stages.check_bytes(source, spec)
    with tf.device("CPU:0"):  # the columns would land on a GPU, where tf.data does not read them
        seed = feeds.value(spec.seed)
        length, index_at = stages.epoch_order(source, spec, seed, feeds)
        loader = _loader(source, spec, feeds.column)
        check_budget(spec, loader.specs, len(source) if spec.image else 0)  # before memory is taken
        loader = stages.kept(loader, source, spec)
        skipping = None
        if spec.errors.skips and loader.describe_failure is not None:
            limit = spec.errors.limit(len(source) + len(source.left_out))
            limit = None if limit is None else limit - len(source.left_out)
            skipped = bad_files.SkipList()
            skipping = bad_files.Skipping(skipped, limit, loader.describe_failure, index_at)
        unit_range = stages.unit_range_of(source, spec)
        augment = stages.augmentation(loader, source, spec, seed, unit_range)
        threads_wait = stages.uses_xla(spec) and xla_has_own_threads()
        return Plan(
            spec,
            feeds,
            key_of(source, spec, unit_range) if skipping is None else None,
            length,
            index_at,
            loader,
            augment,
            stages.sample_transform(loader, spec, seed, unit_range),
            stages.batch_finisher(loader, source, spec, seed, feeds),
            on_this_host(spec.num_parallel_calls, threads_wait),
            skipping,
        )


def key_of(source: Source, spec: PipelineSpec, unit_range: bool) -> Hashable | None:
    """Returns all that the graph of a data set depends on, besides its feeds; None: it cannot be listed.

    A user's function may depend on anything. A cache has resources of its own.
    """
    if spec.standardize.preprocessing_function is not None or spec.cache is not None:
        return None
    columns = tuple((name, getattr(c, "kind", type(c))) for name, c in source.columns.items())
    fitted = spec.standardize.statistics
    steps = with_statistics(spec.standardize, dict.fromkeys(fitted))
    same = replace(spec, seed=0, ram_budget=None, standardize=steps)
    computed_with = kernels.chosen(spec.kernels).name
    names = (source.image_name, source.class_output)
    return (columns, names, unit_range, tuple(fitted), computed_with, identity(same))


def _loader(source: Source, spec: PipelineSpec, column: ColumnMaker) -> field.Loader:
    if spec.image is None:
        return image.array_loader(source, column)
    chosen = kernels.chosen(spec.kernels)
    if isinstance(source.images, Records):
        return packed.record_loader(source, spec.image, column, chosen)
    return image.file_loader(
        source, spec.image, column, spec.mask_dtype, chosen, spec.shared_augment
    )


def in_order(plan: Plan, order: Order, length: int) -> Plan:
    """Returns a plan of the same samples whose epochs have them in the order that is given.

    Args:
        plan: of all samples.
        order: read whenever samples are.
        length: of the order, or more.
    """
    feeds = plan.feeds.extended()
    handle = feeds.value(order.handle)

    def index_at(positions: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        return Order(handle()).indices(positions)

    return replace(
        plan,
        feeds=feeds,
        key=None if plan.key is None else ("in order", plan.key),
        length=length,
        index_at=index_at,
        repeats_at=lambda position: Order(handle()).repeats(position),
        skipping=plan.skipping and replace(plan.skipping, index_at=index_at),
    )


def order_of(plan: Plan, epoch: int) -> np.ndarray:  # int64 [length]
    """Returns the indices of the samples in the order of one epoch."""
    with tf.device("CPU:0"):
        positions = tf.range(plan.length, dtype=tf.int64)
        return plan.index_at(positions, tf.constant(epoch, tf.int64)).numpy()


def place_after(plan: Plan, epoch: int, position: int, batches: int) -> int:
    """Returns the position of an epoch that is reached `batches` batches after another position.

    Files that were left out take positions between the two, as far as they are known: files that no loop
    has come to yet are not.

    Args:
        plan: of the data set.
        epoch: 0 is the first.
        position: place of a sample in the order of the epoch.
        batches: how many batches were read from there.
    """
    reached = position + batches * plan.spec.batch_size
    if plan.skipping is not None and batches:
        left_out = np.isin(order_of(plan, epoch), plan.skipping.skipped.indices())
        for place in np.flatnonzero(left_out).tolist():
            reached += position <= place < reached
    return min(reached, plan.end)


def batches_of(plan: Plan, epoch: int) -> int:
    """Returns the number of batches in one epoch, without the files that are known to be bad."""
    if plan.skipping is None or plan.spec.balance is None:
        return plan.count
    left_out = np.isin(order_of(plan, epoch), plan.skipping.skipped.indices())
    return plan.batches_without(int(left_out.sum()))
