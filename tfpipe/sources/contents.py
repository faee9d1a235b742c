"""Which images have equal contents: files are read only if another one has the same size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from tfpipe import console
from tfpipe.sources import listing
from tfpipe.sources.source import Arrays, Files, Records

_THREADS = 16  # they wait for the disk or the network, not for a core


def content_ids(images: Files | Records | Arrays) -> np.ndarray:  # int64 [n]
    """Numbers the contents of images; equal numbers mean equal contents, byte for byte.

    Files that are empty or cannot be read have a number each. Packed images are equal if their pixels are, or
    the bytes of their PNG or JPEG files.

    >>> content_ids(Arrays(np.array([[[[1]]], [[[2]]], [[[1]]]]))).tolist()
    [0, 1, 0]
    """
    if isinstance(images, Files):
        keys: Iterable[Any] = _keys_of_files(images)
    elif isinstance(images, Records):
        keys = _keys_of_records(images)
    else:
        keys = (hashlib.sha256(image.tobytes()).digest() for image in images.images)
    # A sample without a key is like no other.
    known = pd.Series([row if key is None else key for row, key in enumerate(keys)], dtype=object)
    return pd.factorize(known)[0].astype(np.int64)


def _keys_of_files(files: Files) -> list[bytes | None]:
    refused = {listing.join(files.directory, name) for name in files.refused}
    found = digests_of_equal_sizes(
        [path for path in dict.fromkeys(files.paths) if path not in refused]
    )
    repeated = pd.Series(files.paths, dtype=object).duplicated(keep=False)
    return [
        found.get(path, os.fsencode(path) if again else None)
        for path, again in zip(files.paths, repeated, strict=True)
    ]


def _keys_of_records(records: Records) -> list[bytes | None]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    from tfpipe.sources.record import FRAME

    keys: list[bytes | None] = [None] * len(records)
    for number, path in enumerate(records.shards):
        rows = np.flatnonzero(records.shard == number)
        if path in records.refused or not len(rows):
            continue
        # What is damaged or gone is left to the reader of the records.
        with suppress(*listing.file_errors(path)), opened(path) as file:
            for row in rows[np.argsort(records.offset[rows])].tolist():
                file.seek(int(records.offset[row]) + _BEFORE)
                content = file.read(int(records.length[row]) - FRAME)
                with suppress(DecodeError, IndexError):
                    feature = tf.train.Example.FromString(content).features.feature
                    value = feature[records.feature].bytes_list.value[0]
                    keys[row] = hashlib.sha256(value).digest()
    return keys


_BEFORE = 12  # bytes of a record's frame that stand before its content


def digests_of_equal_sizes(paths: Sequence[str]) -> dict[str, bytes]:
    """Returns the digests of the files whose size another one has, too. Empty files are left out.

    A file that cannot be read has none.
    """
    sizes = in_threads("Comparing sizes", _or_none(size_of), paths)
    counts = pd.Series(list(sizes.values()), dtype=object).value_counts()
    alike = [path for path in paths if sizes[path] and counts[sizes[path]] > 1]
    digests = in_threads("Comparing contents", _or_none(digest_of), alike)
    return {path: digest for path, digest in digests.items() if digest is not None}


def _or_none(function: Callable[[str], Any]) -> Callable[[str], Any]:
    def call(path: str) -> Any:
        try:
            return function(path)
        except listing.file_errors(path):
            return None

    return call


def in_threads(label: str, function: Callable[[str], Any], paths: Sequence[str]) -> dict[str, Any]:
    """Calls function(path) for each path, in threads, since it waits for the disk or the network."""
    results: dict[str, Any] = {}
    with ThreadPoolExecutor(_THREADS) as pool, console.bar(label, len(paths)) as advance:
        for start in range(0, len(paths), 1024):  # a million futures would take many GB
            part = paths[start : start + 1024]
            results.update(zip(part, pool.map(function, part), strict=True))
            advance(len(part))
    return results


def opened(path: str) -> Any:
    """Opens a file for reading bytes."""
    if not listing.scheme(path):
        return open(path, "rb")
    import tensorflow as tf

    return tf.io.gfile.GFile(path, "rb")


def size_of(path: str) -> int:
    """Returns the length of a file in bytes."""
    if not listing.scheme(path):
        return os.stat(path).st_size
    import tensorflow as tf

    return int(tf.io.gfile.stat(path).length)


def digest_of(path: str) -> bytes:
    """Returns the SHA-256 of the content of a file."""
    digest = hashlib.sha256()
    with opened(path) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.digest()
