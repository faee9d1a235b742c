"""Balanced epochs: every class as often as every other, by arithmetic on (seed, epoch, position).

An epoch is a shuffled order of slots. Slot s belongs to class s % K and is that class's sample number
s // K, in an order of the class that is new each epoch; a class that runs out begins again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import order
from tfpipe.columns import ColumnMaker, in_graph

BALANCES = ("oversample", "undersample", None)


@dataclass(frozen=True, eq=False)
class Classes:
    """The samples of each class that has any.

    Attributes:
        rows: int64 [n], indices in the source, class by class.
        starts: int64 [K], where each class begins in `rows`.
        counts: int64 [K], how many it has, at least 1.
    """

    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    def epoch_length(self, balance: str) -> int:
        """Positions in a balanced epoch: as many a class as the largest has, or the smallest."""
        if not len(self.counts):
            return 0
        each = self.counts.max() if balance == "oversample" else self.counts.min()
        return int(each) * len(self.counts)


def classes_of(targets: Any) -> Classes:
    """The rows of each class id.

    Args:
        targets: class ids, integers [n].

    Raises:
        ValueError: the samples have no single class id each.

    >>> classes_of(np.array([1, 0, 1, 1])).rows.tolist()
    [1, 0, 2, 3]
    """
    ids = np.asarray(targets) if isinstance(targets, np.ndarray) else None
    if ids is None or ids.ndim != 1 or ids.dtype.kind not in "iu" or (ids < 0).any():
        raise ValueError(
            "balance needs one class of each sample. Received labels that are lists, numbers or none: "
            "choose labels with classes, or leave balance out."
        )
    counts = np.bincount(ids) if len(ids) else np.zeros(0, np.int64)
    counts = counts[counts > 0].astype(np.int64)
    rows = np.argsort(ids, kind="stable").astype(np.int64)
    return Classes(rows, np.cumsum(counts) - counts, counts)


def class_weight(ids: np.ndarray, num_classes: int) -> dict[int, float]:
    """The weight of each class that gives all classes the same sum: n / (K * its count).

    As scikit-learn's `compute_class_weight("balanced")`; a class without a sample is left out.

    >>> class_weight(np.array([0, 0, 0, 1]), 2)
    {0: 0.6666666666666666, 1: 2.0}
    """
    counts = np.bincount(ids, minlength=num_classes)
    present = int((counts > 0).sum())
    return {
        number: len(ids) / (present * int(count)) for number, count in enumerate(counts) if count
    }


def balanced_order(
    classes: Classes, balance: str, *, seed: int, shuffle: bool, column: ColumnMaker = in_graph
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """(positions int64 [m], epoch) -> indices in the source, int64 [m].

    Args:
        classes: from `classes_of`.
        balance: "oversample" or "undersample".
        seed: of the order.
        shuffle: False: the classes take turns, each in source order.
        column: how the graph gets at the columns.

    >>> index_at = balanced_order(
    ...     classes_of(np.array([0, 0, 0, 1])), "oversample", seed=1, shuffle=False)
    >>> index_at(tf.range(6, dtype=tf.int64), tf.constant(0, tf.int64)).numpy().tolist()
    [0, 3, 1, 3, 2, 3]
    """
    length, number = classes.epoch_length(balance), len(classes.counts)
    rows, starts, counts = (column(c) for c in (classes.rows, classes.starts, classes.counts))

    def index_at(positions: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        slots = order.shuffled(positions, length, seed, epoch) if shuffle else positions
        which, turn = slots % number, slots // number
        size = counts(which)
        place = turn % size
        if shuffle:
            # Two classes of one size have one order; each begins at another place of it.
            key = order.fold_in(order.stream_key(seed, "balance_begin"), epoch)
            begin = tf.random.stateless_uniform([number], key, 0, 2**62, tf.int64, alg="philox")
            place = (place + tf.gather(begin, which)) % size
            place = order.shuffled(place, size, seed, epoch, stream="balance")
        return rows(starts(which) + place)

    return index_at
