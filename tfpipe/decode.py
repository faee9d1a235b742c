"""From the bytes of a file to an image of the colour mode asked for: which decoder reads it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfpipe import formats, python_decode
from tfpipe.bmp import decode_bmp
from tfpipe.color import convert_color
from tfpipe.gif import decode_gif
from tfpipe.graph import case_of_one
from tfpipe.headers import begins_with, bounded, format_of, jpeg_size, png_size
from tfpipe.jpeg_scaled import decode_scaled
from tfpipe.jxl import decode_jxl
from tfpipe.orientation import exif_orientation, upright
from tfpipe.specs import ImageSpec
from tfpipe.webp import decode_webp


def load(
    contents: tf.Tensor,
    spec: ImageSpec,
    suffixes: frozenset[str],
    finish: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Bytes -> decoded, in the colour mode of `spec`, and passed through `finish` (the resize).

    The content decides which decoder reads it, not the file's name. Its header is read first: a
    decoder never sees an image of more than `spec.max_pixels`.

    Args:
        contents: string scalar.
        spec: what the image is to be.
        suffixes: those of the source. They decide what the graph must be ready for: only the formats
            that Python reads bring a py_function in, only formats of more than 8 bits make the
            result float32.
        finish: image -> image; keeps the dtype, uint8 or float32, or makes both float32.

    Returns:
        [H, W, C] as `finish` made it, float32 where a file of the source may hold more than 8 bits;
        without that, 16 bits a sample are cut to 8.

    Raises:
        tf.errors.InvalidArgumentError: the content is damaged, too large, or of no format that is
            read here. `failure.reason` tells which.
    """
    is_deep = formats.may_be_deep(suffixes)

    def done(image: tf.Tensor, turn: bool = spec.exif_orientation) -> tf.Tensor:
        if image.dtype.is_floating and not is_deep:  # deep content behind a shallow suffix
            image = tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8)
        image = convert_color(image, spec.color_mode)
        if turn:
            image = upright(image, exif_orientation(contents))
        image = finish(image)
        return tf.cast(image, tf.float32) if is_deep else image

    def shallow() -> tf.Tensor:
        promised = [f for f in (formats.JPEG, formats.PNG) if not suffixes.isdisjoint(f.suffixes)]
        image = _decode_shallow(contents, spec, promised, suffixes)
        image.set_shape([None, None, None if spec.color_mode != "rgb" else 3])
        return done(image)

    def png16() -> tf.Tensor:
        with tf.control_dependencies(bounded(png_size(contents), spec.max_pixels)):
            image = tf.io.decode_png(contents, dtype=tf.uint16)
        return done(tf.cast(image, tf.float32) / 257)

    def in_python() -> tf.Tensor:
        image, deep = python_decode.in_graph(
            contents, spec.max_pixels, spec.exif_orientation, suffixes
        )
        return tf.cond(
            tf.size(deep) > 0, lambda: done(deep, turn=False), lambda: done(image, turn=False)
        )

    branches = []
    if is_deep:
        branches.append((is_png16(contents), png16))
    if not formats.needs_python(suffixes):
        return tf.case(branches, default=shallow) if branches else shallow()
    known = [magic for f in readable(suffixes) for magic in f.magic]
    branches.append((begins_with(contents, known), shallow))
    return tf.case(branches, default=in_python)


def readable(suffixes: frozenset[str]) -> tuple[formats.Format, ...]:
    """What the graph itself decodes of the files of a source.

    What no suffix promises is read too, as long as it makes the graph little longer: tensorflow-io
    takes a second to load, and the rarest kinds are hardly met behind another suffix.
    """

    def is_ready(known: formats.Format) -> bool:
        reader = formats.reader_of(known)
        promised = not suffixes.isdisjoint(known.suffixes)
        costly = reader in (formats.IO, formats.CORE_JXL)
        return reader is not None and reader.in_graph and (promised or not costly)

    return tuple(known for known in formats.FORMATS if is_ready(known))


def _decode_shallow(
    contents: tf.Tensor,
    spec: ImageSpec,
    tried_first: Sequence[formats.Format],
    suffixes: frozenset[str],
) -> tf.Tensor:
    """Bytes of a format of the graph as uint8 [H, W, C]; `tried_first` before the others."""
    common = {formats.JPEG: decode_jpeg, formats.PNG: decode_png}
    others = tuple(known for known in readable(suffixes) if known not in tried_first)
    every_bmp = not suffixes.isdisjoint(formats.BMP.suffixes)
    # What else is in the spec does not matter here, and would only be another function.
    key = (spec.color_mode, spec.max_pixels, spec.decoding)

    def choose(candidates: Sequence[formats.Format]) -> tf.Tensor:
        if not candidates:
            return case_of_one(_others(others, every_bmp, *key), contents)
        candidate, *rest = candidates
        return tf.cond(
            begins_with(contents, candidate.magic),
            lambda: common[candidate](contents, spec),
            lambda: choose(rest),
        )

    return choose(tried_first)


