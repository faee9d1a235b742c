"""Encodes images to the bytes of files."""

from __future__ import annotations

import io

import numpy as np
import tensorflow as tf

_IN_GRAPH = ("png", "jpg", "jpeg")
WITH_PILLOW = ("bmp", "gif", "pdf", "ppm", "tif", "tiff")
SAVE_FORMATS = _IN_GRAPH + WITH_PILLOW


def encode(image: tf.Tensor, format: str, quality: int = 75) -> tf.Tensor:
    """Encodes an image as a file of some format.

    Args:
        image: uint8 [H, W, C], with the channels that the format can hold.
        format: one of `SAVE_FORMATS`; those of `WITH_PILLOW` are written in Python.
        quality: of JPEG, 1 to 100; by default Pillow's, with which the classic saves.

    Returns:
        The bytes of the file, a string scalar.

    >>> contents = encode(tf.zeros([2, 3, 1], tf.uint8), "png")
    >>> tf.io.decode_png(contents).shape.as_list()
    [2, 3, 1]
    """
    if format == "png":
        return tf.io.encode_png(image)
    if format in ("jpg", "jpeg"):
        return tf.io.encode_jpeg(image, quality=quality)
    return tf.numpy_function(
        lambda pixels: _encode_with_pillow(pixels, format), [image], tf.string, stateful=False
    )


def _encode_with_pillow(image: np.ndarray, format: str) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    name = {"tif": "TIFF"}.get(format, format.upper())
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, name)
    return buffer.getvalue()
