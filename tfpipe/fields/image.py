"""Images: read, decoded and resized from files, or taken from arrays."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import tensorflow as tf

from tfpipe.codecs import decode, formats
from tfpipe.codecs.diagnose import reason
from tfpipe.codecs.dicom import check_levels
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.field import IMAGE, STREAM, Finish, Kind, Loader, Record
from tfpipe.fields.mask import MaskSpec, check_colors, require_mask_reader, with_masks
from tfpipe.graph import as_is, succeeds
from tfpipe.ops.color_modes import CHANNELS
from tfpipe.ops.kernels import TENSORFLOW, Kernels
from tfpipe.ops.resize_spec import ResizeSpec, resizer
from tfpipe.sources import listing, readers
from tfpipe.sources.columns import ColumnMaker
from tfpipe.sources.readers import Describe
from tfpipe.sources.source import Arrays, Files, Source
from tfpipe.transforms.mix import Mixture
from tfpipe.transforms.motion import Motion


@dataclass(frozen=True)
class ImageSpec:
    """How files become images of one size.

    Attributes:
        decode: how their bytes become pixels.
        resize: how these become images of one size.
    """

    decode: DecodeSpec = field(default_factory=DecodeSpec)
    resize: ResizeSpec = field(default_factory=ResizeSpec)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every image."""
        return (*self.resize.size, CHANNELS[self.decode.color_mode])


