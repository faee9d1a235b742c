"""Files that cannot be used: whether they end the run, and the list of those that were left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_one_of, is_number

ON_ERROR = ("raise", "skip")


@dataclass(frozen=True)
class ErrorPolicy:
    """What becomes of a file that cannot be used.

    Attributes:
        action: "raise" (an error that names the file) or "skip" (the sample is left out and noted).
        max_errors: how many files may be left out before that is an error too: a count, a fraction of
            the samples (a float below 1), or None for any number.

    >>> ErrorPolicy("skip", 0.01).limit(250), ErrorPolicy("skip").limit(250)
    (2, None)
    """

    action: str = "raise"
    max_errors: float | None = None

    def __post_init__(self) -> None:
        check_one_of("on_error", self.action, ON_ERROR)
        limit = self.max_errors
        if limit is None:
            return
        is_count = is_number(limit) and limit == int(limit)
        if not is_number(limit) or limit < 0 or (limit >= 1 and not is_count):
            raise ValueError(
                "max_errors must be a count, a fraction below 1, or None. "
                f"Received: max_errors={limit!r}."
            )
        # Any kind of number as Python's own, by whose type a fraction is told from a count.
        object.__setattr__(self, "max_errors", int(limit) if is_count else float(limit))
        if self.action == "raise":
            raise ValueError(
                f"max_errors={limit!r} needs on_error='skip': with 'raise' the first file that cannot "
                "be used is an error."
            )

    @property
    def skips(self) -> bool:
        return self.action == "skip"

    def limit(self, n: int) -> int | None:
        """How many of `n` samples may be left out; None: all of them."""
        if self.max_errors is None:
            return None
        is_fraction = self.max_errors < 1  # 0 is none either way
        return math.floor(self.max_errors * n) if is_fraction else int(self.max_errors)


class SkipList:
    """The indices of the samples that were left out: a set outside of every graph, as `Cell` is.

    Graphs write to it from any thread; Python reads it. A sample that is met again in a later epoch
    is in it once.

    >>> skipped = SkipList()
    >>> int(skipped.note(tf.constant([5, 3, 5], tf.int64))), skipped.indices().tolist()
    (2, [3, 5])
    """

    def __init__(self) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            self._table: Any = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
        self._reported: set[int] = set()

    def note(self, indices: tf.Tensor) -> tf.Tensor:  # int64 scalar
        """Adds indices, int64 [k]; how many samples were left out until now."""
        with tf.control_dependencies([self._table.insert(indices, indices)]):
            return self._table.size()

    def count(self) -> tf.Tensor:  # int64 scalar
        return self._table.size()

    def indices(self) -> np.ndarray:  # int64 [k], ascending
        return np.sort(self._table.export()[0].numpy())

    def unreported(self) -> np.ndarray:  # int64 [k], ascending
        """The indices that were noted since the last call."""
        new = [index for index in self.indices().tolist() if index not in self._reported]
        self._reported.update(new)
        return np.array(new, np.int64)
