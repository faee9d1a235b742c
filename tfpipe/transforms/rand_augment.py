"""RandAugment: a few operations drawn from a list, all at one magnitude.

Its geometric operations become one matrix, which goes into the single resampling of the other transforms; its
operations on values follow in the order in which they were drawn.

Source: Cubuk et al. 2020, "RandAugment"; the list and the strengths are from torchvision's `RandAugment`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfpipe.ops import color
from tfpipe.ops.matrix import as_float64, centred_matrix, composed

GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
ON_VALUES = (
    "brightness",
    "saturation",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
# Append only, because a drawn number is the place of its operation.
OPERATIONS = ("identity", *GEOMETRIC, *ON_VALUES)

# At the largest magnitude.
MOST_DEGREES = 30.0
MOST_SHEAR = 0.3  # columns per row, or rows per column
MOST_SHARE = 150.0 / 331.0  # of the image's width or height
MOST_FACTOR = 0.9  # more or less than 1
MOST_BITS = 4.0  # lost


def geometry(
    height: int, width: int, operations: Sequence[Any], strengths: Sequence[Any]
) -> tf.Tensor:
    """Returns the matrix of the geometric ones among some operations, applied one after the other.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        operations: places in `OPERATIONS`: whole numbers, tensors [] or [B].
        strengths: of each operation, -1..1; the sign is the direction.

    Returns:
        float64 [2, 3] or [B, 2, 3], like `matrix.affine_matrix`.

    >>> geometry(3, 331, [OPERATIONS.index("translate_x")], [1.0])[1].numpy().tolist()
    [0.0, 1.0, 150.0]
    """
    result = None
    for operation, strength in zip(operations, strengths, strict=True):
        strength = as_float64(strength)

        def of(name: str, most: float, drawn: Any = operation, by: tf.Tensor = strength) -> Any:
            is_drawn = tf.equal(tf.cast(drawn, tf.int32), OPERATIONS.index(name))
            return tf.where(is_drawn, by * tf.constant(most, tf.float64), tf.zeros_like(by))

        angle = of("rotate", math.radians(MOST_DEGREES))
        matrix = centred_matrix(
            height,
            width,
            tf.cos(angle),
            of("shear_x", MOST_SHEAR) - tf.sin(angle),
            of("shear_y", MOST_SHEAR) + tf.sin(angle),
            tf.cos(angle),
            of("translate_x", MOST_SHARE * width),
            of("translate_y", MOST_SHARE * height),
        )
        result = matrix if result is None else composed(result, matrix)
    return result


def apply_operations(
    pixels: tf.Tensor,
    operations: Sequence[Any],
    strengths: Sequence[Any],
    *,
    unit_range: bool = False,
) -> tf.Tensor:
    """Applies some operations on values, one after the other.

    Args:
        pixels: float [H, W, C], or [B, H, W, C].
        operations: places in `OPERATIONS`: whole numbers, tensors [] or [B].
        strengths: of each operation, as `apply_operation` takes them.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype.

    >>> darker = OPERATIONS.index("brightness")
    >>> apply_operations(tf.ones([1, 1, 1]) * 100.0, [darker, darker], [-1.0, -1.0])[0, 0].numpy()
    array([1.], dtype=float32)
    """
    places = tf.stack([tf.cast(operation, tf.int32) for operation in operations])
    sizes = tf.stack([as_float64(strength) for strength in strengths])

    def step(number: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        changed = apply_operation(image, places[number], sizes[number], unit_range=unit_range)
        return number + 1, tf.ensure_shape(changed, pixels.shape)

    # A loop, though a short one, because XLA takes 1 s to compile one choice of eight, but 12 s if the
    # choices follow one another.
    count = len(operations)
    return tf.while_loop(lambda number, _: number < count, step, (0, pixels))[1]


def apply_operation(
    pixels: tf.Tensor, operation: Any, strength: Any, *, unit_range: bool = False
) -> tf.Tensor:
    """Applies one operation on values; geometric ones, which `geometry` has done, change nothing here.

    Args:
        pixels: float [H, W, C], or [B, H, W, C] with an operation and a strength [B].
        operation: a place in `OPERATIONS`, a scalar.
        strength: -1..1. For brightness, saturation, contrast and sharpness, the factor is 1 + 0.9 * strength.
            As its absolute value grows, posterize keeps 8 to 4 bits, and solarize inverts from 1 to 0 of the
            range.
        unit_range: whether values are in 0..1.

    Returns:
        The same shape and dtype.

    >>> apply_operation(tf.ones([1, 1, 1]) * 100.0, OPERATIONS.index("brightness"), -1.0)[0, 0].numpy()
    array([10.], dtype=float32)
    """
    if pixels.shape.rank == 4:

        def of_one(parts: tuple[tf.Tensor, ...]) -> tf.Tensor:
            return apply_operation(*parts, unit_range=unit_range)

        each = (pixels, operation, strength)
        spec = tf.TensorSpec(pixels.shape[1:], pixels.dtype)
        return tf.map_fn(of_one, each, fn_output_signature=spec)

    strength = as_float64(strength)
    factor, size = 1.0 + MOST_FACTOR * strength, tf.abs(strength)
    bits = 8.0 - tf.round(MOST_BITS * size)
    todo: dict[str, Callable[[], tf.Tensor]] = {
        "brightness": lambda: color.adjust_brightness(pixels, factor, unit_range=unit_range),
        "saturation": lambda: color.adjust_saturation(pixels, factor, unit_range=unit_range),
        "contrast": lambda: color.adjust_contrast(pixels, factor, unit_range=unit_range),
        "sharpness": lambda: color.sharpen(pixels, factor, unit_range=unit_range),
        "posterize": lambda: color.posterize(pixels, bits, unit_range=unit_range),
        "solarize": lambda: color.solarize(pixels, 1.0 - size, unit_range=unit_range),
        "autocontrast": lambda: color.stretch_contrast(pixels, unit_range=unit_range),
        "equalize": lambda: color.equalize(pixels, unit_range=unit_range),
    }
    branches = [lambda: pixels, *(todo[name] for name in ON_VALUES)]
    place = tf.cast(operation, tf.int32) - OPERATIONS.index(ON_VALUES[0]) + 1
    return tf.switch_case(tf.maximum(place, 0), branches)
