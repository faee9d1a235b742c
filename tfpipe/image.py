"""Photometric operations on one image [H, W, C]: deterministic, one value of a parameter in, one image out.

Images are float32 or float64. Their range is 0..255, or 0..1 where an argument says so.
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
        image: float [H, W, C], any range.
        intensity: scalar.

    Returns:
        float [H, W, C].

    Source: the classic's `apply_channel_shift`.

    >>> shift_channels(tf.constant([[[10.0], [250.0]]]), 20.0).numpy().tolist()
    [[[30.0], [250.0]]]
    """
    shifted = image + _scalar(intensity, image.dtype)
    return tf.clip_by_value(shifted, tf.reduce_min(image), tf.reduce_max(image))


def adjust_brightness(image: tf.Tensor, factor: Any, *, unit_range: bool = False) -> tf.Tensor:
    """Multiplies the colours by a factor, as the classic does through Pillow; alpha stays.

    Args:
        image: float [H, W, C]; with 2 or 4 channels the last one is alpha.
        factor: scalar >= 0; 0 is black, 1 changes nothing.
        unit_range: the image is 0..1. The result is then `min(image * factor, 1)`; the classic makes
            such an image 0.

    Returns:
        float [H, W, C]. On 0..255 whole numbers, cut and not rounded, as `PIL.ImageEnhance.Brightness`
        leaves them. An image that leaves 0..255 is stretched to it first and back afterwards.

    Source: the classic's `apply_brightness_shift`; Pillow's Blend.c.

    >>> adjust_brightness(tf.constant([[[10.0], [250.0]]]), 1.25).numpy().tolist()
    [[[12.0], [255.0]]]
    """
    if unit_range:
        bright = tf.clip_by_value(image * _scalar(factor, image.dtype), 0, 1)
        return _keep_alpha(image, bright)
    low, high = tf.reduce_min(image), tf.reduce_max(image)
    outside = (low < -_SLACK) | (high > 255 + _SLACK)
    zero, one = tf.zeros([], image.dtype), tf.ones([], image.dtype)
    slack = tf.where(outside, zero, _SLACK * one)
    shift = tf.where(outside, low, zero)
    extent = tf.where(outside & (high > low), high - low, one)
    stretch = tf.where(outside, 255 * one, one)
    # The classic turns the image into bytes here, so the cut is part of its pixels.
    pixels = tf.floor((image - shift) / extent * stretch + slack)
    bright = tf.minimum(tf.floor(tf.cast(pixels, tf.float32) * _scalar(factor, tf.float32)), 255)
    bright = tf.cast(bright, image.dtype) / stretch * extent + shift
    return _keep_alpha(pixels / stretch * extent + shift, bright)


def _scalar(value: Any, dtype: tf.DType) -> tf.Tensor:
    # tf.cast takes a Python float through float32, whatever the dtype asked for.
    return tf.cast(value if tf.is_tensor(value) else np.float64(value), dtype)


def _keep_alpha(image: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
    if image.shape[-1] not in (2, 4):
        return changed
    return tf.concat([changed[..., :-1], image[..., -1:]], -1)


def has_unit_range(images: np.ndarray) -> bool:
    """Whether the values are floats of 0..1, not of 0..255.

    >>> has_unit_range(np.array([0.0, 1.0])), has_unit_range(np.array([0, 1], np.uint8))
    (True, False)
    """
    if images.dtype.kind != "f" or not images.size:
        return False
    return bool(images.min() >= 0 and images.max() <= 1)
