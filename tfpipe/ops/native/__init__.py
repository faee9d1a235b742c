"""The compiled kernels: C through TensorFlow's stable interface, one library for every release of TensorFlow.

`setup.py` builds it where there is a C compiler. Where there is none, everything runs on the pure functions
of `ops`.
"""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

import tensorflow as tf

from tfpipe.installed import kernels_library

_OPS = (
    "tfpipe_resize",
    "tfpipe_resize_tf",
    "tfpipe_affine_matrix",
    "tfpipe_warp",
    "tfpipe_recolor",
    "tfpipe_standardize",
)


@functools.cache
def library() -> tuple[Any, str]:
    """Loads the library, once per process; returns its ops, or None and why there are none."""
    path = kernels_library()
    if path is None:
        return None, "no C compiler built it when tfpipe was installed"
    try:
        # The symbols of TensorFlow's C interface, which the library does not link to.
        for name in ("libtensorflow_framework.so.2", "libtensorflow_framework.2.dylib"):
            framework = os.path.join(tf.sysconfig.get_lib(), name)
            if os.path.exists(framework):
                ctypes.CDLL(framework, ctypes.RTLD_GLOBAL)
        ops = tf.load_op_library(str(path))
    except (OSError, tf.errors.OpError, RuntimeError) as err:
        return None, f"it cannot be loaded: {err}"
    missing = [name for name in _OPS if not hasattr(ops, name)]
    return (None, f"it is of another version and lacks {missing[0]}") if missing else (ops, "")
