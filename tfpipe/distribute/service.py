"""The tf.data service: batches that are prepared by workers, on this or on other hosts."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.data.experimental.ops import data_service_ops

from tfpipe.checks import check_one_of, warn
from tfpipe.distribute.wire import workers_of
from tfpipe.graph import filtered, flat_mapped, mapped, scanned
from tfpipe.pipeline.cursor import Cursor, Span
from tfpipe.pipeline.feeds import Feeds
from tfpipe.pipeline.pipeline import batches_of_spans, begins, host_options, of_length
from tfpipe.pipeline.plan import Plan, plan
from tfpipe.pipeline.resources import on_any_host
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.pipeline.stages import python_parts
from tfpipe.sources.columns import Rows, column_bytes, in_file
from tfpipe.sources.source import Arrays, Source

# The most bytes of file names and labels in a graph that is sent to a dispatcher each epoch.
_LARGEST_GRAPH = 2**20

# What each mode is to tf.data: who is given which part of an epoch.
_POLICIES = {
    "exactly_once": tf.data.experimental.service.ShardingPolicy.DYNAMIC,
    "parallel_epochs": tf.data.experimental.service.ShardingPolicy.OFF,
}
MODES = tuple(_POLICIES)

# The interval at which trainers and workers ask the dispatcher for news. Each epoch is a job of its
# own, and would wait for part of TensorFlow's own intervals, 1 s and 30 s.
_HEARTBEAT_MS = 100

# Seconds that a dispatcher, which may just be starting, is given to answer.
_PATIENCE = 10.0

# Ops that call back into the Python process that made the graph.
PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"})


def service_epochs(
    plan: Plan, cursor: Cursor, service: ServiceSpec, content: str
) -> tf.data.Dataset:
    """Returns `epochs`, prepared by the workers of a tf.data service.

    `content` tells which samples these are and what is done to them; the trainers of one job share epochs
    whose content is equal. Each iterator registers its epoch with the dispatcher as a separate data set, with
    the epoch as a constant, because a worker cannot read the cursor. The workers share out the batches of
    that epoch.
    """

    def of_epoch(begin: tf.Tensor) -> tf.data.Dataset:
        epoch, position = tf.unstack(begin)
        batch = position // plan.spec.batch_size

        def span(number: tf.Tensor) -> Span:
            first = number * plan.spec.batch_size
            return tf.stack([epoch, first, tf.minimum(first + plan.spec.batch_size, plan.end), 0])

        spans = mapped(tf.data.Dataset.range(batch, plan.count), span)
        name = tf.strings.join([content, ", epoch ", tf.strings.as_string(epoch)])
        dataset = batches_of_spans(plan, spans, plan.spec.batch_size)
        dataset = service.through(dataset.with_options(_service_options()), name)
        return counted(dataset, plan, epoch, position) if service.keeps_length else dataset

    dataset = flat_mapped(begins(cursor), of_epoch).prefetch(plan.spec.prefetch)
    dataset = dataset.with_options(host_options())
    return of_length(dataset, plan.count) if service.keeps_length else dataset


def counted(
    dataset: tf.data.Dataset, plan: Plan, epoch: tf.Tensor, position: tf.Tensor
) -> tf.data.Dataset:
    """Returns what is left of an epoch from a position on; warns at its end if samples were lost."""
    structure = dataset.element_spec
    nothing = tf.nest.map_structure(
        lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), structure
    )
    samples = mapped(dataset, lambda *element: (tf.constant(False), element))
    end = tf.data.Dataset.from_tensors((True, nothing if type(nothing) is tuple else (nothing,)))

    def count(total: tf.Tensor, marked: tuple[tf.Tensor, Any]) -> Any:
        is_end, element = marked
        size = tf.shape(tf.nest.flatten(element)[0], tf.int64)[0] if plan.spec.batched else 1
        total += tf.where(is_end, tf.constant(0, tf.int64), size)
        expected = plan.end - position

        def tell() -> tf.Tensor:
            said = tf.numpy_function(_tell_of_losses, [epoch, total, expected], [])
            with tf.control_dependencies([said]):
                return tf.identity(is_end)

        is_end = tf.cond(is_end & (total < expected), tell, lambda: is_end)
        return total, (is_end, element)

    told = scanned(samples.concatenate(end), tf.constant(0, tf.int64), count)
    delivered = filtered(told, lambda is_end, _: ~is_end)

    def as_before(_: tf.Tensor, element: Any) -> Any:
        whole = element if type(structure) is tuple else element[0]
        return tf.nest.map_structure(
            lambda value, spec: tf.ensure_shape(value, spec.shape), whole, structure
        )

    return mapped(delivered, as_before)


def _tell_of_losses(epoch: int, total: int, expected: int) -> None:
    warn(
        f"The tf.data service gave {total:,} of the {expected:,} samples of epoch {epoch}: "
        f"{expected - total:,} were lost, because the dispatcher or a worker was stopped, lost or "
        "started again."
    )


def _service_options() -> tf.data.Options:
    options = tf.data.Options()
    # Rewriting the graph takes the dispatcher and each worker 2 s of CPU time per epoch.
    options.experimental_optimization.apply_default_optimizations = False
    return options


def content_of(source: Source, spec: PipelineSpec) -> str:
    """Returns a digest of samples and what is done to them, the same in every process."""
    settings = replace(
        spec, num_parallel_calls=None, prefetch=1, ram_budget=None, kernels="tensorflow"
    )
    # Functions count by their names, because their addresses differ between processes.
    digest = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", repr(settings)).encode())
    for name, column in source.columns.items():
        # Files count by their paths, since a training and a validation folder may hold the same names.
        values: Any = column.images if isinstance(column, Arrays) else column
        values = getattr(values, "paths", values)
        digest.update(name.encode())
        if isinstance(values, np.ndarray) and values.dtype != object:
            digest.update(f"{values.dtype}{values.shape}".encode() + values.tobytes())
        else:
            digest.update(repr(list(values)).encode())
    return digest.hexdigest()[:24]


def plan_for_service(
    source: Source,
    local: Plan,
    dataset: tf.data.Dataset,
    manifest: str | os.PathLike[str] | None,
) -> Plan:
    """Returns a plan for the batches of `dataset` that other processes can run.

    Args:
        source: of the samples.
        local, dataset: how they are delivered in this process.
        manifest: a directory that the workers can read, for file names and labels; None: in the graph.

    Raises:
        ValueError: a part of it runs in Python; it has a cache; names and labels are too large.
    """
    spec = local.spec
    if python_ops(dataset):
        raise ValueError(
            "A tf.data service worker cannot run Python, which this data set needs for: "
            f"{'; '.join(python_parts(source, spec))}."
        )
    if spec.cache is not None:
        raise ValueError(
            "distribute(service=...) needs cache=None, because the workers of a service have no place in "
            f"common to keep images in. Received: cache={spec.cache!r}."
        )
    # Workers may lack the kernels in C.
    spec = replace(spec, kernels="tensorflow")
    portable = plan(source, spec, feeds=_PortableFeeds(manifest))
    return replace(portable, parallelism=on_any_host(spec.num_parallel_calls))


class _PortableFeeds(Feeds):
    """Columns that become a part of the graph, as long as they are small, or files beside it."""

    def __init__(self, manifest: str | os.PathLike[str] | None) -> None:
        super().__init__()
        self._manifest = manifest
        self._size = 0

    def column(self, values: Any) -> Rows:
        self._size += column_bytes(values)
        if self._manifest is not None:
            return in_file(values, os.fspath(self._manifest))
        if self._size > _LARGEST_GRAPH:
            raise ValueError(
                f"The columns of this data set take {self._size:,} bytes or more, too many to send with "
                "every epoch. Pass manifest=DIRECTORY to distribute, a directory that the workers can read."
            )
        return super().column(values)


@dataclass(frozen=True)
class ServiceSpec:
    """Where a tf.data service is and how its workers share the epochs.

    Attributes:
        address: of the dispatcher, "grpc://host:port".
        mode: "exactly_once" (each batch from one worker) or "parallel_epochs" (every worker gives
            the whole epoch).
        job_name: the name by which several trainers share their epochs; None: each trainer has its own.
    """

    address: str
    mode: str = "exactly_once"
    job_name: str | None = None

    def __post_init__(self) -> None:
        protocol, _, host = str(self.address).partition("://")
        name, _, port = host.rpartition(":")
        if (
            not isinstance(self.address, str)
            or protocol != "grpc"
            or not name
            or not port.isdigit()
        ):
            raise ValueError(
                "service must be the address of a dispatcher, 'grpc://host:port'. "
                f"Received: service={self.address!r}."
            )
        check_one_of("mode", self.mode, MODES)
        if self.job_name is not None and not (isinstance(self.job_name, str) and self.job_name):
            raise ValueError(
                "job_name must be the same text for all trainers that share their epochs, or None. "
                f"Received: job_name={self.job_name!r}."
            )

    def require_dispatcher(self) -> None:
        """Raises `ConnectionError` if no dispatcher answers at the address; warns if it has no workers."""
        if not workers_of(self.address, _PATIENCE):
            warn(
                f"The dispatcher at {self.address!r} has no workers yet. A loop waits until there is one: "
                "`tfpipe service worker --dispatcher HOST:PORT`."
            )

    @property
    def keeps_length(self) -> bool:
        """Whether a trainer is given every batch of an epoch once, so that their number is known."""
        return self.mode == "exactly_once" and self.job_name is None

    def through(self, dataset: tf.data.Dataset, content: tf.Tensor) -> tf.data.Dataset:
        """Returns `dataset`, registered when the graph runs and read from the workers.

        Args:
            dataset: one epoch, made in a graph; tensors that it captures become constants of it.
            content: string scalar that says what the epoch is. Trainers share the epochs whose content is
                equal, under their job's name.
        """
        service = tf.data.experimental.service
        job = None
        if self.job_name is not None:
            job = tf.strings.join([self.job_name, content], ": ")
        with _quiet():
            # The public `from_dataset_id` makes the id part of the job's name, but each trainer's
            # data set has its own id; nor does it take a name that is known only in the graph.
            return data_service_ops._from_dataset_id(
                _POLICIES[self.mode],
                self.address,
                service.register_dataset(self.address, dataset),
                element_spec=dataset.element_spec,
                job_name=job,
                task_refresh_interval_hint_ms=_HEARTBEAT_MS,
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses TensorFlow's warning that the options of a data set made in a graph are not known."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="To make it possible to preserve tf.data options")
        yield


def python_ops(dataset: tf.data.Dataset) -> set[str]:
    """Returns the ops of a data set's graph that run only in this process, by name."""
    policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    serialized = dataset._as_serialized_graph(external_state_policy=policy)
    graph = tf.compat.v1.GraphDef.FromString(serialized.numpy())
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    return {node.op for part in nodes for node in part} & PYTHON_OPS


def start_dispatcher(port: int, work_dir: str | None) -> tuple[Any, str]:
    """Starts a dispatcher, with a journal in `work_dir` if given; returns it and its address."""
    config = tf.data.experimental.service.DispatcherConfig(
        port=port, work_dir=work_dir, fault_tolerant_mode=work_dir is not None
    )
    server = tf.data.experimental.service.DispatchServer(config)
    return server, server.target


def start_worker(dispatcher_address: str, host: str, port: int) -> tuple[Any, str]:
    """Starts a worker; returns it and its address, which begins with `host`."""
    config = tf.data.experimental.service.WorkerConfig(
        dispatcher_address=dispatcher_address,
        worker_address=f"{host}:%port%",
        port=port,
        heartbeat_interval_ms=_HEARTBEAT_MS,
    )
    server = tf.data.experimental.service.WorkerServer(config)
    return server, server._address
