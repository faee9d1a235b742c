"""Random transforms: `Augment` (what may happen) -> `draw` (what happens to a sample) -> `apply`.

The parameters of a sample are a pure function of its key, so of (seed, epoch, index). Each has its own
place in one draw of uniform numbers: turning a transform on does not change what the others get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import image as ops
from tfpipe.affine import FILL_MODES, ORDERS, affine_transform
from tfpipe.checks import check_bool, check_number, check_one_of, is_number
from tfpipe.matrix import affine_matrix

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
)

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
_GEOMETRY = ("theta", "tx", "ty", "shear", "zx", "zy")


@dataclass(frozen=True)
class Augment:
    """The ranges from which each sample's random transform is drawn.

    Order of work: one affine resampling with the flips in it, channel shift, brightness.

    Attributes:
        rotation_range: degrees >= 0; theta is uniform in -r..r.
        width_shift_range, height_shift_range: a float below 1 is a fraction of the dimension, a float
            from 1 on pixels, uniform in -r..r; an int n gives one of 0..n-1 pixels with a random sign;
            a sequence one of its elements with a random sign (fractions if all are below 1).
        shear_range: degrees >= 0, uniform in -r..r.
        zoom_range: z means (1 - z, 1 + z); or a pair. Both scales are drawn on their own; below 1
            enlarges. They must stay above 0.
        channel_shift_range: >= 0; one value in -r..r for all channels, in the image's own units.
        brightness_range: a pair of factors >= 0, or None.
        horizontal_flip, vertical_flip: mirror every other sample, at random.
        fill_mode: "constant", "nearest", "reflect" or "wrap": what is outside of the image.
        cval: the value for "constant".
        interpolation_order: 0 (nearest) to 5; 1 is linear.

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

    def __post_init__(self) -> None:
        for name in ("rotation_range", "shear_range", "channel_shift_range"):
            check_number(name, getattr(self, name), minimum=0)
        for name in ("width_shift_range", "height_shift_range"):
            object.__setattr__(self, name, _shift_range(name, getattr(self, name)))
        object.__setattr__(self, "zoom_range", _zoom_range(self.zoom_range))
        object.__setattr__(self, "brightness_range", _brightness_range(self.brightness_range))
        check_bool("horizontal_flip", self.horizontal_flip)
        check_bool("vertical_flip", self.vertical_flip)
        check_one_of("fill_mode", self.fill_mode, FILL_MODES)
        check_number("cval", self.cval)
        check_one_of("interpolation_order", self.interpolation_order, ORDERS)

    @property
    def moves_pixels(self) -> bool:
        """Whether an affine resampling can be needed; flips alone need none."""
        ranges = (self.rotation_range, self.width_shift_range, self.height_shift_range)
        return any(bool(r) for r in (*ranges, self.shear_range)) or self.zoom_range != (1.0, 1.0)

    @property
    def changes_pixels(self) -> bool:
        """Whether any transform is on."""
        return (
            self.moves_pixels
            or bool(self.horizontal_flip or self.vertical_flip)
            or bool(self.channel_shift_range)
            or self.brightness_range is not None
        )


