"""Writing images to a folder as they leave the pipeline, to see what the model sees."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tfpipe import seeds
from tfpipe.checks import check_one_of
from tfpipe.codecs.encode import SAVE_FORMATS, WITH_PILLOW, encode
from tfpipe.installed import require_pillow
from tfpipe.pipeline.cursor import Span
from tfpipe.pipeline.feeds import Value
from tfpipe.sources import listing


@dataclass(frozen=True)
class SaveSpec:
    """Where the images of a pipeline are written, before they are standardized.

    Attributes:
        directory: created if it does not exist.
        prefix: of the file names, "{prefix}_{index}_{hash}.{format}": index is the sample's place in
            the source, hash a number below 10**7 that is a function of (seed, epoch, index, look).
        format: one of `SAVE_FORMATS`.
    """

    directory: str
    prefix: str = ""
    format: str = "png"

    def __post_init__(self) -> None:
        check_one_of("save_format", self.format, SAVE_FORMATS)

    @classmethod
    def of(cls, save_to_dir: Any, save_prefix: Any, save_format: Any) -> SaveSpec | None:
        """Returns what the classic's arguments ask for; None: nothing is saved.

        >>> SaveSpec.of("new", "a", "JPEG")
        SaveSpec(directory='new', prefix='a', format='jpeg')
        """
        if not save_to_dir:
            return None
        if isinstance(save_format, str):  # Pillow takes capitals
            save_format = save_format.lower()
        return cls(os.fspath(save_to_dir), str(save_prefix), save_format)


def saver(spec: SaveSpec, seed: Value, channels: int, scale: float) -> Callable[..., tf.Tensor]:
    """Returns the function (span, index, image [H, W, C]) -> image that writes the image on its way.

    Args:
        spec: where and how.
        seed: of the data set, for the hash in the name.
        channels: C; 1 to 4.
        scale: the factor that takes the image's values to 0..255.

    Raises:
        ValueError: the format cannot hold that many channels.
    """
    opaque = spec.format in ("jpg", "jpeg", "bmp", "ppm")  # Pillow drops the alpha of the last two
    allowed = (1, 2, 3, 4) if spec.format == "png" else (1, 3) if opaque else (1, 3, 4)
    if channels not in allowed:
        remedy = "Use save_format='png'." if channels <= 4 else "No format holds more than 4."
        raise ValueError(f"save_format={spec.format!r} cannot hold {channels} channels. {remedy}")
    if spec.format in WITH_PILLOW:
        require_pillow(f"save_format={spec.format!r} needs")
    tf.io.gfile.makedirs(spec.directory)
    stem = listing.join(spec.directory, spec.prefix) if spec.prefix else spec.directory + os.sep

    def save(span: Span, index: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        key = seeds.stream_key(seed(), "save_to_dir")
        number = tf.random.stateless_uniform(
            [], seeds.sample_key(key, span[0], index, span[3]), 0, 10**7, tf.int32, alg="philox"
        )
        parts = [stem, "_", tf.strings.as_string(index), "_", tf.strings.as_string(number)]
        pixels = tf.saturate_cast(
            tf.round(tf.cast(image, tf.float32) * tf.constant(scale, tf.float32)), tf.uint8
        )
        write = tf.io.write_file(
            tf.strings.join([*parts, ".", spec.format]), encode(pixels, spec.format)
        )
        with tf.control_dependencies([write]):
            return tf.identity(image)

    return save
