"""Resizes images as Keras' `image_dataset_from_directory` does: `tf.image.resize`, no antialias by default.

Every function takes one image [H, W, C] with values in 0..255, whose height and width may be unknown
when the graph is built. The results are what TensorFlow's own kernels give, bit for bit; the kernels
with negative lobes (bicubic, lanczos3, lanczos5, mitchellcubic) overshoot and are not clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

TF_INTERPOLATIONS = (
    "bilinear",
    "nearest",
    "bicubic",
    "area",
    "lanczos3",
    "lanczos5",
    "gaussian",
    "mitchellcubic",
)


def keeps_dtype(interpolation: str) -> bool:
    """Whether a result has the dtype of its image; the results of other kernels are float32."""
    return interpolation == "nearest"


def tensorflow_resize(
    image: tf.Tensor, size: Any, interpolation: str = "bilinear", antialias: bool = False
) -> tf.Tensor:
    """Resizes one image with TensorFlow's own operations."""
    return tf.image.resize(image, size, interpolation, antialias=antialias)


def resize_with_tensorflow(
    image: tf.Tensor,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    *,
    aspect: str = "stretch",
    antialias: bool = False,
    fill_value: float = 0,
    resize: Callable[..., tf.Tensor] = tensorflow_resize,
) -> tf.Tensor:
    """Resizes one image as `tf.image.resize` does.

    Args:
        image: uint8 or float32 [H, W, C], values in 0..255. H and W may be unknown, C is static.
        size: static `(height, width)` of the result.
        interpolation: one of `TF_INTERPOLATIONS`.
        aspect: "stretch" the whole image; "crop" the largest centered box with the ratio of `size`, like
            Keras' `crop_to_aspect_ratio`; "pad" with `fill_value`, like its `pad_to_aspect_ratio`.
        antialias: whether to widen the kernel where the image gets smaller; "nearest" and "area" ignore it.
        fill_value: value of the pixels that "pad" adds, 0..255, the same in every channel.
        resize: what computes it, with the arguments of `tensorflow_resize`.

    Returns:
        `[size[0], size[1], C]`, float32, or the dtype of `image` for "nearest".

    >>> image = tf.constant([[[0], [10], [20], [30]]], tf.uint8)
    >>> resize_with_tensorflow(image, (1, 2))[0, :, 0].numpy().tolist()
    [5.0, 25.0]
    >>> resize_with_tensorflow(image, (1, 1), "nearest", aspect="crop")[0, :, 0].numpy().tolist()
    [10]
    """
    how = {"interpolation": interpolation, "antialias": antialias}
    height, width = tf.unstack(tf.shape(image)[:2])
    if aspect == "pad":
        top, left, inner_height, inner_width = pad_box(height, width, size)
        inner = resize(image, (inner_height, inner_width), **how)
        below, right = size[0] - top - inner_height, size[1] - left - inner_width
        fill = tf.cast(round(fill_value) if inner.dtype.is_integer else fill_value, inner.dtype)
        result = tf.pad(inner, [[top, below], [left, right], [0, 0]], constant_values=fill)
    elif aspect == "crop":
        top, left, inner_height, inner_width = crop_box(height, width, size)
        result = resize(image[top : top + inner_height, left : left + inner_width], size, **how)
    else:
        result = resize(image, size, **how)
    return tf.ensure_shape(result, [*size, image.shape[-1]])


def crop_box(height: tf.Tensor, width: tf.Tensor, size: tuple[int, int]) -> tuple[tf.Tensor, ...]:
    """Computes the largest centered box with the aspect ratio of `size`.

    The formula is the one in `keras.utils.image_utils.smart_resize`.

    Args:
        height: int32 scalar, height of the image.
        width: int32 scalar, width of the image.
        size: static `(height, width)` of the result of the resize.

    Returns:
        `(top, left, crop_height, crop_width)`, int32 scalars; both sizes are at least 1.

    >>> [int(value) for value in crop_box(tf.constant(40), tf.constant(100), (10, 20))]
    [0, 10, 40, 80]
    """

    # Through float32, as in Keras: above 2**24 pixels the last digit matters.
    def side(full: tf.Tensor, other: tf.Tensor, wanted: int, other_wanted: int) -> tf.Tensor:
        fitting = tf.cast(tf.cast(other * wanted, tf.float32) / other_wanted, tf.int32)
        return tf.maximum(tf.minimum(full, fitting), 1)

    crop_height = side(height, width, *size)
    crop_width = side(width, height, *reversed(size))
    return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width


def pad_box(height: tf.Tensor, width: tf.Tensor, size: tuple[int, int]) -> tuple[tf.Tensor, ...]:
    """Computes where `tf.image.resize_with_pad` puts an image.

    Args:
        height: int32 [...], height of the image.
        width: int32 [...], width of the image.
        size: static `(height, width)` of the result.

    Returns:
        `(top, left, height, width)`, int32 [...], of the image in the result.

    >>> [int(value) for value in pad_box(tf.constant(40), tf.constant(100), (10, 20))]
    [1, 0, 8, 20]
    """
    sides = tf.cast(tf.stack([height, width]), tf.float32)
    wanted = tf.reshape(tf.constant(size, tf.float32), [2] + [1] * height.shape.rank)
    sides = sides / tf.reduce_max(sides / wanted, 0)
    first = tf.maximum(tf.floor((wanted - sides) / 2), 0)
    return tuple(tf.unstack(tf.cast(tf.concat([first, tf.floor(sides)], 0), tf.int32)))
