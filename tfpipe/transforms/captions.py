"""What a random transform does to one image, in words: the captions of pictures.

Each caption has the name of the argument of `Augment` that it belongs to, with the unit and the direction of
what was drawn. An image is called unchanged only if nothing was done to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfpipe.transforms.rand_augment import (
    MOST_BITS,
    MOST_DEGREES,
    MOST_FACTOR,
    MOST_SHARE,
    MOST_SHEAR,
    OPERATIONS,
)
from tfpipe.transforms.ranges import MAX_OPERATIONS


def caption(params: Mapping[str, Any], height: int, width: int) -> str:
    """Describes the effective parameters of one transform.

    Args:
        params: as `draws.draw` returns them; missing ones are neutral.
        height: of the image, in pixels.
        width: of the image, in pixels.

    >>> caption({"theta": 12.4, "tx": 3.2, "ty": 0, "flip_horizontal": 1}, 40, 60)
    'rotation 12.4° counterclockwise, width_shift 3.2 px left, horizontal_flip'
    >>> caption({"theta": 0, "brightness": None}, 40, 60)
    'unchanged'
    """
    drawn = {name: float(value) for name, value in params.items() if value is not None}
    return ", ".join([*_moves(drawn), *_values(drawn, height, width)]) or "unchanged"


def _moves(drawn: Mapping[str, float]) -> list[str]:
    """Describes the crop, the classic's moves and the flips."""
    words = [f"crop {_extent('crop', drawn)}"] if "crop_width" in drawn else []
    theta, tx, ty, shear, zx, zy = (
        drawn.get(name, 1.0 if name in ("zx", "zy") else 0.0)
        for name in ("theta", "tx", "ty", "shear", "zx", "zy")
    )
    if theta:
        words.append(f"rotation {_turn(theta)}")
    if tx:
        words.append(f"width_shift {_across(tx)}")
    if ty:
        words.append(f"height_shift {_down(ty)}")
    if shear:
        words.append(f"shear {shear:+.1f}°")
    if zx != 1 or zy != 1:  # they say how much of the image is shown
        words.append(f"zoom x{1 / zx:.2f} across and x{1 / zy:.2f} down")
    flips = ("horizontal", "vertical")
    return words + [f"{name}_flip" for name in flips if drawn.get(f"flip_{name}")]


def _values(drawn: Mapping[str, float], height: int, width: int) -> list[str]:
    """Describes the changes of values, RandAugment and cutout."""
    words = []
    if "channel_shift_intensity" in drawn:
        words.append(f"channel_shift {drawn['channel_shift_intensity']:+.1f}")
    for name in ("brightness", "contrast", "saturation"):
        if name in drawn:
            words.append(f"{name} x{drawn[name]:.2f}")
    if "hue" in drawn:
        words.append(f"hue {drawn['hue']:+.3f} turn")
    operations = [
        operation_text(
            OPERATIONS[int(drawn[f"rand_augment_{number}"])],
            drawn[f"rand_augment_strength_{number}"],
            height,
            width,
        )
        for number in range(1, MAX_OPERATIONS + 1)
        if f"rand_augment_{number}" in drawn
    ]
    if operations:
        words.append(f"rand_augment: {' + '.join(operations)}")
    if drawn.get("cutout_width"):
        words.append(f"cutout {_extent('cutout', drawn)}")
    return words


def operation_text(name: str, strength: float, height: int, width: int) -> str:
    """Describes one operation of RandAugment, with what its strength means.

    >>> operation_text("brightness", -0.3, 40, 60), operation_text("solarize", 0.3, 40, 60)
    ('brightness x0.73', 'solarize from 70 %')
    """
    if name == "rotate":
        return f"rotate {_turn(MOST_DEGREES * strength)}"
    if name in ("shear_x", "shear_y"):
        return f"{name} {MOST_SHEAR * strength:+.2f}"
    if name == "translate_x":
        return f"translate_x {_across(MOST_SHARE * width * strength)}"
    if name == "translate_y":
        return f"translate_y {_down(MOST_SHARE * height * strength)}"
    if name in ("brightness", "saturation", "contrast", "sharpness"):
        return f"{name} x{1 + MOST_FACTOR * strength:.2f}"
    if name == "posterize":
        return f"posterize to {8 - round(MOST_BITS * abs(strength))} bits"
    if name == "solarize":
        return f"solarize from {1 - abs(strength):.0%}".replace("%", " %")
    return name


# A parameter says where a pixel of the result comes from, so the picture moves the other way.
def _turn(degrees: float) -> str:
    return f"{abs(degrees):.1f}° {'counterclockwise' if degrees > 0 else 'clockwise'}"


def _across(pixels: float) -> str:
    return f"{abs(pixels):.1f} px {'left' if pixels > 0 else 'right'}"


def _down(pixels: float) -> str:
    return f"{abs(pixels):.1f} px {'up' if pixels > 0 else 'down'}"


def _extent(name: str, drawn: Mapping[str, float]) -> str:
    """Describes a part of the image by where it lies, in percent of the width and of the height."""
    sides = (("x", "width", "across"), ("y", "height", "down"))
    ends = [
        (drawn[f"{name}_{first}"], drawn[f"{name}_{first}"] + drawn[f"{name}_{length}"], way)
        for first, length, way in sides
    ]
    return " and ".join(f"{low * 100:.0f} to {high * 100:.0f} % {way}" for low, high, way in ends)
