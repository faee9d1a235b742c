"""Reads the bytes of a sample by its index: one file, or the fields of one record of a shard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe.codecs import diagnose
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.console import printable
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


class _Place(NamedTuple):
    """Where a record is: [1] each, as the op that reads it takes them, and its header, int64 [3]."""

    path: tf.Tensor
    offset: tf.Tensor
    length: tf.Tensor
    header: tf.Tensor


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
            lambda: diagnose.reason(read(index), spec, files.suffixes, files.formats),
            lambda: tf.constant("the file cannot be opened; it may be gone"),
        )

    safely = _refusing(read, why, files, column) if files.refused else (read, why)
    return Reader(safely[0], lambda index: (_shown(paths(index)), safely[1](index)))


def _refusing(
    read: OfIndex, why: OfIndex, files: Files, column: ColumnMaker
) -> tuple[OfIndex, OfIndex]:
    """Returns a `read` that does not open what must not be opened, and a `why` that says why not."""
    words = [files.refused.get(name, "").encode(errors="replace") for name in files.names]
    refusals = column(np.array(words, object))

    def read_regular(index: tf.Tensor) -> tf.Tensor:
        check = tf.debugging.Assert(tf.equal(refusals(index), b""), [refusals(index)])
        with tf.control_dependencies([check] if check is not None else []):
            return read(tf.identity(index))

    def why_not(index: tf.Tensor) -> tf.Tensor:
        refusal = refusals(index)
        return tf.cond(tf.equal(refusal, b""), lambda: why(index), lambda: refusal)

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
    # One column: for small images, each op more takes a hundredth of the time of a sample.
    columns = (records.shard, records.offset, records.length, records.header)
    places = column(np.column_stack(columns).astype(np.int64))
    refusals = _refusals(records, column)

    def place_of(index: tf.Tensor) -> _Place:
        number, offset, length, header = tf.split(places(index), [1, 1, 1, len(record.HEADER)])
        path = shards(number)
        if refusals is not None:
            allowed = tf.reduce_all(tf.equal(refusals(number), b""))
            path = _checked(path, allowed, "the shard must not be opened")
        return _Place(path, offset, length, header)

    def whole(place: _Place) -> tf.Tensor:
        dataset = tf.raw_ops.TFRecordDatasetV2(  # a variant: one read, not a pipeline
            filenames=place.path,
            compression_type="",
            # One request per record where each is a round trip; else only the record itself is read.
            buffer_size=place.length[0] if records.is_remote else 0,
            byte_offsets=place.offset,
        )
        return _first(dataset)

    def read(index: tf.Tensor) -> dict[str, tf.Tensor]:
        place = place_of(index)
        header, fields = record.parsed(whole(place), names)
        is_the_one = tf.reduce_all(tf.equal(header, place.header))
        return {n: _checked(v, is_the_one, "another record") for n, v in fields.items()}

    def why(index: tf.Tensor) -> tf.Tensor:
        is_whole = succeeds(lambda: whole(place_of(index)))
        damaged = "the record cannot be read, or its checksum is wrong"
        reason = tf.where(is_whole, _ANOTHER, damaged)
        opens = succeeds(lambda: _first_byte(place_of(index).path))
        reason = tf.where(opens, reason, "the shard cannot be opened; it may be gone, or empty")
        return tf.where(succeeds(lambda: read(index)), "", reason)

    def describe(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        number, offset = tf.unstack(places(index)[:2])
        where = tf.strings.join([_shown(shards(number)), " at byte ", tf.strings.as_string(offset)])
        if refusals is None:
            return where, why(index)
        refusal = refusals(number)
        return where, tf.cond(tf.equal(refusal, b""), lambda: why(index), lambda: refusal)

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
            filenames=path,
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


# What each byte of a path is shown as, as `console.printable` does it.
_SHOWN_BYTES = np.array(
    [printable(chr(b)).encode() if b < 128 else bytes([b]) for b in range(256)], object
)


def _shown(path: tf.Tensor) -> tf.Tensor:
    """Escapes what cannot be shown in a path, in the graph; what is not ASCII there becomes U+FFFD."""
    # An error message that is not UTF-8 would become a UnicodeDecodeError without any text.
    path = tf.strings.unicode_transcode(path, "UTF-8", "UTF-8")
    path = tf.strings.regex_replace(path, "[\u0080-\u009f]", "\ufffd")
    letters = tf.cast(tf.io.decode_raw(path, tf.uint8), tf.int32)
    return tf.strings.reduce_join(tf.gather(tf.constant(_SHOWN_BYTES), letters))
