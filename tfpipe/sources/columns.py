"""Columns of a source that every process reads from a file, instead of a tensor that it is given."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe.sources import listing

# Rows of a column: indices int64 [...] -> [..., *row].
Rows: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
ColumnMaker: TypeAlias = Callable[[Any], Rows]

# A serialized tensor is a protocol buffer, which ends at 2 GiB.
_MOST_BYTES = 2**31 - 2**20


def column_bytes(values: Any) -> int:
    """Returns the bytes that a column takes in a graph.

    >>> column_bytes(np.array([b"one", b"three"], object)), column_bytes(np.zeros([2, 3], np.float32))
    (8, 24)
    """
    values = np.asarray(values)
    return sum(map(len, values.ravel())) if values.dtype == object else int(values.nbytes)


def in_file(values: Any, directory: str) -> Rows:
    """Writes a column to a file, which each process that runs the graph reads once and keeps.

    Args:
        values: an array of numbers, or of bytes in an object array.
        directory: where the file is written, named by its content; every process that runs the graph
            must find it there.

    Raises:
        ValueError: the column takes 2 GiB or more.

    >>> import tempfile
    >>> column = in_file(np.array([b"a.png", b"b.png"], object), tempfile.mkdtemp())
    >>> column(tf.constant([1], tf.int64)).numpy().tolist()
    [b'b.png']
    """
    if column_bytes(values) >= _MOST_BYTES:
        raise ValueError(
            f"A column of a data set must stay below 2 GiB to be written for service workers. "
            f"Received: {column_bytes(values)} bytes. Use images in files, or fewer samples."
        )
    tensor = tf.constant(values)
    contents = tf.io.serialize_tensor(tensor).numpy()
    digest = hashlib.sha256(contents).hexdigest()[:32]
    path = listing.join(directory, f"{digest}.tensor")
    tf.io.gfile.makedirs(directory)
    if not tf.io.gfile.exists(path):
        # Another process may write the same file: whichever is last, the content is equal and complete.
        partial = f"{path}.{os.getpid()}"
        with tf.io.gfile.GFile(partial, "wb") as file:
            file.write(contents)
        tf.io.gfile.rename(partial, path, overwrite=True)
    dtype, shape = tensor.dtype, tensor.shape

    def rows(indices: tf.Tensor) -> tf.Tensor:
        # One variable per process, filled by the first op that needs it: tables and constants would be
        # filled again, or sent over the network, for each epoch.
        variable = tf.raw_ops.VarHandleOp(dtype=dtype, shape=shape, shared_name=f"tfpipe/{digest}")

        def fill() -> tf.Operation:
            value = tf.ensure_shape(tf.io.parse_tensor(tf.io.read_file(path), dtype), shape)
            return tf.raw_ops.AssignVariableOp(resource=variable, value=value)

        filled = tf.raw_ops.VarIsInitializedOp(resource=variable)
        with tf.control_dependencies([tf.cond(filled, tf.no_op, lambda: tf.group(fill()))]):
            return tf.raw_ops.ResourceGather(resource=variable, indices=indices, dtype=dtype)

    return rows
