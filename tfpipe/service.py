"""The tf.data service: batches that are prepared by workers, on this or on other hosts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.data.experimental.ops import data_service_ops

from tfpipe.checks import check_one_of

# What each mode is to tf.data: who is given which part of an epoch.
_POLICIES = {
    "exactly_once": tf.data.experimental.service.ShardingPolicy.DYNAMIC,
    "parallel_epochs": tf.data.experimental.service.ShardingPolicy.OFF,
}
MODES = tuple(_POLICIES)

# How often trainers and workers ask the dispatcher for what is new, since each epoch is a job of its
# own: of TensorFlow's own 1 s and 30 s, each epoch would wait for some.
_HEARTBEAT_MS = 100

# Ops that call back into the Python process that made the graph.
PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"})


@dataclass(frozen=True)
class ServiceSpec:
    """Where a tf.data service is and how its workers share the epochs.

    Attributes:
        address: of the dispatcher, "grpc://host:port".
        mode: "exactly_once" (each batch from one worker) or "parallel_epochs" (every worker gives
            the whole epoch).
        job_name: what several trainers share their epochs by; None: each has its own.
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

    @property
    def keeps_length(self) -> bool:
        """Whether a trainer is given each batch of an epoch once: as many as there are."""
        return self.mode == "exactly_once" and self.job_name is None

    def through(self, dataset: tf.data.Dataset, content: tf.Tensor) -> tf.data.Dataset:
        """`dataset`, registered when the graph runs and read from the workers.

        Args:
            dataset: one epoch, made in a graph; tensors that it captures become constants of it.
            content: string scalar that says what the epoch is. Trainers share the epochs that it is
                equal of, under their job's name.
        """
        service = tf.data.experimental.service
        job = None
        if self.job_name is not None:
            job = tf.strings.join([self.job_name, content], ": ")
        with _quiet():
            # The public `from_dataset_id` makes the id part of the job's name, and each trainer's
            # data set has an id of its own; nor does it take a name that is known in the graph only.
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
    """Without TensorFlow's warning that the options of a data set made in a graph are not known."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="To make it possible to preserve tf.data options")
        yield


def python_ops(dataset: tf.data.Dataset) -> set[str]:
    """The ops of a data set's graph that run in this process only, by name."""
    policy = tf.data.experimental.ExternalStatePolicy.IGNORE
    serialized = dataset._as_serialized_graph(external_state_policy=policy)
    graph = tf.compat.v1.GraphDef.FromString(serialized.numpy())
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    return {node.op for part in nodes for node in part} & PYTHON_OPS


def dispatcher(port: int, work_dir: str | None) -> tuple[Any, str]:
    """A running dispatcher and its address; with a journal in `work_dir` where one is given."""
    config = tf.data.experimental.service.DispatcherConfig(
        port=port, work_dir=work_dir, fault_tolerant_mode=work_dir is not None
    )
    server = tf.data.experimental.service.DispatchServer(config)
    return server, server.target


def worker(dispatcher_address: str, host: str, port: int) -> tuple[Any, str]:
    """A running worker and its address, which begins with `host`."""
    config = tf.data.experimental.service.WorkerConfig(
        dispatcher_address=dispatcher_address,
        worker_address=f"{host}:%port%",
        port=port,
        heartbeat_interval_ms=_HEARTBEAT_MS,
    )
    server = tf.data.experimental.service.WorkerServer(config)
    return server, server._address
