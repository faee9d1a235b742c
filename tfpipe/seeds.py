"""Seeds and keys: where every random number of the package starts.

A *key* is an int64 [2] tensor. It is derived from the seed by name and number, never by the order of calls,
so one more consumer of random numbers does not change what the others draw.

A seed that the user does not give is drawn from NumPy's global generator, so that `np.random.seed` and
`keras.utils.set_random_seed` make a whole run repeat. No global generator is ever set.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_SEED_BITS = 63
_PHILOX = 1  # as TensorFlow's operations number the algorithms
_SCRAMBLER = 0x02461E293EC8F720  # the key with which they scramble seeds
_LOOK = -0x61C8864680B583EB  # 2**64 divided by the golden ratio, as a signed number


def draw_seed() -> int:
    """Draws a new seed, one number, from NumPy's global generator."""
    return int(np.random.randint(2**_SEED_BITS - 1, dtype=np.int64))  # noqa: NPY002


def draw_keras_seed() -> int:
    """Draws the seed that `keras.utils.image_dataset_from_directory` would draw here.

    Source: `keras.src.utils.image_dataset_utils`.
    """
    return int(np.random.randint(10**6))  # noqa: NPY002


def as_seed(seed: Any, draw: Callable[[], int] = draw_seed) -> int:
    """Returns `seed` as a whole number in 0..2**63 - 1, or a new one, from `draw`, if it is None.

    >>> as_seed(7)
    7
    """
    if seed is None:
        return draw()
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ValueError(f"seed must be an int or None. Received: seed={seed!r}.")
    return int(seed) & ((1 << _SEED_BITS) - 1)


def stream_key(seed: Any, stream: str) -> tf.Tensor:  # int64 [2]
    """Returns the key of one named consumer of random numbers, such as "shuffle"; the seed may be a tensor.

    >>> stream_key(7, "shuffle").shape
    TensorShape([2])
    """
    number = zlib.crc32(stream.encode())
    if tf.is_tensor(seed):
        return tf.stack([seed, tf.constant(number, tf.int64)])
    return tf.constant([seed, number], tf.int64)


def fold_in(key: tf.Tensor, number: tf.Tensor) -> tf.Tensor:  # int64 [2]
    """Derives a separate key for `number` (an epoch, an index), always the same for the same arguments."""
    return tf.stack([whole_numbers([], key, number.dtype), number])


def whole_numbers(shape: Sequence[int], key: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Draws whole numbers from all that an integer type holds.

    The numbers are those of `tf.random.stateless_uniform(shape, key, None, None, dtype, alg="philox")`, which
    does the same by 20 operations.

    >>> whole_numbers([3], tf.constant([7, 1], tf.int64), tf.int32).shape
    TensorShape([3])
    """
    state, counter = _scrambled(key)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=state, counter=counter, alg=_PHILOX, dtype=dtype
    )


def _scrambled(key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:  # uint64 [1] and [2]
    """Returns the key and the counter of Philox that TensorFlow's stateless functions make of a seed.

    Its own op for that gives others where XLA compiles it.
    """
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[2],
        key=tf.constant([_SCRAMBLER], tf.uint64),
        counter=tf.cast(key, tf.uint64),
        alg=_PHILOX,
        dtype=tf.uint64,
    )
    state, high = tf.split(words, 2)
    return state, tf.concat([tf.zeros([1], tf.uint64), high], 0)


def fractions(shape: Sequence[int], key: tf.Tensor) -> tf.Tensor:  # float64
    """Draws numbers in [0, 1), those of `tf.random.stateless_uniform(..., tf.float64, alg="philox")`.

    >>> numbers = fractions([3], tf.constant([7, 1], tf.int64))
    >>> bool(tf.reduce_all((numbers >= 0) & (numbers < 1)))
    True
    """
    state, counter = _scrambled(key)
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=shape, key=state, counter=counter, alg=_PHILOX, dtype=tf.float64
    )


def sample_key(
    key: tf.Tensor, epoch: tf.Tensor, index: tf.Tensor, look: Any = None
) -> tf.Tensor:  # int64 [2]
    """Returns the key of one sample in one epoch, from the key of a stream; cheap, because nothing is drawn.

    Args:
        key: from `stream_key`.
        epoch: int64 scalar.
        index: of the sample, int64 scalar.
        look: how many times the sample was read in this epoch before, int64 scalar; None is 0.

    >>> sample_key(stream_key(7, "augment"), tf.constant(1, tf.int64), tf.constant(5, tf.int64)).shape
    TensorShape([2])
    """
    # Two streams of a seed differ in the first word. The second has room for 2**40 samples and 2**23
    # epochs.
    word = tf.bitwise.bitwise_xor(key[0], tf.bitwise.left_shift(key[1], 31))
    if look is not None:  # spread over all bits: looks of two small seeds differ
        word += look * _LOOK
    return tf.stack([word, tf.bitwise.left_shift(epoch, 40) + index])
