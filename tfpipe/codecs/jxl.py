"""JPEG XL in the graph: the size in its header, and TensorFlow's decoder."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfpipe.codecs.header_table import FileParts
from tfpipe.codecs.headers import bounded, octets, walk_parts, window

_BARE = b"\xff\x0a"
_BOXES = FileParts(begin=0, offset=0, size=4, big_endian=True)
# A side of the image: two bits choose how many bits follow.
_WIDTHS = (9, 13, 18, 30)
# Width to height of the ratios that a header can name; 0: the width is given.
_ASPECT_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def jxl_size(contents: tf.Tensor) -> tf.Tensor:
    """Reads (height, width) of a JPEG XL file, int64 [2]; zeros if its codestream is not found.

    Source: ISO/IEC 18181-1, SizeHeader, and 18181-2, the boxes.
    """
    bare = tf.equal(tf.strings.substr(contents, 0, 2), _BARE)
    begin = tf.cond(bare, lambda: tf.constant(0), lambda: _in_box(contents))
    codes = window(contents, begin, 16)
    found = tf.equal(tf.strings.substr(codes, 0, 2), _BARE)
    # The bits after the signature, the lowest of each byte first.
    shifts = np.arange(8, dtype=np.uint8)
    bits = tf.bitwise.right_shift(tf.io.decode_raw(codes, tf.uint8)[2:, None], shifts) & 1
    bits = tf.concat([tf.reshape(tf.cast(bits, tf.int64), [-1]), np.zeros([32], np.int64)], 0)

    def read(place: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        places = np.arange(30, dtype=np.int64)
        counted = tf.where(places < tf.cast(count, tf.int64), 2**places, 0)
        return tf.reduce_sum(tf.slice(bits, place[None], [30]) * counted)

    small = bits[0] == 1  # multiples of 8, of 5 bits

    def side(place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Reads the side that begins at a bit; returns it, and the bit after it."""
        width = tf.gather(_WIDTHS, read(place, 2))
        large = read(place + 2, width) + 1
        return (
            tf.where(small, (read(place, 5) + 1) * 8, large),
            tf.where(small, place + 5, place + 2 + width),
        )

    height, place = side(tf.constant(1))
    ratio = tf.gather(np.array(_ASPECT_RATIOS, np.int64), read(place, 3))
    own_width, _ = side(place + 3)
    width = tf.where(ratio[0] == 0, own_width, height * ratio[0] // ratio[1])
    return tf.where(found, tf.stack([height, width]), np.zeros([2], np.int64))


def _in_box(contents: tf.Tensor) -> tf.Tensor:  # int32 scalar
    """Finds where the codestream begins in the boxes of a container."""

    def goes_on(box: tf.Tensor) -> tf.Tensor:
        kinds = [list(b"jxlc"), list(b"jxlp")]
        return ~tf.reduce_any(tf.reduce_all(tf.equal(box[4:8], kinds), -1))

    place = walk_parts(contents, _BOXES, 8, goes_on)
    partial = octets(contents, place, 8)[7] == ord("p")
    return place + tf.where(partial, 12, 8)  # a part has a number before its bytes


def decode_jxl(contents: tf.Tensor, max_pixels: int | None) -> tf.Tensor:
    """Decodes a JPEG XL file to uint8 [H, W, 1 to 4]: the first frame, turned as the file says.

    Raises:
        tf.errors.InvalidArgumentError: the file is damaged, or has more than `max_pixels`.
    """
    with tf.control_dependencies(bounded(jxl_size(contents), max_pixels)):
        return tf.io.decode_jxl(contents)
