"""Reads how large an image is from the first bytes of its file, in the graph and before a decoder runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from tfpipe.codecs.formats import BY_CONTENT, FORMATS, Magic
from tfpipe.codecs.header_table import (
    MOST_PARTS,
    PNG_HEIGHT,
    PNG_WIDTH,
    SIZED_HEADERS,
    FileParts,
)


def window(contents: tf.Tensor, place: tf.Tensor | int, count: int) -> tf.Tensor:
    r"""Returns some bytes of a file as a string scalar, with zeros after its end.

    Args:
        contents: string scalar.
        place: int32, 0 or more, the place of the first byte.
        count: how many bytes.

    >>> window(tf.constant(b"abc"), 2, 3).numpy()
    b'c\x00\x00'
    """
    if not isinstance(place, int) or place > 0:
        place = tf.minimum(place, tf.strings.length(contents))
    there = tf.strings.substr(contents, place, count)
    return tf.strings.substr(tf.strings.join([there, b"\0" * count]), 0, count)


def octets(contents: tf.Tensor, place: tf.Tensor | int, count: int) -> tf.Tensor:
    """Returns `window` as numbers, uint8 [count]."""
    return tf.ensure_shape(tf.io.decode_raw(window(contents, place, count), tf.uint8), [count])


def begins_with(contents: tf.Tensor, magic: Iterable[Magic]) -> tf.Tensor:  # bool scalar
    """Whether a file begins in one of several ways.

    >>> bool(begins_with(tf.constant(b"BM6"), [((0, b"BM"),)]))
    True
    """

    def has(offset: int, octets: bytes) -> tf.Tensor:
        if offset == 0:  # what the hot path asks for: two ops
            return tf.equal(tf.strings.substr(contents, 0, len(octets)), octets)
        return tf.equal(window(contents, offset, len(octets)), octets)

    each = [functools.reduce(tf.logical_and, [has(*part) for part in way]) for way in magic]
    return functools.reduce(tf.logical_or, each)


def format_of(contents: tf.Tensor) -> tf.Tensor:
    """Returns the place of a file's format in `FORMATS`, int32 scalar; their number for any other file.

    All formats are tested at once, by arithmetic on the first bytes. One test per format would make a long
    graph, and each of its nodes takes time for each sample.

    >>> FORMATS[int(format_of(tf.constant(b"BM6")))].name
    'BMP'
    """
    first = octets(contents, 0, _MAGIC.shape[-1])
    fits = tf.reduce_all(tf.equal(tf.bitwise.bitwise_and(first, _MASK), _MAGIC), -1)
    ways = tf.concat([tf.cast(fits, tf.int32), [1]], 0)  # after all of them, none of them
    return tf.gather(_OF_WAY, tf.argmax(ways))


def _patterns(ways: Sequence[Magic]) -> tuple[np.ndarray, np.ndarray]:
    """Returns ways in which files begin as (what the bytes are, which bytes count), uint8 [n, bytes]."""
    size = max(offset + len(octets) for way in ways for offset, octets in way)
    values, masks = np.zeros([2, len(ways), size], np.uint8)
    for row, way in enumerate(ways):
        for offset, text in way:
            values[row, offset : offset + len(text)] = list(text)
            masks[row, offset : offset + len(text)] = 255
    return values, masks


_MAGIC, _MASK = _patterns([way for known in BY_CONTENT for way in known.magic])
_OF_WAY = [FORMATS.index(known) for known in BY_CONTENT for _ in known.magic] + [len(FORMATS)]
_HEADER, _HEADER_MASK = _patterns([way for way, _, _ in SIZED_HEADERS])


def _weights() -> tuple[np.ndarray, np.ndarray]:
    """Returns, per header, the weights of its bytes in height and width, and (divisor, modulus, plus)."""
    weights = np.zeros([len(SIZED_HEADERS), 2, 32], np.int64)
    others = np.zeros([len(SIZED_HEADERS), 2, 3], np.int64)
    for row, (_, width, height) in enumerate(SIZED_HEADERS):
        for column, side in enumerate((height, width)):
            places = range(side.size)[::-1] if side.big_endian else range(side.size)
            for offset, place in enumerate(places):
                weights[row, column, side.offset + offset] = 256**place
            others[row, column] = side.divisor, side.modulus, side.plus
    return weights, others


_WEIGHTS, _OTHERS = _weights()


def fixed_size(contents: tf.Tensor) -> tf.Tensor:
    r"""Reads (height, width) from a header that has them at a fixed place, int64 [2].

    It is zeros for other formats, such as JPEG. For a GIF file, it is the size of the logical screen.
    `header_table.image_size_of` is the same in plain Python.

    >>> fixed_size(tf.constant(b"GIF89a\x05\x00\x03\x00")).numpy().tolist()
    [3, 5]
    """
    first = octets(contents, 0, 32)
    asked = tf.bitwise.bitwise_and(first[: _HEADER.shape[-1]], _HEADER_MASK)
    fits = tf.reduce_all(tf.equal(asked, _HEADER), -1)
    row = tf.argmax(tf.cast(fits, tf.int32))
    values = tf.reduce_sum(tf.cast(first, tf.int64) * tf.gather(_WEIGHTS, row), -1)
    values = tf.minimum(values, 2**32 - values)  # BMP: a negative height is the other way up
    divisor, modulus, plus = tf.unstack(tf.gather(_OTHERS, row), axis=-1)
    size = values // divisor % modulus + plus
    return size * tf.cast(tf.reduce_any(fits), tf.int64)


def jpeg_size(contents: tf.Tensor) -> tf.Tensor:
    """Reads (height, width) of a JPEG file, int64 [2]; an error if its header is damaged."""
    return tf.io.extract_jpeg_shape(contents, output_type=tf.int64)[:2]


def png_size(contents: tf.Tensor) -> tf.Tensor:
    """Reads (width, height) of a PNG file, int64 [2]; an error if the file ends before them."""
    # In the IHDR chunk, which always comes first.
    octets = tf.strings.substr(contents, PNG_WIDTH.offset, PNG_WIDTH.size + PNG_HEIGHT.size)
    return tf.cast(tf.io.decode_raw(octets, tf.int32, little_endian=False), tf.int64)


def bounded(size: tf.Tensor, max_pixels: int | None) -> list[tf.Operation]:
    """Returns what a decoder must wait for. It fails if an image is too large, before it is allocated.

    Args:
        size: int64 [2], height and width in either order. Zeros are an error too.
        max_pixels: the largest product allowed; None: any.
    """
    # One op: `tf.debugging.Assert` would be a branch with a dozen of them, for every sample.
    pixels = size[0] * size[1]
    allowed = pixels > 0
    if max_pixels is not None:
        allowed = tf.cast(pixels - 1, tf.uint64) < max_pixels  # both at once
    check = tf.raw_ops.Assert(condition=allowed, data=["The image is larger than max_pixels."])
    return [check] if check is not None else []  # None where it ran already, eagerly


def walk_parts(
    contents: tf.Tensor, parts: FileParts, width: int, goes_on: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Finds the first part of a file for which `goes_on` is false.

    Args:
        contents: string scalar.
        parts: how the file is divided into them.
        width: how many bytes of a part `goes_on` is shown.
        goes_on: int32 [width], the first bytes of a part -> bool.

    Returns:
        int32 scalar, the place of the part; at or after the end of the file if there is no such part.
    """
    length = tf.strings.length(contents)

    def first_bytes(place: tf.Tensor) -> tf.Tensor:
        return tf.cast(octets(contents, place, width), tf.int32)

    def step(place: tf.Tensor, part: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = number(part, parts.offset, parts.size, big_endian=parts.big_endian)
        size = ((size + 1) // 2 * 2 if parts.even else size) + parts.plus
        # A size that does not fit into 31 bits leads to the end of the file as well.
        moved = tf.maximum(size, 0) + place
        place = tf.where(moved > place, tf.minimum(moved, length), length)
        return place, first_bytes(place)

    place, _ = tf.while_loop(
        lambda place, part: (place < length) & goes_on(part),
        step,
        (tf.constant(parts.begin), first_bytes(tf.constant(parts.begin))),
        maximum_iterations=MOST_PARTS,
    )
    return place


def number(octets: tf.Tensor, offset: int, size: int, *, big_endian: bool = False) -> tf.Tensor:
    """Reads an unsigned whole number from some bytes, as int32: 4 bytes may come out negative.

    >>> int(number(tf.constant([1, 2, 0, 0]), 0, 2))
    513
    """
    places = range(size)[::-1] if big_endian else range(size)
    weights = np.array([256**place for place in places], np.uint32).astype(np.int32)
    return tf.reduce_sum(octets[offset : offset + size] * weights)
