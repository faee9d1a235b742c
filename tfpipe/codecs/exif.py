"""EXIF orientation: how a camera was held, read and undone in the graph."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfpipe.codecs import formats
from tfpipe.codecs.headers import begins_with, number, octets, walk_parts, window

_TAG = 0x0112


def exif_orientation(contents: tf.Tensor) -> tf.Tensor:  # int32 scalar
    """The orientation that the EXIF data of a JPEG, PNG or WebP file give, 1 to 8; 1 where there is none.

    In a JPEG file they are looked for among the segments that come before all others, which is
    where the standard wants them.

    Source: the EXIF standard (CIPA DC-008), 4.6.4 A; PNG, eXIf; the WebP container specification.
    """
    place = tf.cond(
        begins_with(contents, formats.JPEG.magic),
        lambda: _in_jpeg(contents),
        lambda: _in_other(contents),
    )
    return tf.cond(place > 0, lambda: _of_exif(contents, place), lambda: tf.constant(1))


def _in_other(contents: tf.Tensor) -> tf.Tensor:
    return tf.case(
        [
            (begins_with(contents, formats.PNG.magic), lambda: _in_png(contents)),
            (begins_with(contents, formats.WEBP.magic), lambda: _in_webp(contents)),
        ],
        default=lambda: tf.constant(0),
    )


def _in_jpeg(contents: tf.Tensor) -> tf.Tensor:
    """Where the TIFF header of the EXIF data begins, int32; 0: nowhere."""
    sought = [0xFF, 0xE1, *b"Exif\0\0"]

    def is_exif(segment: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(tf.gather(segment, [0, 1, 4, 5, 6, 7, 8, 9]) == sought)

    def goes_on(segment: tf.Tensor) -> tf.Tensor:
        early = (segment[1] // 16 == 0xE) | (segment[1] == 0xFE)  # APPn, and comments
        return (segment[0] == 0xFF) & early & ~is_exif(segment)

    def size(segment: tf.Tensor) -> tf.Tensor:
        return 2 + number(segment, 2, 2, big_endian=True)

    place = walk_parts(contents, 2, 10, goes_on, size)
    found = is_exif(tf.cast(octets(contents, place, 10), tf.int32))
    return tf.where(found, place + 10, 0)


def _in_png(contents: tf.Tensor) -> tf.Tensor:
    def goes_on(chunk: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(chunk[4:] != list(b"eXIf"))

    def size(chunk: tf.Tensor) -> tf.Tensor:
        return 12 + number(chunk, 0, 4, big_endian=True)

    place = walk_parts(contents, 8, 8, goes_on, size)
    return tf.where(place < tf.strings.length(contents), place + 8, 0)


def _in_webp(contents: tf.Tensor) -> tf.Tensor:
    def goes_on(chunk: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(chunk[:4] != list(b"EXIF"))

    def size(chunk: tf.Tensor) -> tf.Tensor:
        return 8 + (number(chunk, 4, 4) + 1) // 2 * 2

    place = walk_parts(contents, 12, 8, goes_on, size)
    prefixed = window(contents, place + 8, 6) == b"Exif\0\0"
    begin = place + tf.where(prefixed, 14, 8)
    return tf.where(place < tf.strings.length(contents), begin, 0)


def _of_exif(contents: tf.Tensor, begin: tf.Tensor) -> tf.Tensor:
    """The orientation in the TIFF structure at a place of a file."""
    big = window(contents, begin, 2) == b"MM"
    weights = tf.constant([[1, 256, 2**16, 2**24], [256, 1, 0, 0], [2**24, 2**16, 256, 1]])
    short = tf.where(big, weights[1], [1, 256, 0, 0])
    long = tf.where(big, weights[2], weights[0])

    def value(numbers: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(numbers * weights, -1)

    def at(place: tf.Tensor) -> tf.Tensor:
        return tf.cast(octets(contents, tf.maximum(place, 0), 4), tf.int32)

    directory = begin + value(at(begin + 4), long)
    count = value(at(directory), short)
    first = tf.clip_by_value(directory + 2, 0, tf.strings.length(contents))
    entries = tf.strings.substr(contents, first, 12 * count)
    whole = tf.strings.length(entries) // 12 * 12
    entries = tf.io.decode_raw(tf.strings.substr(entries, 0, whole), tf.uint8)
    # Behind one of nothing but zeros, so that there always is one.
    entries = tf.reshape(tf.concat([np.zeros([12], np.uint8), entries], 0), [-1, 3, 4])
    entries = tf.cast(entries, tf.int32)
    tags = value(entries[:, 0], short)
    ours = tf.boolean_mask(entries, (tags == _TAG) | (tf.range(tf.size(tags)) == 0))
    entry = ours[-1]  # the last one counts, as for Pillow
    kind = value(tf.roll(entry[0], 2, 0), short)
    values = tf.stack([value(entry[2], short), value(entry[2], long)])
    of_kind = (kind == [3, 4]) & (value(entry[1], long) == 1)  # short, long; one of it
    result = tf.reduce_sum(tf.where(of_kind, values, 0))
    return tf.where((result >= 1) & (result <= 8), result, 1)
