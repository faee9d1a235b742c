"""Resamples an image by one affine transform, the way the classic generator asks SciPy for it.

    matrix = affine_matrix(height, width, theta=20.0, tx=3.0)
    image = affine_transform(image, matrix, order=1, fill_mode="nearest", flip_horizontal=True)

The result is what `scipy.ndimage.affine_transform` gives, channel by channel, but computed by TensorFlow ops:
eagerly, in a `tf.function`, inside `Dataset.map`. Compiled by XLA (`ops.xla.compiled`), it is two to three
times as fast. Values may be in any range; coordinates are in pixels, angles in degrees.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tfpipe.checks import check_one_of
from tfpipe.ops.matrix import as_float64, split
from tfpipe.ops.spline import padding, spline_coefficients, spline_weights
from tfpipe.ops.warp_spec import FILL_MODES, ORDERS


def affine_transform(
    image: Any,
    matrix: Any,
    *,
    order: int = 1,
    fill_mode: str = "nearest",
    cval: Any = 0.0,
    flip_horizontal: Any = False,
    flip_vertical: Any = False,
) -> tf.Tensor:
    """Resamples an image once, as `scipy.ndimage.affine_transform` does each of its channels.

    Agreement with SciPy on 0..255: order 0 reads the same pixel, the others agree within 0.001 for float32
    and 1e-9 for float64. Coordinates are always float64: in float32 a 0 can become -1e-6, which is
    outside in "constant", and order 0 would take the wrong neighbor.

    Args:
        image: [H, W, C], static shape, or a batch [B, H, W, C]. float32, float64 or uint8, any range.
        matrix: [2, 3] or [B, 2, 3], output (row, column) to input (row, column), as `affine_matrix`
            returns it.
        order: 0 (nearest pixel), 1 (linear), 2 to 5 (B-splines of that degree).
        fill_mode: what lies outside, SciPy's `mode`: "nearest" aaa|abcd|ddd, "reflect" cba|abcd|dcb,
            "wrap" repeats with period length - 1, "constant" is `cval` wherever a coordinate is
            outside [0, length - 1], without blending at the border.
        cval: the value for "constant", a number or a scalar tensor.
        flip_horizontal: whether to mirror the result left to right, a Python bool, or a tensor [] or
            [B]. It costs nothing and equals flipping afterward, bit for bit.
        flip_vertical: the same, top to bottom.

    Returns:
        The image's shape, float64 for a float64 image, else float32. Orders 2 to 5 may overshoot the
        range.

    Raises:
        ValueError: the order or fill_mode is not allowed, or [H, W, C] is not static.
        TypeError: the dtype is not allowed.

    >>> image = tf.reshape(tf.range(6.0), [2, 3, 1])
    >>> from tfpipe.ops.matrix import affine_matrix
    >>> affine_transform(image, affine_matrix(2, 3, tx=0.5))[..., 0].numpy().tolist()
    [[0.5, 1.5, 2.0], [3.5, 4.5, 5.0]]
    """
    image = tf.convert_to_tensor(image)
    _check(image, order, fill_mode)
    dtype = tf.float64 if image.dtype == tf.float64 else tf.float32
    height, width, channels = image.shape[-3:]
    row_stride, column_stride = width, 1
    if order > 1:
        # Transposed, [W, H, C]: transposing them back would cost more than reading them this way.
        image = spline_coefficients(tf.cast(image, dtype), order, fill_mode)
        row_stride, column_stride = 1, image.shape[-2]
    rows = _output_indices(height, flip_vertical)[..., tf.newaxis]
    columns = _output_indices(width, flip_horizontal)
    if columns.shape.rank > 1:  # [1, W] for a single image would make XLA's code half as fast
        columns = columns[:, tf.newaxis, :]
    matrix = as_float64(matrix)
    batch = [] if image.shape.rank == 3 else [tf.shape(image)[0]]

    def places() -> tuple[tf.Tensor, ...]:
        row, column = _input_coordinates(matrix, rows, columns)
        inside = [_is_inside(row, height) & _is_inside(column, width)] * (fill_mode == "constant")
        first_row, first_column = (
            _first_tap(coordinate, size, order, fill_mode, dtype)
            for coordinate, size in ((row, height), (column, width))
        )
        return tf.reshape(image, [-1, channels]), *first_row, *first_column, *inside

    def nothing() -> tuple[tf.Tensor, ...]:
        kinds = (tf.int32, dtype, tf.int32, dtype) + (tf.bool,) * (fill_mode == "constant")
        flat = tf.zeros_like(tf.reshape(image, [-1, channels]))
        return flat, *(tf.zeros([*batch, height, width], kind) for kind in kinds)

    # Left to itself, XLA fuses everything into one loop over the pixels. There the coordinates, one by one,
    # and the division of each flat index into row and column take longer than the pixels: 0.7 ms for
    # 224x224x3 with TensorFlow 2.17, 0.3 ms with 2.21. A branch is never fused with what follows, so these
    # become loops of their own, which vectorize: 0.4 and 0.27 ms. XLA's optimization barrier does not help,
    # because on the CPU it is gone before the fusion.
    is_finite = tf.reduce_all(tf.math.is_finite(matrix))
    pixels, row, row_fraction, column, column_fraction, *inside = tf.cond(
        is_finite, places, nothing
    )
    if batch:  # each image begins further down among the pixels
        size = math.prod(image.shape[1:3])
        begins = tf.range(batch[0])[:, tf.newaxis, tf.newaxis] * size
    row_taps = _taps(row, row_fraction, height, order, fill_mode)
    column_taps = _taps(column, column_fraction, width, order, fill_mode)
    lines = []
    for i, row_weight in row_taps:
        first = i * row_stride + begins if batch else i * row_stride
        line = [
            tf.cast(tf.gather(pixels, first + j * column_stride), dtype) * column_weight
            for j, column_weight in column_taps
        ]
        lines.append(tf.add_n(line) * row_weight)
    result = tf.add_n(lines)
    if inside:
        result = tf.where(inside[0][..., tf.newaxis], result, tf.cast(as_float64(cval), dtype))
    return tf.ensure_shape(result, [*image.shape[:-3], height, width, channels])


def _check(image: tf.Tensor, order: int, fill_mode: str) -> None:
    check_one_of("order", order, ORDERS)
    check_one_of("fill_mode", fill_mode, FILL_MODES)
    if image.shape.rank not in (3, 4) or None in image.shape[-3:]:
        raise ValueError(
            "image must have a static shape [height, width, channels], with or without a batch dimension. "
            f"Received: shape={image.shape}. Call tf.ensure_shape on it first."
        )
    if image.dtype not in (tf.float32, tf.float64, tf.uint8):
        received = f"Received: dtype={image.dtype.name}."
        raise TypeError(f"image must be float32, float64 or uint8. {received}")


def _output_indices(size: int, flip: Any) -> tf.Tensor:
    indices = tf.range(size)
    flip = tf.cast(flip, tf.bool)
    return tf.where(flip[..., tf.newaxis], size - 1 - indices, indices)


def _input_coordinates(
    matrix: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the input row and column of each output pixel, float64 [..., H, W], rounded as SciPy does."""
    negative = -matrix  # for a difference, because a caller's Grappler reorders a sum of three

    def part(matrix: tf.Tensor, axis: int, place: int) -> tf.Tensor:
        value = matrix[..., axis, place]
        return value[:, tf.newaxis, tf.newaxis] if value.shape.rank else value

    row, column = (
        (part(matrix, axis, 2) - _rounded_product(rows, part(negative, axis, 0)))
        - _rounded_product(columns, part(negative, axis, 1))
        for axis in (0, 1)
    )
    return row, column


