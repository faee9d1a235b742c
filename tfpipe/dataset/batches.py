"""Batches as NumPy, by number or one after another with no limit, as the classic generator gives them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_int
from tfpipe.pipeline import pipeline
from tfpipe.pipeline.cursor import Cursor, Order
from tfpipe.pipeline.plan import Plan, in_order, order_of, place_after

# Like the place of a subscripted batch; no batch follows it.
_NOWHERE = (-1, -2, 0)
# As many samples as one call may ask for.
_MOST_INDICES = 2**31


class _Window:
    """Any stretch of an epoch, read with one graph that is made at the first read."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @cached_property
    def _cursor(self) -> Cursor:
        return Cursor.new()

    @cached_property
    def _dataset(self) -> Any:
        with tf.device("CPU:0"):  # where the columns are
            return pipeline.for_a_loop(pipeline.epochs(self.plan, self._cursor))

    def start(self, epoch: int, batch: int, count: int, look: int = 0) -> Iterator[Any]:
        """Returns an iterator over some batches of one epoch, which has read the cursor already."""
        begin = place_after(self.plan, epoch, 0, batch)
        end = place_after(self.plan, epoch, begin, count)
        if self.plan.skipping is not None:  # bad files make the batch reach further
            end = self.plan.end
        return self.between(epoch, begin, end, look)

    def between(self, epoch: int, begin: int, end: int, look: int = 0) -> Iterator[Any]:
        """Returns an iterator over the batches between two positions of one epoch."""
        self._cursor.move_to(epoch, begin, end, look)
        iterator = iter(self._dataset)
        first = next(iterator, None)
        if first is None:
            return iter(())

        def chained() -> Iterator[Any]:
            yield first
            yield from iterator

        return chained()

    def nothing(self) -> Any:
        """Returns a batch of no samples."""
        return tf.nest.map_structure(
            lambda spec: tf.zeros([0, *spec.shape[1:]], spec.dtype), self._dataset.element_spec
        )


class _OrderedWindow(_Window):
    """The same samples in an order that is given, and can be set again."""

    def __init__(self, plan: Plan, length: int) -> None:
        self._order = Order()
        super().__init__(in_order(plan, self._order, length))

    def set(self, indices: np.ndarray) -> None:
        self._order.set(indices)


