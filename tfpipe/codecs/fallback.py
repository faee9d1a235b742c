"""Decodes the formats that no op reads, in Python: a py_function of the graph."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.codecs import dicom, formats, pillow
from tfpipe.codecs.spec import DecodeSpec


def decode_in_python(contents: bytes, spec: DecodeSpec, bare_dicom: bool) -> np.ndarray:
    """Decodes the image in a file with pydicom or Pillow, as its content requires.

    Args:
        contents: of the file.
        spec: what the image becomes; the color mode is left to the caller.
        bare_dicom: treat content of no known format as DICOM that begins without a preamble.

    Returns:
        uint8 or float32 [H, W, C], 0..255.
    """
    if formats.is_installed(formats.PYDICOM):
        bare = bare_dicom and formats.of_content(contents[: formats.HEAD_BYTES]) is None
        if bare or contents[128:132] == b"DICM":
            return dicom.decode_dicom(contents, spec.max_pixels, spec.dicom_range)
    return pillow.decode_with_pillow(contents, spec.max_pixels, spec.exif_orientation)


def decode_op(
    contents: tf.Tensor, spec: DecodeSpec, suffixes: frozenset[str]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs `decode_in_python` as an op.

    Returns:
        (uint8 [H, W, C], float32 [H, W, C]): one of them is the image, the other is empty.
    """
    bare_dicom = not suffixes.isdisjoint(formats.DICOM.suffixes)

    def both(contents: bytes) -> tuple[np.ndarray, np.ndarray]:
        image = decode_in_python(contents, spec, bare_dicom)
        none = np.zeros([0, 0, 1])
        if image.dtype == np.uint8:
            return image, none.astype(np.float32)
        return none.astype(np.uint8), image

    image, deep = tf.numpy_function(both, [contents], [tf.uint8, tf.float32], stateful=False)
    image.set_shape([None, None, None])
    deep.set_shape([None, None, None])
    return image, deep


def reason_in_python(contents: bytes, **options: Any) -> bytes:
    """Says why `decode_in_python` fails, in the words of the library; b"" if it does not."""
    try:
        decode_in_python(contents, **options)
    except Exception as error:
        if (
            type(error).__name__ == "UnidentifiedImageError"
        ):  # its message names an object in memory
            return b"its content is of no format that Pillow reads, or its header is damaged"
        first_line = re.sub(r"<\S+ object at 0x\w+>", "the file", str(error))
        first_line = first_line.strip().partition("\n")[0]
        return f"{first_line or type(error).__name__}".encode(errors="replace")
    return b""


def reason_op(
    contents: tf.Tensor, spec: DecodeSpec, suffixes: frozenset[str]
) -> tf.Tensor:  # string scalar
    """Runs `reason_in_python` as an op."""
    bare_dicom = not suffixes.isdisjoint(formats.DICOM.suffixes)
    function = partial(reason_in_python, spec=spec, bare_dicom=bare_dicom)
    words = tf.numpy_function(function, [contents], tf.string, stateful=False)
    return tf.ensure_shape(words, [])
