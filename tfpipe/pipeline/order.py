"""The order of an epoch: arithmetic on (seed, epoch, position), without a buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfpipe.pipeline.feeds import Feeds, Value
from tfpipe.seeds import fold_in, stream_key, whole_numbers
from tfpipe.sources.class_weights import Classes

BALANCES = ("oversample", "undersample", None)


def shuffled(
    positions: tf.Tensor, n: Any, seed: Any, epoch: tf.Tensor, stream: str = "shuffle"
) -> tf.Tensor:
    """Returns the indices at `positions` in the order of one epoch, a permutation of 0..n-1.

    Args:
        positions: int64 [...], each in 0..n-1.
        n: the number of samples, an int or an int64 scalar; or int64, shaped like `positions`, [m]: a
            length of its own for the order at each position.
        seed: the seed of the data set, an int or an int64 scalar.
        epoch: int64 scalar.
        stream: the name of the order; orders with different names have nothing in common.

    Returns:
        int64 [...], computed for each position by itself: O(1) memory, about 0.1 microseconds each.

    >>> order = shuffled(tf.range(5, dtype=tf.int64), 5, seed=1, epoch=tf.constant(0, tf.int64))
    >>> sorted(order.numpy().tolist())
    [0, 1, 2, 3, 4]
    """
    # RandomIndexShuffle reads only the low 8 bits of each seed word while n is small. Three words
    # hashed from (seed, epoch) make 2**24 orders reachable there; the epoch alone would make 256.
    key = fold_in(stream_key(seed, stream), epoch)
    words = whole_numbers([3], key, tf.int32)

    def permuted(index: tf.Tensor, last: Any) -> tf.Tensor:
        return tf.raw_ops.RandomIndexShuffle(
            index=index, seed=words, max_index=tf.cast(last, tf.int64), rounds=8
        )

    is_number = isinstance(n, int)
    if is_number and not _is_miscounted(n):
        return permuted(positions, n - 1)
    # If the last index is 2**16, 2**18, ..., RandomIndexShuffle counts one bit too few. It never
    # gives that index, and gives another one twice. So permute one index more, and step over it.
    n = tf.constant(n, tf.int64) if is_number else n
    last = n - 1 + tf.cast(_is_miscounted(n), tf.int64)
    result = permuted(positions, last)
    beyond = tf.broadcast_to(tf.minimum(n, last), tf.shape(positions))
    return tf.where(result == n, permuted(beyond, last), result)


def _is_miscounted(n: Any) -> Any:
    return (n > 2**16) & ((n - 1) & (n - 2) == 0)


def balanced_order(
    classes: Classes, balance: str, *, seed: Value, shuffle: bool, feeds: Feeds
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the order of balanced epochs: (positions int64 [m], epoch) -> indices in the source.

    Both are int64 [m].

    Args:
        classes: from `classes_of`.
        balance: "oversample" or "undersample".
        seed: of the order.
        shuffle: if False, the classes take turns, each in source order.
        feeds: where the rows of the classes are added.

    >>> import numpy as np
    >>> from tfpipe.sources.class_weights import classes_of
    >>> classes, feeds = classes_of(np.array([0, 0, 0, 1])), Feeds()
    >>> index_at = balanced_order(classes, "oversample", seed=feeds.value(1), shuffle=False, feeds=feeds)
    >>> index_at(tf.range(6, dtype=tf.int64), tf.constant(0, tf.int64)).numpy().tolist()
    [0, 3, 1, 3, 2, 3]
    """
    epoch_length = feeds.value(classes.epoch_length(balance))
    classes_of_epoch = feeds.value(len(classes.counts))
    rows, starts, counts = (feeds.column(c) for c in (classes.rows, classes.starts, classes.counts))

    def index_at(positions: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        number = classes_of_epoch()
        slots = shuffled(positions, epoch_length(), seed(), epoch) if shuffle else positions
        which, turn = slots % number, slots // number
        size = counts(which)
        place = turn % size
        if shuffle:
            # Two classes of the same size share one order, but each begins at its own place in it.
            key = fold_in(stream_key(seed(), "balance_begin"), epoch)
            begin = tf.random.stateless_uniform(number[None], key, 0, 2**62, tf.int64, alg="philox")
            place = (place + tf.gather(begin, which)) % size
            place = shuffled(place, size, seed(), epoch, stream="balance")
        return rows(starts(which) + place)

    return index_at
