"""Decodes in Python what only Pillow reads."""

from __future__ import annotations

import contextlib
import functools
import io
from typing import Any

import numpy as np

from tfpipe.installed import has_module


def decode_with_pillow(
    contents: bytes, max_pixels: int | None, exif_orientation: bool = False
) -> np.ndarray:
    """Decodes an image file in any format that Pillow knows: its first frame, page or image.

    Args:
        contents: of the file.
        max_pixels: the largest height * width; Pillow's own limit applies too.
        exif_orientation: turn the image as its EXIF data say.

    Returns:
        uint8 [H, W, C], or float32 [H, W, C] in 0..255 where the samples have more than 8 bits; C is
        1 gray, 2 gray with alpha, 3 RGB, 4 RGBA. Integers of 16 bits are scaled by 1 / 257. Wider and
        floating-point samples have no range of their own, so they keep their values.

    Raises:
        ValueError: the image has more than `max_pixels`.
        Exception: whatever Pillow raises for a damaged or unknown file.
    """
    from PIL import Image, ImageOps

    add_plugins()
    with Image.open(io.BytesIO(contents)) as file:
        check_pixels(file.height, file.width, max_pixels)
        image: Any = file
        if file.mode in ("I", "F") or file.mode.startswith("I;16"):
            # The other modes have 8 bits, of gray or of a palette. Pillow opens 16-bit PGM as "I".
            scale = 257 if file.mode.startswith("I;16") or file.format == "PPM" else 1
            if exif_orientation:
                image = ImageOps.exif_transpose(file)
            return np.asarray(image).astype(np.float32)[..., None] / np.float32(scale)
        modes = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA"}
        alpha = "transparency" in file.info or file.mode in ("PA", "La", "RGBa")
        if exif_orientation:
            image = ImageOps.exif_transpose(file)
        pixels = np.asarray(image.convert(modes.get(file.mode, "RGBA" if alpha else "RGB")))
        return np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None])


@functools.cache
def add_plugins() -> None:
    """Adds JPEG XL and HEIF to Pillow, if their plugins are installed."""
    if has_module("pillow_jxl"):
        with contextlib.suppress(ImportError):
            import pillow_jxl  # noqa: F401
    if has_module("pillow_heif"):
        with contextlib.suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()


def check_pixels(height: int, width: int, max_pixels: int | None) -> None:
    """Raises `ValueError` if an image is too large.

    >>> check_pixels(30, 50, 1000)
    Traceback (most recent call last):
    ValueError: it has 50 x 30 = 1,500 pixels, more than max_pixels=1,000
    """
    if max_pixels is not None and height * width > max_pixels:
        raise ValueError(
            f"it has {width} x {height} = {height * width:,} pixels, more than "
            f"max_pixels={max_pixels:,}"
        )
