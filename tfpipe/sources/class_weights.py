"""Classes and their weights: the samples of each class, and the weight of each sample by its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfpipe.checks import did_you_mean, head, is_number
from tfpipe.sources.source import Source


def has_one_class(source: Source) -> bool:
    """Whether each sample has exactly one class, given by its id."""
    targets, names = source.classes
    return (
        bool(names)
        and isinstance(targets, np.ndarray)
        and targets.ndim == 1
        and targets.dtype.kind in "iu"
    )


def of_samples(source: Source, class_weights: Any) -> np.ndarray:  # float32 [n]
    """Returns the weight of each sample, by its class.

    Args:
        source: samples of one class each. Its own weights are multiplied in.
        class_weights: "balanced", or {class name or id: weight}; a class left out has weight 1.

    Raises:
        ValueError: class_weights is neither; it names a class that the source does not have; a sample
            does not have exactly one class.
    """
    if not has_one_class(source):
        raise ValueError(
            "class_weights needs samples of one class each: label_mode 'int', 'binary' or "
            f"'categorical' with class names. Received: class_weights={class_weights!r}."
        )
    targets, names = source.classes
    if class_weights == "balanced":
        by_id = class_weight(targets, len(names))
    elif isinstance(class_weights, Mapping):
        by_id = {_class_id(source, key): value for key, value in class_weights.items()}
    else:
        raise ValueError(
            "class_weights must be 'balanced', a dict of class name to weight, or None. Received: "
            f"class_weights={class_weights!r}."
        )
    table = np.ones(len(names), np.float32)
    for number, value in by_id.items():
        if not is_number(value) or value < 0:
            raise ValueError(
                f"class_weights must be numbers >= 0. Received {value!r} for class "
                f"{names[number]!r}."
            )
        table[number] = value
    own = source.columns.get(f"weight_{source.class_output}", source.weights)
    return (table[targets] * (1.0 if own is None else own)).astype(np.float32)


def _class_id(source: Source, key: Any) -> int:
    _, names = source.classes
    if key in names:
        return names.index(key)
    is_id = isinstance(key, int | np.integer) and not isinstance(key, bool)
    if is_id and 0 <= key < len(names):
        if str(key) in names and names[key] != str(key):
            raise ValueError(
                "class_weights must not leave open whether a key is an id or a name. Received: "
                f"{key!r}, the id of class {names[key]!r} and the name of another. Write the name of the "
                f"class as a str, {str(key)!r} or {names[key]!r}."
            )
        return int(key)
    raise ValueError(
        f"class_weights must name classes of the data set: {head(names, 20)}, or their ids. Received: "
        f"{key!r}." + did_you_mean(key, names)
    )


@dataclass(frozen=True, eq=False)
class Classes:
    """The samples of each class that has any.

    Attributes:
        rows: int64 [n], indices in the source, class by class.
        starts: int64 [K], where each class begins in `rows`.
        counts: int64 [K], the number of samples in each class, at least 1.
    """

    rows: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    def epoch_length(self, balance: str) -> int:
        """Returns the length of a balanced epoch, where each class has as many as the largest or smallest."""
        if not len(self.counts):
            return 0
        each = self.counts.max() if balance == "oversample" else self.counts.min()
        return int(each) * len(self.counts)


def classes_of(targets: Any) -> Classes:
    """Groups the rows by class id.

    Args:
        targets: class ids, integers [n].

    Raises:
        ValueError: the samples do not have one class id each.

    >>> classes_of(np.array([1, 0, 1, 1])).rows.tolist()
    [1, 0, 2, 3]
    """
    ids = np.asarray(targets) if isinstance(targets, np.ndarray) else None
    if ids is None or ids.ndim != 1 or ids.dtype.kind not in "iu" or (ids < 0).any():
        raise ValueError(
            "balance needs exactly one class per sample. Received labels that are lists, numbers or "
            "missing: choose labels with classes, or leave balance out."
        )
    counts = np.bincount(ids) if len(ids) else np.zeros(0, np.int64)
    counts = counts[counts > 0].astype(np.int64)
    rows = np.argsort(ids, kind="stable").astype(np.int64)
    return Classes(rows, np.cumsum(counts) - counts, counts)


def class_weight(ids: np.ndarray, num_classes: int) -> dict[int, float]:
    """Returns the class weights that give all classes the same sum: n / (K * count of the class).

    The same as scikit-learn's `compute_class_weight("balanced")`; a class without samples is left out.

    >>> class_weight(np.array([0, 0, 0, 1]), 2)
    {0: 0.6666666666666666, 1: 2.0}
    """
    counts = np.bincount(ids, minlength=num_classes)
    present = int((counts > 0).sum())
    return {
        number: len(ids) / (present * int(count)) for number, count in enumerate(counts) if count
    }
