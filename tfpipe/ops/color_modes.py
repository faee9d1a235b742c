"""Converts images from one color mode to another, as Pillow does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
COLOR_MODES = tuple(CHANNELS)


def pillow_luma(rgb: tf.Tensor) -> tf.Tensor:
    """Converts RGB [..., 3] to gray [..., 1]: uint8 as Pillow does, or float32 in 0..255.

    Source: Pillow's Convert.c, ITU-R 601-2 in 16-bit fixed point, which differs from `tf.image`'s conversion.

    >>> pillow_luma(tf.constant([[[255, 255, 255], [10, 200, 30]]], tf.uint8)).numpy().tolist()
    [[[255], [124]]]
    """
    weights = [19595, 38470, 7471]
    if rgb.dtype == tf.uint8:
        # One plane at a time, because a sum over the last axis of an [H, W, 3] product is three times slower.
        red, green, blue = tf.unstack(tf.cast(rgb, tf.int32), num=3, axis=-1)
        grey = (red * weights[0] + green * weights[1] + blue * weights[2] + 32768) // 65536
        return tf.cast(grey, tf.uint8)[..., None]
    shares = tf.constant([weight / 65536 for weight in weights], rgb.dtype)
    return tf.reduce_sum(rgb * shares, -1, keepdims=True)


def convert_color(image: tf.Tensor, color_mode: str) -> tf.Tensor:
    """Converts an image of any channel count to one color mode, as Pillow's `convert` does.

    Args:
        image: uint8 or float32 [H, W, C], 0..255; C is 1 for gray, 2 for gray with alpha, 3 for RGB, 4 for
            RGBA, and may be unknown until the graph runs.
        color_mode: "grayscale", "rgb" or "rgba". Alpha is dropped, not blended; a new alpha channel is 255.

    Returns:
        [H, W, 1, 3 or 4], the same dtype.

    >>> convert_color(tf.constant([[[7, 99]]], tf.uint8), "rgba").numpy().tolist()
    [[[7, 7, 7, 99]]]
    """
    channels = image.shape[-1] or tf.shape(image)[-1]
    grey, color = image[..., :1], image[..., :3]
    if color_mode == "grayscale":
        result = _choose(channels >= 3, lambda: pillow_luma(color), lambda: grey)
    else:
        result = _choose(channels >= 3, lambda: color, lambda: tf.repeat(grey, 3, axis=-1))
    if color_mode == "rgba":
        opaque = tf.fill(tf.shape(grey), tf.constant(255, image.dtype))
        alpha = _choose(channels % 2 == 0, lambda: image[..., -1:], lambda: opaque)
        result = tf.concat([result, alpha], -1)
    result.set_shape([None, None, CHANNELS[color_mode]])
    return result


def _choose(
    condition: Any, true: Callable[[], tf.Tensor], false: Callable[[], tf.Tensor]
) -> tf.Tensor:
    """Does what `tf.cond` does, without a branch in the graph if the condition is already known."""
    if isinstance(condition, bool):
        return true() if condition else false()
    return tf.cond(condition, true, false)
