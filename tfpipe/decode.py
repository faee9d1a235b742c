"""From the bytes of a file to an image of the colour mode asked for."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import formats
from tfpipe.bmp import decode_bmp
from tfpipe.graph import out_of_line

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
COLOR_MODES = tuple(CHANNELS)
DECODINGS = ("exact", "keras")


def begins_with(contents: tf.Tensor, prefixes: Iterable[bytes]) -> tf.Tensor:  # bool scalar
    """Whether the bytes begin with one of some prefixes."""
    tests = [tf.strings.substr(contents, 0, len(prefix)) == prefix for prefix in prefixes]
    return functools.reduce(tf.logical_or, tests)


def luma(rgb: tf.Tensor) -> tf.Tensor:
    """RGB [..., 3] to grey [..., 1], uint8 as Pillow does it or float32 0..255.

    Source: Pillow's Convert.c, ITU-R 601-2 in 16-bit fixed point, which is not `tf.image`'s.

    >>> luma(tf.constant([[[255, 255, 255], [10, 200, 30]]], tf.uint8)).numpy().tolist()
    [[[255], [124]]]
    """
    weights = [19595, 38470, 7471]
    if rgb.dtype == tf.uint8:
        # One plane at a time: the sum over the last axis of an [H, W, 3] product is three times slower.
        red, green, blue = tf.unstack(tf.cast(rgb, tf.int32), num=3, axis=-1)
        grey = (red * weights[0] + green * weights[1] + blue * weights[2] + 32768) // 65536
        return tf.cast(grey, tf.uint8)[..., None]
    return tf.reduce_sum(rgb * (tf.constant(weights, rgb.dtype) / 65536), -1, keepdims=True)


_luma = out_of_line(luma)


def convert_color(image: tf.Tensor, color_mode: str) -> tf.Tensor:
    """An image of any channel count in one colour mode, as Pillow's `convert`.

    Args:
        image: uint8 or float32 [H, W, C], 0..255; C is 1 grey, 2 grey with alpha, 3 RGB, 4 RGBA, and may
            be unknown until the graph runs.
        color_mode: "grayscale", "rgb" or "rgba". Alpha is dropped, not blended; a new one is 255.

    Returns:
        [H, W, 1, 3 or 4], the same dtype.

    >>> convert_color(tf.constant([[[7, 99]]], tf.uint8), "rgba").numpy().tolist()
    [[[7, 7, 7, 99]]]
    """
    channels = image.shape[-1] or tf.shape(image)[-1]
    grey, color = image[..., :1], image[..., :3]
    if color_mode == "grayscale":
        result = _choose(channels >= 3, lambda: _luma(color), lambda: grey)
    else:
        result = _choose(channels >= 3, lambda: color, lambda: tf.repeat(grey, 3, axis=-1))
    if color_mode == "rgba":
        opaque = tf.fill(tf.shape(grey), tf.constant(255, image.dtype))
        alpha = _choose(channels % 2 == 0, lambda: image[..., -1:], lambda: opaque)
        result = tf.concat([result, alpha], -1)
    result.set_shape([None, None, CHANNELS[color_mode]])
    return result


def _choose(
    condition: Any, true: Callable[[], tf.Tensor], false: Callable[[], tf.Tensor]
) -> tf.Tensor:
    """`tf.cond`, without a branch in the graph where the condition is known already."""
    if isinstance(condition, bool):
        return true() if condition else false()
    return tf.cond(condition, true, false)


def load(
    contents: tf.Tensor,
    color_mode: str,
    suffixes: frozenset[str],
    finish: Callable[[tf.Tensor], tf.Tensor],
    decoding: str = "exact",
) -> tf.Tensor:
    """Bytes -> decoded, in `color_mode`, and passed through `finish` (the resize).

    The content decides which decoder reads it, not the file's name.

    Args:
        contents: string scalar.
        color_mode: one of `COLOR_MODES`.
        suffixes: those of the source. They decide what the graph must be ready for: only Pillow's
            formats bring a py_function in, only formats of more than 8 bits make the result float32.
        finish: image -> image; keeps the dtype, uint8 or float32, or makes both float32.
        decoding: "exact": JPEG and PNG have Pillow's pixels; "keras": those of TensorFlow's
            `decode_image`, which `keras.utils.image_dataset_from_directory` takes as they are.

    Returns:
        [H, W, C] as `finish` made it, float32 where a file of the source may hold more than 8 bits;
        without that, 16 bits a sample are cut to 8.

    Raises:
        tf.errors.InvalidArgumentError: the content is damaged, or of no format that is read here.
    """

    def done(image: tf.Tensor) -> tf.Tensor:
        return finish(convert_color(image, color_mode))

    def shallow() -> tf.Tensor:
        # One finish behind all decoders: each copy of it would lengthen the start of an iterator.
        # So would a decoder in line, and those that the suffixes do not promise are hardly used.
        promised = [f for f in (formats.JPEG, formats.PNG) if not suffixes.isdisjoint(f.suffixes)]
        image = _decode_shallow(contents, color_mode, promised, decoding)
        image.set_shape([None, None, None if color_mode != "rgb" else 3])
        return done(image)

    if not formats.may_be_deep(suffixes):
        return shallow()

    @out_of_line
    def deep() -> tf.Tensor:
        png16 = tf.cast(tf.io.decode_png(contents, dtype=tf.uint16), tf.float32) / 257
        return done(png16)

    if not formats.needs_pillow(suffixes):
        return tf.cond(is_png16(contents), deep, lambda: tf.cast(shallow(), tf.float32))
    in_graph = begins_with(contents, [magic for f in formats.IN_GRAPH for magic in f.magic])
    return tf.case(
        [
            (is_png16(contents), deep),
            (in_graph, lambda: tf.cast(shallow(), tf.float32)),
        ],
        default=lambda: with_pillow(contents, done),
    )


def _decode_shallow(
    contents: tf.Tensor, color_mode: str, in_line: Sequence[formats.Format], decoding: str
) -> tf.Tensor:
    """Bytes of a core format as uint8 [H, W, C]; all but some formats out of line."""
    decoders = {
        "exact": {formats.JPEG: decode_jpeg, formats.PNG: decode_png},
        "keras": {formats.JPEG: decode_jpeg_as_keras, formats.PNG: decode_png_as_keras},
    }[decoding]

    def choose(
        candidates: Sequence[formats.Format], otherwise: Callable[[], tf.Tensor]
    ) -> tf.Tensor:
        if not candidates:
            return otherwise()
        first, *rest = candidates
        return tf.cond(
            begins_with(contents, first.magic),
            lambda: decoders[first](contents, color_mode),
            lambda: choose(rest, otherwise),
        )

    others = [known for known in decoders if known not in in_line]
    rare = out_of_line(lambda: choose(others, lambda: decode_rare(contents)))
    return choose(in_line, rare)


def _channels_to_ask_for(color_mode: str) -> int:
    # Decoders that convert by themselves save a step where they do it as Pillow does: grey to RGB
    # and dropped alpha are the same everywhere, grey from JPEG's own luma or libpng's is not.
    return 0 if color_mode == "grayscale" else 3


def decode_jpeg(contents: tf.Tensor, color_mode: str) -> tf.Tensor:
    """A JPEG file as uint8 [H, W, 3], or as it is for "grayscale"."""
    # TensorFlow's default DCT wraps saturated pixels and differs from Pillow in most files.
    return tf.io.decode_jpeg(
        contents, channels=_channels_to_ask_for(color_mode), dct_method="INTEGER_ACCURATE"
    )


def decode_jpeg_as_keras(contents: tf.Tensor, color_mode: str) -> tf.Tensor:
    """A JPEG file as uint8 [H, W, 3], or [H, W, 1] for "grayscale", as `tf.image.decode_image` has it.

    Its fast DCT is up to 18 of 255 off on photographs, and more on noise; grey is the file's own luma.
    """
    return tf.io.decode_jpeg(contents, channels=1 if color_mode == "grayscale" else 3)


def decode_png_as_keras(contents: tf.Tensor, color_mode: str) -> tf.Tensor:
    """A PNG file as uint8 [H, W, C], as `tf.image.decode_image` has it: grey is libpng's."""
    if color_mode == "grayscale":
        return tf.io.decode_png(contents, channels=1)
    return decode_png(contents, color_mode)


