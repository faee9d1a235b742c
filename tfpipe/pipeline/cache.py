"""Images that are decoded and resized once, and kept in memory or in the files of a directory.

What is kept is the output of the loader, before augmentation, so an epoch from the cache is as random as
any other. Samples are found by their index, so an epoch can have any order.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe.checks import warn
from tfpipe.fields.field import Record
from tfpipe.graph import value_or
from tfpipe.pipeline.cursor import ANONYMOUS
from tfpipe.sources import listing
from tfpipe.sources.record import VERSION, set_number
from tfpipe.sources.record_file import bytes_of_file, fault_of_file, is_record_file, record_file

Load: TypeAlias = Callable[[tf.Tensor], Record]
Specs: TypeAlias = Mapping[str, tf.TensorSpec]

MEMORY = "memory"
_FOLDER = 1000  # files in a folder
_UNREAD = -1


def check_cache(cache: object) -> None:
    """Raises `ValueError` unless `cache` is None, "memory" or the path of a directory."""
    if cache is not None and (not isinstance(cache, str | os.PathLike) or not os.fspath(cache)):
        raise ValueError(
            f"cache must be None, 'memory' or the path of a directory. Received: cache={cache!r}."
        )


def sample_bytes(specs: Specs) -> int:
    """Returns the size of one loaded sample, in bytes.

    >>> sample_bytes({"image": tf.TensorSpec([4, 5, 3], tf.uint8)})
    60
    """
    return sum(map(_bytes_of, specs.values()))


def _bytes_of(spec: tf.TensorSpec) -> int:
    return int(spec.shape.num_elements() * spec.dtype.size)


def in_memory(load: Load, specs: Specs, n: int) -> Load:
    """Returns a loader that calls `load` once per sample, and keeps the record while the data set lives.

    Raises:
        ValueError: all samples together are larger than the memory of this machine.
    """
    size = n * sample_bytes(specs)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise ValueError(
            f"cache='memory' would take {size / 2**30:.1f} GiB, but this machine has "
            f"{memory / 2**30:.1f} GiB. Pass the path of a directory as cache, or choose a smaller size."
        )
    rows = _Rows(n, sample_bytes(specs))

    def keep(index: tf.Tensor) -> Record:
        record = load(index)
        with tf.control_dependencies([rows.keep(index, _flat(record, specs))]):
            return {name: tf.identity(value) for name, value in record.items()}

    def cached(index: tf.Tensor) -> Record:
        return tf.cond(
            rows.has(index), lambda: _of_flat(rows.read(index), specs), lambda: keep(index)
        )

    return cached


class _Rows:
    """Rows of bytes outside every graph. A graph reads any row, and writes each row once.

    There is one variable for all rows, so that reading a sample is one copy. From a `MutableHashTable` of
    strings it was three copies, and an epoch took 1.8 times as long.
    """

    def __init__(self, n: int, size: int) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            # Not filled with zeros, so rows that are not written yet take no memory.
            self._bytes = _variable(tf.raw_ops.Empty(shape=[n, size], dtype=tf.uint8))
            self._known = _variable(tf.zeros([n], tf.bool))

    def has(self, index: tf.Tensor) -> tf.Tensor:  # bool scalar
        return tf.raw_ops.ResourceGather(resource=self._known, indices=index, dtype=tf.bool)

    def read(self, index: tf.Tensor) -> tf.Tensor:  # uint8 [size]
        return tf.raw_ops.ResourceGather(resource=self._bytes, indices=index, dtype=tf.uint8)

    def keep(self, index: tf.Tensor, values: tf.Tensor) -> tf.Operation:
        written = tf.raw_ops.ResourceScatterUpdate(
            resource=self._bytes, indices=index, updates=values
        )
        with tf.control_dependencies([written]):  # known only once it is there
            return tf.raw_ops.ResourceScatterUpdate(
                resource=self._known, indices=index, updates=True
            )


def _variable(value: tf.Tensor) -> tf.Tensor:
    """Returns the handle of a variable that nobody else can find."""
    handle = tf.raw_ops.VarHandleOp(dtype=value.dtype, shape=value.shape, shared_name=ANONYMOUS)
    tf.raw_ops.AssignVariableOp(resource=handle, value=value)
    return handle


def in_directory(load: Load, specs: Specs, directory: str, description: str) -> Load:
    """Returns a loader that calls `load` once per sample for all processes and runs.

    Each sample becomes a file, with a header and a checksum. What cannot be read, or is not what was written,
    is loaded again and rewritten; what cannot be written is loaded each time. One warning names the first
    file and the reason.

    Raises:
        ValueError: the directory cannot be created.

    Args:
        load: index -> record.
        specs: of the record.
        directory: created if it does not exist; each description has its own sub-folder.
        description: of everything that the records depend on; a different one does not find these files.
    """
    fingerprint = f"{description}{tuple(specs.items())}"
    set_, size = set_number(fingerprint), sample_bytes(specs)
    digest = hashlib.sha256(f"{VERSION} {fingerprint}".encode()).hexdigest()[:24]
    top = listing.join(directory, digest)
    try:
        tf.io.gfile.makedirs(top)
    except (OSError, tf.errors.OpError) as err:
        raise ValueError(
            f"cache must be None, 'memory' or the path of a directory that can be written to. "
            f"Received: cache={directory!r}: {err}"
        ) from err
    files = _Files(top)
    complaints = _Complaints(directory, set_, size)

    def cached(index: tf.Tensor) -> Record:
        found = files.read_again(index)
        return tf.cond(
            found.is_sound,
            lambda: of_contents(found.contents),
            lambda: read_or_loaded(index, found),
        )

    def of_contents(contents: tf.Tensor) -> Record:
        return _of_flat(bytes_of_file(contents), specs)

    def read_or_loaded(index: tf.Tensor, before: _Found) -> Record:
        contents = files.read(index)
        sound = is_record_file(contents, set_, index, size)

        def of_file() -> Record:
            with tf.control_dependencies([files.note(index, contents)]):
                return of_contents(tf.identity(contents))

        def anew() -> Record:
            complaint = tf.cond(
                before.was_there | tf.not_equal(contents, ""),
                lambda: complaints.of_reading(files.path_of(index), index, contents),
                tf.no_op,
            )
            with tf.control_dependencies([complaint]):
                return keep(tf.identity(index))

        return tf.cond(sound, of_file, anew)

    def keep(index: tf.Tensor) -> Record:
        record = load(index)
        contents = record_file(set_, index, _flat(record, specs))
        complaint = tf.cond(
            files.write(index, contents),
            tf.no_op,
            lambda: complaints.of_writing(files.path_of(index), contents),
        )
        with tf.control_dependencies([complaint]):
            return {name: tf.identity(value) for name, value in record.items()}

    return cached


class _Found(NamedTuple):
    """What reading a file again gave.

    Attributes:
        contents: a string scalar.
        is_sound: whether they are what this process read or wrote before; bool scalar.
        was_there: whether there is or was such a file; bool scalar.
    """

    contents: tf.Tensor
    is_sound: tf.Tensor
    was_there: tf.Tensor


class _Files:
    """The files of a cache."""

    def __init__(self, top: str) -> None:
        self._top = top
        # TensorFlow's op that looks for a file would take these for wildcards, and ask a store each time.
        self._is_plain = not listing.scheme(top) and not set(top) & set("*?[\\")
        with tf.init_scope(), tf.device("CPU:0"):
            # By index: digests of the contents that this process has read or written.
            self._known: Any = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, _UNREAD)

    def path_of(self, index: tf.Tensor) -> tf.Tensor:
        folder = tf.strings.as_string(index // _FOLDER)
        return tf.strings.join([self._top, "/", folder, "/", tf.strings.as_string(index), ".raw"])

    def read_again(self, index: tf.Tensor) -> _Found:
        """Reads a file that this process has read or written before, as quickly as possible.

        If there is none, it reads nothing instead of failing.
        """
        digest = self._known.lookup(index)
        is_known = digest >= 0
        if not self._is_plain:
            return _Found(tf.constant(""), tf.constant(False), is_known)
        path = self.path_of(index)
        exists = tf.size(tf.raw_ops.MatchingFiles(pattern=path)) > 0
        contents = tf.io.read_file(tf.where(exists & is_known, path, os.devnull))
        return _Found(contents, tf.equal(_digest(contents), digest), exists | is_known)

    def read(self, index: tf.Tensor) -> tf.Tensor:
        """Returns the contents of a file, "" if it cannot be read.

        This takes several times as long, so it is done only where reading again does not help.
        """
        path = self.path_of(index)
        return value_or("", lambda: tf.io.read_file(path))

    def write(self, index: tf.Tensor, contents: tf.Tensor) -> tf.Tensor:  # bool scalar
        """Writes a file; tells whether that worked."""
        path = self.path_of(index)

        def written() -> tf.Tensor:
            with tf.control_dependencies([tf.io.write_file(path, contents)]):
                return tf.constant(True)

        done = value_or(False, written)
        digest = tf.where(done, _digest(contents), tf.constant(_UNREAD, tf.int64))
        with tf.control_dependencies([self._known.insert(index, digest)]):
            return tf.identity(done)

    def note(self, index: tf.Tensor, contents: tf.Tensor) -> tf.Operation:
        """Keeps the digest of a file that was read."""
        return self._known.insert(index, _digest(contents))


def _digest(contents: tf.Tensor) -> tf.Tensor:  # int64 scalar, 0 or more
    return tf.strings.to_hash_bucket_fast(contents, 2**63 - 1)


class _Complaints:
    """Warns, once, that a cache cannot be read or written, with what is wrong with the first file."""

    def __init__(self, directory: str, set_: int, size: int) -> None:
        self._directory, self._set, self._size = directory, set_, size
        with tf.init_scope(), tf.device("CPU:0"):
            self._made = _variable(tf.zeros([], tf.bool))
        self._lock = threading.Lock()
        self._is_made = False

    def of_reading(self, path: tf.Tensor, index: tf.Tensor, contents: tf.Tensor) -> tf.Operation:
        return self._once(self._of_reading, [path, index, contents])

    def of_writing(self, path: tf.Tensor, contents: tf.Tensor) -> tf.Operation:
        return self._once(self._of_writing, [path, contents])

    def _once(self, complain: Callable[..., None], values: list[tf.Tensor]) -> tf.Operation:
        """Calls Python for the first file, and not again."""

        def call() -> tf.Operation:
            with tf.control_dependencies([tf.numpy_function(complain, values, [])]):
                return tf.group(tf.raw_ops.AssignVariableOp(resource=self._made, value=True))

        made = tf.raw_ops.ReadVariableOp(resource=self._made, dtype=tf.bool)
        return tf.cond(made, tf.no_op, call)

    def _of_reading(self, path: Any, index: Any, contents: Any) -> None:
        name, contents = os.fsdecode(_scalar(path)), _scalar(contents)
        reason = fault_of_file(contents, self._set, _scalar(index), self._size)
        if not contents:
            try:
                with tf.io.gfile.GFile(name, "rb") as file:
                    file.read(1)
            except (OSError, tf.errors.OpError) as err:
                reason = f"it cannot be read: {_words(err)}"
        self._warn(
            f"cache={self._directory!r} has files that cannot be used, so these images are decoded "
            f"again, and written again if that is possible. The first one is {name!r}: {reason}."
        )

    def _of_writing(self, path: Any, contents: Any) -> None:
        name = os.fsdecode(_scalar(path))
        try:
            tf.io.write_file(_scalar(path), _scalar(contents))
        except tf.errors.OpError as err:
            self._warn(
                f"cache={self._directory!r} cannot keep all images, so the others are decoded "
                "in each epoch. The first one that could not be written is "
                f"{name!r}: {_words(err)}."
            )

    def _warn(self, message: str) -> None:
        with self._lock:
            first, self._is_made = not self._is_made, True
        if first:
            warn(message)


def _scalar(value: Any) -> Any:
    """Returns an argument of `tf.numpy_function`: a value in a graph, an array of it eagerly."""
    return np.asarray(value, object if isinstance(value, bytes) else None).item()


def _words(err: Exception) -> str:
    """Returns an error of TensorFlow's file system without the names of its op and its file."""
    text = getattr(err, "message", None) or getattr(err, "strerror", None) or str(err)
    return str(text).partition(" [Op:")[0].rpartition("; ")[2]


