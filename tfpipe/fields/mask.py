"""Masks: one value per pixel, from a file beside each image.

A mask goes through the same geometry as its image, without interpolation, and through nothing else.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_one_of
from tfpipe.codecs import formats
from tfpipe.codecs.headers import bounded, png_size
from tfpipe.codecs.pillow import check_pixels
from tfpipe.codecs.png import COLOR_TYPE, PALETTE, palette_as_gray, unit_of_samples
from tfpipe.console import printable
from tfpipe.fields.field import IMAGE, Finish, Kind, Loader, Names, Record
from tfpipe.graph import succeeds
from tfpipe.installed import require_pillow
from tfpipe.ops.color import luma
from tfpipe.ops.kernels import TENSORFLOW, Kernels
from tfpipe.ops.resize_spec import ResizeSpec, resizer
from tfpipe.sources import listing
from tfpipe.sources.readers import Reader
from tfpipe.sources.source import Files
from tfpipe.transforms.motion import Motion

MASK_DTYPES = ("int32", "float32")
_WITHOUT_COLORS = (b"\0", PALETTE, b"\4")  # color types of PNG: gray, palette, gray with alpha
_HAS_COLORS = "a mask of whole numbers cannot have colors"
MASK = "mask"  # the name of the field; several are "mask_" and a name each


def check_mask_dtype(dtype: str) -> None:
    """Raises `ValueError` unless masks can have this dtype."""
    check_one_of("mask_dtype", dtype, MASK_DTYPES)


@dataclass(frozen=True)
class MaskSpec:
    """How files become masks.

    Attributes:
        dtype: one of `MASK_DTYPES`.
        max_pixels: a mask with more is refused before it is decoded; None: any size is allowed.
        suffixes: of the files of the source.
    """

    dtype: str
    max_pixels: int | None
    suffixes: frozenset[str]

    def decode(self, contents: tf.Tensor, dtype: str | None = None) -> tf.Tensor:  # [H, W, 1]
        """Decodes the bytes of one mask."""
        return decode_mask(contents, dtype or self.dtype, self.suffixes, self.max_pixels)


@dataclass(frozen=True)
class Mask(Kind):
    """One value per pixel: it moves with the image, and no two values become a third one."""

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        moved = motion.warp(value, order=0, cval=0)  # what comes in from outside is class 0
        return tf.cast(moved, value.dtype)

    def unmixable(self, column: Any) -> str | None:
        return "masks"

    def finish(self, batch: tf.Tensor, finish: Finish) -> tf.Tensor:
        return finish.layout(batch)


def names_of_masks(fields: Sequence[str]) -> Names:
    """Returns the name of the field that is the mask, or the names by those of the user.

    >>> names_of_masks(["mask"]), names_of_masks(["mask_lesion", "mask_skin"])
    ('mask', {'lesion': 'mask_lesion', 'skin': 'mask_skin'})
    """
    if list(fields) == [MASK]:
        return MASK
    return {name.removeprefix(f"{MASK}_"): name for name in fields}


def mask_resizer(
    resize: ResizeSpec, kernels: Kernels = TENSORFLOW
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the resize of the masks of images: the same pixels, none computed from several."""
    return resizer(replace(resize, interpolation="nearest", antialias=False, fill_value=0), kernels)


