"""BMP in the graph: TensorFlow's own decoder gives raw palette indices for colours."""

from __future__ import annotations

import tensorflow as tf


def _little_endian(contents: tf.Tensor, offset: int, dtype: tf.DType) -> tf.Tensor:
    raw = tf.strings.substr(contents, offset, dtype.size)
    return tf.cast(tf.io.decode_raw(raw, dtype)[0], tf.int32)


def decode_bmp(contents: tf.Tensor) -> tf.Tensor:
    """An uncompressed BMP file as Pillow reads it.

    Args:
        contents: string scalar, the bytes of a BMP file: 1, 4 or 8 bits with a palette, 24 or 32
            bits without; top-down or bottom-up.

    Returns:
        uint8 [H, W, 3], RGB, 0..255. The fourth byte of 32 bits is no alpha: it is left out.

    Raises:
        tf.errors.InvalidArgumentError: another kind of BMP (compressed, 16 bits, bit fields), or a
            truncated file.

    Source: the BITMAPINFOHEADER layout of the Windows GDI documentation.
    """
    header_size = _little_endian(contents, 14, tf.int32)
    bits = _little_endian(contents, 28, tf.int16)
    compression = _little_endian(contents, 30, tf.int32)
    known = tf.reduce_any(tf.equal(bits, [1, 4, 8, 24, 32])) & (compression == 0)
    check = tf.debugging.Assert(
        known & (header_size >= 40),
        ["Only uncompressed BMP of 1, 4, 8, 24 or 32 bits is supported.", bits, compression],
    )
    with tf.control_dependencies([check]):
        bits = tf.identity(bits)
    start = _little_endian(contents, 10, tf.int32)
    width = _little_endian(contents, 18, tf.int32)
    signed_height = _little_endian(contents, 22, tf.int32)
    height = tf.abs(signed_height)

    # Rows are padded to whole groups of 4 bytes.
    stride = (width * bits + 31) // 32 * 4
    rows = tf.strings.substr(contents, start, stride * height)
    rows = tf.reshape(tf.io.decode_raw(rows, tf.uint8), [height, stride])

    def palette_image() -> tf.Tensor:
        used = _little_endian(contents, 46, tf.int32)
        count = tf.where(used > 0, used, tf.bitwise.left_shift(1, bits))
        palette = tf.strings.substr(contents, 14 + header_size, 4 * count)
        palette = tf.reshape(tf.io.decode_raw(palette, tf.uint8), [count, 4])
        a_byte = 8 // bits  # indices in a byte, the first in its high bits
        shifts = tf.reverse(tf.range(a_byte) * bits, [0])
        mask = tf.bitwise.left_shift(1, bits) - 1
        indices = tf.bitwise.right_shift(tf.cast(rows, tf.int32)[:, :, None], shifts) & mask
        indices = tf.reshape(indices, [height, -1])[:, :width]
        return tf.gather(palette, indices)[..., :3]

    def direct_image() -> tf.Tensor:
        channels = bits // 8
        return tf.reshape(rows[:, : width * channels], [height, width, channels])[..., :3]

    image = tf.cond(bits <= 8, palette_image, direct_image)
    image = tf.cond(signed_height > 0, lambda: image[::-1], lambda: image)
    image.set_shape([None, None, 3])
    return image[..., ::-1]  # blue, green, red in the file