@functools.cache  # traced once a process, not once a data set
def _others(
    known: tuple[formats.Format, ...],
    every_bmp: bool,
    color_mode: str,
    max_pixels: int | None,
    decoding: str,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of bytes that decodes some formats."""
    spec = ImageSpec(color_mode=color_mode, max_pixels=max_pixels, decoding=decoding)
    decoders: dict[formats.Format, Callable[[tf.Tensor], tf.Tensor]] = {
        formats.JPEG: lambda contents: decode_jpeg(contents, spec),
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
    """The place of a number among others; their count where it is not there.

    >>> int(_place_in([4, 7], tf.constant(7))), int(_place_in([4, 7], tf.constant(5)))
    (1, 2)
    """
    there = tf.concat([tf.equal(number, numbers), [True]], 0)
    return tf.argmax(tf.cast(there, tf.int32), output_type=tf.int32)


def _unknown() -> tf.Tensor:
    with tf.control_dependencies(bounded(tf.zeros([2], tf.int64), None)):
        return tf.zeros([0, 0, 3], tf.uint8)


def _channels_to_ask_for(color_mode: str, as_keras: bool) -> int:
    # Decoders that convert by themselves save a step where they do it as Pillow does: grey to RGB
    # and dropped alpha are the same everywhere, grey from JPEG's own luma or libpng's is not.
    if color_mode == "grayscale":
        return 1 if as_keras else 0
    return 3


def decode_jpeg(contents: tf.Tensor, spec: ImageSpec) -> tf.Tensor:
    """A JPEG file as uint8 [H, W, 3], or for "grayscale" as it is.

    With `decoding="keras"` as `tf.image.decode_image` has it: [H, W, 1] for "grayscale", the file's own
    luma; the fast DCT is up to 18 of 255 off on photographs, and more on noise. With "fast" at the
    smallest fraction of its size that covers the target; see `jpeg_scaled`.
    """
    as_keras = spec.decoding == "keras"
    channels = _channels_to_ask_for(spec.color_mode, as_keras)
    # TensorFlow's default DCT wraps saturated pixels and differs from Pillow in most files.
    dct_method = "" if as_keras else "INTEGER_ACCURATE"
    checks = [] if spec.max_pixels is None else bounded(jpeg_size(contents), spec.max_pixels)
    with tf.control_dependencies(checks):
        if spec.decoding == "fast":
            return decode_scaled(
                contents,
                spec.size,
                grey=spec.color_mode == "grayscale",
                pad=spec.aspect == "pad",
                turned=spec.exif_orientation,
            )
        return tf.io.decode_jpeg(contents, channels=channels, dct_method=dct_method)


def decode_png(contents: tf.Tensor, spec: ImageSpec) -> tf.Tensor:
    """A PNG file as uint8 [H, W, 3], [H, W, 4] for "rgba", or for "grayscale" as it is.

    With `decoding="keras"` grey is libpng's.
    """
    checks = [] if spec.max_pixels is None else bounded(png_size(contents), spec.max_pixels)
    with tf.control_dependencies(checks):
        if spec.color_mode == "rgba":
            return decode_png_with_alpha(tf.identity(contents))
        channels = _channels_to_ask_for(spec.color_mode, spec.decoding == "keras")
        return tf.io.decode_png(contents, channels=channels)


def decode_png_with_alpha(contents: tf.Tensor) -> tf.Tensor:
    """A PNG file as uint8 [H, W, 4]; transparent where it says so by alpha, palette or colour key."""
    # Below 8 bits a sample, the alpha that TensorFlow adds is 1, 3 or 15 where it should be 255.
    kind = tf.strings.substr(contents, 24, 2)  # of the IHDR chunk: bits a sample, colour type
    few_bits = tf.constant([b"\x01", b"\x02", b"\x04"])
    return tf.cond(
        tf.reduce_any(kind == few_bits + b"\x03"),
        lambda: _decode_small_palette(contents),
        lambda: tf.cond(
            tf.reduce_any(kind == few_bits + b"\x00"),
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
    """Whether the bytes are a PNG of 16 bits a sample: byte 24, in the IHDR chunk."""
    header = tf.strings.join([tf.strings.substr(contents, 0, 25), " " * 25])  # never too short
    return begins_with(contents, formats.PNG.magic) & (tf.strings.substr(header, 24, 1) == b"\x10")
