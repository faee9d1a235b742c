"""Encodes images to the bytes of files."""

from __future__ import annotations

import io

import numpy as np
import tensorflow as tf

_IN_GRAPH = ("png", "jpg", "jpeg")
WITH_PILLOW = ("bmp", "gif", "pdf", "ppm", "tif", "tiff")
SAVE_FORMATS = _IN_GRAPH + WITH_PILLOW


def encode(image: tf.Tensor, format: str) -> tf.Tensor:  # uint8 [H, W, C] -> string
    if format == "png":
        return tf.io.encode_png(image)
    if format in ("jpg", "jpeg"):
        return tf.io.encode_jpeg(image, quality=75)  # Pillow's default, as the classic saves
    return tf.numpy_function(
        lambda pixels: _encode_with_pillow(pixels, format), [image], tf.string, stateful=False
    )


def _encode_with_pillow(image: np.ndarray, format: str) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    name = {"tif": "TIFF"}.get(format, format.upper())
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, name)
    return buffer.getvalue()
