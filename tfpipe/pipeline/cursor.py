"""Where the next iterator begins: numbers outside every graph, which Python and a running data set share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import tensorflow as tf

ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"  # TensorFlow's name for "share with nobody"

# A span is int64 [4]: an epoch, the first and the end position of a part of it, and the look: how many times
# this part was read before, beside the loops. The look changes the random draws, and nothing else.
Span: TypeAlias = Any

_TO_THE_END = -1
_SIZE = 4


class Cursor:
    """An epoch, a position in it, an end and a look, which a graph reads each time an iterator starts.

    Without an end, an iterator runs to the end of its epoch and moves the cursor to the next one. With an
    end, it stops there, and the cursor stays.

    A `tf.Variable` would become a mirrored one under a distribution strategy's scope, and could
    land on a GPU, where the input pipeline cannot read it.

    >>> cursor = Cursor.new(epoch=2)
    >>> cursor.next_begin().numpy().tolist(), cursor.epoch
    ([2, 0], 3)
    """

    def __init__(self, handle: tf.Tensor) -> None:
        self.handle = handle

    @classmethod
    def new(cls, epoch: int = 0, position: int = 0) -> Cursor:
        with tf.init_scope(), tf.device("CPU:0"):
            cursor = cls(
                tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[_SIZE], shared_name=ANONYMOUS)
            )
            cursor.move_to(epoch, position)
        return cursor

    def move_to(self, epoch: int, position: int, end: int = _TO_THE_END, look: int = 0) -> None:
        value = tf.constant(np.array([epoch, position, end, look], np.int64))
        tf.raw_ops.AssignVariableOp(resource=self.handle, value=value)

    def copy(self) -> Cursor:
        return Cursor.new(self.epoch, self.position)

    @property
    def epoch(self) -> int:
        return int(self._read()[0])

    @property
    def position(self) -> int:
        return int(self._read()[1])

    def next_span(self, end: tf.Tensor) -> Span:
        """Returns the span of the iterator that starts, in an epoch that ends at a position."""
        epoch, position, stop, look = tf.unstack(self._read_and_move_on())
        stop = tf.where(stop < 0, end, stop)
        return tf.stack([epoch, tf.minimum(position, stop), stop, look])

    def next_begin(self) -> tf.Tensor:  # int64 [2]: epoch, position
        """Returns where the iterator that starts begins; it runs to the end of the epoch."""
        return self._read_and_move_on()[:2]

    def _read(self) -> Any:
        value = tf.raw_ops.ReadVariableOp(resource=self.handle, dtype=tf.int64)
        return tf.ensure_shape(value, [_SIZE])

    def _read_and_move_on(self) -> tf.Tensor:
        here = self._read()
        following = tf.where(here[2] < 0, tf.stack([here[0] + 1, 0, _TO_THE_END, 0]), here)
        with tf.control_dependencies([here]):
            moved = tf.raw_ops.AssignVariableOp(resource=self.handle, value=following)
        with tf.control_dependencies([] if moved is None else [moved]):
            return tf.identity(here)


class Order:
    """Indices of samples in the order of the user's, which Python sets and a running data set reads.

    >>> order = Order()
    >>> order.set([5, 3, 5])
    >>> at = tf.range(3, dtype=tf.int64)
    >>> order.indices(at).numpy().tolist(), order.repeats(at).numpy().tolist()
    ([5, 3, 5], [0, 0, 1])
    """

    def __init__(self, handle: tf.Tensor | None = None) -> None:
        if handle is None:
            shape = tf.TensorShape([None, 2])
            with tf.init_scope(), tf.device("CPU:0"):
                handle = tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=shape, shared_name=ANONYMOUS)
        self.handle = handle

    def set(self, indices: Any) -> None:
        repeats = pd.Series(indices, dtype="int64").groupby(indices).cumcount()
        with tf.init_scope(), tf.device("CPU:0"):
            value = tf.constant(np.column_stack([indices, repeats]).astype(np.int64))
            tf.raw_ops.AssignVariableOp(resource=self.handle, value=value)

    def indices(self, positions: tf.Tensor) -> tf.Tensor:
        """Returns the indices at some positions."""
        return tf.gather(self._read()[:, 0], positions)

    def repeats(self, positions: tf.Tensor) -> tf.Tensor:
        """Returns how many times the index at each position stands before it."""
        return tf.gather(self._read()[:, 1], positions)

    def _read(self) -> tf.Tensor:
        value = tf.raw_ops.ReadVariableOp(resource=self.handle, dtype=tf.int64)
        return tf.ensure_shape(value, [None, 2])
