"""Files that cannot be used: an error that names the file, or a gap that is stepped over and noted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_one_of, is_number, warn
from tfpipe.console import printable
from tfpipe.sources.readers import Describe

# A batch of samples and their end marks: spans int64 [B, 4], positions int64 [B], indices in the
# source int64 [B] (-1 for an end mark), and records of [B, ...].
Samples: TypeAlias = tuple[tf.Tensor, tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]
IndexAt: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # positions, epoch -> indices

_SHOWN = 3  # files in a warning

ON_ERROR = ("raise", "skip")


@dataclass(frozen=True)
class ErrorPolicy:
    """What happens to a file that cannot be used.

    Attributes:
        on_error: what to do with a file that cannot be used. "raise": stop with an error that names it.
            "skip": leave it out; the data set's `skipped` lists the files that were left out.
        max_errors: with "skip", how many files may be left out before there is an error after all: a count, a
            fraction of the samples (a float below 1), or None for any number.
        check_first: with "skip", leave out the files that cannot be used before the first epoch, so that the
            length of the data set is exact. True: read all files now, as an epoch would; or the `CheckReport`
            of an earlier `tfpipe.check`, whose files are left out without reading. A split is made before.

    >>> ErrorPolicy("skip", 0.01).limit(250), ErrorPolicy("skip").limit(250)
    (2, None)
    """

    on_error: str = "raise"
    max_errors: float | None = None
    check_first: Any = False

    def __post_init__(self) -> None:
        check_one_of("on_error", self.on_error, ON_ERROR)
        self._check_report()
        limit = self.max_errors
        if limit is None:
            return
        is_count = is_number(limit) and limit == int(limit)
        if not is_number(limit) or limit < 0 or (limit >= 1 and not is_count):
            raise ValueError(
                "max_errors must be a count, a fraction below 1, or None. "
                f"Received: max_errors={limit!r}."
            )
        # Any kind of number becomes Python's own, whose type tells a fraction from a count.
        object.__setattr__(self, "max_errors", int(limit) if is_count else float(limit))
        if self.on_error == "raise":
            raise ValueError(
                f"max_errors={limit!r} needs on_error='skip', because with 'raise' the first file that "
                "cannot be used is an error."
            )

    def _check_report(self) -> None:
        given = self.check_first
        if not isinstance(given, bool) and not hasattr(given, "problems"):
            raise ValueError(
                "check_first must be True, False, or the CheckReport of tfpipe.check. "
                f"Received: check_first={given!r}."
            )
        if given is not False and self.on_error == "raise":
            raise ValueError(
                "check_first needs on_error='skip', because with 'raise' the first file that cannot be used "
                "is an error. To only look for bad files, call tfpipe.check."
            )

    @property
    def skips(self) -> bool:
        return self.on_error == "skip"

    def limit(self, n: int) -> int | None:
        """Returns how many of `n` samples may be left out; None: all of them."""
        if self.max_errors is None:
            return None
        is_fraction = self.max_errors < 1  # 0 means none either way
        return math.floor(self.max_errors * n) if is_fraction else int(self.max_errors)


def without_end_mark(samples: Samples) -> Samples:
    """Returns the samples of a batch whose last element may be an end mark."""
    spans, positions, indices, record = samples
    last = tf.size(indices) - tf.cast(indices[-1] < 0, tf.int32)
    shapes = {name: value.shape for name, value in record.items()}
    # Without an end mark, nothing is copied.
    record = tf.cond(
        indices[-1] < 0,
        lambda: {name: value[:-1] for name, value in record.items()},
        lambda: dict(record),
    )
    kept = {name: tf.ensure_shape(record[name], shape) for name, shape in shapes.items()}
    return spans[:last], positions[:last], indices[:last], kept


def sentence(path: tf.Tensor, reason: tf.Tensor) -> tf.Tensor:
    """Returns what an error says about one file; string scalars.

    >>> sentence(tf.constant("a.png"), tf.constant("the file is empty")).numpy().decode()
    "Cannot read the image file 'a.png': the file is empty"
    """
    return tf.strings.join(["Cannot read the image file '", path, "': ", reason])


def left_out_sentence(files: Sequence[tuple[str, str]], count: int | None = None) -> str:
    """Returns what a warning says about files that were left out.

    Args:
        files: (path, reason) of all of them, or of the first few.
        count: how many there are.

    >>> left_out_sentence([("a.png", "the file is empty")])
    "Left out 1 file(s) that cannot be used: 'a.png': the file is empty. `dataset.skipped` lists them all."
    """
    count = len(files) if count is None else count
    listed = "; ".join(f"'{printable(path)}': {reason}" for path, reason in files[:_SHOWN])
    more = f", ... ({count - _SHOWN} more)" if count > _SHOWN else ""
    return (
        f"Left out {count} file(s) that cannot be used: {listed}{more}. "
        "`dataset.skipped` lists them all."
    )


def sentence_in(message: str) -> str:
    r"""Returns what `_never` meant to say, from the message of TensorFlow's error; "" for other errors.

    >>> sentence_in("{{fail}} could not correctly convert string: It is empty\n\t [[{{node}}]]")
    'It is empty'
    """
    _, _, said = message.partition("could not correctly convert string: ")
    return said.partition("\n\t [[")[0]


def raise_at_gap(describe: Describe, index_at: IndexAt, size: int) -> Callable[..., Samples]:
    """Returns a check, (number in its span, samples) -> samples, whose error names a missing file."""

    def check(number: tf.Tensor, samples: Samples) -> Samples:
        spans, positions, indices, record = samples
        epoch, first = spans[0, 0], spans[0, 1]
        expected = first + number * size + tf.range(tf.size(positions, tf.int64))
        gaps = tf.not_equal(positions, expected)

        def fail() -> tf.Tensor:
            missing = expected[tf.argmax(tf.cast(gaps, tf.int32))]
            return _never(sentence(*describe(index_at(missing, epoch))), indices)

        return spans, positions, tf.cond(tf.reduce_any(gaps), fail, lambda: indices), record

    return check


class SkipList:
    """The indices of the samples that were left out: a set outside every graph, like `Cursor`.

    Graphs write to it from any thread; Python reads it. A sample that is met again in a later epoch
    is listed only once. Why a sample was left out is found once, when it is first asked for.

    >>> skipped = SkipList()
    >>> int(skipped.note(tf.constant([5, 3, 5], tf.int64))), skipped.indices().tolist()
    (2, [3, 5])
    """

    def __init__(self) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            self._table: Any = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
        self._reported: set[int] = set()
        self.reasons: dict[
            int, tuple[str, str]
        ] = {}  # the path and the reason, once they were found

    def note(self, indices: tf.Tensor) -> tf.Tensor:  # int64 scalar
        """Adds indices, int64 [k]; returns how many samples have been left out so far."""
        with tf.control_dependencies([self._table.insert(indices, indices)]):
            return self._table.size()

    def count(self) -> tf.Tensor:  # int64 scalar
        return self._table.size()

    def size(self) -> int:
        with tf.init_scope():  # also where a `tf.function` asks for the length of a data set
            return int(self._table.size())

    def has(self, index: tf.Tensor) -> tf.Tensor:  # bool scalar
        return self._table.lookup(index) >= 0

    def indices(self) -> np.ndarray:  # int64 [k], ascending
        return np.sort(self._table.export()[0].numpy())

    def unreported(self) -> np.ndarray:  # int64 [k], ascending
        """Returns the indices that were noted since the last call."""
        new = [index for index in self.indices().tolist() if index not in self._reported]
        self._reported.update(new)
        return np.array(new, np.int64)


@dataclass(frozen=True)
class Skipping:
    """How gaps are stepped over: they are noted, and too many of them are an error.

    Attributes:
        skipped: where the indices are noted.
        limit: how many files may be left out; None: any number.
        describe: index -> path and reason.
        index_at: (positions, epoch) -> indices.
    """

    skipped: SkipList
    limit: int | None
    describe: Describe
    index_at: IndexAt

    def unless_known(self, index: tf.Tensor) -> tf.Tensor:
        """Returns an index, int64 scalar; an error, and so a gap, if the sample was left out before.

        A file that can be read again would otherwise make an epoch longer than its length says.
        """
        message = tf.constant("left out before")
        return tf.cond(
            self.skipped.has(index),
            lambda: tf.ensure_shape(_never(message, index[None])[0], []),
            lambda: tf.identity(index),
        )

    def step_over(self, expected: tf.Tensor, samples: Samples) -> tuple[tf.Tensor, Samples]:
        """Notes what is missing from a batch that should begin at `expected` (-1: where its span does).

        Returns where the next batch should begin, and the samples.
        """
        spans, positions, indices, record = samples
        expected = tf.where(expected < 0, spans[0, 1], expected)
        following = positions[-1] + 1

        def note() -> tf.Tensor:
            is_there = tf.scatter_nd(
                (positions - expected)[:, None],
                tf.ones_like(positions, tf.bool),
                [following - expected],
            )
            missing = expected + tf.where(~is_there)[:, 0]
            return self._noted(self.index_at(missing, spans[0, 0]), indices)

        complete = tf.size(positions, tf.int64) == following - expected
        indices = tf.cond(complete, lambda: indices, note)

        def report() -> tf.Tensor:
            with tf.control_dependencies([tf.numpy_function(self.report, [], [])]):
                return tf.identity(indices)

        ended = (indices[-1] < 0) & (self.skipped.count() > 0)
        indices = tf.cond(ended, report, lambda: indices)
        return following, (spans, positions, indices, record)

    def _noted(self, missing: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
        count = self.skipped.note(missing)
        if self.limit is None:
            with tf.control_dependencies([count]):
                return tf.identity(indices)
        allowed = f" files cannot be used, more than max_errors allows ({self.limit}). "
        last = sentence(*self.describe(missing[-1]))
        message = tf.strings.join([tf.strings.as_string(count), allowed, last])
        return tf.cond(
            count > self.limit, lambda: _never(message, indices), lambda: tf.identity(indices)
        )

    def report(self) -> None:
        """Warns, in Python, about the files left out since the last report."""
        indices = self.skipped.unreported()
        if not len(indices):
            return
        first = self.described(indices[:_SHOWN].tolist())
        warn(left_out_sentence(first, len(indices)))

    def named(self, paths: Sequence[str]) -> dict[int, tuple[str, str]]:
        """Returns the path and the reason of each sample that was left out, by index."""
        indices = self.skipped.indices().tolist()
        described = self.described(indices)
        return {i: (paths[i], reason) for i, (_, reason) in zip(indices, described, strict=True)}

    def described(self, indices: Sequence[int]) -> list[tuple[str, str]]:
        """Returns the path of each sample and why it cannot be used, by reading it again, once."""
        known = self.skipped.reasons
        new = [index for index in indices if index not in known]
        # A trace pays for itself from a few files on.
        describe = (
            tf.function(self.describe, autograph=False) if len(new) > _SHOWN else self.describe
        )
        with tf.device("CPU:0"):
            for index in new:
                path, reason = describe(tf.constant(index, tf.int64))
                known[index] = path.numpy().decode(), reason.numpy().decode()
        return [known[index] for index in indices]


def _never(message: tf.Tensor, value: tf.Tensor) -> Any:
    """Stands for `value` in the graph, but raises an error with this message when it runs."""
    # Assert shows quotes and letters beyond ASCII as octal codes; this op shows its input as it is.
    # Unless its result is used, it is optimized away.
    return value[tf.strings.to_number(message, tf.int64) :]
