"""Decodes the first frame of a GIF file, in the graph.

TensorFlow's decoder holds every frame in memory, makes transparent pixels black, and does not know frames
that reach beyond the logical screen. So it is given a file with one frame, made of parts of the real file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfpipe.codecs.headers import bounded, octets, window

_OCTETS = [bytes([value]) for value in range(256)]

# More than any valid file needs. A hostile one would keep the loops below busy for minutes.
_MOST_DATA_BLOCKS = 20_000


class Frame(NamedTuple):
    """The first frame of a GIF file; int32 scalars unless it says otherwise."""

    found: tf.Tensor  # bool: there is one; if not, nothing else means anything
    screen: tf.Tensor  # [2] width, height of the image: the logical screen, or more if the frame is
    corner: tf.Tensor  # [2] left, top of the frame
    sides: tf.Tensor  # [2] width, height of the frame
    flags: tf.Tensor
    table: tf.Tensor  # of colors, uint8 [256, 3]; black beyond its end, grays without one
    transparent: tf.Tensor  # the index of transparent pixels; -1: none
    data: tf.Tensor  # where the compressed data begin


def first_frame(contents: tf.Tensor) -> Frame:
    """Reads a GIF file up to the compressed data of its first frame.

    Source: the GIF89a specification of CompuServe.
    """
    length = tf.strings.length(contents)
    file = _padded(contents)
    begin = 13 + _table_bytes(tf.cast(file[10], tf.int32))

    def at(place: tf.Tensor, count: int) -> tf.Tensor:  # int32 [count]
        return tf.cast(tf.slice(file, place[None], [count]), tf.int32)

    def block(place: tf.Tensor, kind: tf.Tensor, transparent: tf.Tensor) -> Any:
        head = at(place, 7)
        # A graphic control extension of 4 bytes or more, whose flags name a transparent index.
        control = (head[1] == 0xF9) & (head[2] >= 4) & (head[3] % 2 == 1)
        is_extension = kind == ord("!")
        transparent = tf.where(is_extension & control, head[6], transparent)
        behind = tf.cond(  # other bytes are skipped
            is_extension, lambda: end_of_blocks(file, place + 2, length), lambda: place + 1
        )
        place = tf.minimum(behind, length)
        return place, at(place, 1)[0], transparent

    place, kind, transparent = tf.while_loop(
        lambda place, kind, _: (place < length) & (kind != ord(",")) & (kind != ord(";")),
        block,
        (tf.minimum(begin, length), at(tf.minimum(begin, length), 1)[0], tf.constant(-1)),
        maximum_iterations=_MOST_DATA_BLOCKS,
    )
    found = (place < length) & (kind == ord(","))
    sizes = tf.io.decode_raw(window(contents, place + 1, 8), tf.uint16)
    corner, sides = tf.split(tf.cast(sizes, tf.int32), 2)
    screen = tf.io.decode_raw(tf.strings.substr(window(contents, 0, 10), 6, 4), tf.uint16)
    flags = at(place, 10)[9]
    own_bytes = _table_bytes(flags)
    table_at, table_bytes = (
        tf.where(own_bytes > 0, place + 10, 13),
        tf.where(own_bytes > 0, own_bytes, begin - 13),
    )
    table = tf.where(
        np.arange(768, dtype=np.int32) < table_bytes, octets(contents, table_at, 768), np.uint8(0)
    )
    table = tf.where(table_bytes > 0, table, np.repeat(np.arange(256, dtype=np.uint8), 3))
    return Frame(
        found,
        tf.maximum(tf.cast(screen, tf.int32), corner + sides),
        corner,
        sides,
        flags,
        tf.reshape(table, [256, 3]),
        transparent,
        place + 10 + own_bytes,
    )


def _padded(contents: tf.Tensor) -> tf.Tensor:
    """Returns the bytes of a file and some zeros, uint8 [n + 16]."""
    return tf.io.decode_raw(tf.strings.join([contents, b"\0" * 16]), tf.uint8)


def _table_bytes(flags: tf.Tensor) -> tf.Tensor:
    """Returns the size in bytes of the table of colors that some flags announce, int32; 0: none."""
    return tf.where(flags >= 128, tf.bitwise.left_shift(6, flags % 8), 0)


def end_of_blocks(file: tf.Tensor, place: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Finds the end of a series of data sub-blocks: after the empty one that closes it.

    Args:
        file: uint8 [n], with some zeros after it.
        place: int32, of the first sub-block.
        length: int32, of the file without the zeros.

    Returns:
        int32; above `length` if the file ends first.

    >>> file = tf.constant([2, 7, 7, 1, 7, 0, 9, 0], tf.uint8)
    >>> int(end_of_blocks(file, tf.constant(0), tf.constant(7)))
    6
    """

    def skip(place: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Encoders fill every sub-block (255 bytes) except the last. All full ones are skipped in one step.
        full = tf.cast(file[place : place + 2**20 : 256] == 255, tf.int32)
        place = tf.minimum(place + 256 * tf.reduce_sum(tf.math.cumprod(full)), length)
        size = tf.cast(file[place], tf.int32)
        return tf.minimum(place + 1 + size, length), size

    place, size = tf.while_loop(
        lambda place, size: (place < length) & (size > 0),
        skip,
        (tf.minimum(place, length), tf.constant(1)),
        maximum_iterations=_MOST_DATA_BLOCKS,
    )
    return tf.where(size == 0, place, length + 1)


def decode_gif(contents: tf.Tensor, max_pixels: int | None, with_alpha: bool) -> tf.Tensor:
    """Decodes the first image of a GIF file as Pillow reads it.

    Args:
        contents: string scalar.
        max_pixels: the largest height * width.
        with_alpha: whether transparency is wanted.

    Returns:
        uint8 [H, W, 3], or [H, W, 4] with alpha.

    Raises:
        tf.errors.InvalidArgumentError: the file is damaged, or has more than `max_pixels`.
    """
    frame = first_frame(contents)
    length = tf.strings.length(contents)
    end = end_of_blocks(_padded(contents), tf.minimum(frame.data + 1, length), length)
    whole = frame.found & (end <= length)
    size = tf.cast(tf.where(whole, frame.screen, 0), tf.int64)
    with tf.control_dependencies(bounded(size, max_pixels)):
        data = tf.strings.substr(contents, frame.data, end - frame.data)
    image = _decode_frame(frame, data, frame.table)
    if not with_alpha:
        return image
    # The same frame once more, with the alpha of each index as its color.
    is_transparent = np.arange(256, dtype=np.int32)[:, None] == frame.transparent
    opaque = tf.where(is_transparent, np.zeros([256, 3], np.uint8), np.uint8(255))
    return tf.concat([image, _decode_frame(frame, data, opaque)[..., :1]], -1)


def _decode_frame(frame: Frame, data: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Decodes the image, uint8 [H, W, 3], in the colors of `table`, uint8 [256, 3]."""
    sides = tf.reshape(tf.bitwise.right_shift(frame.sides[:, None], [0, 8]) % 256, [-1])
    interlaced = tf.bitwise.bitwise_and(frame.flags, 64)
    values = [
        sides,  # of 16 bits each, the low byte first
        [0xF7, 0, 0],  # a table of 256 colors
        tf.reshape(tf.cast(table, tf.int32), [-1]),
        [ord(","), 0, 0, 0, 0],
        sides,
        interlaced[None],
    ]
    header = tf.strings.reduce_join(tf.gather(_OCTETS, tf.concat(values, 0)))
    still = tf.strings.join([b"GIF89a", header, data, b";"])
    image = tf.io.decode_gif(still)[0]
    # Around it: the transparent color, or else the first.
    background = table[tf.maximum(frame.transparent, 0)]
    before, behind = frame.corner, frame.screen - frame.corner - frame.sides
    margins = tf.stack([before, behind], -1)  # of columns, of rows
    margins = tf.gather(tf.pad(margins, [[0, 1], [0, 0]]), [1, 0, 2])

    def framed() -> tf.Tensor:
        inside = tf.pad(tf.ones_like(image[..., :1], tf.bool), margins)
        return tf.where(inside, tf.pad(image, margins), background)

    return tf.cond(tf.reduce_any(margins > 0), framed, lambda: image)
