"""What the parameters of a random transform do to an image, or to a batch of images.

    params = draws.draw(ranges, key, height, width)
    image = apply(image, params, ranges)

Everything is deterministic and made of tensor operations, so it runs in the graph, compiled, inside a model,
or eagerly.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from tfpipe.ops import color
from tfpipe.ops.kernels import TENSORFLOW, Kernels
from tfpipe.ops.matrix import composed, crop_matrix
from tfpipe.ops.recolor import COLOR_STEPS
from tfpipe.transforms import rand_augment
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.draws import NEUTRAL
from tfpipe.transforms.ranges import MAX_OPERATIONS

_UNMOVED = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
_MOVES = ("theta", "tx", "ty", "shear", "zx", "zy")
# The parameters of a rectangle, with the values that they have when they are missing.
_CROP = {"crop_x": 0.0, "crop_y": 0.0, "crop_width": 1.0, "crop_height": 1.0}
_CUTOUT = {"cutout_x": 0.0, "cutout_y": 0.0, "cutout_width": 0.0, "cutout_height": 1.0}


@dataclass(frozen=True)
class Motion:
    """What one draw of random parameters does to the fields of a sample.

    Attributes:
        params: as `draws.draw` returns them.
        ranges: what they were drawn from, for `fill_mode`, `cval` and the like.
        unit_range: whether the values of images are in 0..1, not in 0..255.
        kernels: what moves the pixels.
        scale: what the values of images are multiplied by in the last step that changes them.

    >>> motion = Motion({"tx": 1.0}, Augment(fill_mode="constant"))
    >>> motion.warp(tf.constant([[[7], [9]]]), order=0, cval=255)[0, :, 0].numpy().tolist()
    [9.0, 255.0]
    """

    params: Mapping[str, Any]
    ranges: Augment
    unit_range: bool = False
    kernels: Kernels = TENSORFLOW
    scale: float = 1.0

    def warp(
        self,
        image: tf.Tensor,
        order: int | None = None,
        cval: float | None = None,
        scale: float = 1.0,
    ) -> tf.Tensor:
        """Moves pixels; see `apply_geometry`. By default in the order and with the cval of the ranges."""
        ranges = self.ranges
        if order is not None:
            ranges = replace(ranges, interpolation_order=order)
        if cval is not None:
            ranges = replace(ranges, cval=cval)
        return apply_geometry(image, self.params, ranges, self.kernels, scale)

    @property
    def scale_of_moved(self) -> float:
        """What the values are multiplied by as they are moved: 1 if their colors are changed afterward."""
        return 1.0 if self.ranges.changes_values else self.scale

    def recolor(self, image: tf.Tensor) -> tf.Tensor:
        """Changes values; see `apply_values`."""
        if not self.ranges.changes_values:
            return image
        kernels = self.kernels if image.dtype == tf.float32 else TENSORFLOW
        return apply_values(
            image,
            self.params,
            self.ranges,
            unit_range=self.unit_range,
            kernels=kernels,
            scale=self.scale,
        )


def apply(
    image: tf.Tensor,
    params: Mapping[str, Any],
    augment: Augment,
    *,
    unit_range: bool = False,
    kernels: Kernels = TENSORFLOW,
) -> tf.Tensor:
    """Transforms an image by some parameters, with at most one resampling.

    Args:
        image: uint8, float32 or float64 [H, W, C], static shape; or a batch [B, H, W, C].
        params: as `draws.draw` returns them; missing ones are neutral, other keys are ignored.
        augment: for `fill_mode`, `cval`, `interpolation_order` and `cutout_value`.
        unit_range: whether values are in 0..1, not in 0..255; matters only if `augment.depends_on_range`.
        kernels: what moves the pixels.

    Returns:
        The image's shape, float64 for a float64 image, else float32.
    """
    moved = apply_geometry(image, params, augment, kernels)
    used = kernels if moved.dtype == tf.float32 and moved.shape.rank == 3 else TENSORFLOW
    return apply_values(moved, params, augment, unit_range=unit_range, kernels=used)


def apply_geometry(
    image: tf.Tensor,
    params: Mapping[str, Any],
    augment: Augment,
    kernels: Kernels = TENSORFLOW,
    scale: float = 1.0,
) -> tf.Tensor:
    """Applies the part of `apply` that moves pixels: the affine resampling and the flips.

    What belongs to an image pixel by pixel, such as a mask, gets the same parameters, with an
    `interpolation_order` (0 keeps the ids of classes) and a `cval` of its own.

    Args:
        image: any dtype, [H, W, C] or [B, H, W, C]. Whole numbers up to 2**24 stay exact.
        params: as `draws.draw` returns them; missing ones are neutral, other keys are ignored.
        augment: for `fill_mode`, `cval` and `interpolation_order`.
        kernels: what moves the pixels.
        scale: the values of the result are multiplied by it.

    Returns:
        The image's shape, float64 for a float64 image, else float32.

    >>> mask = tf.constant([[[7], [9]]], tf.int32)
    >>> nearest = Augment(interpolation_order=0, fill_mode="constant", cval=255)
    >>> apply_geometry(mask, {"tx": 1.0}, nearest)[0, :, 0].numpy().tolist()
    [9.0, 255.0]
    """
    values = _with_neutral(params)
    flips = {name: values[name] for name in ("flip_horizontal", "flip_vertical")}
    height, width = image.shape[-3:-1]
    # Bytes are cast as they are read, so there is a quarter of the memory to go through.
    image = image if image.dtype == tf.uint8 else _as_float(image)
    if not kernels.warps(image.dtype, augment.interpolation_order) or image.shape.rank != 3:
        kernels = TENSORFLOW
    matrix = _motion_matrix(height, width, values, params, kernels)
    if matrix is not None or kernels is not TENSORFLOW:  # which flips as it casts and scales
        return kernels.warp(
            image,
            _UNMOVED if matrix is None else matrix,
            # Without a move, each pixel is the one in its place, also beside NaN.
            order=0 if matrix is None else augment.interpolation_order,
            fill_mode=augment.fill_mode,
            cval=augment.cval,
            scale=scale,
            **flips,
        )
    image = _flip(_as_float(image), flips["flip_horizontal"], axis=-2)
    image = _flip(image, flips["flip_vertical"], axis=-3)
    return image if scale == 1 else image * tf.constant(scale, image.dtype)


def _motion_matrix(
    height: int,
    width: int,
    values: Mapping[str, Any],
    params: Mapping[str, Any],
    kernels: Kernels,
) -> tf.Tensor | None:
    """Returns the matrix of all moves (crop, the classic's, RandAugment's), or None if there are no moves."""
    matrices = []
    if any(name in params for name in _CROP):
        matrices.append(crop_matrix(height, width, *(params.get(n, v) for n, v in _CROP.items())))
    # The classic leaves a neutral image alone, too; resampling could change its last bits.
    if any(_may_differ(values[name], NEUTRAL[name]) for name in _MOVES):
        moves = {name: values[name] for name in _MOVES}
        matrices.append(kernels.affine_matrix(height, width, **moves))
    operations = _operations(params)
    if operations:
        matrices.append(rand_augment.geometry(height, width, *zip(*operations, strict=True)))
    return functools.reduce(composed, matrices) if matrices else None


def apply_values(
    image: tf.Tensor,
    params: Mapping[str, Any],
    augment: Augment,
    *,
    unit_range: bool = False,
    kernels: Kernels = TENSORFLOW,
    scale: float = 1.0,
) -> tf.Tensor:
    """Applies the part of `apply` that changes values but moves no pixels; not for masks.

    Args:
        image: float32 or float64 [H, W, C] or [B, H, W, C].
        params: as `draws.draw` returns them; missing ones are neutral, other keys are ignored.
        augment: for `cutout_value`.
        unit_range: whether values are in 0..1, not in 0..255; matters only if `augment.depends_on_range`.
        kernels: what changes the values; those in C take a single image of float32.
        scale: the values of the result are multiplied by it.

    Returns:
        The same shape and dtype.

    >>> apply_values(tf.constant([[[10.0], [250.0]]]), {"brightness": 0.5}, Augment()).numpy().tolist()
    [[[5.0], [125.0]]]
    """
    steps = {name: params[name] for name in COLOR_STEPS if name in params}
    steps["channel_shift"] = params.get("channel_shift_intensity")
    if "cutout_width" in params:
        steps["cutout"] = [params.get(name, share) for name, share in _CUTOUT.items()]
    steps = {name: value for name, value in steps.items() if value is not None}
    operations = _operations(params)
    if operations:  # between the colors and cutout
        colors = {name: value for name, value in steps.items() if name != "cutout"}
        steps = {name: value for name, value in steps.items() if name == "cutout"}
        image = kernels.recolor(image, colors, unit_range=unit_range)
        drawn, strengths = zip(*operations, strict=True)
        image = rand_augment.apply_operations(image, drawn, strengths, unit_range=unit_range)
    return kernels.recolor(
        image, steps, unit_range=unit_range, cutout_value=augment.cutout_value, scale=scale
    )


def _operations(params: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Lists RandAugment's operations and their strengths, in the order in which they were drawn."""
    numbers = range(1, MAX_OPERATIONS + 1)
    return [
        (params[f"rand_augment_{number}"], params.get(f"rand_augment_strength_{number}", 0.0))
        for number in numbers
        if f"rand_augment_{number}" in params
    ]


def _as_float(image: tf.Tensor) -> tf.Tensor:
    return tf.cast(image, tf.float64 if image.dtype == tf.float64 else tf.float32)


def _with_neutral(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params.get(name, neutral) for name, neutral in NEUTRAL.items()}


def _may_differ(value: Any, neutral: Any) -> bool:
    return tf.is_tensor(value) or value != neutral


def _flip(image: tf.Tensor, flip: Any, axis: int) -> tf.Tensor:
    if not tf.is_tensor(flip):
        return tf.reverse(image, [axis]) if flip else image
    mirrored = color.per_image(flip, tf.bool)
    return tf.where(mirrored, tf.reverse(image, [axis]), image)
