"""Compilation by XLA, and whether this TensorFlow supports it on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfpipe.graph import always_traced
from tfpipe.installed import tensorflow_release


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles `function` with XLA, once per signature: the shapes, dtypes and Python values it is given.

    Compile once, outside the function given to `Dataset.map`, and call the result there with tensors of
    static shape; what varies from image to image (the matrix) must be a tensor. Several ops in one
    compiled function cost less than several compiled functions in a row.

    The result is also compiled after `tf.config.run_functions_eagerly(True)`: TensorFlow would run the
    operations one by one, whose last bits differ, and a last bit can decide between two pixels or levels.

    >>> halve = compiled(lambda image: image / 2.0)
    >>> halve(tf.constant([3.0])).numpy().tolist()
    [1.5]
    """
    return always_traced(function, jit_compile=True)


@functools.cache
def xla_available() -> bool:
    """Tells whether this TensorFlow compiles for the CPU; the plain functions give the same values.

    >>> xla_available() in (True, False)
    True
    """
    try:
        with tf.init_scope(), tf.device("CPU"):
            compiled(tf.identity)(tf.zeros([1]))
    except (tf.errors.OpError, ValueError):
        return False
    return True


def xla_has_own_threads() -> bool:
    """Tells whether compiled code runs in a thread of XLA's, while the thread that calls it waits.

    It does before TensorFlow 2.20; measured with 2.17 to 2.21.
    """
    return xla_available() and tensorflow_release() < (2, 20)
