"""Reads the bytes of an image by the index of its sample: from its own file, or a record of a shard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe.codecs import diagnose
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.graph import succeeds
from tfpipe.sources import listing
from tfpipe.sources.columns import ColumnMaker
from tfpipe.sources.source import Files, Records

OfIndex: TypeAlias = Callable[[tf.Tensor], tf.Tensor]

_STRINGS: Any = {"output_types": [tf.string], "output_shapes": [[]]}
Describe: TypeAlias = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # index -> path, reason


@dataclass(frozen=True)
class Reader:
    """How the bytes of one image are read.

    Attributes:
        read: index -> its bytes, a string scalar.
        describe: index -> where they are, for a message in UTF-8, and what is wrong with them.
        suffixes: the formats that the graph must be ready for.
        raw_shape: [H, W, C] if the bytes are the pixels themselves; None: a format with a header.
    """

    read: Callable[[tf.Tensor], tf.Tensor]
    describe: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
    suffixes: frozenset[str]
    raw_shape: tuple[int, int, int] | None = None


def reader(images: Files | Records, spec: DecodeSpec, column: ColumnMaker) -> Reader:
    """Returns the reader of some images, whose columns the graph reads through `column`."""
    if isinstance(images, Records):
        return record_reader(images, spec, column)
    return file_reader(images, spec, column)


def file_reader(files: Files, spec: DecodeSpec, column: ColumnMaker) -> Reader:
    """Returns the reader of image files, one file per image."""
    paths = column(np.array(listing.encode_all(files.paths), object))

    def read(index: tf.Tensor) -> tf.Tensor:
        return tf.io.read_file(paths(index))

    def why(index: tf.Tensor) -> tf.Tensor:
        return tf.cond(
            succeeds(lambda: read(index)),
            lambda: diagnose.reason(read(index), spec, files.suffixes),
            lambda: tf.constant("the file cannot be opened; it may be gone"),
        )

    safely = _refusing(read, why, files, column) if files.refused else (read, why)
    return Reader(
        safely[0], lambda index: (_as_utf8(paths(index)), safely[1](index)), files.suffixes
    )


def _refusing(
    read: OfIndex, why: OfIndex, files: Files, column: ColumnMaker
) -> tuple[OfIndex, OfIndex]:
    """Returns a `read` that does not open what must not be opened, and a `why` that says why not."""
    words = [files.refused.get(name, "").encode(errors="replace") for name in files.names]
    refusals = column(np.array(words, object))

    def read_regular(index: tf.Tensor) -> tf.Tensor:
        check = tf.debugging.Assert(refusals(index) == b"", [refusals(index)])
        with tf.control_dependencies([check] if check is not None else []):
            return read(tf.identity(index))

    def why_not(index: tf.Tensor) -> tf.Tensor:
        refusal = refusals(index)
        return tf.cond(refusal == b"", lambda: why(index), lambda: refusal)

    return read_regular, why_not


def record_reader(records: Records, spec: DecodeSpec, column: ColumnMaker) -> Reader:
    """Returns the reader of TFRecord files, one `tf.train.Example` per image with its bytes in "image".

    Each record is read by its place, so that an epoch can have any order. The checksum of each record is
    tested.
    """
    shards = column(np.array(listing.encode_all(records.shards), object))
    numbers, offsets = column(records.shard), column(records.offset)
    lengths = column(records.length) if records.is_remote else None

    def dataset(index: tf.Tensor) -> tf.Tensor:  # a variant: one read, not a pipeline
        return tf.raw_ops.TFRecordDatasetV2(
            filenames=shards(numbers(index))[None],
            compression_type="",
            # One request per record where each is a round trip; else only the record itself is read.
            buffer_size=0 if lengths is None else lengths(index),
            byte_offsets=offsets(index)[None],
        )

    def read(index: tf.Tensor) -> tf.Tensor:
        return _image_of(_first(dataset(index)))

    def describe(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        offset = tf.strings.as_string(offsets(index))
        place = tf.strings.join([_as_utf8(shards(numbers(index))), " at byte ", offset])
        nothing = tf.raw_ops.TensorDataset(components=[""], output_shapes=[[]])
        whole = tf.raw_ops.IgnoreErrorsDataset(input_dataset=dataset(index), **_STRINGS)
        record = _first(
            tf.raw_ops.ConcatenateDataset(input_dataset=whole, another_dataset=nothing, **_STRINGS)
        )
        reason = tf.cond(
            record == "",
            lambda: tf.constant("the record cannot be read, or its checksum is wrong"),
            lambda: diagnose.reason(_image_of(record), spec, records.suffixes),
        )
        return place, reason

    return Reader(read, describe, records.suffixes, records.raw_shape)


def _first(dataset: tf.Tensor) -> tf.Tensor:
    one = tf.raw_ops.TakeDataset(input_dataset=dataset, count=1, **_STRINGS)
    return tf.ensure_shape(tf.raw_ops.DatasetToSingleElement(dataset=one, **_STRINGS)[0], [])


def _image_of(record: tf.Tensor) -> tf.Tensor:
    feature = {"image": tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_single_example(record, feature)["image"]


def _as_utf8(path: tf.Tensor) -> tf.Tensor:
    # An error message that is not UTF-8 would become a UnicodeDecodeError without any text.
    return tf.strings.unicode_transcode(path, "UTF-8", "UTF-8")
