"""Batches as NumPy, by number or one after another with no limit, as the classic generator gives them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.pipeline import pipeline
from tfpipe.pipeline.cursor import Cursor
from tfpipe.pipeline.plan import Plan, place_after


class Batches:
    """Single batches of one data set, read beside its loops; safe to use from several threads.

    Attributes:
        epoch: the one that `following` is in.
        number: of the batch that `following` gives next.
        seen: how many batches were given.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lock = threading.RLock()
        self._stream: Iterator[Any] | None = None
        self._run: Iterator[Any] = iter(())
        self._last_place = (0, -2)  # epoch and number of the batch that was subscripted last
        self._subscript_epoch = 0
        self.epoch = 0
        self.number = 0
        self.seen = 0

    @cached_property
    def _cursor(self) -> Cursor:
        return Cursor.new()

    @cached_property
    def _window(self) -> Any:  # a data set of the batches between the cursor and its end
        with tf.device("CPU:0"):  # where the columns are
            return pipeline.for_a_loop(pipeline.epochs(self._plan, self._cursor))

    def _start(self, epoch: int, batch: int, count: int) -> Iterator[Any]:
        """Returns an iterator over some batches of one epoch, which has read the cursor already."""
        begin = place_after(self._plan, epoch, 0, batch)
        end = place_after(self._plan, epoch, begin, count)
        if self._plan.skipping is not None:  # bad files make the batch reach further
            end = self._plan.end
        self._cursor.move_to(epoch, begin, end)
        iterator = iter(self._window)
        first = next(iterator, None)
        if first is None:
            return iter(())

        def chained() -> Iterator[Any]:
            yield first
            yield from iterator

        return chained()

    def at(self, item: Any) -> Any:
        """Returns one batch of the first epoch, or a list of batches for a slice.

        If files are left out, batch i begins after the ones that are known by then.

        Raises:
            TypeError: item is neither an int nor a slice.
            ValueError: there is no such batch, or none of its files can be used.
        """
        count = self._plan.count
        if isinstance(item, slice):
            return [self.at(number) for number in range(*item.indices(count))]
        if not isinstance(item, int | np.integer) or isinstance(item, bool):
            raise TypeError(f"A batch number must be an int or a slice. Received: {item!r}.")
        if not -count <= item < count:
            raise ValueError(
                f"Asked to retrieve element {item}, but the Sequence has length {count}: "
                f"expected {-count} to {count - 1}."
            )
        number = int(item) % count
        with self._lock:
            batch = self._subscripted(number)
            self.seen += 1
        return _as_numpy(batch)

    def _subscripted(self, number: int) -> Any:
        """Returns one batch. Numbers in a row share one iterator, since starting one takes time."""
        place = (self._subscript_epoch, number)
        follows = self._last_place == (self._subscript_epoch, number - 1)
        batch = next(self._run, None) if follows else None
        if batch is None:  # the first of a run reads nothing ahead, the second all that follow
            self._run = self._start(*place, self._plan.count - number if follows else 1)
            batch = next(self._run, None)
            if batch is None:
                raise ValueError(
                    f"There is no batch {number}: too many files cannot be used; see `skipped`."
                )
        self._last_place = place
        return batch

    def following(self) -> Any:
        """Returns the next batch, from epoch to epoch with no limit.

        Raises:
            StopIteration: there is not a single sample that can be used.
        """
        with self._lock:
            try:
                batch = next(self._stream, None) if self._stream is not None else None
                if batch is None:
                    if self._stream is not None:  # files were left out, so the epoch was shorter
                        self.epoch += 1
                        self.number = 0
                    rest = self._plan.count - self.number
                    self._stream = self._start(self.epoch, self.number, rest)
                    batch = next(self._stream)
            except tf.errors.OpError:  # a bad file costs its own batch, not the rest of the epoch
                self._stream = None
                self._step()
                raise
            self.seen += 1
            self._step()
        return _as_numpy(batch)

    def _step(self) -> None:
        self.number += 1
        if self.number == self._plan.count:
            self.number = 0
            self.epoch += 1
            self._stream = None

    def reset(self) -> None:
        """Makes `following` go back to the first batch of its epoch."""
        with self._lock:
            self._stream = None
            self.number = 0

    def on_epoch_end(self) -> None:
        """Moves both ways of reading to the first batch of the next epoch."""
        with self._lock:
            self.reset()
            self.epoch += 1
            self._subscript_epoch += 1


def _as_numpy(element: Any) -> Any:
    """Returns a batch in the classic's form: writable arrays in a tuple, several inputs in a list."""
    if not isinstance(element, tuple):
        return _arrays(element)
    parts = tuple(_arrays(part) for part in element)
    return parts if len(parts) > 1 else parts[0]


def _arrays(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _arrays(value) for name, value in part.items()}
    return [_arrays(value) for value in part] if isinstance(part, tuple) else _array(part)


def _array(tensor: tf.Tensor) -> np.ndarray:
    array = np.array(tensor.numpy())  # a copy: .numpy() may be read-only or shared
    if array.dtype == object:
        array = np.array(
            [text.decode(errors="surrogateescape") for text in array.ravel()], object
        ).reshape(array.shape)
    return array
