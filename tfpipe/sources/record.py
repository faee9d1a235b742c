"""One record: named fields of bytes, and a header that names its set and its place there.

A record is a serialized `tf.train.Example`. Its fields are those of the sample, such as "image" and "mask".
Beside them, "header" has three whole numbers: set and index say where the record belongs, the digest what
it holds. Whoever reads a record compares them with what must be there, so that no other pixels come under a
label. Writing and reading stand side by side here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

# The version of everything that is packed: records, the columns and the index.
VERSION = 2

HEADER = ("set", "index", "digest")  # the numbers of a header, in their order
FRAME = 16  # bytes of a record in a TFRecord file besides its content: its length and two checksums


@dataclass(frozen=True)
class Header:
    """What a record says of itself; each is an int64.

    Attributes:
        set: the number of the set that it was packed in.
        index: its place in the set.
        digest: of its set, its index and its fields.
    """

    set: int
    index: int
    digest: int

    @property
    def numbers(self) -> tuple[int, int, int]:
        return self.set, self.index, self.digest


def set_number(fingerprint: str) -> int:
    """Returns the number of a set in this version of the format, by a digest of all that was packed.

    >>> set_number("a") == set_number("a"), set_number("a") == set_number("b")
    (True, False)
    """
    return _int64(hashlib.blake2b(f"{VERSION} {fingerprint}".encode(), digest_size=8))


def record_header(set_: int, index: int, fields: Mapping[str, bytes]) -> Header:
    """Returns the header of a record.

    >>> header = record_header(7, 3, {"image": b"pixels"})
    >>> header.index, header == record_header(7, 3, {"image": b"others"})
    (3, False)
    """
    digest = hashlib.blake2b(f"{set_} {index}".encode(), digest_size=8)
    for name in sorted(fields):
        digest.update(f"\0{name}\0{len(fields[name])}\0".encode())
        digest.update(fields[name])
    return Header(set_, index, _int64(digest))


def _int64(digest: Any) -> int:
    return int.from_bytes(digest.digest(), "little", signed=True)


def serialized(
    header: Header, fields: Mapping[str, bytes], label: Any = None, weight: float | None = None
) -> bytes:
    """Returns a record.

    Args:
        header: what it says of itself.
        fields: what the pipeline reads.
        label: a number or an array of numbers, for readers other than tfpipe; so is the index by itself.
        weight: the same.

    >>> record = serialized(Header(7, 3, 5), {"image": b"pixels"}, np.int64(7), 0.5)
    >>> feature = tf.train.Example.FromString(record).features.feature
    >>> feature["index"].int64_list.value[:], feature["label"].int64_list.value[:]
    ([3], [7])
    >>> feature["image"].bytes_list.value[:], feature["weight"].float_list.value[:]
    ([b'pixels'], [0.5])
    """
    feature = {name: _bytes(value) for name, value in fields.items()}
    feature |= {"header": _numbers(header.numbers), "index": _numbers(header.index)}
    if label is not None:
        feature["label"] = _numbers(label)
    if weight is not None:
        feature["weight"] = _numbers(float(weight))
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return bytes(example.SerializeToString(deterministic=True))


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _numbers(values: Any) -> tf.train.Feature:
    flat = np.ravel(values)
    if flat.dtype.kind in "iub":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=flat.tolist()))
    return tf.train.Feature(float_list=tf.train.FloatList(value=flat.tolist()))


def parsed(record: tf.Tensor, names: Iterable[str]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Returns the header, int64 [3], and the bytes of some fields of a record, in the graph.

    >>> record = serialized(Header(7, 3, 5), {"image": b"pixels", "mask": b"classes"})
    >>> header, fields = parsed(tf.constant(record), ["mask"])
    >>> header.numpy().tolist(), fields["mask"].numpy()
    ([7, 3, 5], b'classes')
    """
    names = list(names)
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in names}
    features["header"] = tf.io.FixedLenFeature([len(HEADER)], tf.int64)
    found = tf.io.parse_single_example(record, features)
    return found["header"], {name: found[name] for name in names}
