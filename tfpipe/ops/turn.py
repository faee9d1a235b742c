"""Turns an image upright, by its EXIF orientation."""

from __future__ import annotations

import tensorflow as tf


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns an image so that its top is up.

    Args:
        image: [H, W, C].
        orientation: int32, 1 to 8; 1 changes nothing. From 5 on, height and width change places.

    Returns:
        [H, W, C] or [W, H, C].

    Source: the EXIF standard, 4.6.4 A, Orientation; `PIL.ImageOps.exif_transpose` does the same.

    >>> image = tf.reshape(tf.range(6), [2, 3, 1])
    >>> upright(image, tf.constant(6))[..., 0].numpy().tolist()
    [[3, 0], [4, 1], [5, 2]]
    """
    turned = tf.cond(orientation == 1, lambda: image, lambda: _turned(image, orientation))
    turned.set_shape([None, None, image.shape[-1]])
    return turned


def _turned(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    def is_one_of(*values: int) -> tf.Tensor:
        return tf.reduce_any(tf.equal(orientation, values))

    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(is_one_of(2, 3, 6, 7), lambda: image[:, ::-1], lambda: image)
    return tf.cond(is_one_of(3, 4, 7, 8), lambda: image[::-1], lambda: image)
