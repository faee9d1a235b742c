"""The matrices of affine resamplings, which say where each output pixel comes from.

    crop = crop_matrix(height, width, 0.1, 0.1, 0.8, 0.8)
    matrix = composed(crop, affine_matrix(height, width, theta=20.0))

Coordinates are in pixels, (row, column); angles are in degrees. Everything is float64, because the last bit
can decide which of two pixels is read. Parameters are numbers, or tensors: [] for one image, [B] for a batch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf


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
    """Returns the matrix for `affine_transform`, which says where each output pixel comes from.

    The classic's R(theta) @ T(tx, ty) @ S(shear) @ Z(zx, zy) acts on (x, y) = (column, row), from
    output to input: tx = 5 moves the picture five columns to the left, zx = 0.5 doubles its width.
    It acts about the true center, ((width - 1) / 2, (height - 1) / 2); the classic swaps these two
    coordinates, which matters unless the image is square. The flips mirror the output, after
    everything else.

    Args: Python numbers or scalar tensors of any real dtype; bools for the flips. Tensors [B] make a
        matrix for each image of a batch.
        height: of the image, in pixels.
        width: of the image, in pixels.
        theta: rotation in degrees.
        tx: shift along the columns, in pixels; ty: along the rows.
        shear: shear angle in degrees, S = [[1, -sin], [0, cos]].
        zx: scale of the columns, where values below 1 enlarge; zy: of the rows.
        flip_horizontal: whether to mirror left to right; flip_vertical: top to bottom. A flip alone is
            exact; with other parameters, prefer the flips of `affine_transform`, which are always exact.

    Returns:
        float64 [2, 3] or [B, 2, 3]: input (row, column) = matrix[:, :2] @ output (row, column) +
        matrix[:, 2].

    >>> affine_matrix(3, 5, tx=1.0, flip_vertical=True).numpy().tolist()
    [[-1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]
    """
    last_row, last_column = as_float64(height) - 1.0, as_float64(width) - 1.0
    theta, shear, tx, ty, zx, zy, centre_y, centre_x = _of_one_shape(
        [theta, shear, tx, ty, zx, zy, last_row / 2.0, last_column / 2.0]
    )
    theta, shear = theta * (math.pi / 180.0), shear * (math.pi / 180.0)

    # In the classic's own order, because the last bit decides which of two pixels order 0 takes on a
    # tie. A shorter version differed in 36 of 2,400 round-numbered cases (theta=45). add_n, because
    # Grappler (in a caller's tf.function) moves a constant that is added with + into the sum beside it.
    cos, sin = tf.cos(theta), tf.sin(theta)
    shear_cos, shear_sin = tf.cos(shear), tf.sin(shear)
    # As vectors, because each op of a compiled pass is inspected again whenever an iterator starts.
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

    mirror_x, mirror_y = as_float64(flip_horizontal), as_float64(flip_vertical)
    skip_x, skip_y = -mirror_x * last_column, -mirror_y * last_row
    sign_x, sign_y = 1.0 - 2.0 * mirror_x, 1.0 - 2.0 * mirror_y
    row = [yy * sign_y, yx * sign_x, y0 - yx * skip_x - yy * skip_y]
    column = [xy * sign_y, xx * sign_x, x0 - xx * skip_x - xy * skip_y]
    return _matrix(row, column)


def crop_matrix(height: int, width: int, x: Any, y: Any, share_x: Any, share_y: Any) -> tf.Tensor:
    """Returns the matrix that stretches a part of an image over all of it.

    It says where each output pixel comes from. Pixels have half-pixel centers, so the edges of the part land
    on the edges of the image.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        x, y: the left and the upper edge of the part, as fractions of the width and of the height.
        share_x, share_y: its width and height, likewise. Numbers, or tensors [] or [B].

    Returns:
        float64 [2, 3] or [B, 2, 3], as `affine_matrix`.

    >>> crop_matrix(4, 8, 0.5, 0.0, 0.5, 1.0).numpy().tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.5, 3.75]]
    """
    x, y, share_x, share_y = _of_one_shape([x, y, share_x, share_y])
    none = tf.zeros_like(x)
    row = [share_y, none, y * height + (share_y - 1.0) / 2.0]
    return _matrix(row, [none, share_x, x * width + (share_x - 1.0) / 2.0])


def centred_matrix(
    height: int, width: int, xx: Any, xy: Any, yx: Any, yy: Any, tx: Any, ty: Any
) -> tf.Tensor:
    """Returns the matrix of x' = xx * x + xy * y + tx, y' = yx * x + yy * y + ty about the center.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        xx, xy, yx, yy: numbers, or tensors [] or [B]; tx, ty: the same, in pixels.

    Returns:
        float64 [2, 3] or [B, 2, 3], as `affine_matrix`.

    >>> centred_matrix(3, 5, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0).numpy().tolist()
    [[1.0, 0.0, 0.0], [0.0, -1.0, 4.0]]
    """
    xx, xy, yx, yy, tx, ty = _of_one_shape([xx, xy, yx, yy, tx, ty])
    x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    row = [yy, yx, ty + y - yx * x - yy * y]
    return _matrix(row, [xy, xx, tx + x - xx * x - xy * y])


def composed(first: tf.Tensor, then: tf.Tensor) -> tf.Tensor:
    """Returns the matrix that does to an image, in one pass, what `first` does and then what `then` does.

    Args:
        first, then: float64 [..., 2, 3].

    Returns:
        float64 [..., 2, 3].

    >>> half = crop_matrix(4, 4, 0.0, 0.0, 0.5, 0.5)
    >>> composed(half, half).numpy().tolist() == crop_matrix(4, 4, 0.0, 0.0, 0.25, 0.25).numpy().tolist()
    True
    """
    linear = first[..., :2]
    product = tf.reduce_sum(linear[..., tf.newaxis] * then[..., tf.newaxis, :, :], axis=-2)
    return product + tf.concat([tf.zeros_like(linear), first[..., 2:]], -1)


def as_float64(value: Any) -> tf.Tensor:
    # tf.cast would take a Python float through float32: 0.9 becomes 0.89999998.
    return tf.cast(value if tf.is_tensor(value) else np.asarray(value, np.float64), tf.float64)


def _of_one_shape(values: list[Any]) -> list[tf.Tensor]:
    """Returns the values as float64, all of them scalars or all of them [B]."""
    tensors = [as_float64(value) for value in values]
    batches = [tensor for tensor in tensors if tensor.shape.rank]
    return [tf.broadcast_to(t, tf.shape(batches[0])) for t in tensors] if batches else tensors


def _matrix(row: list[tf.Tensor], column: list[tf.Tensor]) -> tf.Tensor:
    flat = tf.stack(row + column, axis=-1)
    return tf.reshape(
        flat, tf.concat([tf.shape(flat)[:-1], [2, 3]], 0) if flat.shape.rank > 1 else [2, 3]
    )


def _dot(a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor) -> tf.Tensor:
    """Computes a * b + c * d as the classic's np.dot rounds it: after a * b, then once (fused) for the rest.

    It is made of exact products, which do not depend on whether XLA fuses them, and of differences, because
    Grappler reorders sums of sums.
    """
    (a, a_low), (b, b_low), (c, c_low), (d, d_low) = (split(value, 27) for value in (a, b, c, d))
    first = a * b - (-a * b_low - a_low * b - a_low * b_low)
    second = c * d
    total = first + second
    lost = (first - (total - (total - first))) + (second - (total - first))
    return total - ((-c * d_low - c_low * d - c_low * d_low) - lost)


def split(value: tf.Tensor, bits: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits a float64 into a value without its last bits and the rest; products of such parts are exact."""
    kept = tf.bitwise.bitwise_and(tf.bitcast(value, tf.int64), -(1 << bits))
    return tf.bitcast(kept, tf.float64), value - tf.bitcast(kept, tf.float64)
