"""Random transforms: `Augment` (what may happen) -> `draw` (what happens to a sample).

`motion.apply` then does it.

The parameters of a sample are a pure function of its key, and thus of (seed, epoch, index). Each has its own
place in one draw of uniform numbers, so turning a transform on does not change what the others get.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import seeds
from tfpipe.checks import check_bool, check_number, check_one_of
from tfpipe.keywords import suggests
from tfpipe.ops.warp import FILL_MODES, ORDERS
from tfpipe.transforms import ranges
from tfpipe.transforms.rand_augment import MAX_MAGNITUDE, OPERATIONS

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


@suggests
@dataclass(frozen=True)
class Augment:
    """The ranges from which each sample's random transform is drawn.

    The order of work is: one affine resampling (crop, then the classic's moves, then RandAugment's), which
    includes the flips; channel shift, brightness, contrast, saturation, hue; RandAugment's operations on
    values; cutout. After that, MixUp or CutMix mixes whole batches. Everything is off by default. All values
    are in the image's own units, before `rescale`: 0..255 from files, 0..1 where an array holds such values.

    Attributes:
        rotation_range: degrees >= 0; theta is uniform in -r..r.
        width_shift_range, height_shift_range: a float below 1 is a fraction of the dimension, a float
            of 1 or more is in pixels, both uniform in -r..r; an int n gives one of 0..n-1 pixels with a
            random sign; a sequence gives one of its elements with a random sign (fractions if all are
            below 1).
        shear_range: degrees >= 0, uniform in -r..r.
        zoom_range: z means (1 - z, 1 + z); or a pair. The two scales are drawn independently; values
            below 1 enlarge. They must stay above 0.
        channel_shift_range: 0 or more; one value in -r..r for all channels, in the image's own units.
        brightness_range: a pair of factors >= 0, or None.
        horizontal_flip, vertical_flip: mirror each sample with probability 0.5.
        fill_mode: "constant", "nearest", "reflect" or "wrap": what lies outside the image.
        cval: the value for "constant".
        interpolation_order: 0 (nearest) to 5; 1 is linear.
        crop_scale: (lowest, highest) fraction of the image's area, above 0, at most 1; a part of that size,
            anywhere in the image, is stretched over all of it. (0.08, 1) gives the usual random resized
            crop; (0.77, 0.77) with `crop_ratio=(1, 1)` gives a random crop of 7/8 of each side. A mask is
            cropped with its image. None: off.
        crop_ratio: (lowest, highest), above 0: the aspect ratio of the part, width by height, relative to
            the image's own; (1, 1) keeps the shape.
        contrast_range, saturation_range: a pair of factors >= 0, or None; 1 changes nothing, 0 gives gray.
        hue_range: 0 to 0.5 of a turn around the color circle, uniform in -h..h.
        cutout: 0 to 1, the probability that a rectangle of the image is filled with `cutout_value`; a mask
            stays unchanged.
        cutout_scale: (lowest, highest) fraction of the area that it takes up, above 0, at most 1.
        cutout_ratio: (lowest, highest), above 0: its aspect ratio, like `crop_ratio`.
        cutout_value: a number for every channel.
        rand_augment: (1 to 4 operations, magnitude 0 to 10), or None. Each sample draws its own operations
            from identity, rotate, shear_x, shear_y, translate_x, translate_y, brightness, saturation,
            contrast, sharpness, posterize, solarize, autocontrast, equalize. Magnitude 10 means 30 degrees,
            a shear of 0.3, a shift by 150/331 of the side, factors 0.1 or 1.9, 4 bits less. (2, 3) is
            torchvision's default, `RandAugment(2, 9)` of 31 steps; (2, 9) is strong.
        mixup_alpha: above 0, mixes each batch with itself in another order, images and labels alike, in
            proportions drawn from Beta(alpha, alpha); 0.2 is usual. Needs labels that are numbers: one-hot,
            multi-hot or float values. Sample weights stay unchanged. 0: off.
        cutmix_alpha: the same with a rectangle that is taken from the other image; 1 is usual. If both
            are on, each batch gets one of them.

    Raises:
        ValueError: a value is out of its range; the message names it and what is allowed.

    >>> Augment(rotation_range=20, zoom_range=0.1).zoom_range
    (0.9, 1.1)
    """

    rotation_range: float = 0
    width_shift_range: Any = 0.0
    height_shift_range: Any = 0.0
    shear_range: float = 0.0
    zoom_range: Any = (1.0, 1.0)
    channel_shift_range: float = 0.0
    brightness_range: Any = None
    horizontal_flip: bool = False
    vertical_flip: bool = False
    fill_mode: str = "nearest"
    cval: float = 0.0
    interpolation_order: int = 1
    crop_scale: Any = None
    crop_ratio: Any = (3 / 4, 4 / 3)
    contrast_range: Any = None
    saturation_range: Any = None
    hue_range: float = 0.0
    cutout: float = 0.0
    cutout_scale: Any = (0.02, 0.33)
    cutout_ratio: Any = (0.3, 3.3)
    cutout_value: float = 0.0
    rand_augment: Any = None
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rotation_range", "shear_range", "channel_shift_range"):
            check_number(name, getattr(self, name), minimum=0)
        for name in ("mixup_alpha", "cutmix_alpha"):
            check_number(name, getattr(self, name), minimum=0)
        check_number("hue_range", self.hue_range, 0, 0.5)
        check_number("cutout", self.cutout, 0, 1)
        check_number("cutout_value", self.cutout_value)
        check_number("cval", self.cval)
        for name in ("width_shift_range", "height_shift_range"):
            self._set(name, ranges.shift_range(name, getattr(self, name)))
        self._set("zoom_range", ranges.zoom_range(self.zoom_range))
        for name in ("brightness_range", "contrast_range", "saturation_range"):
            self._set(name, ranges.factors(name, getattr(self, name)))
        for name in ("crop_ratio", "cutout_ratio"):
            self._set(name, ranges.ascending(name, getattr(self, name)))
        if self.crop_scale is not None:
            self._set("crop_scale", ranges.ascending("crop_scale", self.crop_scale, 1))
        self._set("cutout_scale", ranges.ascending("cutout_scale", self.cutout_scale, 1))
        self._set("rand_augment", ranges.operations("rand_augment", self.rand_augment))
        check_bool("horizontal_flip", self.horizontal_flip)
        check_bool("vertical_flip", self.vertical_flip)
        check_one_of("fill_mode", self.fill_mode, FILL_MODES)
        check_one_of("interpolation_order", self.interpolation_order, ORDERS)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def moves_pixels(self) -> bool:
        """Whether an affine resampling may be needed; flips alone do not need one."""
        reaches = (self.rotation_range, self.width_shift_range, self.height_shift_range)
        return (
            any(bool(reach) for reach in (*reaches, self.shear_range))
            or self.zoom_range != (1.0, 1.0)
            or self.crop_scale is not None
            or self.rand_augment is not None
        )

    @property
    def changes_pixels(self) -> bool:
        """Whether any transform of single images is on."""
        flips = bool(self.horizontal_flip or self.vertical_flip)
        return self.moves_pixels or flips or self.changes_values

    @property
    def changes_values(self) -> bool:
        """Whether any transform changes the values of pixels, and not only their places."""
        return self.depends_on_range or bool(
            self.channel_shift_range or self.hue_range or self.cutout
        )

    @property
    def depends_on_range(self) -> bool:
        """Whether it makes a difference that an image is in 0..255 or in 0..1."""
        on = (self.brightness_range, self.contrast_range, self.saturation_range, self.rand_augment)
        return any(value is not None for value in on)

    @property
    def mixes(self) -> bool:
        """Whether batches are mixed."""
        return bool(self.mixup_alpha or self.cutmix_alpha)


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
