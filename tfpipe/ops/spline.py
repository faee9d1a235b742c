"""B-splines of degree 2 to 5, as SciPy's ndimage resamples with them: coefficients and weights.

The filter from samples to coefficients is linear. It runs once per size, on the identity matrix, and the
graph multiplies by the result.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import tensorflow as tf

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


def spline_weights(fraction: tf.Tensor, order: int) -> list[tf.Tensor]:
    """Computes the uniform B-spline of degree `order` at its order + 1 taps, by de Boor's recursion."""
    weights = [tf.ones_like(fraction)]
    for p in range(1, order + 1):
        rising = [(fraction + float(p - k)) / p * weights[k - 1] for k in range(1, p + 1)]
        falling = [(k + 1.0 - fraction) / p * weights[k] for k in range(p)]
        weights = [falling[0], *map(tf.add, rising[:-1], falling[1:]), rising[-1]]
    return weights


def padding(order: int, fill_mode: str) -> int:
    # SciPy has no exact spline boundary for "nearest", and repeats the edge before the prefilter instead.
    return 12 if order > 1 and fill_mode == "nearest" else 0


def spline_coefficients(image: tf.Tensor, order: int, fill_mode: str) -> tf.Tensor:
    """Computes the B-spline coefficients of [..., H, W, C].

    They are transposed and padded: [..., W + 2 * pad, H + 2 * pad, C].
    """
    height, width, channels = image.shape[-3:]
    batch = [] if image.shape.rank == 3 else [tf.shape(image)[0]]
    rows = tf.constant(_prefilter_matrix(height, order, fill_mode), image.dtype)
    columns = tf.constant(_prefilter_matrix(width, order, fill_mode), image.dtype)
    image = tf.linalg.matmul(rows, tf.reshape(image, [*batch, height, width * channels]))
    image = tf.reshape(image, [*batch, rows.shape[0], width, channels])
    image = tf.transpose(image, [1, 0, 2] if not batch else [0, 2, 1, 3])
    image = tf.linalg.matmul(columns, tf.reshape(image, [*batch, width, rows.shape[0] * channels]))
    return tf.reshape(image, [*batch, columns.shape[0], rows.shape[0], channels])


@functools.lru_cache(maxsize=32)
def _prefilter_matrix(size: int, order: int, fill_mode: str) -> np.ndarray:
    """Returns SciPy's spline filter along one axis (ni_splines.c) as a float64 matrix [size + 2 * pad, size].

    The filter is linear, so it runs here on the identity matrix, once per size, and the graph multiplies.
    """
    pad = padding(order, fill_mode)
    lines = np.pad(np.eye(size), ((pad, pad), (0, 0)), mode="edge")
    if len(lines) > 1:
        for pole in _SPLINE_POLES[order]:
            half_sample = fill_mode in ("nearest", "reflect")
            lines = _filter_lines(lines * (1.0 - pole) * (1.0 - 1.0 / pole), pole, half_sample)
    return lines


def _filter_lines(lines: np.ndarray, pole: float, half_sample: bool) -> np.ndarray:
    """Filters with one pole, down and up the rows, which mirror endlessly: cba|abc, or else cb|abc."""
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
    # SciPy sums in place, so its last term reads the sum where it wants the first row. The same is done
    # here, because below 8 rows it shows, by up to 1% of the range.
    size = len(lines)
    total = np.zeros_like(lines[0])
    for i in range(size):
        partner = total if i == size - 1 else lines[-1 - i]
        total = total + pole**i * (lines[i] + pole**size * partner)
    return lines[0] + total * pole / (1.0 - pole ** (2 * size))
