"""The order of an epoch: arithmetic on (seed, epoch, position), without a buffer.

Every random number of the package starts here. A *key* is an int64 [2] tensor; it is derived from
the seed by name and number, never by the order of calls, so one more consumer of random
numbers does not change what the others draw.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

_SEED_BITS = 63


def draw_seed() -> int:
    """A new seed from the operating system; the user's global generators stay untouched."""
    return int.from_bytes(os.urandom(8), "little") >> (64 - _SEED_BITS)


def as_seed(seed: Any) -> int:
    """`seed` as a whole number in 0..2**63 - 1, drawn where it is None.

    >>> as_seed(7)
    7
    """
    if seed is None:
        return draw_seed()
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ValueError(f"seed must be an int or None. Received: seed={seed!r}.")
    return int(seed) & ((1 << _SEED_BITS) - 1)


def stream_key(seed: int, stream: str) -> tf.Tensor:  # int64 [2]
    """The key of one named consumer of random numbers, such as "shuffle".

    >>> stream_key(7, "shuffle").shape
    TensorShape([2])
    """
    return tf.constant([seed, zlib.crc32(stream.encode())], tf.int64)


def fold_in(key: tf.Tensor, number: tf.Tensor) -> tf.Tensor:  # int64 [2]
    """A key of its own for `number` (an epoch, an index): the same for the same two, always."""
    return tf.random.experimental.stateless_fold_in(key, number, alg="philox")


def sample_key(key: tf.Tensor, epoch: tf.Tensor, index: tf.Tensor) -> tf.Tensor:  # int64 [2]
    """The key of one sample in one epoch, from that of a stream: no draw, so cheap for each sample.

    >>> sample_key(stream_key(7, "augment"), tf.constant(1, tf.int64), tf.constant(5, tf.int64)).shape
    TensorShape([2])
    """
    # Two streams of a seed differ in the first word. The second has room for 2**40 samples and 2**23
    # epochs.
    word = tf.bitwise.bitwise_xor(key[0], tf.bitwise.left_shift(key[1], 31))
    return tf.stack([word, tf.bitwise.left_shift(epoch, 40) + index])


def shuffled(
    positions: tf.Tensor, n: Any, seed: int, epoch: tf.Tensor, stream: str = "shuffle"
) -> tf.Tensor:
    """The indices that stand at `positions` of one epoch's order: a permutation of 0..n-1.

    Args:
        positions: int64 [...], each in 0..n-1.
        n: the number of samples; or int64 as `positions`, [m]: each in an order of its own length.
        seed: the seed of the data set.
        epoch: int64 scalar.
        stream: the name of the order; two of them have nothing in common.

    Returns:
        int64 [...], computed for each position on its own: O(1) memory, about 0.1 microseconds each.

    >>> order = shuffled(tf.range(5, dtype=tf.int64), 5, seed=1, epoch=tf.constant(0, tf.int64))
    >>> sorted(order.numpy().tolist())
    [0, 1, 2, 3, 4]
    """
    # RandomIndexShuffle reads only the low 8 bits of each seed word while n is small. Three words
    # hashed from (seed, epoch) make 2**24 orders reachable there; the epoch itself would make 256.
    key = fold_in(stream_key(seed, stream), epoch)
    words = tf.random.stateless_uniform([3], key, None, None, tf.int32, alg="philox")

    def permuted(index: tf.Tensor, last: Any) -> tf.Tensor:
        return tf.raw_ops.RandomIndexShuffle(
            index=index, seed=words, max_index=tf.cast(last, tf.int64), rounds=8
        )

    is_number = isinstance(n, int)
    if is_number and not _is_miscounted(n):
        return permuted(positions, n - 1)
    # Where the last index is 2**16, 2**18, ... RandomIndexShuffle reckons one bit too few: it never
    # gives that index, and another one twice. So permute one index more, and step over it.
    n = tf.constant(n, tf.int64) if is_number else n
    last = n - 1 + tf.cast(_is_miscounted(n), tf.int64)
    result = permuted(positions, last)
    beyond = tf.broadcast_to(tf.minimum(n, last), tf.shape(positions))
    return tf.where(result == n, permuted(beyond, last), result)


def _is_miscounted(n: Any) -> Any:
    return (n > 2**16) & ((n - 1) & (n - 2) == 0)


@dataclass(frozen=True)
class Shard:
    """Replicas `first` to `first + count` (exclusive) of `of` that share each batch between them.

    Replica r is given the r-th of `of` equal parts of each batch, whoever feeds it: so any number of
    workers sees the same samples in the same batches.
    """

    first: int
    count: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.first + self.count <= self.of:
            raise ValueError(f"A shard must lie within its {self.of} replicas. Received: {self}.")

    def parts(self, n: int, batch_size: int) -> int:
        """How many parts of batches that are not empty this shard has, of n positions.

        >>> Shard(0, 1, of=2).parts(9, batch_size=4), Shard(1, 1, of=2).parts(9, batch_size=4)
        (3, 2)
        """
        size = batch_size // self.of
        whole, rest = divmod(n, batch_size)
        short = -(-rest // size)  # replicas that get something of a short last batch
        return whole * self.count + min(max(short - self.first, 0), self.count)
