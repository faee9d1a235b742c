"""Reads the bytes of a sample by its index: one file, or the fields of one record of a shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe.codecs import diagnose
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.graph import succeeds
from tfpipe.sources import listing, record
from tfpipe.sources.columns import ColumnMaker
from tfpipe.sources.source import Files, Records

OfIndex: TypeAlias = Callable[[tf.Tensor], tf.Tensor]

_STRINGS: Any = {"output_types": [tf.string], "output_shapes": [[]]}
Describe: TypeAlias = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # index -> path, reason


@dataclass(frozen=True)
class Reader:
    """How the bytes of one file are read.

    Attributes:
        read: index -> its bytes, a string scalar.
        describe: index -> where they are, for a message in UTF-8, and what is wrong with them.
    """

    read: OfIndex
    describe: Describe


@dataclass(frozen=True)
class RecordReader:
    """How the fields of one record are read.

    Attributes:
        read: index -> their bytes by name, string scalars.
        describe: index -> where the record is, for a message in UTF-8, and what is wrong with it: "" if its
            fields can be read, whatever is in them.
    """

    read: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    describe: Describe


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
    return Reader(safely[0], lambda index: (_as_utf8(paths(index)), safely[1](index)))


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


def record_reader(records: Records, names: Iterable[str], column: ColumnMaker) -> RecordReader:
    """Returns the reader of the records of TFRecord files.

    Each record is read by its place, so that an epoch can have any order. The checksum of each record is
    tested.

    Args:
        records: where they are.
        names: of the fields to read.
        column: how the graph reads the columns.
    """
    names = tuple(names)
    shards = column(np.array(listing.encode_all(records.shards), object))
    numbers, offsets = column(records.shard), column(records.offset)
    lengths = column(records.length) if records.is_remote else None
    headers = column(records.header)
    refusals = _refusals(records, column)

    def path_of(index: tf.Tensor) -> tf.Tensor:
        path = shards(numbers(index))
        if refusals is None:
            return path
        allowed = tf.equal(refusals(numbers(index)), b"")
        return _checked(path, allowed, "the shard must not be opened")

    def dataset(index: tf.Tensor) -> tf.Tensor:  # a variant: one read, not a pipeline
        return tf.raw_ops.TFRecordDatasetV2(
            filenames=path_of(index)[None],
            compression_type="",
            # One request per record where each is a round trip; else only the record itself is read.
            buffer_size=0 if lengths is None else lengths(index),
            byte_offsets=offsets(index)[None],
        )

    def read(index: tf.Tensor) -> dict[str, tf.Tensor]:
        header, fields = record.parsed(_first(dataset(index)), names)
        is_the_one = tf.reduce_all(tf.equal(header, headers(index)))
        return {n: _checked(v, is_the_one, "another record") for n, v in fields.items()}

    def why(index: tf.Tensor) -> tf.Tensor:
        whole = succeeds(lambda: _first(dataset(index)))
        of_record = tf.where(whole, _ANOTHER, "the record cannot be read, or its checksum is wrong")
        opens = succeeds(lambda: _first_byte(path_of(index)))
        reason = tf.where(opens, of_record, "the shard cannot be opened; it may be gone, or empty")
        reason = tf.where(succeeds(lambda: read(index)), "", reason)
        if refusals is None:
            return reason
        refusal = refusals(numbers(index))
        return tf.where(tf.equal(refusal, b""), reason, refusal)

    def describe(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        offset = tf.strings.as_string(offsets(index))
        return tf.strings.join([_as_utf8(shards(numbers(index))), " at byte ", offset]), why(index)

    return RecordReader(read, describe)


_ANOTHER = "another record is there: the shard was replaced, or has changed places with another one"


def _refusals(records: Records, column: ColumnMaker) -> OfIndex | None:
    """Returns number of a shard -> why it must not be opened, b"" if it may; None if all may be."""
    if not records.refused:
        return None
    words = [records.refused.get(path, "").encode(errors="replace") for path in records.shards]
    return column(np.array(words, object))


def _checked(value: tf.Tensor, condition: tf.Tensor, message: str) -> tf.Tensor:
    """Returns a value, or fails; one op, where `tf.debugging.Assert` would be a branch."""
    check = tf.raw_ops.Assert(condition=condition, data=[message])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(value)


def _first_byte(path: tf.Tensor) -> tf.Tensor:
    return _first(
        tf.raw_ops.FixedLengthRecordDatasetV2(
            filenames=path[None],
            header_bytes=0,
            record_bytes=1,
            footer_bytes=0,
            buffer_size=0,
            compression_type="",
        )
    )


def _first(dataset: tf.Tensor) -> tf.Tensor:
    one = tf.raw_ops.TakeDataset(input_dataset=dataset, count=1, **_STRINGS)
    return tf.ensure_shape(tf.raw_ops.DatasetToSingleElement(dataset=one, **_STRINGS)[0], [])


def _as_utf8(path: tf.Tensor) -> tf.Tensor:
    # An error message that is not UTF-8 would become a UnicodeDecodeError without any text.
    return tf.strings.unicode_transcode(path, "UTF-8", "UTF-8")
