"""Standardisation: deterministic, after augmentation, what the model sees.

In this order: preprocessing_function -> rescale -> sample-wise -> feature-wise -> ZCA.
"""

from __future__ import annotations

import contextlib
import copy
import math
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_bool, check_number, warn

_EPSILON = 1e-6  # the classic's, added to each standard deviation
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
# Names by which a function makes a generator of its own; "Generator" may be TensorFlow's.
_MAKERS = frozenset(
    {"default_rng", "RandomState", "SystemRandom", "Random", "PCG64", "MT19937", "Philox", "SFC64"}
)


@dataclass(frozen=True, eq=False)
class Standardize:
    """What is done to every image after augmentation.

    Attributes:
        preprocessing_function: called on one image [H, W, C] ([C, H, W] with channels_first); gives one of
            the same shape. Stays in the graph where it takes tensors.
        rescale: a factor; None or 0: off.
        samplewise_center, samplewise_std_normalization: subtract each image's own mean, divide by its own
            standard deviation. The second needs the first.
        featurewise_center, featurewise_std_normalization: the same with `mean` and `std`.
        zca_whitening: multiply the flattened image by `zca_whitening_matrix`.
        mean, std: of the data set, broadcast against one image: (1, 1, C), or (C, 1, 1) with
            channels_first. None: not fitted, the step is left out.
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
        for name in (
            "samplewise_center",
            "samplewise_std_normalization",
            "featurewise_center",
            "featurewise_std_normalization",
            "zca_whitening",
        ):
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
        """Whether any step but preprocessing_function is on."""
        return bool(
            self.rescale
            or self.samplewise_center
            or self.samplewise_std_normalization
            or self.featurewise_center
            or self.featurewise_std_normalization
            or self.zca_whitening
        )

    def unfitted(self) -> list[str]:
        """The steps that are on but have no statistics yet."""
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
    """One `UserWarning` for each step that is left out for want of statistics; `so` ends it."""
    for name in spec.unfitted():
        warn(
            f"This ImageDataGenerator specifies `{name}`, but it hasn't been fit on any training "
            f"data. Fit it first by calling `.fit(numpy_data)`. {so}",
        )


def standardize_batch(images: tf.Tensor, spec: Standardize, *, rescale: bool = True) -> tf.Tensor:
    """A batch with every step but preprocessing_function, which works on single images.

    Args:
        images: float [B, H, W, C] or [B, C, H, W], as `spec.mean` is laid out.
        spec: the steps; those without statistics are left out.
        rescale: False where it was done before.

    Returns:
        The same shape and dtype.

    >>> images = tf.constant([[[[1.0], [3.0]]]])
    >>> standardize_batch(images, Standardize(samplewise_center=True)).numpy().tolist()
    [[[[-1.0], [1.0]]]]
    """
    dtype = images.dtype
    if rescale and spec.rescale:
        images = images * tf.constant(spec.rescale, dtype)
    if spec.samplewise_center:
        images = images - tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    if spec.samplewise_std_normalization:
        deviation = tf.math.reduce_std(images, axis=[1, 2, 3], keepdims=True)
        images = images / (deviation + tf.constant(_EPSILON, dtype))
    if spec.featurewise_center and spec.mean is not None:
        images = images - tf.cast(spec.mean, dtype)
    if spec.featurewise_std_normalization and spec.std is not None:
        images = images / (tf.cast(spec.std, dtype) + tf.constant(_EPSILON, dtype))
    if spec.zca_whitening and spec.zca_whitening_matrix is not None:
        flat = tf.reshape(images, [-1, math.prod(images.shape[1:])])
        images = tf.reshape(flat @ tf.cast(spec.zca_whitening_matrix, dtype), tf.shape(images))
    return images


def with_tensors(spec: Standardize, dtype: str) -> Standardize:
    """The same steps, their statistics as tensors."""
    statistics = {name: getattr(spec, name) for name in ("mean", "std", "zca_whitening_matrix")}
    result = copy.copy(spec)
    for name, value in statistics.items():
        if value is not None:
            object.__setattr__(result, name, tf.constant(value, dtype))
    return result


def in_graph_function(
    function: Callable[[Any], Any], shape: tuple[int, int, int], dtype: tf.DType
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A user's preprocessing_function as a function of tensors.

    It is tried on a probe: as a NumPy function, twice, and as a tensor function. It stays in the graph
    if they agree, or if it takes tensors only. Otherwise (it takes only NumPy, or draws random
    numbers, which a graph would draw once and for all) it is called from the graph with an
    `np.ndarray` of rank 3, and one warning says what that costs.

    That it draws is seen from NumPy's and Python's global generators, from generators that it holds
    (closure, defaults, globals it names, attributes of its object) or makes, and from two different
    results; one that is hidden deeper, or in what it calls, is not found.

    Args:
        function: image -> image.
        shape: of the image, as the function is to see it.
        dtype: of the image.

    Raises:
        ValueError: the function changes the shape; both shapes are named.
    """
    name = _name(function)
    probe = np.random.default_rng(0).uniform(0, 255, shape).astype(dtype.as_numpy_dtype)
    traced = tf.function(function, autograph=False)
    before = _generators()
    try:
        first, reason = _attempt(lambda: np.asarray(function(probe.copy())))
        second, _ = _attempt(lambda: np.asarray(function(probe.copy())))
        in_graph, _ = _attempt(lambda: traced(tf.constant(probe)).numpy())
        draws = _generators() != before or _holds_generator(function)
    finally:  # the probes must not move the user's generators
        numpy_state, python_state = pickle.loads(before)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
    result = first if first is not None else in_graph
    if result is None:
        raise ValueError(
            f"preprocessing_function {name} fails on an image of shape {shape}."
        ) from reason
    _check_shape(name, shape, result.shape)
    is_steady = not draws and first is not None and _agree(first, second)
    if in_graph is not None and (first is None or (is_steady and _agree(first, in_graph))):
        return lambda image: tf.cast(traced(image), dtype)

    warn(
        f"preprocessing_function {name} takes only NumPy arrays (or is random), so it runs in Python, "
        "one image at a time under the GIL, and cannot run on a tf.data service worker. Write it with "
        "tensor operations to keep it in the graph.",
    )

    def with_numpy(image: np.ndarray) -> np.ndarray:
        return call_with_numpy(function, image)

    def in_python(image: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(with_numpy, [image], dtype), shape)

    return in_python


