"""The batches of one data set for the replicas of a strategy, or from the workers of a tf.data service."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import pipeline
from tfpipe.cell import Cell
from tfpipe.columns import Column, in_file, in_graph, nbytes
from tfpipe.order import Shard
from tfpipe.parallelism import on_any_host
from tfpipe.service import python_ops
from tfpipe.sources import Arrays, Source
from tfpipe.specs import PipelineSpec
from tfpipe.stages import python_parts

# Of file names and labels in a graph that is sent to a dispatcher at each epoch, in bytes.
_LARGEST_GRAPH = 2**20


def over_replicas(
    plan: pipeline.Plan, cursor: Cell, strategy: Any, epochs: int | None
) -> tf.distribute.DistributedDataset:
    """Each batch shared out among the replicas of a strategy; a worker reads only its own parts.

    Args:
        plan: of the whole batches.
        cursor: epoch and position that the next loop begins at, int64 [2]; each moves it on.
        strategy: a `tf.distribute.Strategy`.
        epochs: that one loop goes over; None: without end.

    Raises:
        TypeError: strategy is no strategy.
        ValueError: the batch size is no multiple of the number of replicas.
    """
    if not isinstance(strategy, tf.distribute.Strategy):
        raise TypeError(
            f"strategy must be a tf.distribute.Strategy. Received: {type(strategy).__name__}. "
            "For a tf.data service write distribute(service='grpc://host:port')."
        )
    replicas = strategy.num_replicas_in_sync
    batch_size = plan.spec.batch_size if plan.spec.batched else None
    if batch_size is None or batch_size % replicas:
        raise ValueError(
            f"batch_size must be a multiple of the {replicas} replicas that share each batch. "
            f"Received: batch_size={batch_size}."
        )
    if plan.spec.augment.mixes and batch_size == replicas:
        raise ValueError(
            f"MixUp and CutMix mix the samples of one replica's part of a batch, and batch_size={batch_size} "
            f"leaves each of the {replicas} replicas a single one. Choose a larger batch_size."
        )
    begin = cursor.value()
    pipelines = itertools.count()

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = replicas // context.num_input_pipelines
        shard = Shard(context.input_pipeline_id * count, count, replicas)
        # Several pipelines of one process, as on TPU hosts, go through the same epochs side by side.
        own = cursor if next(pipelines) == 0 else Cell(begin)
        share = pipeline.shard_epochs(plan, own, shard)
        return share if epochs == 1 else share.repeat(epochs)

    return strategy.distribute_datasets_from_function(of_worker)


def content_of(source: Source, spec: PipelineSpec) -> str:
    """What tells an epoch of these samples, so treated, from any other; the same in every process."""
    settings = replace(spec, num_parallel_calls=None, prefetch=1, ram_budget=None)
    # Functions are told by their names: where they lie in memory differs between processes.
    digest = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", repr(settings)).encode())
    images, targets = source.images, source.targets
    parts: list[Any]
    # By their paths: the same names may stand in a folder for training and in another for validation.
    parts = [images.images, *images.misc] if isinstance(images, Arrays) else [images.paths]
    parts += list(targets) if isinstance(targets, tuple) else [targets]
    parts += [source.weights, None if source.masks is None else source.masks.paths]
    for values in parts:
        if isinstance(values, np.ndarray) and values.dtype != object:
            digest.update(f"{values.dtype}{values.shape}".encode() + values.tobytes())
        else:
            digest.update(repr(values if values is None else list(values)).encode())
    return digest.hexdigest()[:24]


def plan_for_service(
    source: Source,
    plan: pipeline.Plan,
    dataset: tf.data.Dataset,
    manifest: str | os.PathLike[str] | None,
) -> pipeline.Plan:
    """A plan like the one of `dataset`, which other processes can run.

    Args:
        source: of the samples.
        plan, dataset: how they are delivered in this process.
        manifest: a directory that the workers can read, for file names and labels; None: in the graph.

    Raises:
        ValueError: a part of it runs in Python, or has a cache; names and labels are too large.
    """
    spec = plan.spec
    if python_ops(dataset):
        raise ValueError(
            "A tf.data service worker cannot run Python, which this data set needs for: "
            f"{'; '.join(python_parts(source, spec))}."
        )
    if spec.cache is not None:
        raise ValueError(
            "distribute(service=...) needs cache=None: the workers of a service have nothing in common "
            f"that they could keep images in. Received: cache={spec.cache!r}."
        )
    size = 0

    def column(values: Any) -> Column:
        nonlocal size
        size += nbytes(values)
        if manifest is not None:
            return in_file(values, os.fspath(manifest))
        if size > _LARGEST_GRAPH:
            raise ValueError(
                f"The columns of this data set take {size:,} bytes or more, too many to send with "
                "every epoch: give distribute manifest=DIRECTORY, one that the workers can read."
            )
        return in_graph(values)

    here = pipeline.plan(source, spec, column)
    return replace(here, parallelism=on_any_host(spec.num_parallel_calls))
