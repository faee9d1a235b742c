"""One record as a file of its own: a header and the bytes of its fields, written and read in the graph.

The header is one line of text, 64 bytes long: the version of the format, then what a `Header` says: the set,
the index and a digest of the fields. The version and the meaning of the numbers are the same as in shards,
but the digest is FarmHash's fingerprint, which TensorFlow has an op for. The number of the set is a digest of
what the fields are and of their order, among other things.
"""

from __future__ import annotations

import tensorflow as tf

from tfpipe.sources.record import VERSION

HEADER_BYTES = 64  # TensorFlow's alignment, so that the bytes behind the header are not copied


def record_file(set_: int, index: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    r"""Returns the contents of a file, a string scalar.

    Args:
        set_: the number of the set, see `set_number`.
        index: the place of the sample in its set, int64 scalar.
        values: the bytes of the fields, uint8 [n].

    >>> contents = record_file(7, tf.constant(3, tf.int64), tf.constant([5, 6], tf.uint8))
    >>> contents.numpy()[:35], contents.numpy()[-2:]
    (b'tfpipe 20000000000000007           ', b'\x05\x06')
    """
    # No op makes a string of bytes; the serialized tensor ends with them.
    serialized = tf.io.serialize_tensor(values)
    size = tf.size(values)
    return tf.strings.join([_line(set_, index, values), tf.strings.substr(serialized, -size, size)])


def bytes_of_file(contents: tf.Tensor) -> tf.Tensor:
    """Returns the bytes behind the header, uint8 [n]."""
    return tf.io.decode_raw(contents, tf.uint8)[HEADER_BYTES:]


def is_record_file(contents: tf.Tensor, set_: int, index: tf.Tensor, size: int) -> tf.Tensor:
    """Tells whether a file holds exactly what was written for a sample; bool scalar.

    Args:
        contents: of the file.
        set_: the number of the set.
        index: of the sample, int64 scalar.
        size: the number of bytes of its fields.

    >>> index = tf.constant(3, tf.int64)
    >>> contents = record_file(7, index, tf.constant([5, 6], tf.uint8))
    >>> [bool(is_record_file(contents, 7, index + shift, 2)) for shift in (0, 1)]
    [True, False]
    """
    is_whole = tf.strings.length(contents) == HEADER_BYTES + size
    header = tf.strings.substr(contents, 0, HEADER_BYTES)
    return is_whole & tf.equal(header, _line(set_, index, bytes_of_file(contents)))


def fault_of_file(contents: bytes, set_: int, index: int, size: int) -> str:
    """Says what is wrong with a file that `is_record_file` refuses.

    >>> fault_of_file(b"", 7, 3, 2)
    'it has 0 bytes instead of 66'
    """
    whole = HEADER_BYTES + size
    if len(contents) != whole:
        return f"it has {len(contents)} bytes instead of {whole}"
    values = bytes_of_file(tf.constant(contents))
    line = _line(set_, tf.constant(index, tf.int64), values).numpy()
    number = len(_beginning(set_)) + _DIGITS  # what stands before the digest
    if contents[:number] != line[:number]:
        return "its header is damaged, or names another image or version"
    return "its checksum is wrong"


_DIGITS = 20  # of an int64, with its sign


def _beginning(set_: int) -> bytes:
    return f"tfpipe{VERSION:2}{set_ & (2**64 - 1):016x}".encode()


def _line(set_: int, index: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns the header, a string of 64 bytes."""
    # FarmHash runs at the speed of the memory.
    digest = tf.raw_ops.Fingerprint(data=values[tf.newaxis], method="farmhash64")
    numbers = tf.stack([index, tf.bitcast(digest, tf.int64)[0]])
    ends = tf.strings.as_string(numbers, width=_DIGITS)
    return tf.strings.join([_beginning(set_), *tf.unstack(ends)])
