"""One affine resampling of an image, the way the classic generator asks SciPy for it.

    matrix = affine_matrix(height, width, theta=20.0, tx=3.0)
    image = affine_transform(image, matrix, order=1, fill_mode="nearest", flip_horizontal=True)

The result is that of `scipy.ndimage.affine_transform`, channel by channel, but in TensorFlow ops:
eagerly, in a `tf.function`, inside `Dataset.map`. `compiled_affine_transform` is the same function
under XLA, two to three times as fast. Any value range; coordinates in pixels, angles in degrees.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_one_of

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
ORDERS = (0, 1, 2, 3, 4, 5)

# Poles of the recursive filter from samples to B-spline coefficients (Unser, Aldroubi & Eden 1991).
_SPLINE_POLES = {
    2: (math.sqrt(8.0) - 3.0,),
    3: (math.sqrt(3.0) - 2.0,),
    4: (
        math.sqrt(664.0 - math.sqrt(438976.0)) + math.sqrt(304.0) - 19.0,
        math.sqrt(664.0 + math.sqrt(438976.0)) - math.sqrt(304.0) - 19.0,
    ),
    5: (
        math.sqrt(67.5 - math.sqrt(4436.25)) + math.sqrt(26.25) - 6.5,
        math.sqrt(67.5 + math.sqrt(4436.25)) - math.sqrt(26.25) - 6.5,
    ),
}


def affine_matrix(
    height: Any,
    width: Any,
    *,
    theta: Any = 0.0,
    tx: Any = 0.0,
    ty: Any = 0.0,
    shear: Any = 0.0,
    zx: Any = 1.0,
    zy: Any = 1.0,
    flip_horizontal: Any = False,
    flip_vertical: Any = False,
) -> tf.Tensor:
    """Where each output pixel comes from: the matrix for `affine_transform`.

    The classic's R(theta) @ T(tx, ty) @ S(shear) @ Z(zx, zy) acts on (x, y) = (column, row), from
    output to input: tx = 5 moves the picture five columns to the left, zx = 0.5 doubles its width.
    It acts about the true centre, ((width - 1) / 2, (height - 1) / 2), where the classic swaps the
    two unless the image is square. The flips mirror the output, after all the rest.

    Args: Python numbers or scalar tensors of any real dtype; bools for the flips.
        height: of the image, in pixels.
        width: of the image, in pixels.
        theta: rotation in degrees.
        tx: shift along the columns, in pixels; ty: along the rows.
        shear: shear angle in degrees, S = [[1, -sin], [0, cos]].
        zx: scale of the columns, below 1 enlarges; zy: of the rows.
        flip_horizontal: mirrors left to right; flip_vertical: top to bottom. A flip alone is exact;
            with other parameters prefer the flips of `affine_transform`, which always are.

    Returns:
        float64 [2, 3]: input (row, column) = matrix[:, :2] @ output (row, column) + matrix[:, 2].

    >>> affine_matrix(3, 5, tx=1.0, flip_vertical=True).numpy().tolist()
    [[-1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]
    """
    theta, shear = (_float64(angle) * (math.pi / 180.0) for angle in (theta, shear))
    tx, ty, zx, zy = (_float64(value) for value in (tx, ty, zx, zy))
    last_row, last_column = _float64(height) - 1.0, _float64(width) - 1.0
    centre_y, centre_x = last_row / 2.0, last_column / 2.0

    # In the classic's own order: the last bit decides which of two pixels order 0 takes on a tie.
    # Of 2,400 round-numbered cases (theta=45) 36 differed when it was shorter. add_n, because
    # Grappler moves a constant that is added with + into the sum beside it.
    cos, sin = tf.cos(theta), tf.sin(theta)
    shear_cos, shear_sin = tf.cos(shear), tf.sin(shear)
    # As vectors: each op of a compiled pass is looked at anew whenever an iterator starts.
    first, second = tf.stack([cos, sin, cos, sin]), tf.stack([-sin, cos, -sin, cos])
    turned = _dot(
        first,
        tf.stack([-shear_sin, -shear_sin, tx, tx]),
        second,
        tf.stack([shear_cos, shear_cos, ty, ty]),
    )
    sheared_x, sheared_y, shift_x, shift_y = tf.unstack(turned)
    xx, xy = cos * zx, sheared_x * zy
    yx, yy = sin * zx, sheared_y * zy
    centred = _dot(tf.stack([xx, yx]), centre_x, tf.stack([xy, yy]), centre_y)
    x0 = tf.add_n([shift_x, centre_x]) - centred[0]
    y0 = tf.add_n([shift_y, centre_y]) - centred[1]

    mirror_x, mirror_y = _float64(flip_horizontal), _float64(flip_vertical)
    skip_x, skip_y = -mirror_x * last_column, -mirror_y * last_row
    sign_x, sign_y = 1.0 - 2.0 * mirror_x, 1.0 - 2.0 * mirror_y
    row = [yy * sign_y, yx * sign_x, y0 - yx * skip_x - yy * skip_y]
    column = [xy * sign_y, xx * sign_x, x0 - xx * skip_x - xy * skip_y]
    return tf.reshape(tf.stack(row + column), [2, 3])


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

    Agreement with SciPy on 0..255: order 0 the same pixel, the others within 0.001 for float32 and
    1e-9 for float64. Coordinates are always float64: in float32 a 0 can become -1e-6, which is
    outside in "constant", and order 0 would take the wrong neighbour.

    Args:
        image: [H, W, C], static shape. float32, float64 or uint8, any range.
        matrix: [2, 3], output (row, column) to input (row, column), as `affine_matrix` returns it.
        order: 0 (nearest pixel), 1 (linear), 2 to 5 (B-splines of that degree).
        fill_mode: what is outside, SciPy's `mode`: "nearest" aaa|abcd|ddd, "reflect" cba|abcd|dcb,
            "wrap" repeats with period length - 1, "constant" is `cval` wherever a coordinate is
            outside [0, length - 1], without blending at the border.
        cval: the value for "constant", a number or a scalar tensor.
        flip_horizontal: mirror the result left to right, a Python bool or a scalar tensor. It costs
            nothing and equals flipping afterwards bit for bit.
        flip_vertical: the same, top to bottom.

    Returns:
        [H, W, C], float64 for a float64 image, else float32. Orders 2 to 5 may overshoot the range.

    Raises:
        ValueError: another order or fill_mode, or no static shape [H, W, C].
        TypeError: another dtype.

    >>> image = tf.reshape(tf.range(6.0), [2, 3, 1])
    >>> affine_transform(image, affine_matrix(2, 3, tx=0.5))[..., 0].numpy().tolist()
    [[0.5, 1.5, 2.0], [3.5, 4.5, 5.0]]
    """
    image = tf.convert_to_tensor(image)
    _check(image, order, fill_mode)
    dtype = tf.float64 if image.dtype == tf.float64 else tf.float32
    height, width, channels = image.shape
    row_stride, column_stride = width, 1
    if order > 1:
        # Transposed, [W, H, C]: turning them back would cost more than reading them so.
        image = _spline_coefficients(tf.cast(image, dtype), order, fill_mode)
        row_stride, column_stride = 1, image.shape[1]
    rows, columns = _output_indices(height, flip_vertical), _output_indices(width, flip_horizontal)
    matrix = _float64(matrix)

    def places() -> tuple[tf.Tensor, ...]:
        row, column = _input_coordinates(matrix, rows[:, tf.newaxis], columns)
        inside = [_is_inside(row, height) & _is_inside(column, width)] * (fill_mode == "constant")
        first_row, first_column = (
            _first_tap(coordinate, size, order, fill_mode, dtype)
            for coordinate, size in ((row, height), (column, width))
        )
        return tf.reshape(image, [-1, channels]), *first_row, *first_column, *inside

    flat = tf.TensorSpec([math.prod(image.shape[:2]), channels], image.dtype)
    kinds = (tf.int32, dtype, tf.int32, dtype) + (tf.bool,) * (fill_mode == "constant")
    specs = (flat, *(tf.TensorSpec([height, width], kind) for kind in kinds))
    pixels, row, row_fraction, column, column_fraction, *inside = _once(matrix, places, specs)
    row_taps = _taps(row, row_fraction, height, order, fill_mode)
    column_taps = _taps(column, column_fraction, width, order, fill_mode)
    lines = []
    for i, row_weight in row_taps:
        line = [
            tf.cast(tf.gather(pixels, i * row_stride + j * column_stride), dtype) * column_weight
            for j, column_weight in column_taps
        ]
        lines.append(tf.add_n(line) * row_weight)
    result = tf.add_n(lines)
    if inside:
        result = tf.where(inside[0][..., tf.newaxis], result, tf.cast(_float64(cval), dtype))
    return result


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` under XLA, compiled once a signature: shapes, dtypes, Python values it is given.

    Make it once, outside the function given to `Dataset.map`, and call it there with tensors of
    static shape; what varies from image to image (the matrix) must be a tensor. Several ops in one
    compiled function cost less than one compiled function after the other.

    >>> halve = compiled(lambda image: image / 2.0)
    >>> halve(tf.constant([3.0])).numpy().tolist()
    [1.5]
    """
    # AutoGraph has nothing to rewrite here, and warns of a lambda whose source it cannot find.
    result: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return result


compiled_affine_transform = compiled(affine_transform)


@functools.cache
def xla_available() -> bool:
    """Whether this TensorFlow compiles for the CPU; the plain functions give the same values.

    >>> xla_available() in (True, False)
    True
    """
    try:
        with tf.init_scope(), tf.device("CPU"):
            compiled(tf.identity)(tf.zeros([1]))
    except (tf.errors.OpError, ValueError):
        return False
    return True


def _check(image: tf.Tensor, order: int, fill_mode: str) -> None:
    check_one_of("order", order, ORDERS)
    check_one_of("fill_mode", fill_mode, FILL_MODES)
    if image.shape.rank != 3 or not image.shape.is_fully_defined():
        raise ValueError(
            "image must have a static shape [height, width, channels]. "
            f"Received: shape={image.shape}. Call tf.ensure_shape on it first."
        )
    if image.dtype not in (tf.float32, tf.float64, tf.uint8):
        received = f"Received: dtype={image.dtype.name}."
        raise TypeError(f"image must be float32, float64 or uint8. {received}")


def _float64(value: Any) -> tf.Tensor:
    # tf.cast would take a Python float through float32: 0.9 becomes 0.89999998.
    return tf.cast(value if tf.is_tensor(value) else np.asarray(value, np.float64), tf.float64)


def _dot(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor) -> tf.Tensor:
    """As the classic's np.dot rounds a * b + c * d: after a * b, then once (fused) for the rest.

    Of exact products, whether XLA fuses or not; of differences, as Grappler reorders sums of sums.
    """
    (a, a_low), (b, b_low), (c, c_low), (d, d_low) = (_split(value, 27) for value in (a, b, c, d))
    first = a * b - (-a * b_low - a_low * b - a_low * b_low)
    second = c * d
    total = first + second
    lost = (first - (total - (total - first))) + (second - (total - first))
    return total - ((-c * d_low - c_low * d - c_low * d_low) - lost)


def _split(value: tf.Tensor, bits: int) -> tuple[tf.Tensor, tf.Tensor]:
    """A float64 without its last bits, and these; products of such parts are exact."""
    kept = tf.bitwise.bitwise_and(tf.bitcast(value, tf.int64), -(1 << bits))
    return tf.bitcast(kept, tf.float64), value - tf.bitcast(kept, tf.float64)


def _output_indices(size: int, flip: Any) -> tf.Tensor:
    indices = tf.range(size)
    return tf.where(tf.cast(flip, tf.bool), size - 1 - indices, indices)


def _input_coordinates(
    matrix: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The input row and column of each output pixel, float64 [H, W], rounded as SciPy does."""
    negative = -matrix  # a difference: Grappler reorders a sum of three
    row, column = (
        (matrix[axis, 2] - _rounded_product(rows, negative[axis, 0]))
        - _rounded_product(columns, negative[axis, 1])
        for axis in (0, 1)
    )
    return row, column


def _rounded_product(index: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """The product, rounded before anything is added to it.

    XLA fuses a product and a sum into one instruction that rounds once; SciPy's build does not. On
    a border, or half-way between two pixels, that last bit is another pixel. Both products here are
    exact (27 and 26 bits by at most 26), so only their sum is rounded, fused or not.
    """
    index = _float64(index)
    high, low = _split(factor, 26)
    return index * high + index * low


def _is_inside(coordinate: tf.Tensor, size: int) -> tf.Tensor:
    return (coordinate >= 0.0) & (coordinate <= size - 1.0)


def _first_tap(
    coordinate: tf.Tensor, size: int, order: int, fill_mode: str, dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor]:
    """Along one axis, the index of the first tap, int32 [H, W], and where the weights are taken."""
    padding = _padding(order, fill_mode)
    coordinate = _fold(coordinate + float(padding), size + 2 * padding, order, fill_mode)
    half = 0.0 if order % 2 else 0.5
    knot = tf.floor(coordinate + half)
    return tf.cast(knot, tf.int32) - order // 2, tf.cast(coordinate - knot + half, dtype)


def _taps(
    start: tf.Tensor, fraction: tf.Tensor, size: int, order: int, fill_mode: str
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """The order + 1 taps along one axis: index int32 [H, W] and weight [H, W, 1] of each."""
    size += 2 * _padding(order, fill_mode)
    weights = _spline_weights(fraction[..., tf.newaxis], order)
    return [(_fold_tap(start + k, size, order, fill_mode), w) for k, w in enumerate(weights)]


def _once(
    matrix: tf.Tensor, places: Callable[[], tuple[tf.Tensor, ...]], specs: tuple[tf.TensorSpec, ...]
) -> tuple[tf.Tensor, ...]:
    """`places()`, in memory before anything is made of it; zeros where the matrix is not finite.

    Left to itself, XLA fuses all into one loop over the pixels, in which the coordinates, one by one,
    and the division of each flat index into row and column take longer than the pixels: 0.7 ms
    for 224x224x3 with TensorFlow 2.17, 0.3 ms with 2.21. A branch is never fused with what follows, so
    these become loops of their own, which vectorise: 0.38 and 0.27 ms. XLA's optimisation barrier
    does not do it: on the CPU it is gone before the fusion.
    """
    nothing = tuple(tf.zeros(spec.shape, spec.dtype) for spec in specs)
    return tf.cond(tf.reduce_all(tf.math.is_finite(matrix)), places, lambda: nothing)


def _fold(coordinate: tf.Tensor, size: int, order: int, fill_mode: str) -> tf.Tensor:
    """Coordinates brought to where they have taps: map_coordinate of SciPy's ni_interpolation.c."""
    last = size - 1.0
    if fill_mode == "nearest":
        # The taps repeat the edge by themselves; this keeps wild coordinates within an int32.
        reach = float(order) if order > 1 else 0.0
        return tf.clip_by_value(coordinate, -reach, last + reach)
    if fill_mode == "constant" or size == 1:
        return tf.clip_by_value(coordinate, 0.0, last)
    if fill_mode == "reflect":
        # About -0.5 and size - 0.5, so up to half a pixel outside, where the outer tap is an edge.
        folded = _remainder(coordinate, 2.0 * size)
        below = tf.where(folded < -size, folded + 2.0 * size, tf.maximum(-folded, 1e-15) - 1.0)
        above = tf.where(folded >= size, 2.0 * size - folded - 1.0, folded)
        folded = tf.where(coordinate < 0.0, below, above)
    else:
        folded = _remainder(coordinate, last)
        folded = tf.where(coordinate < 0.0, folded + last, folded)
    return tf.where(_is_inside(coordinate, size), coordinate, folded)


def _remainder(value: tf.Tensor, period: float) -> tf.Tensor:
    """C's fmod, exact, without the library call that XLA would make of it for every pixel."""
    size = tf.abs(value)
    rest = size - tf.floor(size / period) * period
    # XLA multiplies by 1 / period instead, so the quotient may be one off at a multiple.
    rest = tf.where(rest < 0.0, rest + period, tf.where(rest >= period, rest - period, rest))
    return tf.where(value < 0.0, -rest, rest)


def _fold_tap(index: tf.Tensor, size: int, order: int, fill_mode: str) -> tf.Tensor:
    """A tap outside the array brought in: coefficients mirror for "constant" and "wrap" too."""
    if order < 2 or fill_mode == "nearest" or size == 1:
        return tf.clip_by_value(index, 0, size - 1)
    if fill_mode == "reflect":
        index = tf.math.floormod(index, 2 * size)
        return tf.minimum(index, 2 * size - 1 - index)
    index = tf.math.floormod(index, 2 * size - 2)
    return tf.minimum(index, 2 * size - 2 - index)


def _spline_weights(fraction: tf.Tensor, order: int) -> list[tf.Tensor]:
    """The uniform B-spline of that degree at its order + 1 taps, by de Boor's recursion."""
    weights = [tf.ones_like(fraction)]
    for p in range(1, order + 1):
        rising = [(fraction + float(p - k)) / p * weights[k - 1] for k in range(1, p + 1)]
        falling = [(k + 1.0 - fraction) / p * weights[k] for k in range(p)]
        weights = [falling[0], *map(tf.add, rising[:-1], falling[1:]), rising[-1]]
    return weights


def _padding(order: int, fill_mode: str) -> int:
    # SciPy has no exact spline boundary for "nearest": it repeats the edge before the prefilter.
    return 12 if order > 1 and fill_mode == "nearest" else 0


def _spline_coefficients(image: tf.Tensor, order: int, fill_mode: str) -> tf.Tensor:
    """B-spline coefficients of [H, W, C], transposed, padded: [W + 2 * pad, H + 2 * pad, C]."""
    height, width, channels = image.shape
    rows = tf.constant(_prefilter_matrix(height, order, fill_mode), image.dtype)
    columns = tf.constant(_prefilter_matrix(width, order, fill_mode), image.dtype)
    image = rows @ tf.reshape(image, [height, width * channels])
    image = tf.transpose(tf.reshape(image, [-1, width, channels]), [1, 0, 2])
    image = columns @ tf.reshape(image, [width, -1])
    return tf.reshape(image, [columns.shape[0], rows.shape[0], channels])


@functools.lru_cache(maxsize=32)
def _prefilter_matrix(size: int, order: int, fill_mode: str) -> np.ndarray:
    """SciPy's spline filter along one axis (ni_splines.c) as a float64 matrix [size + pad, size].

    The filter is linear: it is run here on the identity, once a size, and the graph multiplies.
    """
    padding = _padding(order, fill_mode)
    lines = np.pad(np.eye(size), ((padding, padding), (0, 0)), mode="edge")
    if len(lines) > 1:
        for pole in _SPLINE_POLES[order]:
            half_sample = fill_mode in ("nearest", "reflect")
            lines = _filter_lines(lines * (1.0 - pole) * (1.0 - 1.0 / pole), pole, half_sample)
    return lines


def _filter_lines(lines: np.ndarray, pole: float, half_sample: bool) -> np.ndarray:
    """One pole, down and up the rows, which mirror without end: cba|abc, or else cb|abc."""
    size = len(lines)
    out = lines.copy()
    out[0] = _first_half_sample(lines, pole) if half_sample else _first_whole_sample(lines, pole)
    for i in range(1, size):
        out[i] += pole * out[i - 1]
    if half_sample:
        out[-1] *= pole / (pole - 1.0)
    else:
        out[-1] = (out[-1] + pole * out[-2]) * pole / (pole * pole - 1.0)
    for i in reversed(range(size - 1)):
        out[i] = pole * (out[i + 1] - out[i])
    return out


def _first_whole_sample(lines: np.ndarray, pole: float) -> np.ndarray:
    period = 2 * len(lines) - 2
    steps = np.arange(period)
    first: np.ndarray = pole**steps @ lines[np.minimum(steps, period - steps)]
    return first / (1.0 - pole**period)


def _first_half_sample(lines: np.ndarray, pole: float) -> np.ndarray:
    # SciPy sums in place, so its last term meets the sum where it wants the first row. Kept: below
    # 8 rows it shows, by up to 1% of the range.
    size = len(lines)
    total = np.zeros_like(lines[0])
    for i in range(size):
        partner = total if i == size - 1 else lines[-1 - i]
        total = total + pole**i * (lines[i] + pole**size * partner)
    return lines[0] + total * pole / (1.0 - pole ** (2 * size))
