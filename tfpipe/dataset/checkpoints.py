"""The checkpoints of a run in one directory: the newest that can be read, and leftovers of killed writes.

Which checkpoints there are is told by their files. TensorFlow's own list of them, the file `checkpoint`, is
written for others who read it, and only tells here that a checkpoint was once complete.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tfpipe.checks import warn

_PREFIX = "ckpt"
_STATE = "checkpoint"
_KEPT = 2  # if the last one is damaged, there is one before it

_FILES = re.compile(rf"{_PREFIX}-(\d+)\.(index|data-\d+-of-\d+)")
_LEFTOVERS = re.compile(
    rf"{_PREFIX}-\d+_temp/?|{_PREFIX}-\d+\.\S+\.tempstate\d+|{_STATE}\.tmp[0-9a-f]+|\S+\.part"
)


class Checkpoints:
    """The checkpoints `ckpt-1`, `ckpt-2`, ... of one run in a directory, which keeps the last two.

    >>> import tempfile
    >>> kept = Checkpoints(tempfile.mkdtemp())
    >>> kept.newest() is None
    True
    >>> checkpoint = tf.train.Checkpoint(value=tf.Variable(3))
    >>> for _ in range(4):
    ...     kept.save(checkpoint)
    >>> os.path.basename(kept.newest()), kept.numbers()
    ('ckpt-4', [3, 4])
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._sound: list[int] = []  # numbers that this process has read or written

    def path(self, name: int | str) -> str:
        """Returns the path of a checkpoint, by its number, or of a file in the directory."""
        return os.path.join(self.directory, f"{_PREFIX}-{name}" if isinstance(name, int) else name)

    def numbers(self) -> list[int]:
        """Returns the numbers of all checkpoints with any file, ascending."""
        return sorted({int(found[1]) for found in map(_FILES.fullmatch, self._names()) if found})

    def _names(self) -> list[str]:
        try:
            return list(tf.io.gfile.listdir(self.directory))
        except tf.errors.NotFoundError:
            return []

    def newest(self) -> str | None:
        """Returns the path of the newest checkpoint that can be read; None if a run begins here.

        Newer ones that are damaged are warned of. What a killed write left behind is deleted.

        Raises:
            ValueError: there were checkpoints, but none of them can be used.
        """
        names = self._names()
        reasons: dict[int, str] = {}
        found = None
        for number in reversed(self.numbers()):
            reason = damage(self.path(number))
            if reason is None:
                found = number
                break
            reasons[number] = reason
        # A write that was killed before its index was there is no checkpoint, and nobody is told of it.
        unfinished = {number for number in reasons if f"{_PREFIX}-{number}.index" not in names}
        if _STATE in names:
            completed = self._last_completed()
            unfinished -= {n for n in reasons if completed is None or n <= completed}
        damaged = {number: reasons[number] for number in reasons if number not in unfinished}
        if found is None and (damaged or _STATE in names):
            self._begin_anew_or_raise(damaged, begins=_STATE not in names and set(damaged) <= {1})
        elif damaged:
            warn(
                f"{self._listed(damaged)} Training resumes from the checkpoint before, "
                f"{self.path(found or 0)!r}."
            )
        self._clear(names, unfinished)
        self._sound = [] if found is None else [found]
        return None if found is None else self.path(found)

    def _last_completed(self) -> int | None:
        """Returns the number of the last checkpoint in TensorFlow's list; None if it cannot be read."""
        try:
            with tf.io.gfile.GFile(self.path(_STATE), "rb") as file:
                listed = re.findall(rf'{_PREFIX}-(\d+)"'.encode(), file.read())
        except tf.errors.OpError:
            return None
        return max(map(int, listed), default=None)

    def _begin_anew_or_raise(self, damaged: dict[int, str], *, begins: bool) -> None:
        if begins:  # a first checkpoint that was never completed
            warn(f"{self._listed(damaged)} There is none before it: training begins again.")
            return
        lost = self._listed(damaged) or (
            f"The file {self.path(_STATE)!r} tells of checkpoints, but there are none."
        )
        raise ValueError(
            f"No checkpoint in {self.directory!r} can be used. {lost} Put back a copy of the files to "
            "resume, or choose another directory to start from the beginning."
        )

    def _listed(self, damaged: dict[int, str]) -> str:
        return " ".join(
            f"The checkpoint {self.path(number)!r} is damaged: {reason}."
            for number, reason in damaged.items()
        )

    def _clear(self, names: Iterable[str], unfinished: set[int]) -> None:
        """Deletes what killed writes left behind."""
        for name in names:
            found = _FILES.fullmatch(name)
            if _LEFTOVERS.fullmatch(name) or (found and int(found[1]) in unfinished):
                self._delete(name)

    def _delete(self, name: str) -> None:
        path = self.path(name)
        if tf.io.gfile.isdir(path):
            tf.io.gfile.rmtree(path)
        else:
            tf.io.gfile.remove(path)

    def save(self, checkpoint: tf.train.Checkpoint) -> None:
        """Writes the next checkpoint, then deletes all but the last two that can be read."""
        checkpoint.save_counter.assign(self._sound[-1] if self._sound else 0)
        written = checkpoint.save(self.path(_PREFIX))
        self._sound = [*self._sound, int(written.rpartition("-")[2])][-_KEPT:]
        for name in self._names():
            found = _FILES.fullmatch(name)
            if found and int(found[1]) not in self._sound:
                self._delete(name)

    def write(self, name: str, content: bytes) -> None:
        """Writes a file beside the checkpoints, whole or not at all."""
        tf.io.gfile.makedirs(self.directory)
        unfinished = self.path(f"{name}.part")
        with tf.io.gfile.GFile(unfinished, "wb") as file:
            file.write(content)
        tf.io.gfile.rename(unfinished, self.path(name), overwrite=True)

    def read(self, name: str) -> bytes | None:
        """Returns the content of a file beside the checkpoints; None if there is none."""
        try:
            with tf.io.gfile.GFile(self.path(name), "rb") as file:
                content: bytes = file.read()
        except tf.errors.NotFoundError:
            return None
        return content


def damage(path: str) -> str | None:
    """Returns why a checkpoint cannot be read, in words, or None; reads all of it.

    Each value has a checksum, which TensorFlow compares as it reads.

    >>> damage("no/such/ckpt-1")
    'its index file is missing'
    """
    if not tf.io.gfile.exists(f"{path}.index"):
        return "its index file is missing"
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    # Which exception it is depends on the bytes: TensorFlow's own, IndexError, RuntimeError, ValueError, ...
    except Exception as err:
        return _first_line(err)
    return None


def _first_line(error: Exception) -> str:
    message: Any = getattr(error, "message", None) or str(error)
    return str(message).strip().partition("\n")[0].rstrip(".") or type(error).__name__
