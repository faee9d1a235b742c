"""Augmentation and standardization of single arrays by the graph's own functions, NumPy in and out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import seeds
from tfpipe.ops import color
from tfpipe.ops.kernels import chosen
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.draws import draw
from tfpipe.transforms.motion import apply
from tfpipe.transforms.standardize import Standardize, standardize_batch
from tfpipe.transforms.user_function import call_with_numpy

_SEED = tf.TensorSpec([], tf.int64)


def random_params(augment: Augment, height: int, width: int, seed: int | None) -> dict[str, Any]:
    """Draws parameters once, as Python numbers; `seed=None` draws a seed.

    >>> from tfpipe.transforms.draws import NEUTRAL
    >>> random_params(Augment(), 4, 6, seed=1) == NEUTRAL
    True
    """
    with tf.device("CPU:0"):
        fixed, names, numbers = _drawer(augment, repr(augment), height, width)
        drawn = numbers(tf.constant(seeds.as_seed(seed), tf.int64)).numpy().tolist()
    return {**fixed, **dict(zip(names, drawn, strict=True))}


@functools.lru_cache(maxsize=16)
def _drawer(
    augment: Augment, text: str, height: int, width: int
) -> tuple[dict[str, Any], list[str], Callable[[tf.Tensor], tf.Tensor]]:
    """Returns the parameters that are never drawn, the names of the others, and seed -> their numbers.

    A shift of 2 and one of 2.0 are equal, but draw differently; only their text tells them apart.

    The numbers are drawn by a graph, because each of its some 100 operations would take 10 microseconds
    outside one.
    """
    fixed: dict[str, Any] = {}
    names: list[str] = []

    def numbers(seed: tf.Tensor) -> tf.Tensor:
        params = draw(augment, seeds.stream_key(seed, "augment"), height, width)
        fixed.update(params)
        names[:] = [name for name, value in params.items() if tf.is_tensor(value)]
        return tf.stack([tf.cast(params[name], tf.float64) for name in names] or tf.zeros([0]))

    with tf.init_scope():
        traced = tf.function(numbers, autograph=False, input_signature=[_SEED])
        function = traced.get_concrete_function()
    return fixed, names, function


def transform_array(
    image: np.ndarray, params: Mapping[str, Any], augment: Augment, channels_first: bool
) -> np.ndarray:
    """Transforms one image [H, W, C] ([C, H, W] with channels_first) by some parameters; keeps its dtype.

    Raises:
        ValueError: the image does not have rank 3.
    """
    image = np.asarray(image)
    if image.ndim != 3:
        raise ValueError(
            f"Input arrays must be multi-channel 2D images, rank 3. Received: shape={image.shape}."
        )
    # A float16 or an integer image is computed in float32, as in `apply` for the dtypes that it knows.
    pixels = image if image.dtype in (np.uint8, np.float64) else image.astype(np.float32)
    pixels = np.moveaxis(pixels, 0, -1) if channels_first else pixels
    numbers = {name: value for name, value in params.items() if value is not None}
    unit_range = color.has_unit_range(image)
    with tf.device("CPU:0"):  # where the graph runs; a GPU would round in other places
        tensor, used = tf.constant(pixels), chosen()
        result = apply(tensor, numbers, augment, unit_range=unit_range, kernels=used).numpy()
    result = np.moveaxis(result, -1, 0) if channels_first else result
    if image.dtype.kind in "iu":  # SciPy rounds for an integer output
        bounds = np.iinfo(image.dtype)
        result = np.clip(np.floor(result + 0.5), bounds.min, bounds.max)
    return np.array(result.astype(image.dtype))


def standardize_array(x: np.ndarray, spec: Standardize, dtype: str) -> np.ndarray:
    """Applies all steps of `spec` to one image or a batch; floats keep their dtype, others get `dtype`."""
    x = np.asarray(x)
    result_dtype = x.dtype if x.dtype.kind == "f" else np.dtype(tf.as_dtype(dtype).as_numpy_dtype)
    compute_dtype = np.float64 if result_dtype == np.float64 else np.float32
    images = np.array(x if x.ndim == 4 else x[None], compute_dtype)
    if spec.preprocessing_function is not None:
        images = np.stack([call_with_numpy(spec.preprocessing_function, i) for i in images])
    with tf.device("CPU:0"):
        result = standardize_batch(tf.constant(images, compute_dtype), spec).numpy()
    return np.array(result.reshape(x.shape), result_dtype)
