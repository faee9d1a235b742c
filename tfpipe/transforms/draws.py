"""What happens to one sample: numbers drawn within the ranges of an `Augment`.

They are a pure function of the sample's key, and thus of (seed, epoch, index). Each has its own place in one
draw of uniform numbers, so turning a transform on does not change what the others get. `motion.apply` does
what they say.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import seeds
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.rand_augment import OPERATIONS
from tfpipe.transforms.ranges import MAX_MAGNITUDE

# Place of each uniform number. Append only: a new place in the middle would change every seed's result.
_SLOTS = (
    "theta",
    "width_shift",
    "width_shift_sign",
    "height_shift",
    "height_shift_sign",
    "shear",
    "zx",
    "zy",
    "flip_horizontal",
    "flip_vertical",
    "channel_shift_intensity",
    "brightness",
    "crop_area",
    "crop_ratio",
    "crop_x",
    "crop_y",
    "contrast",
    "saturation",
    "hue",
    "cutout",
    "cutout_area",
    "cutout_ratio",
    "cutout_x",
    "cutout_y",
    "rand_augment_1",
    "rand_augment_sign_1",
    "rand_augment_2",
    "rand_augment_sign_2",
    "rand_augment_3",
    "rand_augment_sign_3",
    "rand_augment_4",
    "rand_augment_sign_4",
)

NUMBERS = len(_SLOTS)  # used up by one sample

# The classic's parameters. The parameters of the other transforms are present only while these are on.
NEUTRAL = {
    "theta": 0,
    "tx": 0,
    "ty": 0,
    "shear": 0,
    "zx": 1,
    "zy": 1,
    "flip_horizontal": 0,
    "flip_vertical": 0,
    "channel_shift_intensity": None,
    "brightness": None,
}


def draw(augment: Augment, key: tf.Tensor, height: int, width: int) -> dict[str, Any]:
    """Draws the parameters of one sample: `parameters` of its `uniform_numbers`.

    Args:
        augment: the ranges.
        key: int64 [2], the sample's own, from `seeds.sample_key`.
        height: of the image, in pixels.
        width: of the image, in pixels.

    >>> params = draw(Augment(rotation_range=20), tf.constant([1, 2], tf.int64), 224, 224)
    >>> bool(abs(params["theta"]) <= 20), params["zx"], params["brightness"]
    (True, 1, None)
    """
    return parameters(augment, uniform_numbers(key), height, width)


def uniform_numbers(key: tf.Tensor) -> tf.Tensor:
    """Draws the random numbers of one sample, float64 [n] in [0, 1); each parameter has its own place."""
    return seeds.fractions([NUMBERS], key)


def parameters(augment: Augment, numbers: tf.Tensor, height: int, width: int) -> dict[str, Any]:
    """Returns the parameters that some random numbers stand for.

    Args:
        augment: the ranges.
        numbers: from `uniform_numbers`, or [B, n] for a batch.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        The classic's dictionary: theta and shear in degrees, tx (columns) and ty (rows) in pixels,
        zx, zy, flip_horizontal, flip_vertical, channel_shift_intensity, brightness: float64 scalars, or
        [B], or the Python values of `NEUTRAL` if the transform is off. The parameters of the other transforms
        are present only if these are on: crop_x, crop_y, crop_width, crop_height and the same for cutout, as
        fractions of the image; contrast, saturation, hue; rand_augment_1, the place of an operation in
        `rand_augment.OPERATIONS`, and rand_augment_strength_1, -1..1; and so on.
    """
    uniform = dict(zip(_SLOTS, tf.unstack(numbers, axis=-1), strict=True))
    params: dict[str, Any] = dict(NEUTRAL)

    def between(name: str, low: float, high: float) -> tf.Tensor:
        return low + (high - low) * uniform[name]

    for name, reach in (
        ("theta", augment.rotation_range),
        ("shear", augment.shear_range),
        ("channel_shift_intensity", augment.channel_shift_range),
        ("hue", augment.hue_range),
    ):
        if reach:
            params[name] = between(name, -reach, reach)
    if augment.width_shift_range:
        width_numbers = uniform["width_shift"], uniform["width_shift_sign"]
        params["tx"] = _shift(augment.width_shift_range, *width_numbers, width)
    if augment.height_shift_range:
        height_numbers = uniform["height_shift"], uniform["height_shift_sign"]
        params["ty"] = _shift(augment.height_shift_range, *height_numbers, height)
    if augment.zoom_range != (1.0, 1.0):
        params["zx"] = between("zx", *augment.zoom_range)
        params["zy"] = between("zy", *augment.zoom_range)
    for name in ("flip_horizontal", "flip_vertical"):
        on = augment.horizontal_flip if name == "flip_horizontal" else augment.vertical_flip
        if on:
            params[name] = tf.cast(uniform[name] < 0.5, tf.float64)
    for name in ("brightness", "contrast", "saturation"):
        factors = getattr(augment, f"{name}_range")
        if factors is not None:
            params[name] = between(name, *factors)
    if augment.crop_scale is not None:
        params |= _rectangle("crop", uniform, augment.crop_scale, augment.crop_ratio)
    if augment.cutout:
        params |= _rectangle("cutout", uniform, augment.cutout_scale, augment.cutout_ratio)
        happens = tf.cast(uniform["cutout"] < augment.cutout, tf.float64)
        params["cutout_width"] *= happens
    if augment.rand_augment is not None:
        count, magnitude = augment.rand_augment
        for number in range(1, count + 1):
            place = tf.floor(uniform[f"rand_augment_{number}"] * len(OPERATIONS))
            sign = tf.where(uniform[f"rand_augment_sign_{number}"] < 0.5, -1.0, 1.0)
            params[f"rand_augment_{number}"] = place
            strength = tf.cast(sign, tf.float64) * (magnitude / MAX_MAGNITUDE)
            params[f"rand_augment_strength_{number}"] = strength
    return params


def _rectangle(
    name: str, uniform: dict[str, tf.Tensor], scale: tuple[float, float], ratio: tuple[float, float]
) -> dict[str, tf.Tensor]:
    """Returns a rectangle anywhere inside the image, with a random area and ratio, as fractions of the image.

    The logarithm of the ratio is uniform, as in torchvision's `RandomResizedCrop`. If the rectangle would be
    longer than the image, it is cut to the image's length.
    """
    area = scale[0] + (scale[1] - scale[0]) * uniform[f"{name}_area"]
    low, high = math.log(ratio[0]), math.log(ratio[1])
    stretch = tf.exp(low + (high - low) * uniform[f"{name}_ratio"])
    width = tf.minimum(tf.sqrt(area * stretch), 1.0)
    height = tf.minimum(tf.sqrt(area / stretch), 1.0)
    x, y = uniform[f"{name}_x"] * (1.0 - width), uniform[f"{name}_y"] * (1.0 - height)
    return dict(
        zip(
            (f"{name}_{part}" for part in ("x", "y", "width", "height")),
            (x, y, width, height),
            strict=True,
        )
    )


def _shift(reach: Any, value: tf.Tensor, sign: tf.Tensor, dimension: int) -> tf.Tensor:
    """Returns one shift in pixels, float64, by the classic's three ways to read a range."""
    unit = float(dimension) if np.max(reach) < 1 else 1.0
    if isinstance(reach, float | np.floating):
        return (2 * value - 1) * float(reach) * unit
    choices = np.arange(reach) if not isinstance(reach, tuple) else np.array(reach)
    place = tf.cast(value * len(choices), tf.int32)
    chosen = tf.gather(tf.constant(choices, tf.float64), place)
    return tf.where(sign < 0.5, -chosen, chosen) * unit
