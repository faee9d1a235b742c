"""Masks: one value a pixel, from a file beside each image.

A mask goes through the same geometry as its image, without interpolation, and through nothing else.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import formats
from tfpipe.checks import check_one_of, require_pillow
from tfpipe.headers import bounded, png_size
from tfpipe.pillow_decode import check_size

MASK_DTYPES = ("int32", "float32")

_COLOR_TYPE = 25  # of a PNG file: this byte of the header says what its samples are
_PALETTE = b"\x03"


def check_mask_dtype(dtype: str) -> None:
    """Raises `ValueError` for anything but what a mask can be."""
    check_one_of("mask_dtype", dtype, MASK_DTYPES)


def decode_mask(
    contents: tf.Tensor, dtype: str, suffixes: frozenset[str], max_pixels: int | None = None
) -> tf.Tensor:
    """The bytes of a file -> a mask. Its header is read first, as that of an image is.

    Args:
        contents: string scalar.
        dtype: "int32": the samples as they are stored (the indices of a palette, 0..255, 0..65535, 0
            and 1 of a black and white image); "float32": the grey value in 0..1.
        suffixes: those of the source. What is not PNG is decoded by Pillow, in Python.
        max_pixels: a mask of more is refused before it is decoded; None: none is.

    Returns:
        [H, W, 1] of `dtype`.

    Raises:
        tf.errors.InvalidArgumentError: the content is damaged, or too large; for "int32", it has colours.
    """
    is_png = tf.strings.substr(contents, 0, 8) == b"\x89PNG\r\n\x1a\n"
    if suffixes <= {"png"}:
        check = tf.debugging.Assert(is_png, ["not a PNG file"])
        with tf.control_dependencies([check] if check is not None else []):
            return _decode_png(tf.identity(contents), dtype, max_pixels)
    return tf.cond(
        is_png,
        lambda: _decode_png(contents, dtype, max_pixels),
        lambda: _with_pillow(contents, dtype, max_pixels),
    )


def _decode_png(contents: tf.Tensor, dtype: str, max_pixels: int | None) -> tf.Tensor:
    """A PNG file of any kind."""
    if max_pixels is not None:
        with tf.control_dependencies(bounded(png_size(contents), max_pixels)):
            contents = tf.identity(contents)  # which all below waits for
    kind = tf.strings.substr(contents, _COLOR_TYPE, 1)
    if dtype == "float32":
        image = tf.cast(tf.io.decode_png(contents, dtype=tf.uint16), tf.float32) / 65535
        return _grey(image)
    contents = tf.cond(kind == _PALETTE, lambda: _as_grey(contents), lambda: contents)
    is_16_bit = tf.strings.substr(contents, 24, 1) == b"\x10"
    image = tf.cond(
        is_16_bit,
        lambda: tf.cast(tf.io.decode_png(contents, dtype=tf.uint16), tf.int32),
        lambda: tf.cast(tf.io.decode_png(contents), tf.int32) // _unit(contents),
    )
    return _only_grey(image)


def _unit(contents: tf.Tensor) -> tf.Tensor:
    """What 1 becomes when TensorFlow spreads 1, 2 or 4 bits a sample over 0..255."""
    bits = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, 24, 1), tf.uint8)[0], tf.int32)
    return 255 // (tf.bitwise.left_shift(1, tf.minimum(bits, 8)) - 1)


def _change_of_checksum() -> bytes:
    """What the checksum of a header is changed by (xor) where colour type 3 becomes 0.

    A CRC is linear: the change depends on the change of the content alone, not on the content.
    """
    palette, grey = (b"IHDR" + bytes(9) + kind + bytes(3) for kind in (_PALETTE, b"\0"))
    return (zlib.crc32(palette) ^ zlib.crc32(grey)).to_bytes(4, "big")


_CHANGE = np.frombuffer(_change_of_checksum(), np.uint8)


def _as_grey(contents: tf.Tensor) -> tf.Tensor:
    """A PNG file with a palette as a grey one, whose samples are the indices.

    TensorFlow gives no indices. But only the header says what they mean: with another colour type,
    and the checksum that belongs to it, the same samples are grey values.
    """
    rest = tf.strings.substr(contents, 26, 3)
    checksum = tf.io.decode_raw(tf.strings.substr(contents, 29, 4), tf.uint8)
    checksum = tf.bitwise.bitwise_xor(checksum, tf.constant(_CHANGE))
    letters = tf.gather(tf.constant([bytes([b]) for b in range(256)]), tf.cast(checksum, tf.int32))
    data = tf.strings.substr(contents, 33, tf.strings.length(contents) - 33)
    head = tf.strings.substr(contents, 0, _COLOR_TYPE)
    return tf.strings.join([head, b"\0", rest, tf.strings.reduce_join(letters), data])


def _grey(image: tf.Tensor) -> tf.Tensor:
    """[H, W, 1..4] -> [H, W, 1]: ITU-R 601-2 luma; alpha is dropped."""
    weights = tf.constant([[0.299], [0.587], [0.114]], image.dtype)
    is_color = tf.shape(image)[-1] >= 3
    grey = tf.cond(
        is_color, lambda: tf.tensordot(image[..., :3], weights, 1), lambda: image[..., :1]
    )
    return tf.ensure_shape(grey, [None, None, 1])


def _only_grey(image: tf.Tensor) -> tf.Tensor:
    """[H, W, 1..4] -> [H, W, 1], which must say all that the colours do."""
    grey = image[..., :1]
    colors = tf.where(tf.shape(image)[-1] >= 3, 3, 1)
    check = tf.debugging.Assert(
        tf.reduce_all(image[..., :colors] == grey), ["a mask of whole numbers has no colours"]
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.ensure_shape(grey, [None, None, 1])


def _with_pillow(contents: tf.Tensor, dtype: str, max_pixels: int | None) -> tf.Tensor:
    def decode(contents: Any) -> np.ndarray:  # bytes in a graph, an array of no dimension outside
        return decode_with_pillow(
            contents if isinstance(contents, bytes) else contents.item(), dtype, max_pixels
        )

    mask = tf.numpy_function(decode, [contents], dtype, stateful=False)
    return tf.ensure_shape(mask, [None, None, 1])


def decode_with_pillow(contents: bytes, dtype: str, max_pixels: int | None = None) -> np.ndarray:
    """The bytes of a file of any format -> [H, W, 1] of `dtype`, as `decode_mask`.

    Raises:
        ValueError: a mask of whole numbers has colours; it has more than `max_pixels`.
    """
    from PIL import Image

    with Image.open(io.BytesIO(contents)) as file:
        check_size(file.height, file.width, max_pixels)
        if dtype == "float32":
            return _unit_range(file)
        samples = np.asarray(file)
        if samples.ndim == 3:
            colors = samples[..., :3] if samples.shape[-1] >= 3 else samples[..., :1]
            if (colors != colors[..., :1]).any():
                raise ValueError("a mask of whole numbers has no colours")
            samples = samples[..., 0]
        return np.ascontiguousarray(samples[..., None].astype(np.int32))


def _unit_range(file: Any) -> np.ndarray:
    if file.mode.startswith("I;16") or (file.mode == "I" and file.format == "PPM"):
        return np.asarray(file).astype(np.float32)[..., None] / 65535
    if file.mode in ("I", "F"):  # no range of their own
        return np.asarray(file).astype(np.float32)[..., None]
    color = file.convert("RGB") if file.mode not in ("1", "L") else file.convert("L")
    image = np.asarray(color).astype(np.float32) / 255
    return (
        image[..., None]
        if image.ndim == 2
        else image @ np.array([[0.299], [0.587], [0.114]], np.float32)
    )


def needs_python(suffixes: frozenset[str]) -> bool:
    """Whether masks with these suffixes are decoded by Pillow."""
    return not suffixes <= frozenset(formats.PNG.suffixes)


def require_reader(suffixes: frozenset[str]) -> None:
    """Says once what masks that Pillow decodes cost; `ImportError` where it is not installed."""
    if needs_python(suffixes):
        others = sorted(suffixes - frozenset(formats.PNG.suffixes))
        names = ", ".join(f"'.{suffix}'" if suffix else "no suffix" for suffix in others)
        require_pillow(f"Masks with {names} need")
        formats.warn_of_python("Pillow", f"Masks with {names}")
