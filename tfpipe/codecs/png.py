"""PNG files: pixels, alpha, 16 bits, and the indices of palettes."""

from __future__ import annotations

import zlib

import numpy as np
import tensorflow as tf

from tfpipe.codecs import formats
from tfpipe.codecs.headers import begins_with, bounded, png_size
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.ops.color_modes import convert_color

COLOR_TYPE = 25  # of a PNG file: this byte of the header says what its samples are
PALETTE = b"\x03"


def decode_png(contents: tf.Tensor, spec: DecodeSpec) -> tf.Tensor:
    """Decodes a PNG file to uint8 [H, W, 3], [H, W, 4] for "rgba", or for "grayscale" to the channels it has.

    With `decoding="keras"`, libpng makes it gray.
    """
    checks = [] if spec.max_pixels is None else bounded(png_size(contents), spec.max_pixels)
    with tf.control_dependencies(checks):
        if spec.color_mode == "rgba":
            return decode_png_with_alpha(tf.identity(contents))
        return tf.io.decode_png(contents, channels=spec.channels_to_ask_for)


def decode_png_with_alpha(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG file to uint8 [H, W, 4], transparent where alpha, palette or color key say so."""
    # Below 8 bits per sample, the alpha that TensorFlow adds is 1, 3 or 15 where it should be 255.
    kind = tf.strings.substr(contents, 24, 2)  # of the IHDR chunk: bits per sample, color type
    few_bits = (b"\x01", b"\x02", b"\x04")
    return tf.cond(
        tf.reduce_any(tf.equal(kind, [bits + PALETTE for bits in few_bits])),
        lambda: _decode_small_palette(contents),
        lambda: tf.cond(
            tf.reduce_any(tf.equal(kind, [bits + b"\0" for bits in few_bits])),
            lambda: _decode_small_grey(contents),
            lambda: tf.io.decode_png(contents, channels=4),
        ),
    )


def _decode_small_palette(contents: tf.Tensor) -> tf.Tensor:
    return convert_color(tf.io.decode_png(contents), "rgba")


def _decode_small_grey(contents: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_png(contents, channels=4)
    alpha = tf.where(image[..., 3:] > 0, tf.constant(255, tf.uint8), 0)
    return tf.concat([image[..., :3], alpha], -1)


def is_png16(contents: tf.Tensor) -> tf.Tensor:  # bool scalar
    """Whether the bytes are a PNG file with 16 bits per sample, by byte 24, in the IHDR chunk."""
    header = tf.strings.join([tf.strings.substr(contents, 0, 25), " " * 25])  # never too short
    return begins_with(contents, formats.PNG.magic) & tf.equal(
        tf.strings.substr(header, 24, 1), b"\x10"
    )


def unit_of_samples(contents: tf.Tensor) -> tf.Tensor:
    """Returns what 1 becomes when TensorFlow spreads 1, 2 or 4 bits per sample over 0..255."""
    bits = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, 24, 1), tf.uint8)[0], tf.int32)
    return 255 // (tf.bitwise.left_shift(1, tf.minimum(bits, 8)) - 1)


def _change_of_checksum() -> bytes:
    """Returns what the checksum of a header is changed by (xor) when color type 3 becomes 0.

    A CRC is linear: the change depends on the change of the content alone, not on the content.
    """
    palette, grey = (b"IHDR" + bytes(9) + kind + bytes(3) for kind in (PALETTE, b"\0"))
    return (zlib.crc32(palette) ^ zlib.crc32(grey)).to_bytes(4, "big")


_CHANGE = np.frombuffer(_change_of_checksum(), np.uint8)


def palette_as_gray(contents: tf.Tensor) -> tf.Tensor:
    """Turns a PNG file with a palette into a gray one whose samples are the indices.

    TensorFlow does not return indices. But it is only the header that says what the samples mean. With
    another color type, and its checksum, the same samples are gray values.
    """
    rest = tf.strings.substr(contents, 26, 3)
    checksum = tf.io.decode_raw(tf.strings.substr(contents, 29, 4), tf.uint8)
    checksum = tf.bitwise.bitwise_xor(checksum, tf.constant(_CHANGE))
    letters = tf.gather(tf.constant([bytes([b]) for b in range(256)]), tf.cast(checksum, tf.int32))
    data = tf.strings.substr(contents, 33, tf.strings.length(contents) - 33)
    head = tf.strings.substr(contents, 0, COLOR_TYPE)
    return tf.strings.join([head, b"\0", rest, tf.strings.reduce_join(letters), data])
