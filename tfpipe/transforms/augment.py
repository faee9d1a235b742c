"""`Augment`: which random transforms may happen, and how far each may go.

`draws` turns these ranges into numbers, drawn from a sample's key; `motion` does what the numbers say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfpipe.checks import check_bool, check_number, check_one_of
from tfpipe.keywords import suggests
from tfpipe.ops.warp_spec import FILL_MODES, ORDERS
from tfpipe.transforms import ranges


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
