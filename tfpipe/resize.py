"""Resize as Pillow does it, in the graph: value for value what `keras.utils.load_img` returns.

Every function takes one image [H, W, C] with values in 0..255, whose height and width may be unknown
when the graph is built. `tf.image.resize` picks other pixels (nearest, box), lacks hamming, and its
antialiased kernels are off by up to 20 of 255, so both of Pillow's algorithms are restated here:

- nearest: `ImagingScaleAffine` in Pillow's Geometry.c;
- the five filters: `ImagingResample` in Pillow's Resample.c, one axis after the other, both rounded to 8 bits.

How the filters became fast enough (one core, 520x419 / 2000x1500 RGB to 224x224, bilinear, in ms; Pillow
itself takes 1.2 / 13):

    sparse weights (SparseTensorDenseMatMul)      about 5 / 40    its inner loop is not vectorised
    one dense matmul an axis                      7.9
    transpose, banded matmuls over rows           1.6 / 19        transposing bytes costs more than it saves
    banded matmuls over interleaved channels      1.5 / 11        what is below

An output pixel depends on a short run of inputs only, so the outputs are cut into blocks, and each block
is a small dense matmul with the band of inputs that it touches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")

# Pillow keeps 8-bit weights as 22-bit integers. As multiples of 2 ** -22 they are exact in float32.
_WEIGHT_UNIT = 2.0**22

# Columns of a block's weight matrix (outputs x channels). 48 is three AVX-512 registers: 24 saves a tenth on
# large images and costs as much on small ones and on wide filters.
_BLOCK_COLUMNS = 48
_BLOCK_ROWS = 16


def _box(x: tf.Tensor) -> tf.Tensor:
    return tf.cast((x > -0.5) & (x <= 0.5), x.dtype)


def _bilinear(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(1.0 - tf.abs(x), 0.0)


def _sinc(x: tf.Tensor) -> tf.Tensor:
    angle = x * math.pi
    return tf.where(x == 0.0, tf.ones_like(x), tf.sin(angle) / angle)


def _hamming(x: tf.Tensor) -> tf.Tensor:
    # Pillow writes the two numbers as C floats, which shows in the last bits of the weights.
    window = float(np.float32(0.54)) + float(np.float32(0.46)) * tf.cos(x * math.pi)
    return tf.where(tf.abs(x) < 1.0, _sinc(x) * window, 0.0)


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


_FILTERS = {
    "box": _Filter(_box, 0.5),
    "bilinear": _Filter(_bilinear, 1.0),
    "hamming": _Filter(_hamming, 1.0),
    "bicubic": _Filter(_bicubic, 2.0),
    "lanczos": _Filter(_lanczos, 3.0),
}


class _Span(NamedTuple):
    """The part of one image axis that is mapped onto the output: `start`, `extent` of `size` pixels."""

    start: Any
    extent: Any
    size: Any

    def scale(self, size_out: int) -> tf.Tensor:
        # Not `/`: grappler turns a division by a constant into a product with its reciprocal, which is off in
        # the last bit and so picks other pixels for one pair of sizes in a hundred.
        return tf.math.divide_no_nan(
            tf.cast(self.extent, tf.float64), tf.constant(size_out, tf.float64)
        )


class _Taps(NamedTuple):
    """Output i is the sum of `weights[i, k] * input[first[i] + k]`; no weight at or past `last[i]`."""

    first: tf.Tensor  # int32 [out]
    last: tf.Tensor  # int32 [out]
    weights: tf.Tensor  # float32 [out, taps]


def aspect_box(height: Any, width: Any, size: tuple[int, int]) -> tuple[tf.Tensor, ...]:
    """The largest centred box of an image that has the aspect ratio of `size`.

    The formula is that of `keras.utils.load_img(..., keep_aspect_ratio=True)`.

    Args:
        height: Integer or int32 scalar, height of the image.
        width: Integer or int32 scalar, width of the image.
        size: Static `(height, width)` of the result of the resize.

    Returns:
        `(top, left, crop_height, crop_width)`, int32 scalars. A crop is 0 high or wide where the image is too
        narrow for one pixel of the other axis; Pillow then repeats the pixels at the start of the box.

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

    An image that has the target size already is returned as it is.

    | image   | shape                 | values | result against Pillow                                  |
    |---------|-----------------------|--------|--------------------------------------------------------|
    | uint8   | [H, W, C], C = 1 .. 4 | 0..255 | nearest equal; filters equal but for rare roundings (1) |
    | float32 | [H, W, C], C = 1 .. 4 | 0..255 | Pillow's mode F, clipped to 0..255; nothing is rounded |

    With 2 or 4 channels the last one is alpha: all filters but nearest weigh the colours by it, as Pillow does.

    Args:
        image: uint8 or float32 [H, W, C], values in 0..255. H and W may be unknown, C must be static.
        size: Static `(height, width)` of the result.
        interpolation: One of `INTERPOLATIONS`.
        keep_aspect_ratio: Whether to resize the centred box of `aspect_box` rather than the whole image.
            Filters read across the border of that box where the image goes on.

    Returns:
        `[size[0], size[1], C]` of the dtype of `image`.

    Raises:
        KeyError: `interpolation` is not one of `INTERPOLATIONS`. Callers check it where they can explain it.

    Example:

    >>> image = tf.constant([[[0], [10], [20], [30], [40], [50]]], tf.uint8)
    >>> resize(image, (1, 3))[0, :, 0].numpy().tolist()
    [10, 30, 50]
    >>> resize(image, (1, 3), "box")[0, :, 0].numpy().tolist()
    [5, 25, 45]
    """
    image = tf.convert_to_tensor(image)
    if image.shape[:2] == list(size):
        return image
    sampler = _nearest if interpolation == "nearest" else _resampler(_FILTERS[interpolation])

    def resized() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        top, left, crop_height, crop_width = 0, 0, height, width
        if keep_aspect_ratio:
            top, left, crop_height, crop_width = aspect_box(height, width, size)
        rows, columns = _Span(top, crop_height, height), _Span(left, crop_width, width)
        return sampler(image, rows, columns, size)

    unchanged = tf.reduce_all(tf.shape(image)[:2] == tf.constant(size))
    result = tf.cond(unchanged, lambda: image, resized)
    result.set_shape([*size, image.shape[-1]])
    return result


def _nearest(image: tf.Tensor, rows: _Span, columns: _Span, size: tuple[int, int]) -> tf.Tensor:
    # One gather of whole pixels: 0.3 ms, 0.35 as rows then columns, 0.75 by gather_nd.
    pixels = tf.reshape(image, [-1, image.shape[-1]])
    row = _nearest_indices(rows, size[0])[:, tf.newaxis]
    return tf.gather(pixels, row * columns.size + _nearest_indices(columns, size[1]))


def _nearest_indices(span: _Span, size_out: int) -> tf.Tensor:
    # Pillow adds the step once a pixel; in closed form, a tenth of all pairs of sizes differ somewhere.
    step = span.scale(size_out)
    first = tf.cast(span.start, tf.float64) + step * 0.5
    steps = tf.concat([first[tf.newaxis], tf.fill([size_out - 1], step)], axis=0)
    return tf.cast(tf.cumsum(steps), tf.int32)


def _resampler(kernel: _Filter) -> Callable[..., tf.Tensor]:
    def resample(
        image: tf.Tensor, rows: _Span, columns: _Span, size: tuple[int, int]
    ) -> tf.Tensor:
        channels, dtype = image.shape[-1], image.dtype
        exact = dtype != tf.uint8
        row_taps = _taps(rows, size[0], kernel, exact)
        column_taps = _taps(columns, size[1], kernel, exact)
        if channels in (2, 4):
            image = _premultiply(image, exact)
        matrix = tf.reshape(image, [rows.size, columns.size * channels])

        def on_columns(values: tf.Tensor) -> tf.Tensor:
            return _to_8_bits(_resample_columns(values, column_taps, columns.size, channels), exact)

        def on_rows(values: tf.Tensor) -> tf.Tensor:
            return _to_8_bits(_resample_rows(values, row_taps, rows.size), exact)

        matrix = tf.cond(
            _rows_first(rows.size, columns.size, size),
            lambda: on_columns(on_rows(matrix)),
            lambda: on_rows(on_columns(matrix)),
        )
        result = tf.reshape(matrix, [*size, channels])
        if channels in (2, 4):
            result = _unpremultiply(result, exact)
        if exact:
            result = tf.clip_by_value(result, 0.0, 255.0)
        return tf.cast(result, dtype)

    return resample


def _rows_first(height: tf.Tensor, width: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    # Pillow 13's choice, whatever the box. Before 13 the columns always came first; where the two differ,
    # a photograph's values do by 1 or 2.
    fewer_rows = height - size[0]
    return (fewer_rows > 0) & (fewer_rows > (width - size[1]) * 2)


def _to_8_bits(values: tf.Tensor, exact: bool) -> tf.Tensor:
    # Stays float32, which the next matmul needs anyway.
    return values if exact else tf.clip_by_value(tf.floor(values + 0.5), 0.0, 255.0)


def _taps(span: _Span, size_out: int, kernel: _Filter, exact: bool) -> _Taps:
    # The order of the operations is that of precompute_coeffs in Resample.c: it decides ties.
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
    if not exact:
        rounded = tf.floor(tf.abs(weights) * _WEIGHT_UNIT + 0.5) / _WEIGHT_UNIT
        weights = tf.sign(weights) * rounded
    return _Taps(first, last, tf.cast(weights, tf.float32))


def _bands(
    taps: _Taps, size_in: tf.Tensor, block: int, channels: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cuts the outputs into blocks: starts int32 [n], width, weights [n, width * C, block * C].

    Block i reads the `width` inputs from `starts[i]` on. The channels of a pixel lie side by side on both sides
    of the weights, which are zero between different channels.
    """
    size_out = taps.first.shape[0]
    blocks = -(-size_out // block)
    starts = taps.first[::block]
    ends = tf.gather(taps.last, np.minimum(np.arange(1, blocks + 1) * block, size_out) - 1)
    width = tf.reduce_max(ends - starts)
    starts = tf.minimum(starts, size_in - width)

    output = np.arange(size_out, dtype=np.int32)
    inside = taps.first - tf.gather(starts, output // block)
    # Taps past `last` weigh nothing, but must not leave the band.
    inside = tf.minimum(inside[:, tf.newaxis] + tf.range(tf.shape(taps.weights)[1]), width - 1)
    row = ((output // block)[:, np.newaxis] * width + inside) * channels
    channel = np.arange(channels, dtype=np.int32)
    index = (row[..., tf.newaxis] + channel) * (block * channels)
    index += (output % block * channels)[:, np.newaxis, np.newaxis] + channel
    weights = tf.broadcast_to(taps.weights[..., tf.newaxis], tf.shape(index))
    # A segment sum is tf.scatter_nd at half of the time.
    matrices = tf.math.unsorted_segment_sum(
        weights, index, blocks * width * channels * block * channels
    )
    return starts, width, tf.reshape(matrices, [blocks, width * channels, block * channels])


def _resample_columns(
    matrix: tf.Tensor, taps: _Taps, size_in: tf.Tensor, channels: int
) -> tf.Tensor:
    """[H, W * C] to float32 [H, out * C]."""
    block = _BLOCK_COLUMNS // channels
    starts, width, weights = _bands(taps, size_in, block, channels)
    parts = []
    for start, weight in zip(tf.unstack(starts * channels), tf.unstack(weights), strict=True):
        # Cast a band at a time: as a whole, a large image leaves the cache, and that costs a third more.
        band = tf.slice(matrix, [0, start], [-1, width * channels])
        parts.append(tf.matmul(tf.cast(band, tf.float32), weight))
    return tf.concat(parts, axis=1)[:, : taps.first.shape[0] * channels]


def _resample_rows(matrix: tf.Tensor, taps: _Taps, size_in: tf.Tensor) -> tf.Tensor:
    """[H, N] to float32 [out, N]."""
    starts, width, weights = _bands(taps, size_in, _BLOCK_ROWS, 1)
    bands = tf.cast(tf.gather(matrix, starts[:, tf.newaxis] + tf.range(width)), tf.float32)
    result = tf.matmul(weights, bands, transpose_a=True)
    return tf.reshape(result, [-1, tf.shape(matrix)[1]])[: taps.first.shape[0]]


def _premultiply(image: tf.Tensor, exact: bool) -> tf.Tensor:
    """Colours times alpha, as float32; in 8 bits Pillow's MULDIV255, which is the rounded quotient."""
    image = tf.cast(image, tf.float32)
    colour, alpha = image[..., :-1], image[..., -1:]
    return tf.concat([_to_8_bits(colour * alpha / 255.0, exact), alpha], axis=-1)


def _unpremultiply(image: tf.Tensor, exact: bool) -> tf.Tensor:
    """Undoes `_premultiply`; in 8 bits as rgba2rgbA in Pillow's Convert.c: rounded down, alpha 0 unchanged."""
    colour, alpha = image[..., :-1], image[..., -1:]
    restored = tf.math.divide_no_nan(colour * 255.0, alpha)
    restored = restored if exact else tf.minimum(tf.floor(restored), 255.0)
    return tf.concat([tf.where(alpha == 0.0, colour, restored), alpha], axis=-1)
