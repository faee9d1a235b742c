"""The steps of the augmentation that change colors and move no pixels, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfpipe.ops import color, erase

# In the order in which they are done. Append only: a bit of the kernel in C stands for each place.
COLOR_STEPS = ("channel_shift", "brightness", "contrast", "saturation", "hue", "cutout")


def recolor(
    image: tf.Tensor,
    steps: Mapping[str, Any],
    *,
    unit_range: bool = False,
    cutout_value: float = 0.0,
    scale: float = 1.0,
) -> tf.Tensor:
    """Changes the values of an image, or of a batch of images.

    Args:
        image: float32 or float64 [H, W, C] or [B, H, W, C].
        steps: by the names of `COLOR_STEPS`, what is given to the function of that step: a number, or a
            tensor [] or [B]; for "cutout" the left, top, width and height, as fractions of the image.
        unit_range: whether values are in 0..1, not in 0..255.
        cutout_value: for every channel.
        scale: the values of the result are multiplied by it.

    Returns:
        The same shape and dtype.

    >>> recolor(tf.constant([[[10.0], [250.0]]]), {"brightness": 0.5}, scale=2.0).numpy().tolist()
    [[[10.0], [250.0]]]
    """
    if "channel_shift" in steps:
        image = color.shift_channels(image, steps["channel_shift"])
    if "brightness" in steps:
        image = color.adjust_brightness(image, steps["brightness"], unit_range=unit_range)
    if "contrast" in steps:
        image = color.adjust_contrast(image, steps["contrast"], unit_range=unit_range)
    if "saturation" in steps:
        image = color.adjust_saturation(image, steps["saturation"], unit_range=unit_range)
    if "hue" in steps:
        image = color.adjust_hue(image, steps["hue"])
    if "cutout" in steps:
        left, top, width, height = steps["cutout"]
        image = erase.erase(image, left, top, width, height, cutout_value)
    return image if scale == 1 else image * tf.constant(scale, image.dtype)
