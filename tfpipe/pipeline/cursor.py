"""A number outside every graph, by which Python tells a running data set which epoch comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"  # TensorFlow's name for "share with nobody"


class Cell:
    """An int64 tensor outside every graph, which a graph reads each time an iterator starts.

    A `tf.Variable` would become a mirrored one under a distribution strategy's scope, and could
    land on a GPU, where the input pipeline cannot read it.
    """

    def __init__(self, value: Any) -> None:
        initial = np.asarray(value, np.int64)
        with tf.init_scope(), tf.device("CPU:0"):
            self._handle = tf.raw_ops.VarHandleOp(
                dtype=tf.int64, shape=initial.shape, shared_name=ANONYMOUS
            )
            self.assign(initial)

    def assign(self, value: Any) -> None:
        tf.raw_ops.AssignVariableOp(
            resource=self._handle, value=tf.constant(np.asarray(value, np.int64))
        )

    def read(self) -> tf.Tensor:
        return tf.raw_ops.ReadVariableOp(resource=self._handle, dtype=tf.int64)

    def value(self) -> Any:
        """Returns what it holds now, as NumPy; only outside graphs."""
        return self.read().numpy()

    def read_then(self, following: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Reads the value, and then puts `following(value)` in its place."""
        value = self.read()
        with tf.control_dependencies([value]):
            replaced = tf.raw_ops.AssignVariableOp(resource=self._handle, value=following(value))
        with tf.control_dependencies([replaced]):
            return tf.identity(value)
