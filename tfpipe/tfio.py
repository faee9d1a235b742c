"""What tensorflow-io adds to TensorFlow 2.16 and 2.17."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import tensorflow as tf

from tfpipe import formats


def load() -> Any:
    """The module `tensorflow_io`, or None where it does not work.

    Its ops are built for two releases of TensorFlow. Later ones import it, with warnings, and fail on
    use.
    """
    if not (formats.IO.fits(formats.installed_release()) and formats.is_installed(formats.IO)):
        return None
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_io

        return tensorflow_io
    return None


def decode_webp(contents: tf.Tensor) -> tf.Tensor:
    """A still WebP file as uint8 [H, W, 4]."""
    module = load()
    if module is None:
        raise ImportError(
            'tensorflow-io is not installed, or does not load: pip install "tfpipe[io]"'
        )
    return module.image.decode_webp(contents)