def description_of_files(paths: Iterable[str]) -> str:
    """Returns a digest of the names, sizes and modification times of files: what a cache depends on.

    Paths with a scheme, and files that do not exist, count only by their names.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(os.fsencode(path))
        if not listing.scheme(path):
            try:
                status = os.stat(path)
            except (OSError, ValueError):
                continue
            digest.update(f"\0{status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _flat(record: Record, specs: Specs) -> tf.Tensor:  # uint8 [size]
    parts = [tf.reshape(tf.bitcast(record[name], tf.uint8), [-1]) for name in specs]
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)


def _of_flat(values: tf.Tensor, specs: Specs) -> Record:
    values = tf.ensure_shape(values, [sample_bytes(specs)])
    parts = tf.split(values, list(map(_bytes_of, specs.values()))) if len(specs) > 1 else [values]
    named = zip(specs.items(), parts, strict=True)
    return {name: _reinterpreted(part, spec) for (name, spec), part in named}


def _reinterpreted(values: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """Returns bytes, uint8 [size], as a tensor with the shape and dtype of a spec."""
    if spec.dtype.size == 1:
        return tf.bitcast(tf.reshape(values, spec.shape), spec.dtype)
    return tf.bitcast(tf.reshape(values, [*spec.shape, spec.dtype.size]), spec.dtype)