def decode_png(contents: tf.Tensor, color_mode: str) -> tf.Tensor:
    """A PNG file as uint8 [H, W, 3], [H, W, 4] for "rgba", or as it is for "grayscale"."""
    if color_mode == "rgba":
        return decode_png_with_alpha(contents)
    return tf.io.decode_png(contents, channels=_channels_to_ask_for(color_mode))


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


@out_of_line
def _decode_small_palette(contents: tf.Tensor) -> tf.Tensor:
    return convert_color(tf.io.decode_png(contents), "rgba")


@out_of_line
def _decode_small_grey(contents: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_png(contents, channels=4)
    alpha = tf.where(image[..., 3:] > 0, tf.constant(255, tf.uint8), 0)
    return tf.concat([image[..., :3], alpha], -1)


def is_png16(contents: tf.Tensor) -> tf.Tensor:  # bool scalar
    """Whether the bytes are a PNG of 16 bits a sample: byte 24, in the IHDR chunk."""
    header = tf.strings.join([tf.strings.substr(contents, 0, 25), " " * 25])  # never too short
    return begins_with(contents, formats.PNG.magic) & (tf.strings.substr(header, 24, 1) == b"\x10")


@out_of_line
def decode_rare(contents: tf.Tensor) -> tf.Tensor:
    """A GIF (first frame) or BMP file as uint8 [H, W, 3].

    Raises:
        tf.errors.InvalidArgumentError: anything else.
    """

    def unknown() -> tf.Tensor:
        check = tf.debugging.Assert(False, ["not an image of a known format"])
        with tf.control_dependencies([check]):
            return tf.zeros([0, 0, 3], tf.uint8)

    image = tf.case(
        [
            (begins_with(contents, formats.GIF.magic), lambda: tf.io.decode_gif(contents)[0]),
            (begins_with(contents, formats.BMP.magic), lambda: decode_bmp(contents)),
        ],
        default=unknown,
    )
    image.set_shape([None, None, 3])
    return image


def with_pillow(contents: tf.Tensor, done: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """`decode_with_pillow` in the graph, through `done`."""
    image, deep = tf.numpy_function(
        decode_with_pillow, [contents], [tf.uint8, tf.float32], stateful=False
    )
    image.set_shape([None, None, None])
    deep.set_shape([None, None, None])
    return tf.cond(tf.size(deep) > 0, lambda: done(deep), lambda: tf.cast(done(image), tf.float32))


def decode_with_pillow(contents: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 [H, W, C], empty) for 8 bits a sample, (empty, float32 [H, W, C] in 0..255) for more.

    Integers of 16 bits are scaled by 1 / 257. Wider and floating-point samples have no range of their
    own: they keep their values. C is 1, 2, 3 or 4 as in `convert_color`.
    """
    from PIL import Image

    with Image.open(io.BytesIO(contents)) as file:
        no_image = np.zeros([0, 0, 1])
        if file.mode.startswith("I;16"):
            deep = np.asarray(file).astype(np.float32)[..., None] / 257
            return no_image.astype(np.uint8), deep
        if file.mode in ("I", "F"):
            # Pillow opens 16-bit PGM as "I".
            scale = 257 if file.mode == "I" and file.format == "PPM" else 1
            deep = np.asarray(file).astype(np.float32)[..., None] / np.float32(scale)
            return no_image.astype(np.uint8), deep
        modes = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}
        alpha = "transparency" in file.info or file.mode in ("PA", "La", "RGBa")
        image = np.asarray(file.convert(modes.get(file.mode, "RGBA" if alpha else "RGB")))
        image = image if image.ndim == 3 else image[..., None]
        return np.ascontiguousarray(image), no_image.astype(np.float32)


def failure_reason(contents: tf.Tensor) -> tf.Tensor:  # string scalar
    """Why the bytes of a file could not be decoded, in words."""
    length = tf.strings.as_string(tf.strings.length(contents))
    reason = tf.strings.join(["its content is of no format that is read here (", length, " bytes)"])
    for known in formats.FORMATS:
        damaged = tf.strings.join(
            [f"its {known.name} data is damaged, or of a kind that is not read here (", length]
        )
        damaged = tf.strings.join([damaged, " bytes)"])
        if not known.in_graph:
            damaged = tf.strings.join(
                [
                    f"its content is {known.name}, which its suffix does not say, or damaged: rename it"
                ]
            )
        reason = tf.where(begins_with(contents, known.magic), damaged, reason)
    return tf.where(tf.strings.length(contents) == 0, "the file is empty", reason)