def _shift_range(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        elements = tuple(value)
        if elements and all(is_number(element) for element in elements):
            return elements
    elif is_number(value) and value >= 0:
        return value
    raise ValueError(
        f"{name} must be a float >= 0 (a fraction below 1, else pixels), an int >= 0 (pixels), or a "
        f"sequence of numbers. Received: {name}={value!r}."
    )


def _zoom_range(value: Any) -> tuple[float, float]:
    pair = (1 - value, 1 + value) if is_number(value) else value
    is_pair = isinstance(pair, list | tuple | np.ndarray) and len(pair) == 2
    if not is_pair or not all(map(is_number, pair)):
        raise ValueError(
            "`zoom_range` should be a float or a tuple or list of two floats. "
            f"Received: zoom_range={value!r}."
        )
    if min(pair) <= 0:
        raise ValueError(
            "zoom_range must stay above 0: a float below 1, or a pair of scales > 0. "
            f"Received: zoom_range={value!r}."
        )
    return float(pair[0]), float(pair[1])


def _brightness_range(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(is_number, value)):
        raise ValueError(
            "`brightness_range` should be tuple or list of two floats. "
            f"Received: brightness_range={value!r}."
        )
    if min(value) < 0:
        raise ValueError(
            f"brightness_range must be two factors >= 0. Received: brightness_range={value!r}."
        )
    return float(value[0]), float(value[1])


def draw(augment: Augment, key: tf.Tensor, height: int, width: int) -> dict[str, Any]:
    """The parameters of one sample: `parameters` of its `uniform_numbers`.

    Args:
        augment: the ranges.
        key: int64 [2], the sample's own, from `order.sample_key`.
        height: of the image, in pixels.
        width: of the image, in pixels.

    >>> params = draw(Augment(rotation_range=20), tf.constant([1, 2], tf.int64), 224, 224)
    >>> bool(abs(params["theta"]) <= 20), params["zx"], params["brightness"]
    (True, 1, None)
    """
    return parameters(augment, uniform_numbers(key), height, width)


def uniform_numbers(key: tf.Tensor) -> tf.Tensor:
    """The random numbers of one sample, float64 [12] in [0, 1); each parameter has its own place."""
    return tf.random.stateless_uniform([len(_SLOTS)], key, 0, 1, tf.float64, alg="philox")


def parameters(augment: Augment, numbers: tf.Tensor, height: int, width: int) -> dict[str, Any]:
    """The parameters that some random numbers stand for.

    Args:
        augment: the ranges.
        numbers: from `uniform_numbers`.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        The classic's dictionary: theta and shear in degrees, tx (columns) and ty (rows) in pixels,
        zx, zy, flip_horizontal, flip_vertical, channel_shift_intensity, brightness: float64 scalars,
        or the Python values of `NEUTRAL` where the transform is off.
    """
    uniform = dict(zip(_SLOTS, tf.unstack(numbers), strict=True))
    params: dict[str, Any] = dict(NEUTRAL)

    def between(name: str, low: float, high: float) -> tf.Tensor:
        return low + (high - low) * uniform[name]

    for name, reach in (
        ("theta", augment.rotation_range),
        ("shear", augment.shear_range),
        ("channel_shift_intensity", augment.channel_shift_range),
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
    if augment.brightness_range is not None:
        params["brightness"] = between("brightness", *augment.brightness_range)
    return params


def _shift(reach: Any, value: tf.Tensor, sign: tf.Tensor, dimension: int) -> tf.Tensor:
    """One shift in pixels, float64, by the classic's three readings of a range."""
    unit = float(dimension) if np.max(reach) < 1 else 1.0
    if isinstance(reach, float | np.floating):
        return (2 * value - 1) * float(reach) * unit
    choices = np.arange(reach) if not isinstance(reach, tuple) else np.array(reach)
    place = tf.cast(value * len(choices), tf.int32)
    chosen = tf.gather(tf.constant(choices, tf.float64), place)
    return tf.where(sign < 0.5, -chosen, chosen) * unit


def apply(
    image: tf.Tensor, params: Mapping[str, Any], augment: Augment, *, unit_range: bool = False
) -> tf.Tensor:
    """An image with the transform of some parameters; resampled once at most.

    Args:
        image: uint8, float32 or float64 [H, W, C], static shape.
        params: as `draw` returns them; what is missing is neutral, other keys are ignored.
        augment: for `fill_mode`, `cval` and `interpolation_order`.
        unit_range: the image is 0..1, not 0..255; matters to brightness only.

    Returns:
        [H, W, C], float64 for a float64 image, else float32.
    """
    return apply_colour(apply_geometry(image, params, augment), params, unit_range=unit_range)


def apply_geometry(image: tf.Tensor, params: Mapping[str, Any], augment: Augment) -> tf.Tensor:
    """The part of `apply` that moves pixels: the affine resampling and the flips.

    What belongs to an image pixel by pixel, such as a mask, is given the same parameters, with an
    `interpolation_order` (0 keeps the numbers of classes) and a `cval` of its own.

    Args:
        image: any dtype, [H, W, C], static shape. Whole numbers up to 2**24 stay what they are.
        params: as `draw` returns them; what is missing is neutral, other keys are ignored.
        augment: for `fill_mode`, `cval` and `interpolation_order`.

    Returns:
        [H, W, C], float64 for a float64 image, else float32.

    >>> mask = tf.constant([[[7], [9]]], tf.int32)
    >>> nearest = Augment(interpolation_order=0, fill_mode="constant", cval=255)
    >>> apply_geometry(mask, {"tx": 1.0}, nearest)[0, :, 0].numpy().tolist()
    [9.0, 255.0]
    """
    values = _with_neutral(params)
    flips = {name: values[name] for name in ("flip_horizontal", "flip_vertical")}
    # The classic too leaves a neutral image alone: resampling it could move its last bits.
    if any(_may_differ(values[name], NEUTRAL[name]) for name in _GEOMETRY):
        height, width = image.shape[:2]
        matrix = affine_matrix(height, width, **{name: values[name] for name in _GEOMETRY})
        # Bytes are cast as they are read: a quarter of the memory to go through.
        return affine_transform(
            image if image.dtype == tf.uint8 else _as_float(image),
            matrix,
            order=augment.interpolation_order,
            fill_mode=augment.fill_mode,
            cval=augment.cval,
            **flips,
        )
    image = _flip(_as_float(image), flips["flip_horizontal"], axis=1)
    return _flip(image, flips["flip_vertical"], axis=0)


def apply_colour(
    image: tf.Tensor, params: Mapping[str, Any], *, unit_range: bool = False
) -> tf.Tensor:
    """The part of `apply` that changes values and leaves them where they are; not for masks.

    Args:
        image: float32 or float64 [H, W, C].
        params: as `draw` returns them; what is missing is neutral, other keys are ignored.
        unit_range: the image is 0..1, not 0..255; matters to brightness only.

    Returns:
        The same shape and dtype.

    >>> apply_colour(tf.constant([[[10.0], [250.0]]]), {"brightness": 0.5}).numpy().tolist()
    [[[5.0], [125.0]]]
    """
    values = _with_neutral(params)
    if values["channel_shift_intensity"] is not None:
        image = ops.shift_channels(image, values["channel_shift_intensity"])
    if values["brightness"] is not None:
        image = ops.adjust_brightness(image, values["brightness"], unit_range=unit_range)
    return image


def _as_float(image: tf.Tensor) -> tf.Tensor:
    return tf.cast(image, tf.float64 if image.dtype == tf.float64 else tf.float32)


def _with_neutral(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params.get(name, neutral) for name, neutral in NEUTRAL.items()}


def _may_differ(value: Any, neutral: Any) -> bool:
    return tf.is_tensor(value) or value != neutral


def _flip(image: tf.Tensor, flip: Any, axis: int) -> tf.Tensor:
    if not tf.is_tensor(flip):
        return tf.reverse(image, [axis]) if flip else image
    return tf.where(tf.cast(flip, tf.bool), tf.reverse(image, [axis]), image)
