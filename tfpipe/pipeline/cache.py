"""Images that are decoded and resized once, and kept in memory or in the files of a directory.

What is kept is the output of the loader, before augmentation, so an epoch from the cache is as random as
any other. Samples are found by their index, so an epoch can have any order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import tensorflow as tf

from tfpipe.fields.field import Record
from tfpipe.pipeline.cursor import ANONYMOUS
from tfpipe.sources import listing

Load: TypeAlias = Callable[[tf.Tensor], Record]
Specs: TypeAlias = Mapping[str, tf.TensorSpec]

MEMORY = "memory"
_FOLDER = 1000  # files in a folder


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

    Each sample becomes a file of raw pixels.

    Raises:
        ValueError: the directory cannot be created.

    Args:
        load: index -> record.
        specs: of the record.
        directory: created if it does not exist; each description has its own sub-folder.
        description: of everything that the records depend on; a different one does not find these files.
    """
    digest = hashlib.sha256(f"{description}{tuple(specs.values())}".encode()).hexdigest()[:24]
    top = listing.join(directory, digest)
    try:
        tf.io.gfile.makedirs(top)
    except (OSError, tf.errors.OpError) as err:
        raise ValueError(
            f"cache must be None, 'memory' or the path of a directory that can be written to. "
            f"Received: cache={directory!r}: {err}"
        ) from err
    size = len(tf.io.serialize_tensor(tf.zeros([sample_bytes(specs)], tf.uint8)).numpy())
    with tf.init_scope(), tf.device("CPU:0"):
        known = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
        there = tf.constant(_indices(top), tf.int64)
        known.insert(there, there)

    def path_of(index: tf.Tensor) -> tf.Tensor:
        folder = tf.strings.as_string(index // _FOLDER)
        return tf.strings.join([top, "/", folder, "/", tf.strings.as_string(index), ".raw"])

    def keep(index: tf.Tensor) -> Record:
        record = load(index)
        write = tf.io.write_file(path_of(index), _packed(record, specs))
        with tf.control_dependencies([write]):
            noted = known.insert(index, index)
        with tf.control_dependencies([noted]):
            return {name: tf.identity(value) for name, value in record.items()}

    def read(index: tf.Tensor) -> Record:
        contents = tf.io.read_file(path_of(index))
        # A process that was killed may have left an incomplete file.
        whole = tf.strings.length(contents) == size
        return tf.cond(whole, lambda: _unpacked(contents, specs), lambda: keep(index))

    def cached(index: tf.Tensor) -> Record:
        return tf.cond(known.lookup(index) >= 0, lambda: read(index), lambda: keep(index))

    return cached


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


def _indices(top: str) -> list[int]:
    """Returns the indices of the samples that a directory already holds."""
    if not tf.io.gfile.isdir(top):
        return []
    names = [
        name
        for folder in tf.io.gfile.listdir(top)
        for name in tf.io.gfile.listdir(f"{top}/{folder}")
    ]
    return [int(name.removesuffix(".raw")) for name in names if name.endswith(".raw")]


def _flat(record: Record, specs: Specs) -> tf.Tensor:  # uint8 [size]
    parts = [tf.reshape(tf.bitcast(record[name], tf.uint8), [-1]) for name in specs]
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)


def _of_flat(values: tf.Tensor, specs: Specs) -> Record:
    values = tf.ensure_shape(values, [sample_bytes(specs)])
    parts = tf.split(values, list(map(_bytes_of, specs.values()))) if len(specs) > 1 else [values]
    named = zip(specs.items(), parts, strict=True)
    return {name: _reinterpreted(part, spec) for (name, spec), part in named}


def _packed(record: Record, specs: Specs) -> tf.Tensor:  # string scalar
    return tf.io.serialize_tensor(_flat(record, specs))


def _unpacked(packed: tf.Tensor, specs: Specs) -> Record:
    return _of_flat(tf.io.parse_tensor(packed, tf.uint8), specs)


def _reinterpreted(values: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """Returns bytes, uint8 [size], as a tensor with the shape and dtype of a spec."""
    if spec.dtype.size == 1:
        return tf.bitcast(tf.reshape(values, spec.shape), spec.dtype)
    return tf.bitcast(tf.reshape(values, [*spec.shape, spec.dtype.size]), spec.dtype)
