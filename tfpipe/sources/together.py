"""Splits that keep samples of equal contents on one side: numbers only, like `splits`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tfpipe.checks import check_one_of, head
from tfpipe.sources.splits import Holdout, Strata, check_groups_known

TOGETHER = (None, "exact")


def check_together(keep_duplicates_together: str | None) -> None:
    """Raises `ValueError` unless the option is None or "exact"."""
    check_one_of("keep_duplicates_together", keep_duplicates_together, TOGETHER)


def sides_together(
    sides: np.ndarray, contents: np.ndarray, labels: np.ndarray | None = None
) -> np.ndarray:
    """Moves samples so that equal contents are on one side, and the sides keep their sizes.

    A content that is on several sides goes to the one that lacks most samples, the most frequent content
    first. Then others move the other way, so that each side has as many as before, of each class. Where
    that does not come out even, a side is off by a few samples.

    Args:
        sides: the side of each sample, int [n].
        contents: equal numbers for equal contents, int [n].
        labels: the classes whose shares are kept, int [n]; None: only the sizes.

    Returns:
        The sides, int [n]: a function of the arguments alone.

    >>> sides_together(np.array([0, 0, 0, 0, 1, 1]), np.array([7, 8, 8, 9, 8, 5])).tolist()
    [0, 0, 0, 1, 0, 1]
    """
    sides = sides.copy()
    kinds = np.zeros(len(sides), np.int64)
    if labels is not None:
        kinds = np.unique(labels, return_inverse=True)[1]
    shape = int(kinds.max(initial=0)) + 1, int(sides.max(initial=0)) + 1
    lacking = np.zeros(shape, np.int64)
    several = np.flatnonzero(pd.Series(contents).duplicated(keep=False))
    found = pd.Series(several).groupby(contents[several]).indices.values()
    # The largest first, since small ones can make up for them.
    equal = sorted((several[rows] for rows in found), key=lambda rows: (-len(rows), rows[0]))
    for rows in equal:
        here = _counts(kinds[rows], sides[rows], shape)
        places = np.flatnonzero(here.sum(0))
        if len(places) > 1:
            after = [
                lacking + here - _counts(kinds[rows], np.full_like(rows, place), shape)
                for place in places
            ]
            best = int(np.argmin([np.abs(counts).sum() for counts in after]))
            lacking, sides[rows] = after[best], places[best]
    singles = np.setdiff1d(np.arange(len(sides)), several)[::-1, np.newaxis]
    for rows in itertools.chain(equal, singles):
        if not lacking.any():
            break
        kind, place = kinds[rows[0]], sides[rows[0]]
        if -lacking[kind, place] < len(rows) or (kinds[rows] != kind).any():
            continue
        other = int(np.argmax(lacking[kind]))
        if lacking[kind, other] >= len(rows):
            sides[rows] = other
            lacking[kind, place] += len(rows)
            lacking[kind, other] -= len(rows)
    return sides


def _counts(kinds: np.ndarray, sides: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Counts the samples of each kind on each side."""
    return np.bincount(kinds * shape[1] + sides, minlength=shape[0] * shape[1]).reshape(shape)


def holdout_together(
    cut: Holdout, contents: np.ndarray, labels: np.ndarray | None = None
) -> Holdout:
    """Returns a split like `cut` that has no content on both sides; its rows stay in their order.

    >>> cut = Holdout(np.array([3, 0, 1]), np.array([4, 2]))
    >>> holdout_together(cut, np.array([5, 6, 5, 7, 8]))
    Holdout(training=array([3, 0, 2]), validation=array([1, 4]))
    """
    sides = np.zeros(len(contents), np.int64)
    sides[cut.validation] = 1
    order = np.concatenate([cut.training, cut.validation])
    moved = np.empty_like(sides)
    # In the order of the split, so that it is its last samples that make room.
    moved[order] = sides_together(
        sides[order], contents[order], None if labels is None else labels[order]
    )
    if (np.diff(cut.training) > 0).all() and (np.diff(cut.validation) > 0).all():
        order = np.sort(order)
    return Holdout(order[moved[order] == 0], order[moved[order] == 1])


def folds_together(
    pairs: Sequence[Holdout], contents: np.ndarray, labels: np.ndarray | None = None
) -> list[Holdout]:
    """Returns folds like `pairs`, but no two of them share a content."""
    sides = np.zeros(len(contents), np.int64)
    for number, pair in enumerate(pairs):
        sides[pair.validation] = number
    sides = sides_together(sides, contents, labels)
    empty = [number for number in range(len(pairs)) if not (sides == number).any()]
    if empty:
        raise ValueError(
            f"keep_duplicates_together='exact' leaves fold {empty[0]} of k={len(pairs)} empty: there are too "
            "few images of different contents. Pass a smaller k, or remove the duplicates."
        )
    return [
        Holdout(np.flatnonzero(sides != number), np.flatnonzero(sides == number))
        for number in range(len(pairs))
    ]


def with_contents(strata: Strata, contents: np.ndarray) -> Strata:
    """Returns strata whose groups also hold together equal contents: groups that share one become one.

    >>> strata = Strata(groups=np.array(["a", "b", "b", "c"], object))
    >>> with_contents(strata, np.array([0, 0, 1, 2])).groups.tolist()
    [0, 0, 0, 3]
    """
    check_groups_known(strata.groups)
    first: dict[object, int] = {}  # a row of each group, and of each content
    root = list(range(len(contents)))

    def of(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    for keys in (strata.groups, contents):
        first.clear()
        for row, key in enumerate([] if keys is None else keys.tolist()):
            one, other = of(first.setdefault(key, row)), of(row)
            root[max(one, other)] = min(one, other)
    return replace(strata, groups=np.array([of(row) for row in range(len(root))]))


def check_folds_together(
    pairs: Sequence[Holdout], contents: np.ndarray, paths: Sequence[str]
) -> None:
    """Raises `ValueError` if folds that a column names share a content."""
    for pair in pairs:
        both = np.isin(contents[pair.validation], contents[pair.training])
        if both.any():
            content = contents[pair.validation][both][0]
            equal = [paths[row] for row in np.flatnonzero(contents == content).tolist()]
            raise ValueError(
                "keep_duplicates_together='exact' needs equal files in one fold, but the column puts "
                f"these in several: {head(equal)}. Correct the column, or remove the duplicates."
            )
