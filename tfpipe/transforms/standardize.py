"""Standardization: deterministic, after augmentation; its result is what the model sees.

The order is: preprocessing_function -> rescale -> sample-wise -> feature-wise -> ZCA.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_bool, check_number, warn
from tfpipe.keywords import suggests
from tfpipe.ops.kernels import TENSORFLOW, Kernels

_FLAGS = (
    "samplewise_center",
    "samplewise_std_normalization",
    "featurewise_center",
    "featurewise_std_normalization",
    "zca_whitening",
)


@suggests
@dataclass(frozen=True, eq=False)
class Standardize:
    """What is done to every image after augmentation.

    Attributes:
        preprocessing_function: called with one image [H, W, C] ([C, H, W] with channels_first); returns one
            of the same shape, or one that broadcasts to it, such as a single channel. Stays in the graph if
            it takes tensors.
        rescale: a factor; None or 0: off.
        samplewise_center: subtract each image's own mean.
        samplewise_std_normalization: divide by each image's own standard deviation; needs
            `samplewise_center`.
        featurewise_center: subtract `mean`.
        featurewise_std_normalization: divide by `std`; needs `featurewise_center`.
        zca_whitening: multiply the flattened image by `zca_whitening_matrix`.
        mean, std: of the data set, broadcast against one image: (1, 1, C), or (C, 1, 1) with
            channels_first. None: not fitted, so the step is left out.
        zca_whitening_matrix: (HWC, HWC), or None.

    Raises:
        ValueError: a value is of the wrong kind; the message names it and what is allowed.

    >>> Standardize(rescale=1 / 255).rescale * 255
    1.0
    """

    preprocessing_function: Callable[[Any], Any] | None = None
    rescale: float | None = None
    samplewise_center: bool = False
    samplewise_std_normalization: bool = False
    featurewise_center: bool = False
    featurewise_std_normalization: bool = False
    zca_whitening: bool = False
    mean: Any = None
    std: Any = None
    zca_whitening_matrix: Any = None

    def __post_init__(self) -> None:
        if self.preprocessing_function is not None and not callable(self.preprocessing_function):
            raise ValueError(
                "preprocessing_function must be callable or None. Received: "
                f"preprocessing_function={self.preprocessing_function!r}."
            )
        if self.rescale is not None:
            check_number("rescale", self.rescale)
        for name in _FLAGS:
            check_bool(name, getattr(self, name))
        for name in ("mean", "std"):
            _check_numbers(name, getattr(self, name), "numbers that broadcast against one image")
        matrix = self.zca_whitening_matrix
        _check_numbers("zca_whitening_matrix", matrix, "a square matrix of numbers")
        if matrix is not None and (np.ndim(matrix) != 2 or len(set(np.shape(matrix))) != 1):
            raise ValueError(
                "zca_whitening_matrix must be a square matrix of numbers, or None. Received: "
                f"shape={np.shape(matrix)}."
            )

    @property
    def works_on_batches(self) -> bool:
        """Whether any step other than preprocessing_function is on."""
        return bool(self.rescale or self.centers_and_scales)

    @property
    def centers_and_scales(self) -> list[str]:
        """The steps that are on and give numbers below 0, or fractions, whatever the images hold."""
        return [name for name in _FLAGS if getattr(self, name)]

    @property
    def statistics(self) -> dict[str, Any]:
        """The statistics that there are, by name."""
        names = ("mean", "std", "zca_whitening_matrix")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def unfitted(self) -> list[str]:
        """Lists the steps that are on but have no statistics yet."""
        needs = {
            "featurewise_center": self.mean,
            "featurewise_std_normalization": self.std,
            "zca_whitening": self.zca_whitening_matrix,
        }
        return [name for name, value in needs.items() if getattr(self, name) and value is None]


def _check_numbers(name: str, value: Any, allowed: str) -> None:
    if value is None:
        return
    values = np.asarray(value)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise ValueError(f"{name} must be {allowed}, or None. Received: {name}={value!r}.")


def warn_of_unfitted(spec: Standardize, so: str = "The step is left out.") -> None:
    """Issues a `UserWarning` for each step that is left out for lack of statistics; `so` ends the message."""
    for name in spec.unfitted():
        warn(
            f"This ImageDataGenerator specifies `{name}`, but it hasn't been fit on any training "
            f"data. Fit it first by calling `.fit(numpy_data)`. {so}",
        )


def standardize_batch(
    images: tf.Tensor,
    spec: Standardize,
    *,
    rescale: bool = True,
    dtype: tf.DType | None = None,
    kernels: Kernels = TENSORFLOW,
) -> tf.Tensor:
    """Applies every step to a batch, except preprocessing_function, which works on single images.

    Args:
        images: any dtype, [B, H, W, C] or [B, C, H, W], in the layout of `spec.mean`.
        spec: the steps; steps without statistics are left out.
        rescale: False if it has been done before.
        dtype: of the result, a float; None keeps a float, and makes float32 of others.
        kernels: what computes it.

    Returns:
        The same shape.

    >>> images = tf.constant([[[[1.0], [3.0]]]])
    >>> standardize_batch(images, Standardize(samplewise_center=True)).numpy().tolist()
    [[[[-1.0], [1.0]]]]
    """
    images = kernels.standardize(
        images,
        spec.rescale if rescale and spec.rescale else 1.0,
        center=spec.samplewise_center,
        normalize=spec.samplewise_std_normalization,
        mean=spec.mean if spec.featurewise_center else None,
        std=spec.std if spec.featurewise_std_normalization else None,
        dtype=dtype,
    )
    if spec.zca_whitening and spec.zca_whitening_matrix is not None:
        flat = tf.reshape(images, [-1, math.prod(images.shape[1:])])
        matrix = tf.cast(spec.zca_whitening_matrix, images.dtype)
        images = tf.reshape(tf.linalg.matmul(flat, matrix), tf.shape(images))
    return images


def with_statistics(spec: Standardize, statistics: Mapping[str, Any]) -> Standardize:
    """Returns the same steps with other statistics, which may be tensors."""
    result = copy.copy(spec)
    for name, value in statistics.items():
        object.__setattr__(result, name, value)
    return result
