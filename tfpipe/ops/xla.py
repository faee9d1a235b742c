"""What XLA compiles, and whether this TensorFlow does so on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfpipe.installed import tensorflow_release


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` under XLA, compiled once a signature: shapes, dtypes, Python values it is given.

    Make it once, outside the function given to `Dataset.map`, and call it there with tensors of
    static shape; what varies from image to image (the matrix) must be a tensor. Several ops in one
    compiled function cost less than one compiled function after the other.

    >>> halve = compiled(lambda image: image / 2.0)
    >>> halve(tf.constant([3.0])).numpy().tolist()
    [1.5]
    """
    # AutoGraph has nothing to rewrite here, and warns of a lambda whose source it cannot find.
    result: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return result


@functools.cache
def xla_available() -> bool:
    """Whether this TensorFlow compiles for the CPU; the plain functions give the same values.

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
    """Whether a thread of XLA's runs compiled code, while the one that calls it waits.

    True before TensorFlow 2.20; measured with 2.17 to 2.21.
    """
    return xla_available() and tensorflow_release() < (2, 20)