class Batches:
    """Single batches of one data set, read beside its loops; safe to use from several threads.

    There are two ways to read: `at` gives a batch by its number, `following` one batch after another. Both
    are functions of (seed, epoch, number); if looks count, `at` also of how many there were at that batch.

    Attributes:
        epoch: the one that `following` is in.
        number: of the batch that `following` gives next.
        seen: how many batches were given.
    """

    def __init__(self, plan: Plan, *, looks_count: bool = False) -> None:
        self._plan = plan
        self._looks_count = looks_count
        self.lock = threading.RLock()
        self._window = _Window(plan)
        self._assigned: _Window | None = None  # in an order of the user's, until an epoch begins
        self._stream: Iterator[Any] | None = None
        self._run: Iterator[Any] = iter(())
        # Epoch, number and look of the batch that was subscripted last.
        self._last_place = _NOWHERE
        self._looks: Counter[int] = Counter()
        # How many times each sample was read by `of_indices`, in the epoch of `_index_epoch`.
        self._index_looks = np.zeros(0, np.int64)
        self._index_epoch = -1
        self._subscript_epoch = 0
        # What the last batch was taken from, and its epoch.
        self._given: tuple[Plan, int] | None = None
        self._order: np.ndarray | None = None
        # The order that the user's code holds, and may change.
        self._handed: np.ndarray | None = None
        self.epoch = 0
        self.number = 0
        self.seen = 0

    def at(self, item: Any) -> Any:
        """Returns one batch, or a list of batches for a slice.

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
        with self.lock:
            batch = self._subscripted(number)
            self.seen += 1
        return _as_numpy(batch)

    def _subscripted(self, number: int) -> Any:
        """Returns one batch. Numbers in a row share one iterator, since starting one takes time."""
        self._take_up_changes()
        window = self._assigned or self._window
        look = self._looks[number] if self._looks_count else 0
        reads_ahead = self._plan.spec.save is None  # else what is not given would be saved
        place = (self._subscript_epoch, number, look)
        follows = self._last_place == (self._subscript_epoch, number - 1, look)
        batch = next(self._run, None) if follows else None
        if batch is None:  # the first of a run reads nothing ahead, the second all that follow
            rest = self._plan.count - number if follows and reads_ahead else 1
            self._run = window.start(self._subscript_epoch, number, rest, look)
            batch = next(self._run, None)
            if batch is None:
                raise ValueError(
                    f"There is no batch {number}: too many files cannot be used; see `skipped`."
                )
        self._last_place = place
        self._looks[number] += 1
        self._note(window.plan, self._subscript_epoch)
        return batch

    def following(self) -> Any:
        """Returns the next batch, from epoch to epoch with no limit.

        Raises:
            ValueError: there is not a single sample that can be used.
        """
        with self.lock:
            window = self._window_of_following()
            try:
                batch = self._next_of(window)
                if batch is None and self.number:  # files were left out, so the epoch was shorter
                    self.epoch, self.number, self._stream = self.epoch + 1, 0, None
                    window = self._window_of_following()
                    batch = self._next_of(window)
            except tf.errors.OpError:  # a bad file costs its own batch, not the rest of the epoch
                self._stream = None
                self._step(window.plan)
                raise
            if batch is None:
                raise ValueError("None of the files can be used; see `skipped`.")
            self._step(window.plan)
        return _as_numpy(batch)

    def _next_of(self, window: _Window) -> Any:
        """Returns the batch at `number`, or None if the epoch has ended."""
        if self._stream is not None:
            return next(self._stream, None)
        if self._plan.spec.save is not None:  # what is not given is not saved
            return next(window.start(self.epoch, self.number, 1), None)
        self._stream = window.start(self.epoch, self.number, self._plan.count - self.number)
        return next(self._stream, None)

    def following_indices(self) -> np.ndarray:
        """Returns the indices of the next batch, which counts as given: `of_indices` reads it."""
        with self.lock:
            plan = self._window_of_following().plan
            first = self.number * plan.spec.batch_size
            self._stream = None
            with tf.device("CPU:0"):
                positions = tf.range(first, min(first + plan.spec.batch_size, plan.length))
                positions = tf.cast(positions, tf.int64)
                indices = plan.index_at(positions, tf.constant(self.epoch, tf.int64)).numpy()
            self._step(plan)
        return indices

    def of_indices(self, indices: np.ndarray) -> Any:
        """Returns some samples as one batch of any size, with new draws at each call.

        Raises:
            IndexError: there is no such sample; negative indices count from the end.
        """
        indices = np.arange(self._plan.length)[indices]
        with self.lock:
            window = self._window_of_indices
            if not len(indices):
                return _as_numpy(window.nothing())
            window.set(indices)
            epoch = self.epoch if self._given is None else self._given[1]
            parts = list(window.between(epoch, 0, len(indices), self._look_at(indices, epoch)))
        if not parts:
            raise ValueError("None of the files can be used; see `skipped`.")
        if len(parts) == 1:
            return _as_numpy(parts[0])
        return _as_numpy(tf.nest.map_structure(lambda *values: tf.concat(values, 0), *parts))

    @cached_property
    def _window_of_indices(self) -> _OrderedWindow:
        return _OrderedWindow(self._plan, _MOST_INDICES)

    def _look_at(self, indices: np.ndarray, epoch: int) -> int:
        """Returns the number of a look at some samples: 0 if none of them was looked at in this epoch."""
        if self._index_epoch != epoch:
            self._index_epoch = epoch
            self._index_looks = np.zeros(self._plan.length, np.int64)
        look = int(self._index_looks[indices].max())
        np.add.at(self._index_looks, indices, 1)
        self._index_looks[indices] += look
        return look

    def _window_of_following(self) -> _Window:
        self._take_up_changes()
        if self.number == 0:  # an epoch begins, in an order of its own
            self._assigned = None
        return self._assigned or self._window

    def _step(self, plan: Plan) -> None:
        """Notes that the batch at `number` was given."""
        self._note(plan, self.epoch)
        self.seen += 1
        self.number += 1
        if self.number == self._plan.count:
            self.number = 0
            self.epoch += 1
            self._stream = None

    def _note(self, plan: Plan, epoch: int) -> None:
        if self._given is None or self._given[0] is not plan or self._given[1] != epoch:
            self._given, self._order, self._handed = (plan, epoch), None, None

    @property
    def order(self) -> np.ndarray | None:
        """The order of the epoch that the last batch was taken from; None before the first batch.

        Where the array is changed in place, the next batches are in the changed order.
        """
        with self.lock:
            if self._handed is None and self._given is not None:
                self._order = order_of(*self._given)
                self._handed = self._order.copy()
        return self._handed

    @order.setter
    def order(self, indices: Any) -> None:
        with self.lock:
            if indices is None:  # the next batch by number is of another order
                self._forget()
                self._assigned, self._given, self._handed = None, None, None
                self._subscript_epoch += 1
                return
            length = self._plan.length
            indices = np.arange(length)[np.asarray(indices, np.int64)]
            if len(indices) != length:
                raise ValueError(
                    f"index_array must be the indices of {length} samples. Received: {len(indices)}."
                )
            self._assign(indices)

    def _assign(self, indices: np.ndarray) -> None:
        looks = self._looks
        self._forget()
        self._assigned = _OrderedWindow(self._plan, len(indices))
        self._assigned.set(indices)
        # A number now stands for another batch, whose draws must not be those of an earlier look.
        following = max(looks.values(), default=0)
        self._looks = Counter(dict.fromkeys(range(self._plan.count), following))
        self._note(self._assigned.plan, self._subscript_epoch)

    def _take_up_changes(self) -> None:
        """Makes an order that the user's code changed in place the order of what comes next."""
        if self._handed is not None and not (self._handed == self._order).all():
            handed = self._handed
            self.order = handed
            self._order, self._handed = handed.copy(), handed

    def go_to(self, number: int) -> None:
        """Makes `following` go on at another batch of the epoch; at 0, another epoch begins."""
        check_int("batch_index", number, 0)
        with self.lock:
            if number == 0:
                self.reset()
                return
            self._stream = None
            self.number = number % self._plan.count

    def move_to(self, epoch: int, number: int) -> None:
        """Makes `following` go on at a batch of an epoch, and `at` give the batches of that epoch."""
        with self.lock:
            self._forget()
            self._assigned = None
            self.epoch, self.number = divmod(number, self._plan.count or 1)
            self.epoch += epoch
            self._subscript_epoch = self.epoch

    def stand_where(self, other: Batches) -> None:
        """Makes both ways of reading continue where those of other batches of the same samples are."""
        with self.lock:
            self.epoch, self.number = other.epoch, other.number % (self._plan.count or 1)
            self.seen = other.seen
            self._subscript_epoch = other._subscript_epoch
            self._looks = other._looks.copy()
            self._index_looks, self._index_epoch = other._index_looks.copy(), other._index_epoch
            other._take_up_changes()
            if other._assigned is not None:
                self._assign(order_of(other._assigned.plan, other._subscript_epoch))
            elif other._given is not None:
                self._note(self._plan, other._given[1])

    def reset(self) -> None:
        """Makes `following` go to the first batch, of the next epoch if it has begun this one."""
        with self.lock:
            self._stream = None
            if self.number:
                self.number = 0
                self.epoch += 1

    def on_epoch_end(self) -> None:
        """Gives both ways of reading the order of the next epoch; the number of the batch stays."""
        with self.lock:
            self._forget()
            self._assigned = None
            self.epoch += 1
            self._subscript_epoch += 1
            self._note(self._plan, self._subscript_epoch)

    def _forget(self) -> None:
        """Ends what was begun, since what comes next is something else."""
        self._stream = None
        self._last_place = _NOWHERE
        self._looks = Counter()


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
    array = np.asarray(tensor.numpy())
    if not (
        array.flags.owndata and array.flags.writeable
    ):  # `numpy` copies, but does not promise to
        array = array.copy()
    if array.dtype == object:
        array = np.array(
            [text.decode(errors="surrogateescape") for text in array.ravel()], object
        ).reshape(array.shape)
    return array
