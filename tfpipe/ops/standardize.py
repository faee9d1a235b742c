"""Rescales and standardizes batches of images, by the formulas of the classic generator."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

EPSILON = 1e-6  # the classic's, added to each standard deviation


def standardize(
    images: tf.Tensor,
    scale: float = 1.0,
    *,
    center: bool = False,
    normalize: bool = False,
    mean: Any = None,
    std: Any = None,
    dtype: tf.DType | None = None,
) -> tf.Tensor:
    """Returns (images * scale - mean) / (std + 1e-6), with each image's own numbers, then with given ones.

    Args:
        images: any dtype, [B, H, W, C] or [B, C, H, W].
        scale: a number.
        center: whether each image's own mean is subtracted.
        normalize: whether each image is divided by its own standard deviation, plus 1e-6.
        mean, std: numbers that broadcast against one image, or None.
        dtype: of the result, a float; None keeps a float, and makes float32 of others.

    Returns:
        The same shape.

    >>> standardize(tf.constant([[[[1.0], [3.0]]]]), 2.0, center=True).numpy().tolist()
    [[[[-2.0], [2.0]]]]
    """
    dtype = dtype or (images.dtype if images.dtype.is_floating else tf.float32)
    images = tf.cast(images, dtype)
    if scale != 1:
        images = images * tf.constant(scale, dtype)
    if center:
        images = images - tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    if normalize:
        deviation = tf.math.reduce_std(images, axis=[1, 2, 3], keepdims=True)
        images = images / (deviation + tf.constant(EPSILON, dtype))
    if mean is not None:
        images = images - tf.cast(mean, dtype)
    if std is not None:
        images = images / (tf.cast(std, dtype) + tf.constant(EPSILON, dtype))
    return images
