"""Decodes JPEG files: exactly, as Keras does, or at a fraction of their size (`decoding="fast"`).

A JPEG file can be decoded at 1/2, 1/4 or 1/8 of its size from a part of its coefficients alone. For camera
photographs that saves most of what decoding costs besides the Huffman codes, and nearly all of what
the resize costs. One core, 2000x1500 pixels to 224x224, ms:

    exact, whole                 7.5
    1/4, the same DCT            4.7
    1/4, gray                    4.3     luma only: no chroma, no conversion of colors
    1/4, fast DCT                4.7     it can make 255 a 0, and saves nothing here

So the accurate DCT stays. The pixels come from an image that was averaged before the resize. With "nearest"
they are not the ones that Pillow picks, but smoother; with antialiased filters they are nearly the same.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfpipe.codecs.headers import bounded, jpeg_size
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.ops.resize_spec import ResizeSpec

_RATIOS = (1, 2, 4, 8)


def decode_jpeg(
    contents: tf.Tensor, spec: DecodeSpec, resize: ResizeSpec | None = None
) -> tf.Tensor:
    """Decodes a JPEG file to uint8 [H, W, 3], or for "grayscale" to the channels that it has.

    With `decoding="keras"` it does what `tf.image.decode_image` does: "grayscale" is [H, W, 1], the luma of
    the file; the fast DCT is up to 18 of 255 off on photographs, and more on noise. With "fast" it decodes
    at the smallest fraction of the size that covers the size of `resize`; see `decode_scaled`.
    """
    # TensorFlow's default DCT wraps saturated pixels and differs from Pillow in most files.
    dct_method = "" if spec.decoding == "keras" else "INTEGER_ACCURATE"
    checks = [] if spec.max_pixels is None else bounded(jpeg_size(contents), spec.max_pixels)
    with tf.control_dependencies(checks):
        if spec.decoding == "fast" and resize is not None:
            return decode_scaled(
                contents,
                resize.size,
                grey=spec.color_mode == "grayscale",
                pad=resize.aspect == "pad",
                turned=spec.exif_orientation,
            )
        return tf.io.decode_jpeg(contents, channels=spec.channels_to_ask_for, dct_method=dct_method)


def decode_scaled(
    contents: tf.Tensor,
    size: tuple[int, int],
    *,
    grey: bool = False,
    pad: bool = False,
    turned: bool = False,
) -> tf.Tensor:
    """Decodes a JPEG file at the smallest of 1, 1/2, 1/4 and 1/8 of its size that still covers `size`.

    Args:
        contents: string scalar, the bytes of the file.
        size: (height, width) that the image is resized to.
        grey: decode the luma alone.
        pad: the whole image is fitted into `size`; otherwise it covers it.
        turned: the image may be turned by 90 degrees before the resize.

    Returns:
        uint8 [H, W, 3], or [H, W, 1] for gray.

    Raises:
        tf.errors.InvalidArgumentError: the content is not a JPEG file, or is damaged.

    >>> photo = tf.io.encode_jpeg(tf.zeros([90, 130, 3], tf.uint8))
    >>> decode_scaled(photo, (20, 30)).shape
    TensorShape([23, 33, 3])
    """  # prose: keep, the name of an argument
    shape = tf.io.extract_jpeg_shape(contents)[:2]
    channels = 1 if grey else 3

    def at(ratio: int) -> Any:
        return lambda: tf.io.decode_jpeg(
            contents, channels=channels, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    image = tf.switch_case(reduction(shape, size, pad=pad, turned=turned), [at(r) for r in _RATIOS])
    image.set_shape([None, None, channels])
    return image


def reduction(
    shape: tf.Tensor, size: tuple[int, int], *, pad: bool = False, turned: bool = False
) -> tf.Tensor:  # int32 scalar
    """Returns how many times an image may be halved, 0 to 3, and still cover a size.

    Source: libjpeg-turbo makes ceil(H / 2**k) rows and ceil(W / 2**k) columns.

    Args:
        shape: int32 [2], height and width of the file.
        size: (height, width) to be covered.
        pad: only one of the two has to be covered; the other is padded.
        turned: the image turned by 90 degrees has to cover it too.

    >>> int(reduction(tf.constant([1500, 2000]), (224, 224)))
    2
    """
    ratios = tf.constant(_RATIOS)[:, tf.newaxis]
    scaled = -(-shape // ratios)  # [4, 2]
    sizes = [size, size[::-1]] if turned else [size]
    enough = tf.reduce_any if pad else tf.reduce_all
    covers = tf.stack([enough(scaled >= tf.constant(wanted), axis=1) for wanted in sizes])
    halvings = tf.reduce_sum(tf.cast(tf.reduce_all(covers, axis=0), tf.int32))
    return tf.maximum(halvings - 1, 0)
