"""Operations on the values of an image: deterministic, one value of a parameter in, one image out.

Images are float32 or float64, [H, W, C] or a batch [B, H, W, C], whose parameters may be tensors [B]. Their
range is 0..255, or 0..1 where an argument says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

# More than the error of a float32 resampling: a 12 may come as 11.99999, which is not to be cut to 11.
_SLACK = 2e-4


def shift_channels(image: tf.Tensor, intensity: Any) -> tf.Tensor:
    """Adds one value to all channels; what leaves the image's own range is clipped to it.

    Args:
        image: float [..., H, W, C], any range.
        intensity: scalar, or [B].

    Returns:
        The same shape and dtype.

    Source: the classic's `apply_channel_shift`.

    >>> shift_channels(tf.constant([[[10.0], [250.0]]]), 20.0).numpy().tolist()
    [[[30.0], [250.0]]]
    """
    shifted = image + per_image(intensity, image.dtype)
    return tf.clip_by_value(shifted, *_extremes(image))


def adjust_brightness(image: tf.Tensor, factor: Any, *, unit_range: bool = False) -> tf.Tensor:
    """Multiplies the colours by a factor, as the classic does through Pillow; alpha stays.

    Args:
        image: float [..., H, W, C]; with 2 or 4 channels the last one is alpha.
        factor: scalar or [B], >= 0; 0 is black, 1 changes nothing.
        unit_range: the image is 0..1. The result is then `min(image * factor, 1)`; the classic makes
            such an image 0.

    Returns:
        The same shape and dtype. On 0..255 whole numbers, cut and not rounded, as
        `PIL.ImageEnhance.Brightness` leaves them. An image that leaves 0..255 is stretched to it first
        and back afterwards.

    Source: the classic's `apply_brightness_shift`; Pillow's Blend.c.

    >>> adjust_brightness(tf.constant([[[10.0], [250.0]]]), 1.25).numpy().tolist()
    [[[12.0], [255.0]]]
    """
    if unit_range:
        bright = tf.clip_by_value(image * per_image(factor, image.dtype), 0, 1)
        return keep_alpha(image, bright)
    low, high = _extremes(image)
    outside = (low < -_SLACK) | (high > 255 + _SLACK)
    zero, one = tf.zeros([], image.dtype), tf.ones([], image.dtype)
    slack = tf.where(outside, zero, _SLACK * one)
    shift = tf.where(outside, low, zero)
    extent = tf.where(outside & (high > low), high - low, one)
    stretch = tf.where(outside, 255 * one, one)
    # The classic turns the image into bytes here, so the cut is part of its pixels.
    pixels = tf.floor((image - shift) / extent * stretch + slack)
    bright = tf.minimum(tf.floor(tf.cast(pixels, tf.float32) * per_image(factor, tf.float32)), 255)
    bright = tf.cast(bright, image.dtype) / stretch * extent + shift
    return keep_alpha(pixels / stretch * extent + shift, bright)


def erase(
    image: tf.Tensor, x: Any, y: Any, share_x: Any, share_y: Any, value: float = 0.0
) -> tf.Tensor:
    """Fills a rectangle with one value: every pixel whose centre is inside.

    Args:
        image: float [..., H, W, C], any range.
        x, y: the left and the upper edge of the rectangle, as shares of the width and of the height.
        share_x, share_y: its width and height, likewise; 0 leaves the image as it is. Scalars, or [B].
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


def per_image(value: Any, dtype: tf.DType) -> tf.Tensor:
    """A parameter that broadcasts against images: a scalar as it is, [B] as [B, 1, 1, 1]."""
    # tf.cast takes a Python float through float32, whatever the dtype asked for.
    value = tf.cast(value if tf.is_tensor(value) else np.float64(value), dtype)
    return value[:, tf.newaxis, tf.newaxis, tf.newaxis] if value.shape.rank else value


def keep_alpha(image: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
    """`changed`, with the last channel of `image` where that is alpha: of 2 or 4."""
    if image.shape[-1] not in (2, 4):
        return changed
    return tf.concat([changed[..., :-1], image[..., -1:]], -1)


def _extremes(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The least and the largest value of each image, [..., 1, 1, 1]."""
    return (
        tf.reduce_min(image, axis=[-3, -2, -1], keepdims=True),
        tf.reduce_max(image, axis=[-3, -2, -1], keepdims=True),
    )


def has_unit_range(images: np.ndarray) -> bool:
    """Whether the values are floats of 0..1, not of 0..255.

    >>> has_unit_range(np.array([0.0, 1.0])), has_unit_range(np.array([0, 1], np.uint8))
    (True, False)
    """
    if images.dtype.kind != "f" or not images.size:
        return False
    return bool(images.min() >= 0 and images.max() <= 1)
