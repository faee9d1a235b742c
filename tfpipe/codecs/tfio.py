"""What tensorflow-io decodes under TensorFlow 2.16 and 2.17."""

from __future__ import annotations

import tensorflow as tf

from tfpipe.installed import pip_install, tensorflow_io


def decode_webp_with_io(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a still WebP file to uint8 [H, W, 4]."""
    module = tensorflow_io()
    if module is None:
        raise ImportError(f"tensorflow-io is not installed, or does not load: {pip_install('io')}")
    return module.image.decode_webp(contents)
