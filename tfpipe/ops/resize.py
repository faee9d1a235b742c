"""Resizes images in the graph as Pillow does: bit for bit what `keras.utils.load_img` returns.

Every function takes one image [H, W, C] with values in 0..255, whose height and width may be
unknown when the graph is built. `tf.image.resize` picks other pixels (nearest, box), lacks hamming,
and its antialiased kernels differ by up to 20 of 255, so Pillow's two algorithms are reimplemented here:

- nearest: `ImagingScaleAffine` in Pillow's Geometry.c;
- the five filters: `ImagingResample` in Pillow's Resample.c, which resamples one axis, rounds, and resamples
  the other.

How the filters became fast (RGB to 224x224, bilinear, one core, ms for 520x419 / 2000x1500 pixels;
Pillow itself takes 1.3 / 9.5):

    one dense matmul per axis                     7.9
    sparse weights (SparseTensorDenseMatMul)      5 / 40     its inner loop is not vectorized
    transpose, then banded matmuls over rows      1.6 / 19   transposing bytes costs what it saves
    banded matmuls over interleaved channels      1.6 / 12   4 in 1000 values off by 1 at worst
    the same, weights in two exact halves         2.3 / 16   the code below: identical to Pillow

An output pixel depends on only a short run of inputs. So the outputs are cut into blocks, and each
block is a small dense matmul with the band of inputs that it touches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

PILLOW_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")

# Columns of the weights of a block, outputs x channels. 12 and 48 are slower by 5% to 50%.
_BLOCK_COLUMNS = 24
# Each block of columns is a handful of ops, so a large output gets wider blocks, not a huge graph.
_MOST_BLOCKS = 32
_BLOCK_ROWS = 8


def _box(x: tf.Tensor) -> tf.Tensor:
    return tf.cast((x > -0.5) & (x <= 0.5), x.dtype)


def _bilinear(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(1.0 - tf.abs(x), 0.0)


def _sinc(x: tf.Tensor) -> tf.Tensor:
    angle = x * math.pi
    return tf.where(x == 0.0, tf.ones_like(x), tf.sin(angle) / angle)


def _hamming(x: tf.Tensor) -> tf.Tensor:
    # Pillow writes the two numbers as C floats, which add up to 1 + 3e-8, so 0 is a special case.
    window = float(np.float32(0.54)) + float(np.float32(0.46)) * tf.cos(x * math.pi)
    inside = tf.where(x == 0.0, tf.ones_like(x), _sinc(x) * window)
    return tf.where(tf.abs(x) < 1.0, inside, 0.0)


def _bicubic(x: tf.Tensor) -> tf.Tensor:
    x = tf.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))


def _lanczos(x: tf.Tensor) -> tf.Tensor:
    return tf.where((x >= -3.0) & (x < 3.0), _sinc(x) * _sinc(x / 3.0), 0.0)


class _Filter(NamedTuple):
    function: Callable[[tf.Tensor], tf.Tensor]
    support: float
    overshoots: bool  # has negative weights, so results may leave 0..255


_FILTERS = {
    "box": _Filter(_box, 0.5, overshoots=False),
    "bilinear": _Filter(_bilinear, 1.0, overshoots=False),
    "hamming": _Filter(_hamming, 1.0, overshoots=False),
    "bicubic": _Filter(_bicubic, 2.0, overshoots=True),
    "lanczos": _Filter(_lanczos, 3.0, overshoots=True),
}


class _Span(NamedTuple):
    """The part of an image axis that becomes the output: `extent` of its `size` pixels."""

    start: Any
    extent: Any
    size: Any

    def scale(self, size_out: int) -> tf.Tensor:
        # Not `/`, because in a caller's tf.function Grappler turns a division by a constant into a product
        # with its reciprocal. The last bit then differs, and so does nearest for one pair of sizes in 100.
        extent = tf.cast(self.extent, tf.float64)
        return tf.math.divide_no_nan(extent, tf.constant(size_out, tf.float64))


class _Taps(NamedTuple):
    """Output i is the sum over k of `weights[i, k] * input[first[i] + k]`."""

    first: tf.Tensor  # int32 [out]
    last: tf.Tensor  # int32 [out]: no weight from here on
    weights: tf.Tensor  # float32 [out, taps]
    size_in: tf.Tensor  # int32 scalar


class _Rounding(NamedTuple):
    """What happens to the sums of a pass; 8-bit images are rounded and clipped, float images are not."""

    to_8_bits: bool
    clip: bool

    def split(self, weights: tf.Tensor) -> tf.Tensor:
        """Splits weights for 8 bits into two parts with exact float32 sums: [..., N] to [..., 2 * N].

        Pillow sums integers: 22 bits of weight times 8 bits of pixel, which is more than float32 holds. The
        high part has 15 bits after the point (sums stay below 2 ** 24 units as long as the absolute weights
        add up to less than 2), the low part has 7 more (for any filter of up to 1024 taps).
        """
        if not self.to_8_bits:
            return weights
        high = tf.round(weights * 2.0**15) * 2.0**-15
        return tf.concat([high, weights - high], axis=-1)

    def join(self, sums: tf.Tensor) -> tf.Tensor:
        """Joins the two parts, [B, 2 * N, ...], to uint8 [B, N, ...], rounded half up; keeps float sums."""
        if not self.to_8_bits:
            return sums
        high, low = tf.split(sums, 2, axis=1)
        high += 0.5
        # high + low would be rounded to 24 bits, possibly up to the next integer.
        whole = tf.floor(high)
        rounded = whole + tf.floor(high - whole + low)
        if self.clip:
            rounded = tf.raw_ops.ClipByValue(t=rounded, clip_value_min=0.0, clip_value_max=255.0)
        return tf.cast(rounded, tf.uint8)


def aspect_box(height: Any, width: Any, size: tuple[int, int]) -> tuple[tf.Tensor, ...]:
    """Computes the largest centered box of an image that has the aspect ratio of `size`.

    The formula is the one in `keras.utils.load_img(..., keep_aspect_ratio=True)`.

    Args:
        height: Integer or int32 scalar, height of the image.
        width: Integer or int32 scalar, width of the image.
        size: Static `(height, width)` of the result of the resize.

    Returns:
        `(top, left, crop_height, crop_width)`, int32 scalars. A crop has height 0 (or width 0) if the image
        is too narrow (or too low) for a single pixel; Pillow then repeats the pixels at its start.

    Example:
    >>> [int(value) for value in aspect_box(40, 100, (10, 20))]
    [0, 10, 40, 80]
    """
    height, width = tf.convert_to_tensor(height, tf.int32), tf.convert_to_tensor(width, tf.int32)
    crop_height = tf.minimum(height, width * size[0] // size[1])
    crop_width = tf.minimum(width, height * size[1] // size[0])
    return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width


def resize(
    image: tf.Tensor,
    size: tuple[int, int],
    interpolation: str = "nearest",
    *,
    keep_aspect_ratio: bool = False,
) -> tf.Tensor:
    """Resizes one image as `PIL.Image.resize` does, called the way `keras.utils.load_img` calls it.

    An image that already has the target size is returned as it is. With 2 or 4 channels, the last one
    is alpha, and all filters except nearest weight the colors by it, as Pillow does.

    | image   | shape                 | values | result                                  |
    |---------|-----------------------|--------|-----------------------------------------|
    | uint8   | [H, W, C], C = 1 .. 4 | 0..255 | equal to Pillow's                       |
    | float32 | [H, W, C], C = 1 .. 4 | 0..255 | Pillow's mode F to 1e-4, but in 0..255  |

    Args:
        image: uint8 or float32 [H, W, C], values in 0..255. H and W may be unknown, C is static.
        size: Static `(height, width)` of the result.
        interpolation: One of `PILLOW_INTERPOLATIONS`.
        keep_aspect_ratio: Whether to resize the centered box of `aspect_box`, not the whole image.
            Filters read across the border of that box where the image continues.

    Returns:
        `[size[0], size[1], C]` of the dtype of `image`, values in 0..255.

    Raises:
        KeyError: `interpolation` is not one of `PILLOW_INTERPOLATIONS`; the caller explains it better.

    Example:
    >>> image = tf.constant([[[0], [10], [20], [30], [40], [50]]], tf.uint8)
    >>> resize(image, (1, 3))[0, :, 0].numpy().tolist()
    [10, 30, 50]
    >>> resize(image, (1, 3), "box")[0, :, 0].numpy().tolist()
    [5, 25, 45]
    """
    image = tf.convert_to_tensor(image)
    kernel = None if interpolation == "nearest" else _FILTERS[interpolation]
    if image.shape[:2] == list(size):
        return image

    def resized() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        top, left, crop_height, crop_width = 0, 0, height, width
        if keep_aspect_ratio:
            top, left, crop_height, crop_width = aspect_box(height, width, size)
        rows, columns = _Span(top, crop_height, height), _Span(left, crop_width, width)
        if kernel is None:
            return _nearest(image, rows, columns, size)
        return _resample(image, rows, columns, size, kernel)

    # Many small images already have that size.
    unchanged = tf.reduce_all(tf.shape(image)[:2] == tf.constant(size))
    result = tf.cond(unchanged, lambda: image, resized)
    result.set_shape([*size, image.shape[-1]])
    return result


def _nearest(image: tf.Tensor, rows: _Span, columns: _Span, size: tuple[int, int]) -> tf.Tensor:
    # One gather of whole pixels takes 0.3 ms; rows, then columns take 0.35 to 0.6, gather_nd takes 0.75.
    pixels = tf.reshape(image, [-1, image.shape[-1]])
    row = _nearest_indices(rows, size[0])[:, tf.newaxis]
    return tf.gather(pixels, row * columns.size + _nearest_indices(columns, size[1]))


def _nearest_indices(span: _Span, size_out: int) -> tf.Tensor:
    # Pillow adds the step once per pixel. In closed form, one pair of sizes in ten differs somewhere.
    step = span.scale(size_out)
    first = tf.cast(span.start, tf.float64) + step * 0.5
    steps = tf.concat([first[tf.newaxis], tf.fill([size_out - 1], step)], axis=0)
    return tf.cast(tf.cumsum(steps), tf.int32)


def _resample(
    image: tf.Tensor, rows: _Span, columns: _Span, size: tuple[int, int], kernel: _Filter
) -> tf.Tensor:
    channels, dtype = image.shape[-1], image.dtype
    to_8_bits, has_alpha = dtype == tf.uint8, channels in (2, 4)
    rounding = _Rounding(to_8_bits, kernel.overshoots)
    row_taps = _filter_taps(rows, size[0], kernel, to_8_bits)
    column_taps = _filter_taps(columns, size[1], kernel, to_8_bits)
    if has_alpha:
        image = _premultiply(image, to_8_bits)
    matrix = tf.reshape(image, [rows.size, columns.size * channels])

    def on_rows(values: tf.Tensor) -> tf.Tensor:
        return _resample_rows(values, row_taps, rounding)

    def on_columns(values: tf.Tensor) -> tf.Tensor:
        return _resample_columns(values, column_taps, channels, rounding)

    matrix = tf.cond(
        _rows_first(rows.size, columns.size, size),
        lambda: on_columns(on_rows(matrix)),
        lambda: on_rows(on_columns(matrix)),
    )
    result = tf.reshape(matrix, [*size, channels])
    if not to_8_bits:
        # Overshoot is clipped as in Pillow; an image that was outside 0..255 before keeps its own range.
        low, high = tf.minimum(tf.reduce_min(image), 0.0), tf.maximum(tf.reduce_max(image), 255.0)
        result = tf.clip_by_value(result, low, high)
    if has_alpha:
        result = _unpremultiply(tf.cast(result, tf.float32), to_8_bits)
    return tf.cast(result, dtype)


def _rows_first(height: tf.Tensor, width: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    # The choice of Pillow 13, whatever the box. Older versions always took the columns first, so where
    # this is true, their results differ by one rounding.
    fewer_rows = height - size[0]
    return (fewer_rows > 0) & (fewer_rows > (width - size[1]) * 2)


def _filter_taps(span: _Span, size_out: int, kernel: _Filter, to_8_bits: bool) -> _Taps:
    # The operations are in the order of precompute_coeffs in Resample.c, because it decides ties.
    scale = span.scale(size_out)
    filter_scale = tf.maximum(scale, 1.0)
    support = kernel.support * filter_scale
    centre = tf.cast(span.start, tf.float64) + (np.arange(size_out) + 0.5) * scale
    first = tf.maximum(tf.cast(centre - support + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(centre + support + 0.5, tf.int32), span.size)

    taps = tf.cast(tf.math.ceil(support), tf.int32) * 2 + 1
    position = first[:, tf.newaxis] + tf.range(taps)
    distance = tf.cast(position, tf.float64) - centre[:, tf.newaxis] + 0.5
    weights = kernel.function(distance * (1.0 / filter_scale))
    weights = tf.where(position < last[:, tf.newaxis], weights, 0.0)
    weights = tf.math.divide_no_nan(weights, tf.cumsum(weights, axis=1)[:, -1:])
    if to_8_bits:
        # Pillow's fixed point, rounded half away from zero; multiples of 2 ** -22 fit float32.
        weights = tf.sign(weights) * tf.floor(tf.abs(weights) * 2.0**22 + 0.5) * 2.0**-22
    return _Taps(first, last, tf.cast(weights, tf.float32), span.size)


def _bands(taps: _Taps, block: int, channels: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cuts the outputs into n blocks: starts int32 [n], width, weights [n, width * C, block * C].

    Block i reads the `width` inputs from `starts[i]` on. The channels of a pixel lie side by side
    in both axes of the weights, which are zero between different channels.
    """
    size_out = taps.first.shape[0]
    blocks = -(-size_out // block)
    starts = taps.first[::block]
    ends = tf.gather(taps.last, np.minimum(np.arange(1, blocks + 1) * block, size_out) - 1)
    width = tf.reduce_max(ends - starts)
    starts = tf.minimum(starts, taps.size_in - width)

    output = np.arange(size_out, dtype=np.int32)
    inside = (taps.first - tf.gather(starts, output // block))[:, tf.newaxis]
    # Taps from `last` on have weight 0, but must not leave the band.
    inside = tf.minimum(inside + tf.range(tf.shape(taps.weights)[1]), width - 1)
    row = ((output // block)[:, np.newaxis] * width + inside) * channels
    channel = np.arange(channels, dtype=np.int32)
    index = (row[..., tf.newaxis] + channel) * (block * channels)
    index += (output % block * channels)[:, np.newaxis, np.newaxis] + channel
    weights = tf.broadcast_to(taps.weights[..., tf.newaxis], tf.shape(index))
    # tf.scatter_nd takes twice as long.
    cells = blocks * width * channels * block * channels
    matrices = tf.math.unsorted_segment_sum(weights, index, cells)
    return starts, width, tf.reshape(matrices, [blocks, width * channels, block * channels])


def _resample_columns(
    matrix: tf.Tensor, taps: _Taps, channels: int, rounding: _Rounding
) -> tf.Tensor:
    """Resamples the columns: [H, W * C] to [H, out * C], uint8 or float32."""
    size_out = taps.first.shape[0]
    block = max(_BLOCK_COLUMNS // channels, -(-size_out // _MOST_BLOCKS))
    starts, width, weights = _bands(taps, block, channels)
    weights = rounding.split(weights)
    parts = []
    for start, weight in zip(tf.unstack(starts * channels), tf.unstack(weights), strict=True):
        # Casts and rounds one block at a time, because whole images leave the cache and take a third longer.
        band = tf.slice(matrix, [0, start], [-1, width * channels])
        parts.append(rounding.join(tf.matmul(tf.cast(band, tf.float32), weight)))
    return tf.concat(parts, axis=1)[:, : size_out * channels]


def _resample_rows(matrix: tf.Tensor, taps: _Taps, rounding: _Rounding) -> tf.Tensor:
    """Resamples the rows: [H, N] to [out, N], uint8 or float32."""
    starts, width, weights = _bands(taps, _BLOCK_ROWS, 1)
    bands = tf.cast(tf.gather(matrix, starts[:, tf.newaxis] + tf.range(width)), tf.float32)
    result = rounding.join(tf.matmul(rounding.split(weights), bands, transpose_a=True))
    return tf.reshape(result, [-1, tf.shape(matrix)[1]])[: taps.first.shape[0]]


def _premultiply(image: tf.Tensor, to_8_bits: bool) -> tf.Tensor:
    """Multiplies colors by alpha, as float32; in 8 bits like Pillow's MULDIV255, rounding the quotient."""
    image = tf.cast(image, tf.float32)
    colour, alpha = image[..., :-1], image[..., -1:]
    product = colour * alpha / 255.0
    return tf.concat([tf.floor(product + 0.5) if to_8_bits else product, alpha], axis=-1)


def _unpremultiply(image: tf.Tensor, to_8_bits: bool) -> tf.Tensor:
    """Undoes `_premultiply` like rgba2rgbA in Pillow's Convert.c: rounds down, leaves alpha 0 unchanged."""
    colour, alpha = image[..., :-1], image[..., -1:]
    quotient = tf.minimum(tf.math.divide_no_nan(colour * 255.0, alpha), 255.0)
    restored = tf.floor(quotient) if to_8_bits else quotient
    return tf.concat([tf.where(alpha == 0.0, colour, restored), alpha], axis=-1)
