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


@functools.cache
def library() -> tuple[Any, str]:
    """Loads the library, once per process; returns its ops, or None and why there are none."""
    path = kernels_library()
    if path is None:
        return None, "it was not built, because there was no C compiler at the installation"
    try:
        # The symbols of TensorFlow's C interface, which the library does not link to.
        for name in ("libtensorflow_framework.so.2", "libtensorflow_framework.2.dylib"):
            framework = os.path.join(tf.sysconfig.get_lib(), name)
            if os.path.exists(framework):
                ctypes.CDLL(framework, ctypes.RTLD_GLOBAL)
        return tf.load_op_library(str(path)), ""
    except (OSError, tf.errors.OpError, RuntimeError) as err:
        return None, f"it cannot be loaded: {err}"