def call_with_numpy(function: Callable[[Any], Any], image: np.ndarray) -> np.ndarray:
    """A user's preprocessing_function on a copy of one image of rank 3; the dtype stays.

    Raises:
        ValueError: the function changes the shape; both shapes are named.
    """
    changed = np.asarray(function(np.array(image)), image.dtype)
    _check_shape(_name(function), image.shape, changed.shape)
    return changed


def _name(function: Callable[[Any], Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _generators() -> bytes:
    """The states of the global generators, which functions that draw numbers mostly draw them from."""
    return pickle.dumps((np.random.get_state(), random.getstate()))  # noqa: NPY002


def _holds_generator(function: Callable[[Any], Any]) -> bool:
    """Whether a function has a generator of random numbers at hand."""
    owner = getattr(function, "__self__", function)  # of a method, or an object that is callable
    held = [*getattr(owner, "__dict__", {}).values()]
    function = getattr(function, "__func__", function)
    held += getattr(function, "__defaults__", None) or ()
    held += (getattr(function, "__kwdefaults__", None) or {}).values()
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # a cell may be empty
            held.append(cell.cell_contents)
    code, names = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    used = code.co_names if code else ()
    held += [names.get(name) for name in used]
    return any(isinstance(value, _GENERATORS) for value in held) or not _MAKERS.isdisjoint(used)


def _attempt(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except Exception as err:  # whatever a user's function may raise
        return None, err


def _agree(first: np.ndarray, other: np.ndarray | None) -> bool:
    return (
        other is not None
        and first.shape == other.shape
        and np.allclose(first, other, rtol=1e-4, atol=1e-3, equal_nan=True)
    )


def _check_shape(name: str, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    if tuple(after) != tuple(before):
        raise ValueError(
            f"preprocessing_function {name} must keep the shape of the image. "
            f"It got {tuple(before)} and returned {tuple(after)}."
        )
