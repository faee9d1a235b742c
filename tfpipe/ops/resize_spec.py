"""How images are resized: the specification, and the function that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import tensorflow as tf

from tfpipe.checks import check_bool, check_number, check_one_of, check_size
from tfpipe.ops.kernels import TENSORFLOW, Kernels
from tfpipe.ops.resize import PILLOW_INTERPOLATIONS
from tfpipe.ops.resize_tf import TF_INTERPOLATIONS, keeps_dtype, resize_with_tensorflow

ASPECTS = ("stretch", "crop", "pad")
INTERPOLATIONS = {"pillow": PILLOW_INTERPOLATIONS, "tensorflow": TF_INTERPOLATIONS}


@dataclass(frozen=True)
class ResizeSpec:
    """How images of any size become images of one size.

    Attributes:
        size: (height, width) in pixels.
        interpolation: one of `INTERPOLATIONS[resampling]`.
        resampling: whose kernels to resize with: "pillow" (antialiased, except nearest) or "tensorflow".
        antialias: whether to widen the kernel where an image gets smaller. In `image_dataset_from_...`,
            bilinear, bicubic and lanczos3 are then Pillow's filters, bit for bit; with `pad_to_aspect_ratio`
            they are TensorFlow's antialiased kernels, as in `tf.image.resize(..., antialias=True)`, which
            differ a little.
        aspect: "stretch" the image to `size`; "crop" its center to the ratio of `size` first; or "pad" it
            with `fill_value` ("tensorflow" only).
        fill_value: value of the pixels that `pad_to_aspect_ratio` adds, 0..255, the same in every channel;
            masks are padded with 0.
    """

    size: tuple[int, int] = (256, 256)
    interpolation: str = "nearest"
    resampling: str = "pillow"
    antialias: bool = False
    aspect: str = "stretch"
    fill_value: float = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("target_size", self.size))
        check_one_of("resampling", self.resampling, tuple(INTERPOLATIONS))
        check_one_of("interpolation", self.interpolation, INTERPOLATIONS[self.resampling])
        check_bool("antialias", self.antialias)
        check_one_of("aspect", self.aspect, ASPECTS if self.resampling != "pillow" else ASPECTS[:2])
        check_number("fill_value", self.fill_value, 0, 255)
        if self.fill_value and self.aspect != "pad":
            raise ValueError(
                "fill_value is the value of the pixels that pad_to_aspect_ratio=True adds. Received: "
                f"fill_value={self.fill_value!r} without it."
            )

    @property
    def keeps_bytes(self) -> bool:
        """Whether a uint8 image stays uint8; the other kernels give float32."""
        return self.resampling == "pillow" or keeps_dtype(self.interpolation)


def resizer(spec: ResizeSpec, kernels: Kernels = TENSORFLOW) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function image [H, W, C] -> [*size, C] that a specification describes."""
    if spec.resampling == "pillow":
        return partial(
            kernels.resize,
            size=spec.size,
            interpolation=spec.interpolation,
            keep_aspect_ratio=spec.aspect == "crop",
        )
    return partial(
        resize_with_tensorflow,
        size=spec.size,
        interpolation=spec.interpolation,
        aspect=spec.aspect,
        antialias=spec.antialias,
        fill_value=spec.fill_value,
        resize=kernels.resize_tf,
    )
