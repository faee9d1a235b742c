"""Says in words why a file cannot be decoded, judging by its own bytes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfpipe.codecs import decode, fallback, formats
from tfpipe.codecs.bmp import is_rare
from tfpipe.codecs.headers import fixed_size, format_of, window
from tfpipe.codecs.jxl import jxl_size
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.codecs.webp import is_animated
from tfpipe.graph import case_of_one


def reason(
    contents: tf.Tensor,
    spec: DecodeSpec,
    suffixes: frozenset[str],
    seen: frozenset[formats.Format] | None = None,
) -> tf.Tensor:
    """Says why `decode.load` fails on the bytes of a file, in the graph.

    Nothing in it can fail, whatever the bytes are.

    Args:
        contents: string scalar.
        spec, suffixes, seen: as for `decode.load`.

    Returns:
        string scalar, to follow "Cannot read the image file 'x.jpg': ".
    """
    return case_of_one(_reason_function(spec, suffixes, seen), contents)


@functools.cache  # traced once per process, not once per data set
def _reason_function(
    spec: DecodeSpec, suffixes: frozenset[str], seen: frozenset[formats.Format] | None
) -> Callable[[tf.Tensor], tf.Tensor]:
    function: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        lambda contents: _reason_of(contents, spec, suffixes, seen), autograph=False
    )
    return function


def _reason_of(
    contents: tf.Tensor,
    spec: DecodeSpec,
    suffixes: frozenset[str],
    seen: frozenset[formats.Format] | None,
) -> tf.Tensor:
    readable = decode.readable(suffixes, seen)
    judged = tuple(known for known in formats.FORMATS if seen is None or known in seen)
    names = [known.name for known in formats.FORMATS]
    others = [_of_other(known, suffixes) for known in formats.FORMATS]
    number = format_of(contents)
    is_readable = tf.gather([known in readable for known in formats.FORMATS] + [False], number)
    length = tf.strings.as_string(tf.strings.length(contents))
    fault = tf.where(_is_cut(contents, number, judged), "truncated", "damaged")
    damaged = tf.strings.join(["its ", tf.gather([*names, ""], number), " data are ", fault])
    words = tf.where(is_readable, damaged, tf.gather([*others, _UNKNOWN], number))
    words = tf.strings.join([words, " (", length, " bytes)"])

    if spec.max_pixels is not None:
        size = _size(contents, number, suffixes, judged)
        height, width = tf.unstack(tf.strings.as_string(size))
        limit = f" pixels, more than max_pixels={spec.max_pixels}"
        too_large = tf.strings.join(["it has ", width, " x ", height, limit])
        words = tf.where(size[0] * size[1] > spec.max_pixels, too_large, words)
    # Without their suffix, only the plain kinds are read.
    if formats.BMP in judged and suffixes.isdisjoint(formats.BMP.suffixes):
        rare = tf.equal(number, formats.FORMATS.index(formats.BMP)) & is_rare(contents)
        words = tf.where(rare, _RARE_BMP, words)
    if formats.WEBP in judged:
        animated = tf.equal(number, formats.FORMATS.index(formats.WEBP)) & is_animated(contents)
        words = tf.where(animated, "an animated WebP file is not read: save its first frame", words)
    if formats.needs_python(suffixes):
        words = tf.cond(
            is_readable, lambda: words, lambda: _of_python(contents, spec, suffixes, words)
        )
    return tf.where(tf.equal(length, "0"), "the file is empty", words)


_RARE_BMP = (
    "its content is BMP with 16 bits, bit fields or runs, which its suffix does not say: rename it"
)
_UNKNOWN = "its content is of no format that is read here"


def _of_other(known: formats.Format, suffixes: frozenset[str]) -> str:
    """Says why a format is not read here."""
    if known in decode.readable(suffixes):
        return f"its content is {known.name}, which it was not when the data set was made: make it again"
    if formats.library_of(known) is None:
        return (
            f"its content is {known.name}, which no installed library reads: "
            f"{formats.remedies(known)}"
        )
    return f"its content is {known.name}, which its suffix does not say: rename it"


# How complete files end.
_ENDS = {formats.JPEG: b"\xff\xd9", formats.PNG: b"IEND\xaeB`\x82", formats.GIF: b";"}
# Where headers give the size of the file, and how many bytes they do not count.
_DECLARED = {formats.BMP: (2, 0), formats.WEBP: (4, 8)}


def _is_cut(
    contents: tf.Tensor, number: tf.Tensor, judged: Sequence[formats.Format]
) -> tf.Tensor:  # bool scalar
    """Whether a file of one of some formats ends too early."""
    length = tf.strings.length(contents)
    result = tf.constant(False)
    for known, mark in ((known, _ENDS[known]) for known in judged if known in _ENDS):
        place = tf.maximum(length - len(mark), 0)
        lacks = tf.not_equal(tf.strings.substr(contents, place, len(mark)), mark)
        result |= tf.equal(number, formats.FORMATS.index(known)) & lacks
    head = window(contents, 0, 8)
    for known in (known for known in judged if known in _DECLARED):
        place, more = _DECLARED[known]
        declared = tf.io.decode_raw(tf.strings.substr(head, place, 4), tf.int32)[0] + more
        result |= tf.equal(number, formats.FORMATS.index(known)) & (length < declared)
    return result


def _of_python(
    contents: tf.Tensor, spec: DecodeSpec, suffixes: frozenset[str], otherwise: tf.Tensor
) -> tf.Tensor:
    """Returns what the library that reads the file in Python says is wrong with it."""
    words = fallback.reason_op(contents, spec, suffixes)
    return tf.where(tf.equal(words, b""), otherwise, words)


def _size(
    contents: tf.Tensor,
    number: tf.Tensor,
    suffixes: frozenset[str],
    judged: Sequence[formats.Format],
) -> tf.Tensor:
    """Reads (height, width) from a file's header, int64 [2]; zeros if the header is of no use."""

    def is_a(known: formats.Format) -> tf.Tensor:
        return tf.equal(number, formats.FORMATS.index(known))

    has_fixed = any(known is not formats.JPEG for known in judged)
    size = fixed_size(contents) if has_fixed else tf.zeros([2], tf.int64)
    if formats.JPEG in judged:
        size = tf.where(is_a(formats.JPEG), _jpeg_size(contents), size)
    if formats.JXL in judged and not suffixes.isdisjoint(formats.JXL.suffixes):
        size = tf.where(is_a(formats.JXL), jxl_size(contents), size)
    return tf.ensure_shape(size, [2])


def _jpeg_size(contents: tf.Tensor) -> tf.Tensor:
    """Reads the largest size in what looks like the header of a frame (a thumbnail may have one, too).

    TensorFlow's own op fails if a header is damaged.
    """
    file = tf.io.decode_raw(tf.strings.join([contents, b"\0" * 8]), tf.uint8)
    looks_so = (file[:-8] == 0xFF) & (file[1:-7] // 16 == 0xC) & (file[2:-6] == 0)
    looks_so &= (file[4:-4] == 8) | (file[4:-4] == 12)  # bits per sample
    places = tf.where(looks_so) + np.arange(5, 9)  # after marker, length and bits
    sides = tf.reshape(tf.cast(tf.gather(file, places), tf.int64), [-1, 2, 2]) * [256, 1]
    sides = tf.concat([np.zeros([1, 2], np.int64), tf.reduce_sum(sides, -1)], 0)
    return tf.gather(sides, tf.argmax(sides[:, 0] * sides[:, 1]))
