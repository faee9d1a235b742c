"""Which rows of a source are for training and which for validation: numbers only, no images.

Every function is pure: the same arguments give the same rows, in every process. Splits that keep class
proportions or groups are made by scikit-learn's splitters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.checks import check_int, head
from tfpipe.installed import pip_install

# A split that keeps groups together takes some folds out of at most this many. Their part of all samples
# is off the fraction by at most the tolerance times the smaller side, unless that would take more folds.
_MOST_FOLDS = 100
_TOLERANCE = 0.02


def split_count(n: int, fraction: float) -> int:
    """Returns how many of `n` samples a split of `fraction` takes: the floor in decimal arithmetic.

    In binary floating point 0.29 * 100 is below 29, so the classic takes 28.

    >>> split_count(100, 0.29), int(0.29 * 100)
    (29, 28)
    """
    return int(Decimal(repr(float(fraction))) * n)


def split_rows(n: int, fraction: float, subset: str | None) -> np.ndarray:
    """Returns the classic's rows of one subset of 0..n-1: validation the head, training the rest, None all.

    >>> split_rows(10, 0.2, "validation").tolist()
    [0, 1]
    """
    if subset is None:
        return np.arange(n)
    count = split_count(n, fraction)
    return np.arange(count) if subset == "validation" else np.arange(count, n)


def keras_split_count(n: int, fraction: float) -> int:
    """Returns how many of `n` samples Keras' `image_dataset_from_directory` uses for validation.

    Source: `keras.src.utils.dataset_utils.get_training_or_validation_split`, int(fraction * n) in binary
    floating point.

    >>> keras_split_count(100, 0.29), keras_split_count(100, 0.25)
    (28, 25)
    """
    return int(fraction * n)


@dataclass(frozen=True)
class Holdout:
    """Rows for training and for validation, int64; disjoint, and together all rows."""

    training: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True, eq=False)
class Strata:
    """What a split has to respect.

    Attributes:
        labels: int [n], the class of each sample; both sides keep the class proportions; or None.
        class_names: the names of the classes, for messages.
        groups: [n], the group of each sample (all images of a patient, say); no group is on both sides;
            or None.
    """

    labels: np.ndarray | None = None
    class_names: Sequence[str] = ()
    groups: np.ndarray | None = None

    @property
    def any(self) -> bool:
        return self.labels is not None or self.groups is not None

    def check_members(self, least: int, purpose: str) -> None:
        """Raises `ValueError` if a class has fewer than `least` samples."""
        if self.labels is None:
            return
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        few = [
            f"{name!r} ({count})"
            for name, count in zip(self.class_names, counts.tolist(), strict=False)
            if 0 < count < least
        ]
        if few:
            raise ValueError(
                f"{purpose} with stratify=True needs at least {least} samples of each class. "
                f"Received fewer of: {', '.join(few)}. Leave these classes out, or use stratify=False."
            )

    def group_ids(self, least: int, purpose: str) -> np.ndarray:  # int64 [n]
        """Numbers the groups; raises `ValueError` if there are fewer than `least`."""
        check_groups_known(self.groups)
        ids, names = pd.factorize(pd.Series(self.groups, dtype=object))
        if len(names) < least:
            raise ValueError(
                f"{purpose} needs at least {least} groups, since no group may be on both sides. Received "
                f"{len(names)} group(s): {head(list(names))}."
            )
        return ids

    def check_disjoint(self, training: np.ndarray, validation: np.ndarray) -> None:
        """Raises `ValueError` if a group is on both sides."""
        if self.groups is None:
            return
        both = pd.unique(pd.Series(self.groups[validation], dtype=object))
        both = both[np.isin(both, self.groups[training])]
        if len(both):
            raise ValueError(
                f"{len(both)} group(s) are on both sides of a split: {head(list(both))}. All samples "
                "of a group must be in one fold."
            )


def check_groups_known(groups: Any) -> None:
    """Raises `ValueError` if a sample has no group."""
    missing = np.flatnonzero(pd.isna(pd.Series(groups, dtype=object)))
    if len(missing):
        raise ValueError(
            f"groups must name the group of every sample. {len(missing)} sample(s) have none, the "
            f"first in row {missing[0]}."
        )


def holdout(
    n: int, fraction: float, *, seed: int, shuffle: bool, strata: Strata | None = None
) -> Holdout:
    """Splits 0..n-1 in two, with `fraction` of it for validation.

    Args:
        n: the number of samples.
        fraction: 0 < fraction < 1.
        seed: the seed of the random choice.
        shuffle: choose at random; otherwise validation is the tail. Has no effect if there are strata.
        strata: class proportions or groups to respect.

    Returns:
        Without strata, the rows of `keras.utils.image_dataset_from_directory` in its order; with strata,
        rows in ascending order.

    Raises:
        ValueError: the strata cannot be respected.
        ImportError: there are strata, and scikit-learn is not installed.

    >>> holdout(5, 0.4, seed=0, shuffle=False).validation.tolist()
    [3, 4]
    """
    if strata is not None and strata.any:
        return _stratified_holdout(n, fraction, seed, strata)
    rows = np.arange(n)
    if shuffle:
        # What Keras does with its list of paths: a generator of its own, no global state.
        np.random.RandomState(_seed_word(seed)).shuffle(rows)
    count = keras_split_count(n, fraction)
    return Holdout(rows[: n - count], rows[n - count :])


def _stratified_holdout(n: int, fraction: float, seed: int, strata: Strata) -> Holdout:
    selection = _model_selection("stratify=True and groups need")
    purpose = f"validation_split={fraction!r}"
    strata.check_members(2, purpose)
    if strata.groups is None:
        labels, count = strata.labels, keras_split_count(n, fraction)
        classes = len(np.unique(labels)) if labels is not None else 0
        if not classes <= count <= n - classes:
            raise ValueError(
                f"{purpose} with stratify=True must leave each of the {classes} classes a sample on "
                f"both sides. It gives validation {count} of {n} samples."
            )
        sides = selection.train_test_split(
            np.arange(n), test_size=count, stratify=labels, random_state=_seed_word(seed)
        )
        return Holdout(*map(np.sort, sides))
    groups = strata.group_ids(2, purpose)
    most = min(_MOST_FOLDS, int(groups.max()) + 1)
    if strata.labels is not None:
        most = min(most, int(np.bincount(strata.labels)[np.unique(strata.labels)].min()))
    taken, k = fold_share(fraction, most)
    validation = np.sort(np.concatenate(_fold_rows(n, k, seed, strata, groups)[:taken]))
    return Holdout(np.setdiff1d(np.arange(n), validation), validation)


def fold_share(fraction: float, most: int) -> tuple[int, int]:
    """Chooses a number of folds, and how many of them make up a fraction.

    The number is the smallest that comes near enough to the fraction, since each fold costs time.

    Args:
        fraction: 0 < fraction < 1.
        most: the largest number of folds, 2 or more.

    Returns:
        (taken, folds), 1 <= taken < folds <= most.

    >>> fold_share(0.2, 100), fold_share(0.03, 100), fold_share(0.98, 100), fold_share(0.98, 2)
    ((1, 5), (1, 33), (49, 50), (1, 2))
    """
    shares = [(min(max(round(fraction * k), 1), k - 1), k) for k in range(2, most + 1)]
    errors = [abs(taken / k - fraction) for taken, k in shares]
    allowed = max(min(errors), _TOLERANCE * min(fraction, 1 - fraction))
    return next(share for share, error in zip(shares, errors, strict=True) if error <= allowed)


def fold_rows(n: int, k: int, *, seed: int, strata: Strata | None = None) -> list[Holdout]:
    """Splits 0..n-1 into `k` folds; each fold is validation once.

    Args:
        n: the number of samples.
        k: the number of folds, at least 2.
        seed: the seed of the random choice.
        strata: class proportions or groups to respect.

    Returns:
        `k` pairs of rows, ascending.

    Raises:
        ValueError: a fold would be empty; a class has fewer than `k` samples, or is in a single
            group; there are fewer than `k` groups.
        ImportError: scikit-learn is not installed.

    >>> sorted(np.concatenate([fold.validation for fold in fold_rows(5, 2, seed=0)]).tolist())
    [0, 1, 2, 3, 4]
    """
    check_int("k", k, 2)
    strata = strata or Strata()
    purpose = f"k={k}"
    if n < k:
        raise ValueError(f"k={k} folds of {n} sample(s) would leave a fold empty: at most k={n}.")
    strata.check_members(k, purpose)
    groups = None if strata.groups is None else strata.group_ids(k, purpose)
    rows = np.arange(n)
    parts = [np.sort(part) for part in _fold_rows(n, k, seed, strata, groups)]
    return [Holdout(np.setdiff1d(rows, part), part) for part in parts]


def _fold_rows(
    n: int, k: int, seed: int, strata: Strata, groups: np.ndarray | None
) -> list[np.ndarray]:
    selection = _model_selection("Splitting into folds needs")
    options = {"n_splits": k, "shuffle": True, "random_state": _seed_word(seed)}
    labels = np.zeros(n, np.int32) if strata.labels is None else strata.labels
    if groups is not None:
        _check_spread(strata, groups)
        # Used without labels too, since it makes folds of similar size, and shuffles in every release.
        splitter = selection.StratifiedGroupKFold(**options)
    elif strata.labels is not None:
        splitter = selection.StratifiedKFold(**options)
    else:
        splitter = selection.KFold(**options)
    parts = [validation for _, validation in splitter.split(labels, labels, groups)]
    empty = [number for number, part in enumerate(parts) if not len(part)]
    if empty:
        raise ValueError(
            f"k={k} folds leave fold {empty[0]} empty: there are too few groups, or their sizes differ "
            "too much."
        )
    return parts


def _check_spread(strata: Strata, groups: np.ndarray) -> None:
    """Raises `ValueError` if all samples of a class are in one group: one side would have none."""
    if strata.labels is None:
        return
    for label in np.unique(strata.labels):
        if len(np.unique(groups[strata.labels == label])) < 2:
            name = strata.class_names[label] if len(strata.class_names) > label else label
            raise ValueError(
                f"stratify=True with groups needs each class in at least 2 groups. Class {name!r} "
                "is in only one: leave it out, or use stratify=False."
            )


def given_folds(column: Any, *, strata: Strata | None = None) -> list[Holdout]:
    """Returns the folds that a column names, in ascending order of their names.

    Args:
        column: [n], the fold of each sample.
        strata: the groups that must not be on both sides.

    Raises:
        ValueError: a sample has no fold; there is only one fold; a group is in two folds.

    >>> [fold.validation.tolist() for fold in given_folds(["b", "a", "b"])]
    [[1], [0, 2]]
    """
    column = pd.Series(column, dtype=object)
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise ValueError(
            f"The column of folds must name a fold for every sample. {len(missing)} sample(s) have "
            f"none, the first in row {missing[0]}."
        )
    ids, names = pd.factorize(column, sort=True)
    if len(names) < 2:
        raise ValueError(
            f"The column of folds must name at least 2 folds: with {head(list(names))} alone, training "
            "is empty."
        )
    pairs = [
        Holdout(np.flatnonzero(ids != number), np.flatnonzero(ids == number))
        for number in range(len(names))
    ]
    for pair in pairs:
        if strata is not None:
            strata.check_disjoint(pair.training, pair.validation)
    return pairs


def _seed_word(seed: int) -> int:
    return seed & 0xFFFFFFFF  # NumPy's old generator takes no more


def _model_selection(what: str) -> Any:
    try:
        from sklearn import model_selection
    except ImportError as err:
        raise ImportError(
            f"{what} scikit-learn, which is not installed: {pip_install('folds')}."
        ) from err
    return model_selection