@dataclass(frozen=True)
class Image(Kind):
    """Pixels with colors: they move, they are recolored, and they are standardized.

    Attributes:
        stream: of the random numbers of its augmentation; images of one stream are augmented alike.
    """

    stream: str = STREAM

    def cast(self, value: tf.Tensor, dtype: str) -> tf.Tensor:
        # Bytes are cast as they are moved: the default of a motion is bytes in and float32 out.
        return value if (value.dtype, dtype) == (tf.uint8, "float32") else tf.cast(value, dtype)

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.warp(value, scale=motion.scale_of_moved)

    def recolor(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.recolor(value)

    def preprocess(self, value: tf.Tensor, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        return function(value)

    def unmixable(self, column: Any) -> str | None:
        return "the images themselves as labels"

    def mix(self, batch: tf.Tensor, mixture: Mixture) -> tf.Tensor:
        return mixture.pixels(batch)

    def finish(self, batch: tf.Tensor, finish: Finish) -> tf.Tensor:
        return finish.standardize(finish.layout(batch))


def file_loader(
    source: Source,
    spec: ImageSpec,
    column: ColumnMaker,
    mask_dtype: str = "int32",
    kernels: Kernels = TENSORFLOW,
    shared_augment: bool = True,
) -> Loader:
    """Reads, decodes and resizes files.

    Args:
        source: of files.
        spec: what they become.
        column: how the graph reads the columns of the source.
        mask_dtype: of the masks, if the source has any.
        kernels: what they are resized with.
        shared_augment: whether the further images of a sample are changed as the first one is.
    """
    files = source.images
    if not isinstance(files, Files):
        raise TypeError("file_loader needs files, and an ImageSpec for them.")
    load_image, image, describe = _images(files, spec, column)
    resize = resizer(spec.resize, kernels)
    loader = Loader(
        lambda index: {IMAGE: load_image(index, resize)},
        {IMAGE: image},
        {IMAGE: Image()},
        describe,
    )
    if source.masks:
        loader = _with_masks(loader, load_image, source, spec, column, mask_dtype, kernels)
    for name, further in source.further_images.items():
        load_further, image, describe = _images(further, spec, column)
        kind = Image(STREAM if shared_augment else f"{STREAM}/{name}")
        load = partial(_resized, load_further, resize, name)
        loader = beside(loader, Loader(load, {name: image}, {name: kind}, describe))
    return loader


_LoadImage: TypeAlias = Callable[[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]], tf.Tensor]


def _images(
    files: Files, spec: ImageSpec, column: ColumnMaker
) -> tuple[_LoadImage, tf.TensorSpec, Describe]:
    """Returns (index, resize) -> image, what the images are, and why one cannot be read."""
    suffixes, seen = files.suffixes, files.formats
    formats.require_readers(suffixes, files.names)
    if spec.decode.dicom_range == "window" and not suffixes.isdisjoint(formats.DICOM.suffixes):
        _check_dicom(files, spec.decode)
    reader = readers.file_reader(files, spec.decode, column)

    def load_image(index: tf.Tensor, finish: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        contents = reader.read(index)
        return decode.load(contents, spec.decode, suffixes, finish, spec.resize, seen)

    is_bytes = spec.resize.keeps_bytes and not formats.may_be_deep(suffixes)
    image = tf.TensorSpec(spec.shape, tf.uint8 if is_bytes else tf.float32)
    return load_image, image, reader.describe


def _resized(
    load: _LoadImage, resize: Callable[[tf.Tensor], tf.Tensor], name: str, index: tf.Tensor
) -> Record:
    return {name: load(index, resize)}


def beside(loader: Loader, further: Loader) -> Loader:
    """Returns a loader of the fields of two, which describes the first field of a sample that fails."""

    def describe(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if loader.describe_failure is None or further.describe_failure is None:
            raise TypeError("beside needs loaders of files.")
        sound = succeeds(lambda: loader.load(index))
        of_first, of_further = loader.describe_failure(index), further.describe_failure(index)
        path, reason = (tf.where(sound, b, a) for a, b in zip(of_first, of_further, strict=True))
        return path, reason

    return Loader(
        lambda index: {**loader.load(index), **further.load(index)},
        {**loader.specs, **further.specs},
        {**loader.kinds, **further.kinds},
        describe,
    )


def _with_masks(
    loader: Loader,
    load_image: _LoadImage,
    source: Source,
    spec: ImageSpec,
    column: ColumnMaker,
    mask_dtype: str,
    kernels: Kernels,
) -> Loader:
    if spec.decode.decoding == "fast":
        raise ValueError(
            "decoding='fast' decodes images at a different size than their masks. Choose 'exact' or 'keras'."
        )
    require_mask_reader(frozenset().union(*(files.suffixes for files in source.masks.values())))
    masks = {
        name: (
            readers.file_reader(files, spec.decode, column),
            MaskSpec(mask_dtype, spec.decode.max_pixels, files.suffixes),
        )
        for name, files in source.masks.items()
    }
    for name, (_, mask) in masks.items():
        check_colors(source.masks[name], mask)
    return with_masks(loader, load_image, masks, spec.resize, kernels)


def _check_dicom(files: Files, spec: DecodeSpec) -> None:
    """Warns if the first DICOM file would be nearly flat; it stands for the others."""
    is_dicom = (listing.has_suffix(name, formats.DICOM.suffixes) for name in files.names)
    path = next(path for path, found in zip(files.paths, is_dicom, strict=True) if found)
    if not listing.scheme(path) and os.path.isfile(path):
        check_levels(path, spec.max_pixels)


def array_loader(source: Source, column: ColumnMaker) -> Loader:
    """Takes images from memory."""
    if not isinstance(source.images, Arrays):
        raise TypeError("array_loader needs images in memory.")
    images = source.images.images
    rows = column(images)
    spec = tf.TensorSpec(images.shape[1:], tf.as_dtype(images.dtype))
    return Loader(lambda index: {IMAGE: rows(index)}, {IMAGE: spec}, {IMAGE: Image()})


def read_image(
    file: str | os.PathLike[str] | bytes,
    spec: DecodeSpec | None = None,
    suffixes: frozenset[str] | None = None,
) -> tf.Tensor:
    """Decodes an image file as a data set would, here and now, at its own size.

    Args:
        file: a path, local or with a scheme, or the bytes of a file.
        spec: how it is decoded.
        suffixes: of the files of the data set; by default, the file's own.

    Returns:
        uint8 or float32 [H, W, C], 0..255.

    Raises:
        ValueError: the file cannot be read; the message says why.
    """
    spec = spec or DecodeSpec()
    if isinstance(file, bytes):
        contents, suffixes = tf.constant(file), suffixes or frozenset()
    else:
        path = os.fspath(file)
        refusal = listing.refusal(path)
        if refusal is not None:
            raise ValueError(refusal)
        suffixes = suffixes or frozenset([listing.suffix(path)])
        try:
            contents = tf.io.read_file(os.fsencode(path))
        except tf.errors.OpError as err:
            raise ValueError(str(err.message)) from err
    try:
        return _decoder(spec, suffixes)(contents)
    except tf.errors.OpError as err:
        words = reason(contents, spec, suffixes).numpy().decode(errors="replace")
        raise ValueError(words) from err


def explain(
    file: str | os.PathLike[str] | bytes,
    spec: DecodeSpec | None = None,
    suffixes: frozenset[str] | None = None,
) -> str | None:
    """Says why a file cannot be read as an image; None if it can. Its arguments are those of `read_image`.

    >>> explain(b"no image")
    'its content is of no format that is read here (8 bytes)'
    """
    try:
        read_image(file, spec, suffixes)
    except ValueError as err:
        return str(err)
    return None


@functools.cache
def _decoder(spec: DecodeSpec, suffixes: frozenset[str]) -> Callable[[tf.Tensor], tf.Tensor]:
    signature = [tf.TensorSpec([], tf.string)]

    def load(contents: tf.Tensor) -> tf.Tensor:
        return decode.load(contents, spec, suffixes, lambda image: image)

    function: Callable[[tf.Tensor], tf.Tensor] = tf.function(as_is(load), input_signature=signature)
    return function
