"""Rectangles and mixtures of images: cutout, CutMix and MixUp."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfpipe.ops.color import per_image


def erase(
    image: tf.Tensor, x: Any, y: Any, share_x: Any, share_y: Any, value: float = 0.0
) -> tf.Tensor:
    """Fills a rectangle with one value: every pixel whose center is inside.

    Args:
        image: float [..., H, W, C], any range.
        x, y: the left and the upper edge of the rectangle, as fractions of the width and of the height.
        share_x, share_y: its width and height, likewise; 0 leaves the image unchanged. Scalars, or [B].
        value: in the image's units, for every channel.

    Returns:
        The same shape and dtype.

    Source: Zhong et al. 2017, "Random Erasing Data Augmentation"; DeVries & Taylor 2017, "Cutout".

    >>> erase(tf.ones([1, 4, 1]), 0.25, 0.0, 0.5, 1.0)[..., 0].numpy().tolist()
    [[1.0, 0.0, 0.0, 1.0]]
    """
    height, width = image.shape[-3:-1]

    def within(size: int, begin: Any, share: Any, shape: list[int]) -> tf.Tensor:
        centres = tf.reshape((tf.range(size, dtype=tf.float64) + 0.5) / size, shape)
        begin, share = per_image(begin, tf.float64), per_image(share, tf.float64)
        return (centres >= begin) & (centres < begin + share)

    rows, columns = within(height, y, share_y, [-1, 1, 1]), within(width, x, share_x, [-1, 1])
    return tf.where(rows & columns, tf.constant(value, image.dtype), image)


def blend(one: tf.Tensor, other: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Mixes `share` of one tensor with the rest of the other; both are float and have the same shape.

    >>> float(blend(tf.constant(10.0), tf.constant(20.0), tf.constant(0.75, tf.float64)))
    12.5
    """
    share = tf.cast(share, one.dtype)
    return share * one + (1 - share) * other


def rectangle(
    height: int, width: int, share: tf.Tensor, x: tf.Tensor, y: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the pixels of a rectangle, and the fraction of the image that is outside it.

    Args:
        height, width: of the image.
        share: float64 [], the fraction of the image to leave; the rectangle has the image's aspect ratio.
        x, y: float64 [], 0..1, the center of the rectangle; what lies outside the image is lost.

    Returns:
        bool [H, W, 1], and the fraction that is actually left, float64 [].

    >>> half = tf.constant(0.5, tf.float64)
    >>> inside, left = rectangle(2, 4, half, half, half)
    >>> inside[..., 0].numpy().tolist(), float(left)
    ([[False, True, True, False], [False, True, True, False]], 0.5)
    """
    side = tf.sqrt(1.0 - share) / 2.0

    def covered(size: int, centre: tf.Tensor) -> tf.Tensor:
        pixels = (tf.range(size, dtype=tf.float64) + 0.5) / size
        return tf.abs(pixels - centre) < side

    inside = covered(height, y)[:, tf.newaxis] & covered(width, x)
    left = 1.0 - tf.reduce_mean(tf.cast(inside, tf.float64))
    return inside[..., tf.newaxis], left
