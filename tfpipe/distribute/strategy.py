"""The batches of one data set for the replicas of a strategy."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfpipe.graph import filtered, flat_mapped, mapped
from tfpipe.pipeline.cursor import Cursor, Span
from tfpipe.pipeline.pipeline import batches_of_spans, begins, of_length
from tfpipe.pipeline.plan import Plan


@dataclass(frozen=True)
class Replicas:
    """Replicas `first` to `first + count` (exclusive), out of `of` that share each batch.

    Replica r is given the r-th of `of` equal parts of each batch, whichever worker feeds it. So any number of
    workers sees the same samples in the same batches.
    """

    first: int
    count: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.first + self.count <= self.of:
            raise ValueError(
                f"Replicas must lie within the {self.of} that share each batch. Received: {self}."
            )

    def parts(self, n: int, batch_size: int) -> int:
        """Returns how many non-empty parts of batches these replicas have among n positions.

        >>> Replicas(0, 1, of=2).parts(9, batch_size=4), Replicas(1, 1, of=2).parts(9, batch_size=4)
        (3, 2)
        """
        size = batch_size // self.of
        whole, rest = divmod(n, batch_size)
        short = -(-rest // size)  # replicas that get something of a short last batch
        return whole * self.count + min(max(short - self.first, 0), self.count)


def for_strategies(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a data set that a strategy of a single process starts faster.

    The strategy would rewrite the graph for each iterator, to find the part of the samples that is for its
    process. In a process that is one of several it still does, so that no sample comes twice.
    """
    if _is_in_cluster():
        return dataset
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(options)


def _is_in_cluster() -> bool:
    """Tells whether this process belongs to a cluster, by the names of its devices."""
    cpu, *_ = tf.config.list_logical_devices("CPU")
    return bool(cpu.name.startswith("/job:") and not cpu.name.startswith("/job:localhost"))


def replica_epochs(plan: Plan, cursor: Cursor, replicas: Replicas) -> tf.data.Dataset:
    """Returns `epochs` with only some replicas' parts of each batch, each part as one element.

    The parts of the other replicas are neither read nor decoded.
    """
    size = plan.spec.batch_size // replicas.of

    def spans(begin: tf.Tensor) -> tf.data.Dataset:
        epoch, position = tf.unstack(begin)
        batch = position // plan.spec.batch_size

        def of_part(number: tf.Tensor) -> Span:
            replica = replicas.first + number % replicas.count
            first = number // replicas.count * plan.spec.batch_size + replica * size
            return tf.stack([epoch, first, tf.minimum(first + size, plan.end), 0])

        parts = tf.data.Dataset.range(batch * replicas.count, plan.count * replicas.count)
        # The last replicas may get nothing of a short last batch.
        return filtered(mapped(parts, of_part), lambda span: span[1] < span[2])

    dataset = batches_of_spans(plan, flat_mapped(begins(cursor), spans), size)
    return of_length(dataset, replicas.parts(plan.end, plan.spec.batch_size))


def over_replicas(
    plan: Plan, cursor: Cursor, strategy: Any, epochs: int | None
) -> tf.distribute.DistributedDataset:
    """Shares out each batch among the replicas of a strategy; a worker reads only its own parts.

    Args:
        plan: of the whole batches.
        cursor: where the next loop begins; each loop moves it on.
        strategy: a `tf.distribute.Strategy`.
        epochs: how many epochs one loop goes over; None: no limit.

    Raises:
        TypeError: strategy is not a `tf.distribute.Strategy`.
        ValueError: the batch size is not a multiple of the number of replicas.
    """
    if not isinstance(strategy, tf.distribute.Strategy):
        raise TypeError(
            f"strategy must be a tf.distribute.Strategy. Received: {type(strategy).__name__}. "
            "For a tf.data service write distribute(service='grpc://host:port')."
        )
    of = strategy.num_replicas_in_sync
    batch_size = plan.spec.batch_size if plan.spec.batched else None
    if batch_size is None or batch_size % of:
        raise ValueError(
            f"batch_size must be a multiple of the {of} replicas that share each batch. "
            f"Received: batch_size={batch_size}."
        )
    if plan.spec.augment.mixes and batch_size == of:
        raise ValueError(
            f"MixUp and CutMix mix the samples of one replica's part of a batch, but batch_size={batch_size} "
            f"leaves each of the {of} replicas a single sample. Choose a larger batch_size."
        )
    begin = cursor.copy()
    pipelines = itertools.count()

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = of // context.num_input_pipelines
        replicas = Replicas(context.input_pipeline_id * count, count, of)
        # Several pipelines of one process, as on TPU hosts, run through the same epochs side by side.
        own = cursor if next(pipelines) == 0 else begin.copy()
        share = replica_epochs(plan, own, replicas)
        return share if epochs == 1 else share.repeat(epochs)

    return strategy.distribute_datasets_from_function(of_worker)