def _rounded_product(index: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Returns a product that is rounded before anything is added to it.

    XLA fuses a product and a sum into one instruction that rounds once; SciPy's build does not. On
    a border, or halfway between two pixels, that last bit selects another pixel. Both products here
    are exact (27 and 26 bits times at most 26), so only their sum is rounded, fused or not.
    """
    index = as_float64(index)
    high, low = split(factor, 26)
    return index * high + index * low


def _is_inside(coordinate: tf.Tensor, size: int) -> tf.Tensor:
    return (coordinate >= 0.0) & (coordinate <= size - 1.0)


def _first_tap(
    coordinate: tf.Tensor, size: int, order: int, fill_mode: str, dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the index of the first tap along one axis, int32 [H, W], and where the weights are taken."""
    pad = padding(order, fill_mode)
    coordinate = _fold(coordinate + float(pad), size + 2 * pad, order, fill_mode)
    half = 0.0 if order % 2 else 0.5
    knot = tf.floor(coordinate + half)
    return tf.cast(knot, tf.int32) - order // 2, tf.cast(coordinate - knot + half, dtype)


def _taps(
    start: tf.Tensor, fraction: tf.Tensor, size: int, order: int, fill_mode: str
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Returns the order + 1 taps along one axis, each with its index, int32 [H, W], and weight, [H, W, 1]."""
    size += 2 * padding(order, fill_mode)
    weights = spline_weights(fraction[..., tf.newaxis], order)
    return [(_fold_tap(start + k, size, order, fill_mode), w) for k, w in enumerate(weights)]


def _fold(coordinate: tf.Tensor, size: int, order: int, fill_mode: str) -> tf.Tensor:
    """Moves coordinates to where they have taps, like map_coordinate in SciPy's ni_interpolation.c."""
    last = size - 1.0
    if fill_mode == "nearest":
        # The taps repeat the edge by themselves; this keeps wild coordinates within an int32.
        reach = float(order) if order > 1 else 0.0
        return tf.clip_by_value(coordinate, -reach, last + reach)
    if fill_mode == "constant" or size == 1:
        return tf.clip_by_value(coordinate, 0.0, last)
    if fill_mode == "reflect":
        # Reflects about -0.5 and size - 0.5, so up to half a pixel outside, where the outer tap is an edge.
        folded = _remainder(coordinate, 2.0 * size)
        below = tf.where(folded < -size, folded + 2.0 * size, tf.maximum(-folded, 1e-15) - 1.0)
        above = tf.where(folded >= size, 2.0 * size - folded - 1.0, folded)
        folded = tf.where(coordinate < 0.0, below, above)
    else:
        folded = _remainder(coordinate, last)
        folded = tf.where(coordinate < 0.0, folded + last, folded)
    return tf.where(_is_inside(coordinate, size), coordinate, folded)


def _remainder(value: tf.Tensor, period: float) -> tf.Tensor:
    """Computes C's fmod exactly, without the library call that XLA would make for every pixel."""
    size = tf.abs(value)
    rest = size - tf.floor(size / period) * period
    # XLA multiplies by 1 / period instead, so the quotient may be one off at a multiple.
    rest = tf.where(rest < 0.0, rest + period, tf.where(rest >= period, rest - period, rest))
    return tf.where(value < 0.0, -rest, rest)


def _fold_tap(index: tf.Tensor, size: int, order: int, fill_mode: str) -> tf.Tensor:
    """Moves a tap that is outside the array inside; coefficients mirror for "constant" and "wrap", too."""
    if order < 2 or fill_mode == "nearest" or size == 1:
        return tf.clip_by_value(index, 0, size - 1)
    if fill_mode == "reflect":
        index = tf.math.floormod(index, 2 * size)
        return tf.minimum(index, 2 * size - 1 - index)
    index = tf.math.floormod(index, 2 * size - 2)
    return tf.minimum(index, 2 * size - 2 - index)
