"""Data sets that go to another process: as what they were made from, and where they stand."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Place = tuple[int, int]  # an epoch, and a position or the number of a batch in it


def reduced(dataset: Any) -> tuple[Any, ...]:
    """Returns what pickle makes an `ImageDataset` from again.

    Graphs and caches in memory stay behind: the other process makes its own.

    Raises:
        TypeError: the data set is distributed, so that other processes hold parts of it.
    """
    if not dataset._in_order:
        raise TypeError(
            "A distributed data set cannot be pickled, because other processes hold parts of it. Pickle the "
            "data set that it was made from, and call distribute(...) again."
        )
    cursor, batches, skipping = dataset._cursor, dataset._batches, dataset._plan.skipping
    places = ((cursor.epoch, cursor.position), (batches.epoch, batches.number))
    left_out = [] if skipping is None else skipping.skipped.indices().tolist()
    known = {n: value for n, value in vars(dataset).items() if n[0] != "_" or n == "_first_epoch"}
    made_from = (type(dataset), dataset.source, dataset.spec)
    return _restored, (*made_from, *places, batches.seen, left_out, known)


def _restored(
    kind: Any,
    source: Any,
    spec: Any,
    begin: Place,
    following: Place,
    seen: int,
    left_out: list[int],
    known: dict[str, Any],
) -> Any:
    dataset = kind(source, spec)
    if left_out:
        dataset._plan.skipping.skipped.note(tf.constant(left_out, tf.int64))
    dataset.__dict__ |= known
    dataset._cursor.move_to(*begin)
    dataset._batches.move_to(*following)
    dataset._batches.seen = seen
    return dataset
