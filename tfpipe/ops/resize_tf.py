"""Resizes images as Keras' `image_dataset_from_directory` does: `tf.image.resize`, no antialias by default.

Every function takes one image [H, W, C] with values in 0..255, whose height and width may be unknown
when the graph is built. The results are what TensorFlow's own kernels give, bit for bit; the kernels
with negative lobes (bicubic, lanczos3, lanczos5, mitchellcubic) overshoot and are not clipped.
"""

from __future__ import annotations

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


def resize_with_tensorflow(
    image: tf.Tensor,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    *,
    aspect: str = "stretch",
    antialias: bool = False,
    fill_value: float = 0,
) -> tf.Tensor:
    """Resizes one image with TensorFlow's kernels.

    Args:
        image: uint8 or float32 [H, W, C], values in 0..255. H and W may be unknown, C is static.
        size: static `(height, width)` of the result.
        interpolation: one of `TF_INTERPOLATIONS`.
        aspect: "stretch" the whole image; "crop" the largest centered box with the ratio of `size`, like
            Keras' `crop_to_aspect_ratio`; "pad" with `fill_value`, like its `pad_to_aspect_ratio`.
        antialias: whether to widen the kernel where the image gets smaller; "nearest" and "area" ignore it.
        fill_value: value of the pixels that "pad" adds, 0..255, the same in every channel.

    Returns:
        `[size[0], size[1], C]`, float32, or the dtype of `image` for "nearest".

    >>> image = tf.constant([[[0], [10], [20], [30]]], tf.uint8)
    >>> resize_with_tensorflow(image, (1, 2))[0, :, 0].numpy().tolist()
    [5.0, 25.0]
    >>> resize_with_tensorflow(image, (1, 1), "nearest", aspect="crop")[0, :, 0].numpy().tolist()
    [10]
    """
    if aspect == "pad":
        result = tf.image.resize_with_pad(image, *size, method=interpolation, antialias=antialias)
        if fill_value:
            inside = tf.image.resize_with_pad(tf.ones_like(image[..., :1]), *size, method="nearest")
            fill = tf.cast(
                tf.round(float(fill_value)) if result.dtype.is_integer else fill_value, result.dtype
            )
            result = tf.where(inside > 0, result, fill)
    else:
        if aspect == "crop":
            top, left, height, width = crop_box(tf.shape(image)[0], tf.shape(image)[1], size)
            image = image[top : top + height, left : left + width]
        result = tf.image.resize(image, size, method=interpolation, antialias=antialias)
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
