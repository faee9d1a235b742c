"""Labels: from the columns of a source to the y of a batch, in the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfpipe.checks import check_one_of

ENCODINGS = ("one_hot", "index", "value", "outputs", "image", None)


@dataclass(frozen=True)
class LabelSpec:
    """How the targets of a batch are encoded.

    Attributes:
        encoding: "one_hot" (class ids, or lists of them, to [B, K]), "index" (class ids as numbers
            [B]), "value" (one column as it is), "outputs" (a tuple of columns as they are), "image"
            (a copy of the images) or None (no y at all).
        dtype: of "one_hot" and "index"; the others keep that of their column.
        num_classes: K.
    """

    encoding: str | None = None
    dtype: str = "float32"
    num_classes: int = 0

    def __post_init__(self) -> None:
        check_one_of("encoding", self.encoding, ENCODINGS)


def encoder(spec: LabelSpec, targets: Any) -> Callable[[tf.Tensor, tf.Tensor], Any] | None:
    """The function (indices int64 [B], images [B, ...]) -> y, or None where there is no y.

    Args:
        spec: the encoding.
        targets: the target column(s) of a `Source`.

    >>> encode = encoder(LabelSpec("one_hot", num_classes=3), [[0, 2], [1]])
    >>> encode(tf.constant([1, 0], tf.int64), tf.zeros([2, 4, 4, 3])).numpy().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    """
    if spec.encoding is None:
        return None
    if spec.encoding == "image":
        return lambda indices, images: tf.identity(images)
    if spec.encoding == "outputs":
        columns = [tf.constant(column) for column in targets]
        return lambda indices, images: tuple(tf.gather(column, indices) for column in columns)
    if spec.encoding == "one_hot" and isinstance(targets, list):
        lists = tf.ragged.constant(targets, tf.int32, ragged_rank=1)
        return lambda indices, images: multi_hot(tf.gather(lists, indices), spec)
    column = tf.constant(targets)
    if spec.encoding == "one_hot":
        return lambda indices, images: tf.one_hot(
            tf.gather(column, indices), spec.num_classes, dtype=spec.dtype
        )
    if spec.encoding == "index":
        return lambda indices, images: tf.cast(tf.gather(column, indices), spec.dtype)
    return lambda indices, images: tf.gather(column, indices)


def multi_hot(ids: tf.RaggedTensor, spec: LabelSpec) -> tf.Tensor:
    """Lists of class ids, int32 [B, (any)], as [B, K] of zeros and ones."""
    rows = tf.one_hot(ids.to_tensor(-1), spec.num_classes, dtype=spec.dtype)  # -1: all zeros
    return tf.minimum(tf.reduce_sum(rows, axis=1), 1)  # a maximum over no ids would be -inf
