"""What the heavy steps of a pipeline are computed with: TensorFlow's operations, or kernels written in C.

Both resize bytes to the same bits; floats differ by less than 0.01 of 255. The pure function is always there;
the kernel is chosen as a value of the plan.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfpipe.checks import check_one_of
from tfpipe.ops import native
from tfpipe.ops.matrix import affine_matrix, as_float64
from tfpipe.ops.recolor import COLOR_STEPS, recolor
from tfpipe.ops.resize import PILLOW_INTERPOLATIONS, resize
from tfpipe.ops.resize_tf import TF_INTERPOLATIONS, tensorflow_resize
from tfpipe.ops.standardize import standardize
from tfpipe.ops.warp import affine_transform
from tfpipe.ops.warp_spec import FILL_MODES

KERNELS = ("auto", "tensorflow", "native")
_VARIABLE = "TFPIPE_KERNELS"
# What the kernel takes, in its order, with the neutral values.
_NEUTRAL_MOVES = {"theta": 0.0, "tx": 0.0, "ty": 0.0, "shear": 0.0, "zx": 1.0, "zy": 1.0}


@dataclass(frozen=True)
class Kernels:
    """One implementation of the heavy steps.

    Attributes:
        name: "tensorflow" or "native".
        resize: Pillow's resize, with the arguments of `ops.resize.resize`.
        resize_tf: `tf.image.resize`, with the arguments of `native_resize_tf`.
        affine_matrix: with the arguments of `ops.matrix.affine_matrix`, except the flips.
        warp: with the arguments of `ops.warp.affine_transform`, and a `scale` for the values of the result.
        recolor: with the arguments of `ops.recolor.recolor`.
        standardize: with the arguments of `ops.standardize.standardize`.
    """

    name: str
    resize: Callable[..., tf.Tensor]
    resize_tf: Callable[..., tf.Tensor]
    affine_matrix: Callable[..., tf.Tensor]
    warp: Callable[..., tf.Tensor]
    recolor: Callable[..., tf.Tensor]
    standardize: Callable[..., tf.Tensor]

    def warps(self, dtype: tf.DType, order: int) -> bool:
        """Tells whether `warp` takes single images of this dtype without being compiled."""
        return self.name == "native" and dtype in (tf.uint8, tf.float32) and order <= 1


def native_resize(
    image: tf.Tensor,
    size: tuple[int, int],
    interpolation: str = "nearest",
    *,
    keep_aspect_ratio: bool = False,
    box: tf.Tensor | None = None,
) -> tf.Tensor:
    """Resizes one image as `ops.resize.resize` does, in one operation.

    Args:
        image: uint8 or float32 [H, W, C], C = 1 .. 4, values in 0..255; or, for "nearest", any int32.
        size: static (height, width) of the result.
        interpolation: one of `PILLOW_INTERPOLATIONS`.
        keep_aspect_ratio: whether to resize the centered box with the ratio of `size`.
        box: float32 [4], the (top, left, bottom, right) of the part to resize instead of the whole image, in
            pixels, which need not be whole numbers; Pillow's `box` has left and top the other way round.

    Returns:
        [*size, C] of the dtype of `image`, equal to Pillow's for uint8.

    Raises:
        ImportError: the library was not built.
        tf.errors.InvalidArgumentError: the image has no pixels or more than 4 channels; the box is not in it.
    """
    image = tf.convert_to_tensor(image)
    if box is None and image.shape[:2] == list(size):
        return image
    if (
        image.dtype == tf.int32 and interpolation == "nearest"
    ):  # which copies pixels, whatever they mean
        copied = native_resize(
            tf.bitcast(image, tf.float32), size, keep_aspect_ratio=keep_aspect_ratio, box=box
        )
        return tf.bitcast(copied, tf.int32)
    resized = _library().tfpipe_resize(
        image=image,
        box=tf.zeros([0], tf.float32) if box is None else box,
        height=size[0],
        width=size[1],
        filter=PILLOW_INTERPOLATIONS.index(interpolation),
        keep_aspect_ratio=keep_aspect_ratio,
    )
    return tf.ensure_shape(resized, [*size, image.shape[-1]])


def native_resize_tf(
    image: tf.Tensor, size: Any, interpolation: str = "bilinear", antialias: bool = False
) -> tf.Tensor:
    """Resizes one image as `tf.image.resize` does, in one operation.

    Args:
        image: uint8 or float32 [H, W, C]; other dtypes, and "area", are left to `tf.image.resize`.
        size: (height, width) of the result, numbers, or tensors [].
        interpolation: one of `TF_INTERPOLATIONS`.
        antialias: whether to widen the kernel where the image gets smaller.

    Returns:
        [*size, C], float32, or the dtype of `image` for "nearest"; bit for bit TensorFlow's.

    Raises:
        ImportError: the library was not built.
        tf.errors.InvalidArgumentError: the image has no pixels.
    """
    # TensorFlow may have nothing to do, not even a cast, where it knows the size; its area is as fast as C.
    is_left = image.shape[:2].is_fully_defined() or interpolation == "area"
    if is_left or image.dtype not in (tf.uint8, tf.float32):
        return tf.image.resize(image, size, interpolation, antialias=antialias)
    dtype = image.dtype if interpolation == "nearest" else tf.float32
    return _library().tfpipe_resize_tf(
        image=image,
        size=tf.stack(size),
        U=dtype,
        method=TF_INTERPOLATIONS.index(interpolation),
        antialias=antialias,
    )


def native_affine_matrix(height: int, width: int, **moves: Any) -> tf.Tensor:
    """Returns the matrix of the classic's moves, as `ops.matrix.affine_matrix` does, in one operation.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        **moves: theta, tx, ty, shear, zx and zy; numbers, or tensors [].

    Returns:
        float64 [2, 3].
    """
    values = tf.stack(
        [as_float64(moves.get(name, value)) for name, value in _NEUTRAL_MOVES.items()]
    )
    matrix = _library().tfpipe_affine_matrix(moves=values, height=height, width=width)
    return tf.ensure_shape(matrix, [2, 3])


def native_warp(
    image: tf.Tensor,
    matrix: tf.Tensor,
    *,
    order: int = 1,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    flip_horizontal: Any = False,
    flip_vertical: Any = False,
    scale: float = 1.0,
) -> tf.Tensor:
    """Resamples one image as `ops.warp.affine_transform` does, in one operation.

    Args:
        image: uint8 or float32 [H, W, C], static shape.
        matrix: float64 [2, 3], output (row, column) to input (row, column).
        order: 0 or 1.
        fill_mode: one of `FILL_MODES`.
        cval: the value for "constant".
        flip_horizontal, flip_vertical: Python bools, or tensors [].
        scale: the values of the result are multiplied by it.

    Returns:
        float32 [H, W, C].
    """
    flips = tf.stack([tf.cast(flip, tf.bool) for flip in (flip_horizontal, flip_vertical)])
    moved = _library().tfpipe_warp(
        image=image,
        matrix=matrix,
        flips=flips,
        order=order,
        fill=FILL_MODES.index(fill_mode),
        cval=float(cval),
        scale=float(scale),
    )
    return tf.ensure_shape(moved, image.shape)


def native_recolor(
    image: tf.Tensor,
    steps: Mapping[str, Any],
    *,
    unit_range: bool = False,
    cutout_value: float = 0.0,
    scale: float = 1.0,
) -> tf.Tensor:
    """Changes the colors of one image as `ops.recolor.recolor` does, in one operation.

    Args:
        image: float32 [H, W, C].
        steps: by the names of `COLOR_STEPS`: a number or a tensor []; for "cutout" a sequence of four.
        unit_range: whether values are in 0..1, not in 0..255.
        cutout_value: for every channel.
        scale: the values of the result are multiplied by it.

    Returns:
        float32 [H, W, C].
    """
    if not steps and scale == 1:
        return image
    off = [0.0] * 4
    values = [steps.get(name, 0.0) for name in COLOR_STEPS[:-1]]
    values = [as_float64(value) for value in [*values, *steps.get("cutout", off)]]
    changed = _library().tfpipe_recolor(
        image=image,
        values=tf.stack(values),
        steps=sum(1 << place for place, name in enumerate(COLOR_STEPS) if name in steps),
        cutout_value=float(cutout_value),
        scale=float(scale),
        unit_range=unit_range,
    )
    return tf.ensure_shape(changed, image.shape)


def scaled_warp(image: tf.Tensor, matrix: tf.Tensor, scale: float = 1.0, **how: Any) -> tf.Tensor:
    """Resamples as `ops.warp.affine_transform` does, and multiplies the result by `scale`."""
    moved = affine_transform(image, matrix, **how)
    return moved if scale == 1 else moved * tf.constant(scale, moved.dtype)


def native_standardize(
    images: tf.Tensor,
    scale: float = 1.0,
    *,
    center: bool = False,
    normalize: bool = False,
    mean: Any = None,
    std: Any = None,
    dtype: tf.DType | None = None,
) -> tf.Tensor:
    """Standardizes a batch as `ops.standardize.standardize` does, in one operation.

    Args:
        images: uint8 or float32 [B, H, W, C]; what it cannot do is left to TensorFlow's operations.
        scale: a number.
        center: whether each image's own mean is subtracted.
        normalize: whether each image is divided by its own standard deviation, plus 1e-6.
        mean, std: one number, or one a channel (the last axis), or None.
        dtype: of the result, float32, which is also what None is here.

    Returns:
        float32 [B, H, W, C].
    """
    takes = images.dtype in (tf.uint8, tf.float32) and dtype in (None, tf.float32)
    given = {"mean": mean, "std": std}
    values = {name: tf.cast(v, tf.float32) for name, v in given.items() if v is not None}
    of_channels = [_is_of_channels(value, images.shape[-1]) for value in values.values()]
    if not takes or not all(of_channels) or images.shape.rank != 4:
        own = {"center": center, "normalize": normalize}
        return standardize(images, scale, **own, mean=mean, std=std, dtype=dtype)
    none = tf.zeros([0], tf.float32)
    result = _library().tfpipe_standardize(
        images=images,
        mean=tf.reshape(values["mean"], [-1]) if "mean" in values else none,
        std=tf.reshape(values["std"], [-1]) if "std" in values else none,
        scale=float(scale),
        center=center,
        normalize=normalize,
    )
    return tf.ensure_shape(result, images.shape)


def _is_of_channels(values: tf.Tensor, channels: int | None) -> bool:
    """Tells whether values that broadcast against an image are one number, or one a channel."""
    count = values.shape.num_elements()  # None: not known
    return count == 1 or (count is not None and count == channels == values.shape[-1])


TENSORFLOW = Kernels(
    "tensorflow", resize, tensorflow_resize, affine_matrix, scaled_warp, recolor, standardize
)
NATIVE = Kernels(
    "native",
    native_resize,
    native_resize_tf,
    native_affine_matrix,
    native_warp,
    native_recolor,
    native_standardize,
)


def why_not_native() -> str | None:
    """Says why the kernels in C cannot be used; None if they can."""
    ops, reason = native.library()
    return reason if ops is None else None


def chosen(asked: str = "auto") -> Kernels:
    """Returns the requested implementation.

    Args:
        asked: "tensorflow", "native", or "auto": the kernels in C if they were built. The environment
            variable TFPIPE_KERNELS decides for "auto".

    Raises:
        ImportError: "native" kernels were not built.

    >>> chosen("tensorflow").name
    'tensorflow'
    """
    check_one_of("kernels", asked, KERNELS)
    if asked == "auto":
        asked = os.environ.get(_VARIABLE) or "auto"
        check_one_of(_VARIABLE, asked, KERNELS)
    if asked == "tensorflow" or (asked == "auto" and why_not_native() is not None):
        return TENSORFLOW
    _library()
    return NATIVE


def _library() -> Any:
    ops, reason = native.library()
    if ops is None:
        raise ImportError(
            f"kernels='native' needs tfpipe's library of kernels; {reason}. Leave kernels out, or install "
            "a C compiler, and tfpipe again with pip install --force-reinstall --no-deps --no-cache-dir."
        )
    return ops
