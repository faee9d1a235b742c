"""Reads the EXIF orientation in the graph: how the camera was held."""

from __future__ import annotations

from functools import partial

import numpy as np
import tensorflow as tf

from tfpipe.codecs import formats
from tfpipe.codecs.header_table import EXIF_PARTS, ORIENTATION_TAG, ORIENTATION_TYPES, FileParts
from tfpipe.codecs.headers import begins_with, octets, walk_parts, window


def exif_orientation(contents: tf.Tensor) -> tf.Tensor:  # int32 scalar
    """Reads the orientation, 1 to 8, from the EXIF data of a JPEG, PNG or WebP file; 1 if it has none.

    In a JPEG file, only the segments before all others are searched, which is where the standard wants the
    data. `header_table.orientation_of` is the same in plain Python.
    """
    place = tf.cond(
        begins_with(contents, formats.JPEG.magic),
        lambda: _in_parts(contents, EXIF_PARTS[formats.JPEG]),
        lambda: _in_other(contents),
    )
    return tf.cond(place > 0, lambda: _of_exif(contents, place), lambda: tf.constant(1))


def _in_other(contents: tf.Tensor) -> tf.Tensor:
    cases = [
        (begins_with(contents, known.magic), partial(_in_parts, contents, EXIF_PARTS[known]))
        for known in (formats.PNG, formats.WEBP)
    ]
    return tf.case(cases, default=lambda: tf.constant(0))


def _in_parts(contents: tf.Tensor, parts: FileParts) -> tf.Tensor:
    """Finds where the TIFF header of the EXIF data begins, int32; 0 if it is nowhere."""
    places = [offset + i for offset, text in parts.exif for i in range(len(text))]
    values = [octet for _, text in parts.exif for octet in text]

    def is_exif(part: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(tf.equal(tf.gather(part, places), values))

    def goes_on(part: tf.Tensor) -> tf.Tensor:
        if not parts.earlier:
            return ~is_exif(part)
        return (part[0] == 0xFF) & tf.reduce_any(tf.equal(part[1], parts.earlier)) & ~is_exif(part)

    place = walk_parts(contents, parts, parts.shown, goes_on)
    # If any part may come before it, the walk ends at it or at the end of the file.
    found = place < tf.strings.length(contents)
    if parts.earlier:
        found = is_exif(tf.cast(octets(contents, place, parts.shown), tf.int32))
    begin = place + parts.data
    if parts.prefix:
        prefixed = tf.equal(window(contents, begin, len(parts.prefix)), parts.prefix)
        begin += tf.where(prefixed, len(parts.prefix), 0)
    return tf.where(found, begin, 0)


def _of_exif(contents: tf.Tensor, begin: tf.Tensor) -> tf.Tensor:
    """Reads the orientation from the TIFF structure at a place of a file."""
    big = tf.equal(window(contents, begin, 2), b"MM")
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
    # After one that is all zeros, so that there always is one.
    entries = tf.reshape(tf.concat([np.zeros([12], np.uint8), entries], 0), [-1, 3, 4])
    entries = tf.cast(entries, tf.int32)
    tags = value(entries[:, 0], short)
    ours = tf.boolean_mask(entries, (tags == ORIENTATION_TAG) | (tf.range(tf.size(tags)) == 0))
    entry = ours[-1]  # the last one counts, as for Pillow
    kind = value(tf.roll(entry[0], 2, 0), short)
    numbers = {2: value(entry[2], short), 4: value(entry[2], long)}
    values = tf.stack([numbers[size] for size in ORIENTATION_TYPES.values()])
    of_kind = tf.equal(kind, list(ORIENTATION_TYPES)) & (value(entry[1], long) == 1)  # one number
    result = tf.reduce_sum(tf.where(of_kind, values, 0))
    return tf.where((result >= 1) & (result <= 8), result, 1)
