"""What the heavy steps of a pipeline are computed with: TensorFlow's operations, or kernels written in C.

Both give the same bits. The pure function is always there; the kernel is chosen as a value of the plan.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfpipe.checks import check_one_of
from tfpipe.ops import native
from tfpipe.ops.resize import PILLOW_INTERPOLATIONS, resize

KERNELS = ("auto", "tensorflow", "native")
_VARIABLE = "TFPIPE_KERNELS"


@dataclass(frozen=True)
class Kernels:
    """One implementation of the heavy steps.

    Attributes:
        name: "tensorflow" or "native".
        resize: Pillow's resize, with the arguments of `ops.resize.resize`.
    """

    name: str
    resize: Callable[..., tf.Tensor]


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
        image: uint8 or float32 [H, W, C], C = 1 .. 4, values in 0..255.
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
    resized = _library().tfpipe_resize(
        image=image,
        box=tf.zeros([0], tf.float32) if box is None else box,
        height=size[0],
        width=size[1],
        filter=PILLOW_INTERPOLATIONS.index(interpolation),
        keep_aspect_ratio=keep_aspect_ratio,
    )
    return tf.ensure_shape(resized, [*size, image.shape[-1]])


TENSORFLOW = Kernels("tensorflow", resize)
NATIVE = Kernels("native", native_resize)


def why_not_native() -> str | None:
    """Says why the kernels in C cannot be used; None if they can."""
    ops, reason = native.library()
    return reason if ops is None else None


def chosen(asked: str = "auto") -> Kernels:
    """Returns the implementation that is asked for.

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
            f"kernels='native' needs tfpipe's library of kernels; {reason}. Install a C compiler and tfpipe "
            "again, or leave kernels out."
        )
    return ops
