"""The fields of records: images and masks, as bytes that shards hold and back.

Images are stored at the size that they were resized to. Masks are stored without losses: "raw" with as few
bytes per pixel as their class ids need, which their length tells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from tfpipe.codecs import decode, formats
from tfpipe.codecs.diagnose import reason
from tfpipe.codecs.encode import encode
from tfpipe.fields.field import IMAGE, Loader, Record
from tfpipe.fields.image import Image, ImageSpec
from tfpipe.fields.mask import Mask, decode_mask, mask_resizer
from tfpipe.graph import succeeds
from tfpipe.ops.color_modes import convert_color
from tfpipe.ops.kernels import TENSORFLOW, Kernels
from tfpipe.ops.resize_spec import resizer
from tfpipe.sources import readers
from tfpipe.sources.columns import ColumnMaker
from tfpipe.sources.source import Records, Source, Stored

RAW_IDS = ("uint8", "uint16", "int32")  # what class ids are stored as, the narrowest first


def stored_fields(
    image: ImageSpec, encoding: str, masks: list[str], dtype: str
) -> dict[str, Stored]:
    """Returns how the fields of a sample are stored.

    Args:
        image: how files become images.
        encoding: of the images; masks have none with losses.
        masks: the names of the fields that are masks.
        dtype: of the masks.

    >>> stored_fields(ImageSpec(), "jpeg", ["mask"], "float32")["mask"]
    Stored(encoding='raw', dtype='float32', shape=(256, 256, 1))
    """
    of_masks = "raw" if encoding == "raw" or dtype != "int32" else "png"
    mask = Stored(of_masks, dtype, (*image.resize.size, 1))
    return {IMAGE: Stored(encoding, "uint8", image.shape), **dict.fromkeys(masks, mask)}


def encoded(value: tf.Tensor, stored: Stored, quality: int) -> bytes:
    """Returns a value of a field, [H, W, C], as the bytes that a record holds.

    Raises:
        ValueError: the class ids of a mask are more than a PNG file can hold.
    """
    if stored.dtype == "int32":
        array = value.numpy()
        kind = _narrowest(array)
        if stored.encoding == "raw":
            return bytes(array.astype(f"<{np.dtype(kind).str[1:]}").tobytes())
        if kind == "int32":
            raise ValueError(
                "in shards of PNG or JPEG images, the class ids of a mask must be 0 to 65535. "
                f"Received: {array.min()} to {array.max()}. Pack with encoding='raw'."
            )
        value = tf.constant(array.astype(kind))
    if stored.encoding == "raw":
        return bytes(value.numpy().tobytes())
    return bytes(encode(value, stored.encoding, quality).numpy())


def _narrowest(ids: np.ndarray) -> str:
    """Returns the first of `RAW_IDS` that holds some class ids.

    >>> [_narrowest(np.array([0, most])) for most in (255, 256, -1)]
    ['uint8', 'uint16', 'int32']
    """
    low, high = int(ids.min()), int(ids.max())
    return next(k for k in RAW_IDS if np.iinfo(k).min <= low and high <= np.iinfo(k).max)


def record_loader(
    source: Source, spec: ImageSpec, column: ColumnMaker, kernels: Kernels = TENSORFLOW
) -> Loader:
    """Loads images, and their masks, from the records of shards; each record is read once.

    Args:
        source: of records.
        spec: what the images become.
        column: how the graph reads the columns of the source.
        kernels: what they are resized with.
    """
    records: Records = source.images
    fields: dict[str, Records] = {IMAGE: records, **source.masks}
    reader = readers.record_reader(records, [of.feature for of in fields.values()], column)
    resize, resize_mask = (make(spec.resize, kernels) for make in (resizer, mask_resizer))

    def image_of(contents: tf.Tensor) -> tf.Tensor:
        if records.stored.encoding == "raw":
            pixels = _raw(contents, records.stored, tf.uint8)
            return resize(convert_color(pixels, spec.decode.color_mode))
        return decode.load(
            contents, spec.decode, records.suffixes, resize, spec.resize, records.formats
        )

    def mask_of(contents: tf.Tensor, stored: Stored) -> tf.Tensor:
        return resize_mask(_mask(contents, stored, spec.decode.max_pixels))

    decoders: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
        name: partial(mask_of, stored=of.stored) for name, of in source.masks.items()
    }
    decoders[IMAGE] = image_of

    def load(index: tf.Tensor) -> Record:
        contents = reader.read(index)
        return {name: decoders[name](contents[of.feature]) for name, of in fields.items()}

    def describe(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        place, wrong = reader.describe(index)
        return place, tf.cond(tf.equal(wrong, ""), lambda: why_not(index), lambda: wrong)

    def why_not(index: tf.Tensor) -> tf.Tensor:
        """Says what is wrong with the fields of a record that can be read."""
        contents = reader.read(index)
        words = tf.constant("")
        for name, of in reversed(fields.items()):
            sound = succeeds(partial(decoders[name], contents[of.feature]))
            words = tf.where(sound, words, _fault(name, contents[of.feature], of, spec))
        return words

    size = spec.resize.size
    is_bytes = spec.resize.keeps_bytes and not formats.may_be_deep(records.suffixes)
    image = tf.TensorSpec(spec.shape, tf.uint8 if is_bytes else tf.float32)
    masks = {name: tf.TensorSpec([*size, 1], of.stored.dtype) for name, of in source.masks.items()}
    kinds = {IMAGE: Image(), **dict.fromkeys(masks, Mask())}
    return Loader(load, {IMAGE: image, **masks}, kinds, describe)


def _raw(contents: tf.Tensor, stored: Stored, dtype: tf.DType) -> tf.Tensor:
    """Returns the values of a field whose bytes they are, [H, W, C]."""
    return tf.reshape(tf.io.decode_raw(contents, dtype), stored.shape)


def _mask(contents: tf.Tensor, stored: Stored, max_pixels: int | None) -> tf.Tensor:
    """Returns a mask, [H, W, 1]."""
    if stored.encoding != "raw":
        return decode_mask(contents, stored.dtype, frozenset({stored.encoding}), max_pixels)
    if stored.dtype != "int32":
        return _raw(contents, stored, tf.as_dtype(stored.dtype))
    pixels = int(np.prod(stored.shape))

    def of(kinds: tuple[str, ...]) -> tf.Tensor:
        kind = tf.as_dtype(kinds[0])
        values = lambda: tf.cast(_raw(contents, stored, kind), tf.int32)  # noqa: E731
        if len(kinds) == 1:
            return values()
        return tf.cond(
            tf.strings.length(contents) == pixels * kind.size, values, lambda: of(kinds[1:])
        )

    return of(RAW_IDS)


def _fault(name: str, contents: tf.Tensor, of: Records, spec: ImageSpec) -> tf.Tensor:
    """Says what is wrong with the bytes of a field that cannot be decoded."""
    which = "" if name == IMAGE else f"its mask '{of.feature}' cannot be read: "
    if of.stored.encoding == "raw":
        length = tf.strings.as_string(tf.strings.length(contents))
        shape = " x ".join(map(str, of.stored.shape))
        return tf.strings.join([which, "its ", length, f" bytes are not {shape} values"])
    return tf.strings.join([which, reason(contents, spec.decode, of.suffixes)])
