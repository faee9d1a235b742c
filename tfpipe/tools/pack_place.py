"""The directory that shards are packed into: for one job, by one process at a time, complete or not there.

While a job is unfinished, `job.json` says which one it is, and each finished shard has a file with the places
of its records. A file gets its name once it is complete, so a process that is killed leaves nothing that is
taken for a finished file.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfpipe.sources import listing, shards
from tfpipe.sources.npz import read_arrays
from tfpipe.sources.record import HEADER, Header

JOB = "job.json"  # what is being packed; removed when all is there

_UNFINISHED = re.compile(r"(index\.json|columns\.npz|job\.json|\d+-of-\d+\.tfrecord)\..*partial$")


@dataclass(frozen=True, eq=False)
class Places:
    """Where the records of shards are.

    Attributes:
        shard: int64 [k], the number of the shard.
        offset, length: int64 [k], in bytes.
        header: int64 [k, 3], see `record.Header`.
    """

    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    header: np.ndarray

    @property
    def index(self) -> np.ndarray:
        return self.header[:, HEADER.index("index")]

    @classmethod
    def joined(cls, parts: Sequence[Places]) -> Places:
        """Joins the places of all shards, in the order of the samples."""
        whole = cls(
            *map(np.concatenate, zip(*(vars(part).values() for part in parts), strict=True))
        )
        order = np.argsort(whole.index)
        return cls(*(column[order] for column in vars(whole).values()))


@contextlib.contextmanager
def alone_in(directory: str) -> Generator[None, None, None]:
    """Keeps other processes from packing into a local directory; the end of this process ends that, too.

    Raises:
        ValueError: another process is packing there.
    """
    if listing.scheme(directory):  # object stores have no locks: `places_of` and the headers tell
        yield
        return
    import fcntl

    place = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(directory, [n for n in os.listdir(directory) if _UNFINISHED.fullmatch(n)])
        except OSError as err:
            if err.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise ValueError(
                    f"Another process is packing into {directory!r}. Wait until it has finished, or "
                    "choose another directory."
                ) from err
            # Else it is a file system without locks, like those with a scheme.
        yield
    finally:
        os.close(place)


def is_there(directory: str, fingerprint: str) -> bool:
    """Whether all of a job is there already.

    Raises:
        ValueError: the directory holds another job.
    """
    for name in (shards.INDEX, JOB):
        path = listing.join(directory, name)
        if not tf.io.gfile.exists(path):
            continue
        found = shards.read_json(path)
        if not isinstance(found, dict) or found.get("fingerprint") != fingerprint:
            raise ValueError(
                f"{directory!r} holds shards of other images, labels or settings, or of another version of "
                f"tfpipe ({name}). Choose a new or empty directory, or remove this one."
            )
        return name == shards.INDEX
    return False


def begin(directory: str, fingerprint: str) -> None:
    """Writes down which job is being packed."""
    contents = json.dumps({"fingerprint": fingerprint}).encode()
    shards.write_whole(listing.join(directory, JOB), contents)


def require_own(directory: str, missing: Sequence[str]) -> None:
    """Raises `ValueError` if another job has begun in the same directory, or replaced shards there."""
    if missing or not tf.io.gfile.exists(listing.join(directory, JOB)):
        raise ValueError(
            f"Another process has packed into {directory!r} at the same time. Remove the directory, and "
            "pack again, one after the other."
        )


def write_places(path: str, places: Sequence[tuple[int, int, Header]]) -> None:
    """Writes where the records of a shard are: (offset, length, header) of each.

    It is written before the shard gets its name, so a shard that has its name is finished.
    """
    buffer = io.BytesIO()
    rows = [(offset, length, *header.numbers) for offset, length, header in places]
    np.savez(buffer, places=np.array(rows, np.int64).reshape(-1, 2 + len(HEADER)))
    shards.write_whole(_places_path(path), buffer.getvalue())


def places_of(path: str, number: int, set_: int) -> Places | None:
    """Returns the places of the records of a shard; None if it is not there, or not of this set.

    Args:
        path: of the shard.
        number: of the shard.
        set_: the number of the set that is being packed.
    """
    try:
        with tf.io.gfile.GFile(_places_path(path), "rb") as file:
            places = read_arrays(file.read())["places"]
        size = tf.io.gfile.stat(path).length
    except (tf.errors.NotFoundError, ValueError, KeyError):
        return None
    if places.shape[1:] != (2 + len(HEADER),) or places[:, 1].sum() != size:
        return None
    header = places[:, 2:]
    if (header[:, HEADER.index("set")] != set_).any():
        return None
    return Places(np.full(len(places), number), places[:, 0], places[:, 1], header)


def tidy(directory: str, paths: Sequence[str]) -> None:
    """Removes the files that only an unfinished job needs, given the paths of its shards."""
    names = tf.io.gfile.listdir(directory)
    needless = {JOB, *(os.path.basename(_places_path(path)) for path in paths)}
    _remove(directory, [n for n in names if n in needless or _UNFINISHED.fullmatch(n)])


def _places_path(path: str) -> str:
    return f"{path}.places.npz"


def _remove(directory: str, names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(tf.errors.NotFoundError):
            tf.io.gfile.remove(listing.join(directory, name))
