"""The tf.data service: batches that are prepared by workers, on this or on other hosts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


class _InGraph(str):
    """A string that is known only when the graph runs, for an argument that must be a str."""

    tensor: tf.Tensor

    def __new__(cls, tensor: tf.Tensor) -> _InGraph:
        text = super().__new__(cls, "known when the graph runs")
        text.tensor = tensor
        return text

    def __tf_tensor__(self, dtype: tf.DType | None = None, name: str | None = None) -> tf.Tensor:
        return self.tensor


@dataclass(frozen=True)
class ServiceSpec:
    """Where a tf.data service is and how its workers share the epochs.

    Attributes:
        address: of the dispatcher, "grpc://host:port".
        mode: "exactly_once" (each batch from one worker) or "parallel_epochs" (every worker gives
            the whole epoch).
        job_name: trainers that give the same name share the batches of one job; None: a job alone.
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
        if self.job_name is not None and (not isinstance(self.job_name, str) or not self.job_name):
            raise ValueError(
                "job_name must be a string with at least one letter, or None. "
                f"Received: job_name={self.job_name!r}."
            )

    @property
    def each_once(self) -> bool:
        return self.mode == "exactly_once"

    def through(self, dataset: tf.data.Dataset, epoch: tf.Tensor) -> tf.data.Dataset:
        """`dataset`, registered when the graph runs and read from the workers.

        Args:
            dataset: one epoch, made in a graph; tensors that it captures become constants of it.
            epoch: int64 scalar, part of the job's name.
        """
        service = tf.data.experimental.service
        name = None
        if self.job_name is not None:
            # A job is of one data set, and each epoch is one.
            name = _InGraph(
                tf.strings.join([self.job_name, "/epoch-", tf.strings.as_string(epoch)])
            )
        with _quiet():
            dataset_id = service.register_dataset(self.address, dataset)
            return service.from_dataset_id(
                _POLICIES[self.mode],
                self.address,
                dataset_id,
                element_spec=dataset.element_spec,
                job_name=name,
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
