"""Operations on the colors of an image, by the formulas of Pillow and torchvision, without their rounding.

Images are float32 or float64, [H, W, C] or a batch [B, H, W, C]; the parameters of a batch may be tensors
[B]. Values are in 0..255, or in 0..1 with `unit_range`, and results are clipped to that range. With 2 or 4
channels, the last one is alpha and stays unchanged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R 601-2, Pillow's "L"
_LEVELS = 256

# Larger than the error of a float32 resampling: a 12 may arrive as 11.99999, which must not be cut to 11.
_SLACK = 2e-4


def luma(image: tf.Tensor) -> tf.Tensor:
    """Returns the brightness of each pixel, [..., H, W, 1]; without colors, that is the first channel.

    >>> luma(tf.constant([[[10.0, 20.0, 30.0]]])).numpy().round().tolist()
    [[[18.0]]]
    """
    if image.shape[-1] < 3:
        return image[..., :1]
    weights = tf.constant(_LUMA, image.dtype)
    return tf.reduce_sum(image[..., :3] * weights, axis=-1, keepdims=True)


def adjust_contrast(image: tf.Tensor, factor: Any, *, unit_range: bool = False) -> tf.Tensor:
    """Moves every value away from, or toward, the image's mean luma.

    Args:
        image: float [..., H, W, C].
        factor: scalar or [B], >= 0; 0 gives one uniform gray, 1 changes nothing.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype, mean + factor * (image - mean).

    Source: `PIL.ImageEnhance.Contrast`, torchvision's `adjust_contrast`. (Keras' `RandomContrast` takes the
    mean of each channel instead.)

    >>> adjust_contrast(tf.constant([[[10.0], [30.0]]]), 0.5).numpy().tolist()
    [[[15.0], [25.0]]]
    """
    mean = tf.reduce_mean(luma(image), axis=[-3, -2], keepdims=True)
    return _blended(mean, image, factor, unit_range)


def adjust_saturation(image: tf.Tensor, factor: Any, *, unit_range: bool = False) -> tf.Tensor:
    """Moves every color away from, or toward, the gray of the same luma.

    Args:
        image: float [..., H, W, C]. An image of 1 or 2 channels has no colors and stays unchanged.
        factor: scalar or [B], >= 0; 0 gives gray, 1 changes nothing.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype, gray + factor * (image - gray).

    Source: `PIL.ImageEnhance.Color`, torchvision's `adjust_saturation`.

    >>> adjust_saturation(tf.constant([[[0.0, 100.0, 0.0]]]), 0.0).numpy().round().tolist()
    [[[59.0, 59.0, 59.0]]]
    """
    if image.shape[-1] < 3:
        return image
    return _blended(luma(image), image, factor, unit_range)


def adjust_hue(image: tf.Tensor, turn: Any) -> tf.Tensor:
    """Turns every color around the color circle; its saturation and its largest value stay the same.

    Args:
        image: float [..., H, W, C], values >= 0, any range. An image of 1 or 2 channels stays unchanged.
        turn: scalar or [B], a fraction of the whole circle: 0.5 gives the opposite color.

    Returns:
        The same shape and dtype.

    Source: RGB to HSV and back (Smith 1978), hue + turn modulo 1, like torchvision's `adjust_hue`; agrees
    with `tf.image.adjust_hue`.

    >>> adjust_hue(tf.constant([[[200.0, 0.0, 0.0]]]), 1 / 3).numpy().round(3).tolist()
    [[[0.0, 200.0, 0.0]]]
    """
    if image.shape[-1] < 3:
        return image
    red, green, blue = (image[..., channel : channel + 1] for channel in range(3))
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    # Only comparisons, all continuous where two colors are equal. tf.image.rgb_to_hsv asks which color equals
    # the maximum; under XLA, which computes a color twice and rounds it in two ways, it may be none of them.
    sixth = tf.where(green >= blue, 2 * chroma + blue - red, 4 * chroma + red - green)
    sixth = tf.where((red >= green) & (red >= blue), green - blue, sixth)
    sixth /= tf.where(chroma > 0, chroma, tf.ones_like(chroma))  # 0..6 around the circle
    sixth += 6 * per_image(turn, image.dtype)
    colours = []
    for place in (5.0, 3.0, 1.0):
        from_there = sixth + place
        from_there -= 6.0 * tf.floor(from_there / 6.0)  # tf.math.floormod calls fmod for each pixel
        below = tf.clip_by_value(tf.minimum(from_there, 4.0 - from_there), 0.0, 1.0)
        colours.append(value - chroma * below)
    return tf.concat([*colours, image[..., 3:]], -1)


def sharpen(image: tf.Tensor, factor: Any, *, unit_range: bool = False) -> tf.Tensor:
    """Moves every value away from, or toward, a smoothed image; the outermost pixels stay unchanged.

    Args:
        image: float [..., H, W, C].
        factor: scalar or [B], >= 0; 0 smooths, 1 changes nothing, 2 sharpens.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype.

    Source: `PIL.ImageEnhance.Sharpness`: smoothing is 1/13 of a 3x3 sum with the center counted five times.

    >>> image = tf.constant([[0.0, 0.0, 0.0], [0.0, 130.0, 0.0], [0.0, 0.0, 0.0]])[..., tf.newaxis]
    >>> sharpen(image, 0.0)[1, 1].numpy().round(3).tolist()
    [50.0]
    """
    height, width = image.shape[-3:-1]
    if min(height, width) < 3:
        return image
    around = [
        image[..., row : height - 2 + row, column : width - 2 + column, :]
        for row in range(3)
        for column in range(3)
    ]
    smooth = (tf.add_n(around) + 4.0 * around[4]) / 13.0
    edges = [[0, 0]] * (image.shape.rank - 3) + [[1, 1], [1, 1], [0, 0]]
    inner = tf.pad(tf.ones_like(smooth, tf.bool), edges)
    return _blended(tf.where(inner, tf.pad(smooth, edges), image), image, factor, unit_range)


def posterize(image: tf.Tensor, bits: Any, *, unit_range: bool = False) -> tf.Tensor:
    """Keeps only the upper bits of every 8-bit value.

    Args:
        image: float [..., H, W, C].
        bits: scalar or [B], a whole number from 1 to 8; 8 cuts values to whole numbers in 0..255.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype.

    Source: `PIL.ImageOps.posterize`.

    >>> posterize(tf.constant([[[255.0], [130.0]]]), 2).numpy().tolist()
    [[[192.0], [128.0]]]
    """
    step = 2.0 ** (8.0 - per_image(bits, image.dtype)) * _unit(image.dtype, unit_range)
    # A 16 that a resampling turned into 15.99999 must not be cut to 0.
    cut = tf.floor(image / step + tf.constant(1e-5, image.dtype)) * step
    return keep_alpha(image, cut)


def solarize(image: tf.Tensor, threshold: Any, *, unit_range: bool = False) -> tf.Tensor:
    """Inverts every value at or above a threshold.

    Args:
        image: float [..., H, W, C].
        threshold: scalar or [B], a fraction of the range: 1 changes nothing below white, 0 inverts all.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype.

    Source: `PIL.ImageOps.solarize`.

    >>> solarize(tf.constant([[[200.0], [100.0]]]), 0.5).numpy().tolist()
    [[[55.0], [100.0]]]
    """
    top = _top(image.dtype, unit_range)
    return keep_alpha(
        image, tf.where(image < per_image(threshold, image.dtype) * top, image, top - image)
    )


def stretch_contrast(image: tf.Tensor, *, unit_range: bool = False) -> tf.Tensor:
    """Stretches each channel to the whole range; a channel with a single value stays unchanged.

    Args:
        image: float [..., H, W, C].
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype.

    Source: `PIL.ImageOps.autocontrast`.

    >>> stretch_contrast(tf.constant([[[10.0], [20.0], [60.0]]])).numpy().tolist()
    [[[0.0], [51.0], [255.0]]]
    """
    low = tf.reduce_min(image, axis=[-3, -2], keepdims=True)
    high = tf.reduce_max(image, axis=[-3, -2], keepdims=True)
    extent = tf.where(high > low, high - low, tf.ones_like(high))
    top = _top(image.dtype, unit_range)
    return keep_alpha(image, tf.where(high > low, (image - low) * top / extent, image))


def equalize(image: tf.Tensor, *, unit_range: bool = False) -> tf.Tensor:
    """Gives each channel a histogram that is as even as its levels allow.

    Args:
        image: float [H, W, C], one image.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype, with 256 levels.

    Source: `PIL.ImageOps.equalize`.

    >>> equalize(tf.constant([[[10.0], [20.0], [30.0], [40.0]]] * 255))[0, :, 0].numpy().tolist()
    [0.0, 85.0, 170.0, 255.0]
    """
    channels = image.shape[-1]
    unit = _unit(image.dtype, unit_range)
    level = tf.cast(tf.clip_by_value(tf.round(image / unit), 0, _LEVELS - 1), tf.int32)
    place = level + _LEVELS * tf.range(channels)  # in one table for all channels
    flat = tf.reshape(place, [-1])
    counts = tf.math.unsorted_segment_sum(tf.ones_like(flat), flat, _LEVELS * channels)
    counts = tf.reshape(counts, [channels, _LEVELS])
    below = tf.cumsum(counts, axis=1, exclusive=True)
    highest = tf.argmax(tf.cumsum(counts, axis=1), axis=1)  # where the sum first reaches its total
    last = tf.gather(counts, highest, batch_dims=1)
    step = (tf.reduce_sum(counts, axis=1) - last) // (_LEVELS - 1)
    even = (below + step[:, tf.newaxis] // 2) // tf.maximum(step, 1)[:, tf.newaxis]
    table = tf.where(step[:, tf.newaxis] > 0, tf.minimum(even, _LEVELS - 1), tf.range(_LEVELS))
    result = tf.cast(tf.gather(tf.reshape(table, [-1]), place), image.dtype) * unit
    return keep_alpha(image, result)


def shift_channels(image: tf.Tensor, intensity: Any) -> tf.Tensor:
    """Adds one value to all channels, and clips the result to the image's own range.

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
    """Multiplies the colors by a factor, as the classic does through Pillow; alpha stays unchanged.

    Args:
        image: float [..., H, W, C]; with 2 or 4 channels the last one is alpha.
        factor: scalar or [B], >= 0; 0 is black, 1 changes nothing.
        unit_range: whether values are in 0..1. The result is then `min(image * factor, 1)`; the classic turns
            such an image into zeros.

    Returns:
        The same shape and dtype. In 0..255 the values are whole numbers, cut and not rounded, as
        `PIL.ImageEnhance.Brightness` leaves them. An image with values outside 0..255 is stretched to that
        range first and back afterward.

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
    # The classic turns the image into bytes here, so cutting to whole numbers is part of its result.
    pixels = tf.floor((image - shift) / extent * stretch + slack)
    bright = tf.minimum(tf.floor(tf.cast(pixels, tf.float32) * per_image(factor, tf.float32)), 255)
    bright = tf.cast(bright, image.dtype) / stretch * extent + shift
    return keep_alpha(pixels / stretch * extent + shift, bright)


def per_image(value: Any, dtype: tf.DType) -> tf.Tensor:
    """Returns a parameter that broadcasts against images: a scalar as it is, [B] as [B, 1, 1, 1]."""
    # tf.cast takes a Python float through float32, whatever dtype is requested.
    value = tf.cast(value if tf.is_tensor(value) else np.float64(value), dtype)
    return value[:, tf.newaxis, tf.newaxis, tf.newaxis] if value.shape.rank else value


def keep_alpha(image: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
    """Returns `changed`, with the last channel of `image` if that is alpha (2 or 4 channels)."""
    if image.shape[-1] not in (2, 4):
        return changed
    return tf.concat([changed[..., :-1], image[..., -1:]], -1)


def has_unit_range(images: np.ndarray) -> bool:
    """Whether the values are floats in 0..1, not in 0..255.

    >>> has_unit_range(np.array([0.0, 1.0])), has_unit_range(np.array([0, 1], np.uint8))
    (True, False)
    """
    if images.dtype.kind != "f" or not images.size:
        return False
    return bool(images.min() >= 0 and images.max() <= 1)


def _blended(other: tf.Tensor, image: tf.Tensor, factor: Any, unit_range: bool) -> tf.Tensor:
    """Blends from `other` at factor 0 to the image at 1, and beyond it above 1; clips to the range."""
    changed = other + per_image(factor, image.dtype) * (image - other)
    top = _top(image.dtype, unit_range)
    return keep_alpha(image, tf.clip_by_value(changed, tf.zeros_like(top), top))


def _top(dtype: tf.DType, unit_range: bool) -> tf.Tensor:
    return tf.constant(1.0 if unit_range else 255.0, dtype)


def _unit(dtype: tf.DType, unit_range: bool) -> tf.Tensor:
    """Returns the size of one of 256 levels."""
    return tf.constant(1 / 255 if unit_range else 1.0, dtype)


def _extremes(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the smallest and the largest value of each image, [..., 1, 1, 1]."""
    return (
        tf.reduce_min(image, axis=[-3, -2, -1], keepdims=True),
        tf.reduce_max(image, axis=[-3, -2, -1], keepdims=True),
    )
