"""A user's own preprocessing_function, as a function of tensors."""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import warn
from tfpipe.graph import always_traced

_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
# Names by which a function makes its own generator. "Generator" is absent because it may be TensorFlow's.
_MAKERS = frozenset(
    {"default_rng", "RandomState", "SystemRandom", "Random", "PCG64", "MT19937", "Philox", "SFC64"}
)


def in_graph_function(
    function: Callable[[Any], Any], shape: tuple[int, int, int], dtype: tf.DType
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Turns a user's preprocessing_function into a function of tensors.

    It is tried on a probe: twice as a NumPy function, and once as a tensor function. It stays in the graph
    if the results agree, or if it takes only tensors. Otherwise (it takes only NumPy, or draws random
    numbers, which a graph would draw once and for all) it is called from the graph with an
    `np.ndarray` of rank 3, and one warning says what that costs.

    Random draws are detected from NumPy's and Python's global generators, from generators that the
    function holds (closure, defaults, globals it names, attributes of its object) or makes, and from two
    different results. A generator that is hidden deeper, or in what the function calls, is not found.

    Args:
        function: image -> image.
        shape: of the image, as the function sees it.
        dtype: of the image.

    Raises:
        ValueError: the function returns nothing, or another shape that does not broadcast to the image's;
            the message names both shapes.
    """
    name = _name(function)
    probe = np.random.default_rng(0).uniform(0, 255, shape).astype(dtype.as_numpy_dtype)
    traced = always_traced(function)
    before = _generators()
    try:
        first, reason = _attempt(lambda: _result(name, function(probe.copy())))
        second, _ = _attempt(lambda: _result(name, function(probe.copy())))
        in_graph, _ = _attempt(lambda: traced(tf.constant(probe)).numpy())
        draws = _generators() != before or _holds_generator(function)
    finally:  # the probes must not advance the user's generators
        numpy_state, python_state = pickle.loads(before)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
    result = first if first is not None else in_graph
    if result is None:
        raise ValueError(
            f"preprocessing_function {name} fails on an image of shape {shape}: {reason!r}."
        ) from reason
    _check_shape(name, shape, result.shape)
    kept = result.shape[-3:]  # NumPy drops further axes, all of length 1, in an assignment
    is_steady = not draws and first is not None and _agree(first, second)
    if in_graph is not None and (first is None or (is_steady and _agree(first, in_graph))):
        if result.shape == shape:
            return lambda image: tf.cast(traced(image), dtype)
        return lambda image: tf.broadcast_to(tf.reshape(tf.cast(traced(image), dtype), kept), shape)

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
    """Calls a user's preprocessing_function with a copy of one image of rank 3; keeps dtype and shape.

    Raises:
        ValueError: the function returns nothing, or another shape that does not broadcast to the image's;
            the message names both shapes.
    """
    name = _name(function)
    changed = np.asarray(_result(name, function(np.array(image))), image.dtype)
    _check_shape(name, image.shape, changed.shape)
    if changed.shape == image.shape:
        return changed
    return np.array(np.broadcast_to(changed.reshape(changed.shape[-3:]), image.shape))


def _result(name: str, value: Any) -> np.ndarray:
    if value is None:  # NumPy would make it NaN
        raise ValueError(
            f"preprocessing_function {name} returned None. It must return the image that it has changed."
        )
    return np.asarray(value)


def _name(function: Callable[[Any], Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _generators() -> bytes:
    """Returns the states of the global generators, which most functions that draw numbers use."""
    return pickle.dumps((np.random.get_state(), random.getstate()))  # noqa: NPY002


def _holds_generator(function: Callable[[Any], Any]) -> bool:
    """Whether a function has a generator of random numbers at hand."""
    owner = getattr(function, "__self__", function)  # the object of a method, or a callable object
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
    """Raises `ValueError` unless NumPy could assign a result of shape `after` to an image."""
    surplus, kept = after[:-3], after[-3:]
    lengths = zip(before[len(before) - len(kept) :], kept, strict=True)
    if all(n == 1 for n in surplus) and all(own in (n, 1) for n, own in lengths):
        return
    remedy = ""
    if len(after) == 2:
        remedy = " For a single channel, return result[..., np.newaxis]."
    raise ValueError(
        f"preprocessing_function {name} must keep the shape of the image, or return one that broadcasts "
        f"to it, such as a single channel. It got {tuple(before)} and returned {tuple(after)}.{remedy}"
    )
