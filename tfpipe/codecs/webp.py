"""WebP in the graph: what its header says, and TensorFlow's or tensorflow-io's decoder."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfpipe.codecs import formats, tfio
from tfpipe.codecs.headers import bounded, fixed_size, window


def is_animated(contents: tf.Tensor) -> tf.Tensor:  # bool scalar
    """Whether the header of a WebP file says that it is an animation."""
    head = window(contents, 12, 9)
    flags = tf.io.decode_raw(tf.strings.substr(head, 8, 1), tf.uint8)[0]
    return tf.equal(tf.strings.substr(head, 0, 4), b"VP8X") & (tf.bitwise.bitwise_and(flags, 2) > 0)


def decode_webp(contents: tf.Tensor, max_pixels: int | None) -> tf.Tensor:
    """Decodes a still WebP file to uint8 [H, W, 3 or 4].

    Raises:
        tf.errors.InvalidArgumentError: the file is damaged or animated, or has more than `max_pixels`.
    """
    # TensorFlow's decoder corrupts the heap on some animations, and the process dies.
    size = tf.where(is_animated(contents), np.int64(0), fixed_size(contents))
    with tf.control_dependencies(bounded(size, max_pixels)):
        if formats.library_of(formats.WEBP) is formats.IO:
            return tfio.decode_webp_with_io(contents)
        image = tf.io.decode_webp(contents)
    return tf.reshape(image, tf.shape(image)[-3:])  # the one frame of four dimensions
