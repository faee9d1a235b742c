"""MixUp and CutMix: each sample of a batch becomes a mixture of itself and another one, labels included.

    mixture = draw_mixture(augment, key, images)
    images, labels = mixture.pixels(images), mixture.numbers(labels)

The parameters of a batch are a pure function of its key, and thus of (seed, epoch, position of its first
sample).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfpipe import seeds
from tfpipe.ops.erase import blend, rectangle
from tfpipe.transforms.augment import Augment


def batch_key(
    seed: Any, epoch: tf.Tensor, position: tf.Tensor, look: Any = None
) -> tf.Tensor:  # int64 [2]
    """Returns the key of a batch, from the seed, the epoch and the position of its first sample in the epoch.

    >>> batch_key(7, tf.constant(1, tf.int64), tf.constant(32, tf.int64)).shape
    TensorShape([2])
    """
    return seeds.sample_key(seeds.stream_key(seed, "mix"), epoch, position, look)


@dataclass(frozen=True)
class Mixture:
    """What one draw of MixUp or CutMix does to the fields of a batch.

    Attributes:
        further: int32 [], how many places further on the other sample of each one is.
        share: float64 [], what stays of the sample itself, the same for all of the batch.
        inside: bool [H, W, 1], the pixels that CutMix takes from the other sample; None without CutMix.
        is_blend: bool [], whether the images are blended all the same; None: they are if `inside` is None.

    >>> mixture = Mixture(tf.constant(1), tf.constant(0.75, tf.float64))
    >>> mixture.numbers(tf.constant([4.0, 8.0])).numpy().tolist()
    [5.0, 7.0]
    """

    further: tf.Tensor
    share: tf.Tensor
    inside: tf.Tensor | None = None
    is_blend: tf.Tensor | None = None

    def numbers(self, batch: tf.Tensor) -> tf.Tensor:
        """Blends each sample of a batch, float [B, ...], with its other one."""
        return blend(batch, self._others(batch), self.share)

    def pixels(self, images: tf.Tensor) -> tf.Tensor:
        """Blends or pastes into each image of a batch, float [B, H, W, C]."""
        if self.inside is None:
            return self.numbers(images)
        if self.is_blend is None:
            return tf.where(self.inside, self._others(images), images)
        return tf.cond(
            self.is_blend,
            lambda: self.numbers(images),
            lambda: tf.where(self.inside, self._others(images), images),
        )

    def _others(self, batch: tf.Tensor) -> tf.Tensor:
        return tf.roll(batch, -self.further, axis=0)


def draw_mixture(augment: Augment, key: tf.Tensor, images: tf.Tensor) -> Mixture:
    """Draws how the samples of a batch are mixed, all of them in the same proportions.

    The other sample stands a random number of places further on, and is never the sample itself unless
    the batch has only one. Sample weights are not mixed.

    Args:
        augment: `mixup_alpha`, `cutmix_alpha`; if both are above 0, one of them is drawn.
        key: int64 [2], the batch's own, from `batch_key`.
        images: [B, H, W, C], for their number and size.

    Source: Zhang et al. 2018, "mixup"; Yun et al. 2019, "CutMix".

    >>> images, labels = tf.reshape([0.0, 8.0], [2, 1, 1, 1]), tf.eye(2)
    >>> mixture = draw_mixture(Augment(mixup_alpha=1.0), tf.constant([1, 2], tf.int64), images)
    >>> mixed, shares = mixture.pixels(images), mixture.numbers(labels)
    >>> bool(abs(mixed[0, 0, 0, 0] - 8 * shares[0, 1]) < 1e-5), float(tf.reduce_sum(shares))
    (True, 2.0)
    """
    numbers = seeds.fractions([4], key)
    count = tf.shape(images)[0]
    height, width = images.shape[1:3]
    further = tf.cast(numbers[0] * tf.cast(count - 1, tf.float64), tf.int32) + 1

    def for_blend() -> tf.Tensor:
        return beta(seeds.fold_in(key, tf.constant(1, tf.int64)), augment.mixup_alpha)

    def for_paste() -> tuple[tf.Tensor, tf.Tensor]:
        share = beta(seeds.fold_in(key, tf.constant(2, tf.int64)), augment.cutmix_alpha)
        return rectangle(height, width, share, numbers[1], numbers[2])

    if not augment.cutmix_alpha:
        return Mixture(further, for_blend())
    if not augment.mixup_alpha:
        inside, share = for_paste()
        return Mixture(further, share, inside)
    is_blend = numbers[3] < 0.5
    nothing = tf.zeros([height, width, 1], tf.bool)
    inside, share = tf.cond(is_blend, lambda: (nothing, for_blend()), for_paste)
    return Mixture(further, share, inside, is_blend)


def beta(key: tf.Tensor, alpha: float) -> tf.Tensor:  # float64 []
    """Draws one number from Beta(alpha, alpha): the first of two gamma-distributed numbers over their sum.

    >>> 0 <= float(beta(tf.constant([1, 2], tf.int64), 0.2)) <= 1
    True
    """
    one, other = tf.unstack(tf.random.stateless_gamma([2], key, alpha, dtype=tf.float64))
    # With a tiny alpha both may be 0; its shares are 0 or 1.
    return tf.where(one + other > 0, one / tf.maximum(one + other, 1e-300), 1.0)