def with_masks(
    loader: Loader,
    load_image: Callable[[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]], tf.Tensor],
    masks: Mapping[str, tuple[Reader, MaskSpec]],
    resize: ResizeSpec,
    kernels: Kernels = TENSORFLOW,
) -> Loader:
    """Makes a loader of images and masks from a loader of images.

    Args:
        loader: of the images.
        load_image: (index, resize) -> image.
        masks: by the names of their fields: how they are read, and decoded.
        resize: how the images are resized.
        kernels: what they are resized with.
    """
    finish, finish_mask = resizer(resize, kernels), mask_resizer(resize, kernels)

    def decoded_mask(name: str, index: tf.Tensor) -> tf.Tensor:
        reader, mask = masks[name]
        return mask.decode(reader.read(index))

    def load_with(names: Iterable[str], index: tf.Tensor) -> Record:
        decoded = {name: decoded_mask(name, index) for name in names}

        def finish_like_masks(image: tf.Tensor) -> tf.Tensor:
            checks = []
            for value in decoded.values():
                same = tf.reduce_all(tf.shape(image)[:2] == tf.shape(value)[:2])
                check = tf.raw_ops.Assert(condition=same, data=["The mask differs in size."])
                checks += [] if check is None else [check]
            with tf.control_dependencies(checks):
                return finish(tf.identity(image))

        image = load_image(index, finish_like_masks)
        return {IMAGE: image, **{name: finish_mask(value) for name, value in decoded.items()}}

    def what_is_wrong(name: str, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what a message says of a mask that is not sound, and of one of another size."""
        reader, mask = masks[name]
        path, reason = reader.describe(index)
        reason = tf.where(
            succeeds(lambda: mask.decode(reader.read(index), "float32")),
            f"{_HAS_COLORS}: save it with a palette or in gray, or use float32",
            reason,
        )
        of_mask = tf.strings.join(["its mask '", path, "' cannot be read: ", reason])
        return of_mask, tf.strings.join(["its size differs from the size of its mask '", path, "'"])

    def describe(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        path, reason = loader.describe_failure(index) if loader.describe_failure else ("", "")
        wrong: Any = None
        for name in reversed(list(masks)):
            of_mask, of_sizes = what_is_wrong(name, index)
            if wrong is not None:  # if this one fits, it is one of those after it
                of_sizes = tf.where(succeeds(partial(load_with, [name], index)), wrong, of_sizes)
            wrong = tf.where(succeeds(partial(decoded_mask, name, index)), of_sizes, of_mask)
        return path, tf.where(succeeds(lambda: loader.load(index)), wrong, reason)

    specs = {n: tf.TensorSpec([*resize.size, 1], mask.dtype) for n, (_, mask) in masks.items()}
    return Loader(
        lambda index: load_with(masks, index),
        {**loader.specs, **specs},
        {**loader.kinds, **dict.fromkeys(masks, Mask())},
        describe,
    )


def decode_mask(
    contents: tf.Tensor, dtype: str, suffixes: frozenset[str], max_pixels: int | None = None
) -> tf.Tensor:
    """Decodes the bytes of a file to a mask. The header is read first, as with an image.

    Args:
        contents: string scalar.
        dtype: "int32": the samples as they are stored (the indices of a palette, 0..255, 0..65535, 0
            and 1 of a black and white image); "float32": the gray value in 0..1.
        suffixes: of the files of the source. All but PNG files are decoded by Pillow, in Python.
        max_pixels: a mask with more is refused before it is decoded; None: any size is allowed.

    Returns:
        [H, W, 1] of `dtype`.

    Raises:
        tf.errors.InvalidArgumentError: the content is damaged or too large, or has colors ("int32" only).
    """
    is_png = tf.equal(tf.strings.substr(contents, 0, 8), b"\x89PNG\r\n\x1a\n")
    if suffixes <= {"png"}:
        check = tf.debugging.Assert(is_png, ["not a PNG file"])
        with tf.control_dependencies([check] if check is not None else []):
            return _decode_png(tf.identity(contents), dtype, max_pixels)
    return tf.cond(
        is_png,
        lambda: _decode_png(contents, dtype, max_pixels),
        lambda: _with_pillow(contents, dtype, max_pixels),
    )


def _decode_png(contents: tf.Tensor, dtype: str, max_pixels: int | None) -> tf.Tensor:
    """Decodes a PNG file of any kind."""
    if max_pixels is not None:
        with tf.control_dependencies(bounded(png_size(contents), max_pixels)):
            contents = tf.identity(contents)  # so that all below waits for the check
    kind = tf.strings.substr(contents, COLOR_TYPE, 1)
    if dtype == "float32":
        image = tf.cast(tf.io.decode_png(contents, dtype=tf.uint16), tf.float32) / 65535
        return _grey(image)
    contents = tf.cond(tf.equal(kind, PALETTE), lambda: palette_as_gray(contents), lambda: contents)
    is_16_bit = tf.equal(tf.strings.substr(contents, 24, 1), b"\x10")
    image = tf.cond(
        is_16_bit,
        lambda: tf.cast(tf.io.decode_png(contents, dtype=tf.uint16), tf.int32),
        lambda: tf.cast(tf.io.decode_png(contents), tf.int32) // unit_of_samples(contents),
    )
    return _only_grey(image)


def _grey(image: tf.Tensor) -> tf.Tensor:
    """Converts [H, W, 1..4] to [H, W, 1]: ITU-R 601-2 luma; alpha is dropped."""
    grey = tf.cond(
        tf.shape(image)[-1] >= 3,
        lambda: luma(tf.ensure_shape(image[..., :3], [None, None, 3])),
        lambda: image[..., :1],
    )
    return tf.ensure_shape(grey, [None, None, 1])


def _only_grey(image: tf.Tensor) -> tf.Tensor:
    """Reduces [H, W, 1..4] to [H, W, 1], which must say all that the colors do."""
    grey = image[..., :1]
    colors = tf.where(tf.shape(image)[-1] >= 3, 3, 1)
    check = tf.debugging.Assert(tf.reduce_all(image[..., :colors] == grey), [_HAS_COLORS])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.ensure_shape(grey, [None, None, 1])


def _with_pillow(contents: tf.Tensor, dtype: str, max_pixels: int | None) -> tf.Tensor:
    def decode(contents: Any) -> np.ndarray:  # bytes in a graph, a 0-d array outside
        return decode_mask_with_pillow(
            contents if isinstance(contents, bytes) else contents.item(), dtype, max_pixels
        )

    mask = tf.numpy_function(decode, [contents], dtype, stateful=False)
    return tf.ensure_shape(mask, [None, None, 1])


def decode_mask_with_pillow(
    contents: bytes, dtype: str, max_pixels: int | None = None
) -> np.ndarray:
    """Decodes the bytes of a file of any format to [H, W, 1] of `dtype`, as `decode_mask` does.

    Raises:
        ValueError: the mask has colors (whole numbers only), or more than `max_pixels`.
    """
    from PIL import Image

    with Image.open(io.BytesIO(contents)) as file:
        check_pixels(file.height, file.width, max_pixels)
        if dtype == "float32":
            return _unit_range(file)
        samples = np.asarray(file)
        if samples.ndim == 3:
            colors = samples[..., :3] if samples.shape[-1] >= 3 else samples[..., :1]
            if (colors != colors[..., :1]).any():
                raise ValueError(_HAS_COLORS)
            samples = samples[..., 0]
        return np.ascontiguousarray(samples[..., None].astype(np.int32))


def _unit_range(file: Any) -> np.ndarray:
    if file.mode.startswith("I;16") or (file.mode == "I" and file.format == "PPM"):
        return np.asarray(file).astype(np.float32)[..., None] / 65535
    if file.mode in ("I", "F"):  # no range of their own
        return np.asarray(file).astype(np.float32)[..., None]
    color = file.convert("RGB") if file.mode not in ("1", "L") else file.convert("L")
    image = np.asarray(color).astype(np.float32) / 255
    return (
        image[..., None]
        if image.ndim == 2
        else image @ np.array([[0.299], [0.587], [0.114]], np.float32)
    )


def check_colors(files: Files, mask: MaskSpec) -> None:
    """Raises `ValueError` if the first mask, which stands for the others, has colors instead of class ids."""
    path = files.paths[0] if len(files) else ""
    if mask.dtype != "int32" or listing.scheme(path) or not os.path.isfile(path):
        return
    try:
        with open(os.fsencode(path), "rb") as file:
            contents = file.read()
        if (
            contents[COLOR_TYPE : COLOR_TYPE + 1] in _WITHOUT_COLORS
            and formats.of_content(contents) is formats.PNG
        ):
            return
        mask.decode(tf.constant(contents))
    except Exception as error:  # an epoch names what else is wrong
        if _HAS_COLORS in str(error):
            raise ValueError(
                f"The mask {printable(path)!r} has colors, and masks of whole numbers hold the ids of "
                "classes. Save masks with a palette, or in gray with a value for each class; or choose "
                "mask_dtype='float32', which gives their gray values."
            ) from None


def mask_needs_python(suffixes: frozenset[str]) -> bool:
    """Whether masks with these suffixes are decoded by Pillow."""
    return not suffixes <= frozenset(formats.PNG.suffixes)


def require_mask_reader(suffixes: frozenset[str]) -> None:
    """Warns once of what masks that Pillow decodes cost; raises `ImportError` if it is not installed."""
    if mask_needs_python(suffixes):
        others = sorted(suffixes - frozenset(formats.PNG.suffixes))
        names = ", ".join(f"'.{suffix}'" if suffix else "no suffix" for suffix in others)
        require_pillow(f"Masks with {names} need")
        formats.warn_of_python("Pillow", f"Masks with {names}")
