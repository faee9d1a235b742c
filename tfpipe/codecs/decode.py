"""Chooses the decoder for the bytes of a file, and brings its pixels into one color mode."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfpipe.codecs import fallback, formats
from tfpipe.codecs.bmp import decode_bmp
from tfpipe.codecs.exif import exif_orientation
from tfpipe.codecs.gif import decode_gif
from tfpipe.codecs.headers import begins_with, bounded, format_of, png_size
from tfpipe.codecs.jpeg import decode_jpeg
from tfpipe.codecs.jxl import decode_jxl
from tfpipe.codecs.png import decode_png, is_png16
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.codecs.webp import decode_webp
from tfpipe.graph import case_of_one
from tfpipe.ops.color_modes import convert_color
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.ops.turn import upright


def load(
    contents: tf.Tensor,
    spec: DecodeSpec,
    suffixes: frozenset[str],
    finish: Callable[[tf.Tensor], tf.Tensor],
    resize: ResizeSpec | None = None,
    seen: frozenset[formats.Format] | None = None,
) -> tf.Tensor:
    """Decodes the bytes of a file to the color mode of `spec`, and passes the image through `finish`.

    The content decides which decoder reads it, not the file's name. Its header is read first: a
    decoder never sees an image of more than `spec.max_pixels`.

    Args:
        contents: string scalar.
        spec: what the image becomes.
        suffixes: of the files of the source. They decide what the graph must be ready for: only formats
            that Python reads bring in a py_function, and only formats with more than 8 bits make the
            result float32.
        finish: image -> image; keeps the dtype, uint8 or float32, or makes both float32.
        resize: what `finish` does; `decoding="fast"` decodes no more than it needs.
        seen: the formats that the files are known to have; others are an error. None: they may have any.

    Returns:
        [H, W, C] as `finish` made it, float32 where a file of the source may hold more than 8 bits;
        otherwise, 16 bits per sample are cut to 8.

    Raises:
        tf.errors.InvalidArgumentError: the content is damaged, too large, or in no format that is
            read here. `diagnose.reason` says which.
    """
    is_deep = formats.may_be_deep(suffixes)

    def done(image: tf.Tensor, turn: bool = spec.exif_orientation) -> tf.Tensor:
        if image.dtype.is_floating and not is_deep:  # deep content, shallow suffix
            image = tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8)
        image = convert_color(image, spec.color_mode)
        if turn:
            image = upright(image, exif_orientation(contents))
        image = finish(image)
        return tf.cast(image, tf.float32) if is_deep else image

    def shallow() -> tf.Tensor:
        image = _decode_shallow(contents, spec, suffixes, resize, seen)
        image.set_shape([None, None, None if spec.color_mode != "rgb" else 3])
        return done(image)

    def png16() -> tf.Tensor:
        with tf.control_dependencies(bounded(png_size(contents), spec.max_pixels)):
            image = tf.io.decode_png(contents, dtype=tf.uint16)
        return done(tf.cast(image, tf.float32) / 257)

    def in_python() -> tf.Tensor:
        image, deep = fallback.decode_op(contents, spec, suffixes)
        return tf.cond(
            tf.size(deep) > 0, lambda: done(deep, turn=False), lambda: done(image, turn=False)
        )

    branches = []
    if is_deep:
        branches.append((is_png16(contents), png16))
    if not formats.needs_python(suffixes):
        return tf.case(branches, default=shallow) if branches else shallow()
    known = [magic for f in readable(suffixes, seen) for magic in f.magic]
    if known:
        branches.append((begins_with(contents, known), shallow))
    return tf.case(branches, default=in_python) if branches else in_python()


def readable(
    suffixes: frozenset[str], seen: frozenset[formats.Format] | None = None
) -> tuple[formats.Format, ...]:
    """Returns the formats that the graph itself decodes for the files of a source.

    Formats that no suffix promises are read too, unless they cost too much: tensorflow-io takes a second to
    load, and files of the rarest kinds hardly ever have the suffix of another format.
    """

    def is_ready(known: formats.Format) -> bool:
        reader = formats.library_of(known)
        promised = not suffixes.isdisjoint(known.suffixes)
        costly = reader in (formats.IO, formats.CORE_JXL)
        needed = seen is None or known in seen
        return reader is not None and reader.in_graph and needed and (promised or not costly)

    return tuple(known for known in formats.FORMATS if is_ready(known))


def _decode_shallow(
    contents: tf.Tensor,
    spec: DecodeSpec,
    suffixes: frozenset[str],
    resize: ResizeSpec | None,
    seen: frozenset[formats.Format] | None,
) -> tf.Tensor:
    """Decodes what the graph reads to uint8 [H, W, C]; tries the formats first that the files should have."""
    resize = resize if spec.decoding == "fast" else None
    common: dict[formats.Format, Callable[[], tf.Tensor]] = {
        formats.JPEG: lambda: decode_jpeg(contents, spec, resize),
        formats.PNG: lambda: decode_png(contents, spec),
    }
    ready = readable(suffixes, seen)
    if seen is None:
        tried_first = [known for known in common if not suffixes.isdisjoint(known.suffixes)]
    else:
        tried_first = [known for known in common if known in seen]
    others = tuple(known for known in ready if known not in tried_first)
    every_bmp = not suffixes.isdisjoint(formats.BMP.suffixes)

    def choose(candidates: Sequence[formats.Format]) -> tf.Tensor:
        if not candidates and not others:
            return _unknown()
        if not candidates:
            return case_of_one(_others(others, every_bmp, spec, resize), contents)
        candidate, *rest = candidates
        return tf.cond(
            begins_with(contents, candidate.magic),
            common[candidate],
            lambda: choose(rest),
        )

    return choose(tried_first)


@functools.cache  # traced once per process, not once per data set
def _others(
    known: tuple[formats.Format, ...],
    every_bmp: bool,
    spec: DecodeSpec,
    resize: ResizeSpec | None,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that decodes bytes in some formats."""
    color_mode, max_pixels = spec.color_mode, spec.max_pixels
    decoders: dict[formats.Format, Callable[[tf.Tensor], tf.Tensor]] = {
        formats.JPEG: lambda contents: decode_jpeg(contents, spec, resize),
        formats.PNG: lambda contents: decode_png(contents, spec),
        formats.GIF: lambda contents: decode_gif(contents, max_pixels, color_mode == "rgba"),
        formats.BMP: lambda contents: decode_bmp(contents, max_pixels, every_bmp),
        formats.WEBP: lambda contents: decode_webp(contents, max_pixels),
        formats.JXL: lambda contents: decode_jxl(contents, max_pixels),
    }

    def decode(contents: tf.Tensor) -> tf.Tensor:
        numbers = [formats.FORMATS.index(f) for f in known]
        branches = [functools.partial(decoders[f], contents) for f in known]
        image = tf.switch_case(_place_in(numbers, format_of(contents)), [*branches, _unknown])
        image.set_shape([None, None, None])
        return image if color_mode != "rgb" else convert_color(image, "rgb")

    traced: Callable[[tf.Tensor], tf.Tensor] = tf.function(decode, autograph=False)
    return traced


def _place_in(numbers: Sequence[int], number: tf.Tensor) -> tf.Tensor:  # int32 scalar
    """Returns the place of a number among others, or their count if it is not among them.

    >>> int(_place_in([4, 7], tf.constant(7))), int(_place_in([4, 7], tf.constant(5)))
    (1, 2)
    """
    there = tf.concat([tf.equal(number, numbers), [True]], 0)
    return tf.argmax(tf.cast(there, tf.int32), output_type=tf.int32)


def _unknown() -> tf.Tensor:
    with tf.control_dependencies(bounded(tf.zeros([2], tf.int64), None)):
        return tf.zeros([0, 0, 3], tf.uint8)
