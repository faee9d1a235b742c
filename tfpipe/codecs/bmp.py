"""BMP in the graph, because TensorFlow's own decoder returns raw palette indices instead of colors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfpipe.codecs.bmp_rle import decode_rle
from tfpipe.codecs.headers import bounded, octets, window

_BITFIELDS, _ALPHA_BITFIELDS = 3, 6
# The kinds that are read, as compression * 64 + bits per pixel.
_RUN_LENGTHS = (64 + 8, 128 + 4)
_PLAIN = (1, 2, 4, 8, 24, 32)
_FIELDS = tuple(64 * kind + bits for kind in (3, 6) for bits in (16, 24, 32))
_RARE = (*_RUN_LENGTHS, 16, *_FIELDS)

_MASKS_555 = np.array([0x7C00, 0x3E0, 0x1F, 0], np.int32)
_MASKS_888 = np.array([0xFF0000, 0xFF00, 0xFF, 0], np.int32)
# What masks that are all zero stand for.
_MASKS_8888 = np.array([0xFF0000, 0xFF00, 0xFF, 0xFF000000], np.uint32).view(np.int32)


class BmpHeader(NamedTuple):
    """The header of a BMP file: int32 scalars, except `masks`."""

    width: tf.Tensor
    height: tf.Tensor  # negative: the first row is the top one
    kind: tf.Tensor  # compression * 64 + bits per pixel
    bits: tf.Tensor
    start: tf.Tensor  # of the pixels
    palette_start: tf.Tensor
    entry: tf.Tensor  # bytes per color of the palette
    colors: tf.Tensor  # in the palette
    masks: tf.Tensor  # int32 [4]: red, green, blue, alpha


def read_header(contents: tf.Tensor) -> BmpHeader:
    """Reads the header of a BMP file, in the layout of Windows or of OS/2.

    Source: BITMAPFILEHEADER, BITMAPCOREHEADER and BITMAPINFOHEADER to BITMAPV5HEADER of the Windows
    GDI documentation. An OS/2 2 header may end after 16 bytes; the fields that it leaves out are 0.
    """
    # Each field from byte 10 on has 4 bytes, or is a pair of fields with 2 bytes each.
    fields = tf.io.decode_raw(tf.strings.substr(window(contents, 0, 70), 10, 60), tf.int32)
    size = fields[1]
    inside = np.arange(10, 70, 4, dtype=np.int32) < 14 + size
    start, _, width, height, depth, compression, _, _, _, colors, *_ = tf.unstack(
        tf.where(inside, fields, 0), 15
    )
    is_core = tf.equal(size, 12)
    bits = tf.where(is_core, height, depth) // 2**16
    height = tf.where(is_core, width // 2**16, height)
    width = tf.where(is_core, width % 2**16, width)
    kind = compression * 64 + bits
    least = tf.bitwise.left_shift(1, tf.minimum(bits, 8))
    colors = tf.minimum(tf.where(colors > 0, colors, least), 2**16)
    entry = tf.where(is_core, 3, 4)

    has_masks = _is_one_of(kind, _FIELDS)
    # The fourth mask is there from BITMAPV3HEADER on, or where its own compression says so.
    has_alpha = (size >= 56) | (compression == _ALPHA_BITFIELDS)
    masks = fields[11:] * [1, 1, 1, tf.cast(has_alpha, tf.int32)]
    masks = tf.where(tf.reduce_all(masks == 0), _MASKS_8888, masks)
    masks = tf.where(has_masks, masks, tf.where(bits < 32, _MASKS_555, _MASKS_888))

    # Masks follow the oldest header; in later ones they are part of it.
    behind = tf.where(has_masks & (size < 52), tf.where(has_alpha, 16, 12), 0)
    palette_start = 14 + size + behind
    palette_end = palette_start + tf.where(bits <= 8, entry * colors, 0)
    # Some files give no place for the pixels, or give the place of the palette.
    wrong = (start == 0) | ((start == 14 + size) & (bits <= 8))
    start = tf.where(wrong, palette_end, start)
    return BmpHeader(width, height, kind, bits, start, palette_start, entry, colors, masks)


def decode_bmp(
    contents: tf.Tensor, max_pixels: int | None = None, every_kind: bool = True
) -> tf.Tensor:
    """Decodes a BMP file to the pixels that Pillow reads.

    Args:
        contents: string scalar, the bytes of a BMP file: 1, 2, 4 or 8 bits with a palette, plain or
            run-length encoded; 16, 24 or 32 bits, plain or in bit fields; top-down or bottom-up.
        max_pixels: the largest height * width.
        every_kind: read run lengths, bit fields and 16 bits too.

    Returns:
        uint8 [H, W, 3 or 4], RGB or RGBA, 0..255. The fourth byte of 32 bits is alpha only where the
        header gives a mask for it; otherwise it is left out.

    Raises:
        tf.errors.InvalidArgumentError: the file is another kind of BMP (JPEG or PNG inside, Huffman), or is
            truncated, or has more than `max_pixels`.
    """
    header = read_header(contents)
    kinds = (*_PLAIN, *_RARE) if every_kind else _PLAIN
    known = _is_one_of(header.kind, kinds) & (header.width > 0)
    size = tf.abs(tf.cast(tf.stack([header.height, header.width]), tf.int64))
    with tf.control_dependencies(bounded(tf.where(known, size, 0), max_pixels)):
        width, height = tf.identity(header.width), tf.abs(header.height)

    def rows() -> tf.Tensor:
        return _row_starts(contents, header.start, height, width, header.bits)

    def plain_indices() -> tf.Tensor:
        shifts = tf.cast(tf.range(8 - header.bits, -1, -header.bits), tf.uint8)  # high bits first
        mask = tf.cast(tf.bitwise.left_shift(1, header.bits) - 1, tf.uint8)
        spread = tf.bitwise.right_shift(rows()[:, :, None], shifts) & mask
        return tf.reshape(spread, [height, -1])[:, :width]

    def palette_image() -> tf.Tensor:
        indices = plain_indices
        if every_kind:
            is_rle = _is_one_of(header.kind, _RUN_LENGTHS)
            indices = lambda: tf.cond(  # noqa: E731
                is_rle,
                lambda: decode_rle(contents, header.start, height, width, tf.equal(header.bits, 4)),
                plain_indices,
            )
        return tf.gather(_palette(contents, header), tf.cast(indices(), tf.int32))

    def byte_image() -> tf.Tensor:
        channels = header.bits // 8
        samples = tf.reshape(rows()[:, : width * channels], [height, width, channels])
        return samples[..., 2::-1]

    def field_image() -> tf.Tensor:
        size = header.bits // 8
        samples = tf.reshape(rows()[:, : width * size], [height, width, size])
        samples = tf.pad(samples, [[0, 0], [0, 0], [0, 4 - size]])
        pixels = tf.bitcast(samples, tf.uint32)[..., None]
        masks = tf.bitcast(header.masks, tf.uint32)
        # A mask is a run of ones, and the lowest of them is the unit of its samples.
        unit = tf.maximum(masks & (~masks + 1), 1)
        values = tf.cast((pixels & masks) // unit, tf.uint64) * 255
        image = tf.cast(values // tf.cast(tf.maximum(masks // unit, 1), tf.uint64), tf.uint8)
        return tf.cond(masks[3] > 0, lambda: image, lambda: image[..., :3])

    def color_image() -> tf.Tensor:
        if not every_kind:
            return byte_image()
        return tf.cond(_is_one_of(header.kind, (24, 32)), byte_image, field_image)

    image = tf.cond(header.bits <= 8, palette_image, color_image)
    image = tf.cond(header.height < 0, lambda: image, lambda: image[::-1])
    image.set_shape([None, None, None])
    return image


def is_rare(contents: tf.Tensor) -> tf.Tensor:  # bool scalar
    """Whether the header of a BMP file names a kind that `decode_bmp` reads only with `every_kind`."""
    return _is_one_of(read_header(contents).kind, _RARE)


def _is_one_of(value: tf.Tensor, allowed: Sequence[int]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(value, allowed))


def _row_starts(
    contents: tf.Tensor, start: tf.Tensor, height: tf.Tensor, width: tf.Tensor, bits: tf.Tensor
) -> tf.Tensor:
    """Returns the bytes of the rows, uint8 [H, bytes per row]."""
    # Rows are padded to a multiple of 4 bytes, except the last row of some files.
    used = (width * bits + 7) // 8
    stride = (used + 3) // 4 * 4
    padded = tf.strings.substr(b"\0\0\0", 0, stride - used)
    rows = tf.strings.join([tf.strings.substr(contents, start, stride * height), padded])
    rows = tf.io.decode_raw(tf.strings.substr(rows, 0, stride * height), tf.uint8)
    return tf.reshape(rows, [height, stride])


def _palette(contents: tf.Tensor, header: BmpHeader) -> tf.Tensor:
    """Returns the colors of the palette, uint8 [256, 3], RGB; black beyond its end."""
    colors = octets(contents, header.palette_start, 1024)
    number = np.arange(256, dtype=np.int32)[:, None]
    places = number * header.entry + [2, 1, 0]  # blue, green, red in the file
    there = number < header.colors
    return tf.where(there, tf.gather(colors, places), np.uint8(0))
