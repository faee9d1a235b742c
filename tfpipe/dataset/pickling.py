"""Data sets that go to another process: as what they were made from, and where they stand."""

from __future__ import annotations

from typing import Any

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
    cursor, batches = dataset._cursor, dataset._batches
    places = ((cursor.epoch, cursor.position), (batches.epoch, batches.number))
    known = {name: value for name, value in vars(dataset).items() if name[0] != "_"}
    return _restored, (type(dataset), dataset.source, dataset.spec, *places, batches.seen, known)


def _restored(
    kind: Any, source: Any, spec: Any, begin: Place, following: Place, seen: int, known: dict
) -> Any:
    dataset = kind(source, spec)
    dataset.__dict__ |= known
    dataset._cursor.move_to(*begin)
    dataset._batches.move_to(*following)
    dataset._batches.seen = seen
    return dataset
