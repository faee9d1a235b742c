"""The tf.data service: batches that are prepared by workers, on this or on other hosts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfpipe.checks import check_one_of

# What each mode is to tf.data: who is given which part of an epoch.
_POLICIES = {
    "exactly_once": tf.data.experimental.service.ShardingPolicy.DYNAMIC,
    "parallel_epochs": tf.data.experimental.service.ShardingPolicy.OFF,
}
MODES = tuple(_POLICIES)

# Ops that call back into the Python process that made the graph.
PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"})


@dataclass(frozen=True)
class ServiceSpec:
    """Where a tf.data service is and how its workers share the epochs.

    Attributes:
        address: of the dispatcher, "grpc://host:port".
        mode: "exactly_once" (each batch from one worker) or "parallel_epochs" (every worker gives
            the whole epoch).
    """

    address: str
    mode: str = "exactly_once"

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

    @property
    def each_once(self) -> bool:
        return self.mode == "exactly_once"

    def through(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """`dataset`, registered when the graph runs and read from the workers.

        Args:
            dataset: one epoch, made in a graph; tensors that it captures become constants of it.
        """
        service = tf.data.experimental.service
        with _quiet():
            dataset_id = service.register_dataset(self.address, dataset)
            return service.from_dataset_id(
                _POLICIES[self.mode],
                self.address,
                dataset_id,
                element_spec=dataset.element_spec,
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
        heartbeat_interval_ms=100,  # of TensorFlow's own 30 s, each epoch would wait for some
    )
    server = tf.data.experimental.service.WorkerServer(config)
    return server, server._address
