"""MixUp and CutMix: each sample of a batch becomes a mixture of itself and another one, labels included.

    images, labels = mix_batch(augment, key, images, labels)

The parameters of a batch are a pure function of its key, and thus of (seed, epoch, position of its first
sample).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfpipe import seeds
from tfpipe.ops.erase import blend, paste
from tfpipe.transforms.augment import Augment


def batch_key(
    seed: Any, epoch: tf.Tensor, position: tf.Tensor, look: Any = None
) -> tf.Tensor:  # int64 [2]
    """Returns the key of a batch, from the seed, the epoch and the position of its first sample in the epoch.

    >>> batch_key(7, tf.constant(1, tf.int64), tf.constant(32, tf.int64)).shape
    TensorShape([2])
    """
    return seeds.sample_key(seeds.stream_key(seed, "mix"), epoch, position, look)


def mix_batch(
    augment: Augment, key: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes each sample of a batch with another one, all of them in the same proportions.

    The other sample stands a random number of places further on, and is never the sample itself unless
    the batch has only one. Sample weights are not mixed.

    Args:
        augment: `mixup_alpha`, `cutmix_alpha`; if both are above 0, one of them is drawn.
        key: int64 [2], the batch's own, from `batch_key`.
        images: float [B, H, W, C], any range.
        labels: float [B] or [B, ...].

    Returns:
        Images and labels of the same shapes and dtypes.

    Source: Zhang et al. 2018, "mixup"; Yun et al. 2019, "CutMix".

    >>> images, labels = tf.reshape([0.0, 8.0], [2, 1, 1, 1]), tf.eye(2)
    >>> mixed, shares = mix_batch(Augment(mixup_alpha=1.0), tf.constant([1, 2], tf.int64), images, labels)
    >>> bool(abs(mixed[0, 0, 0, 0] - 8 * shares[0, 1]) < 1e-5), float(tf.reduce_sum(shares))
    (True, 2.0)
    """
    numbers = tf.random.stateless_uniform([4], key, 0, 1, tf.float64, alg="philox")
    count = tf.shape(images)[0]
    further = tf.cast(numbers[0] * tf.cast(count - 1, tf.float64), tf.int32) + 1
    with_other = (images, tf.roll(images, -further, axis=0))

    def mixed_up() -> tuple[tf.Tensor, tf.Tensor]:
        share = beta(seeds.fold_in(key, tf.constant(1, tf.int64)), augment.mixup_alpha)
        return blend(*with_other, share), share

    def cut() -> tuple[tf.Tensor, tf.Tensor]:
        share = beta(seeds.fold_in(key, tf.constant(2, tf.int64)), augment.cutmix_alpha)
        return paste(*with_other, share, numbers[1], numbers[2])

    if augment.mixup_alpha and augment.cutmix_alpha:
        images, share = tf.cond(numbers[3] < 0.5, mixed_up, cut)
    else:
        images, share = mixed_up() if augment.mixup_alpha else cut()
    return images, blend(labels, tf.roll(labels, -further, axis=0), share)


def beta(key: tf.Tensor, alpha: float) -> tf.Tensor:  # float64 []
    """Draws one number from Beta(alpha, alpha): the first of two gamma-distributed numbers over their sum.

    >>> 0 <= float(beta(tf.constant([1, 2], tf.int64), 0.2)) <= 1
    True
    """
    one, other = tf.unstack(tf.random.stateless_gamma([2], key, alpha, dtype=tf.float64))
    # With a tiny alpha both may be 0; its shares are 0 or 1.
    return tf.where(one + other > 0, one / tf.maximum(one + other, 1e-300), 1.0)
