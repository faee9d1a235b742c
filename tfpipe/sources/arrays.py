"""Sources from arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfpipe.sources.source import Arrays, Source
from tfpipe.sources.splits import split_count


def plain_array(values: Any) -> np.ndarray | None:
    """Returns values as an array of a dtype that a tensor can have; None if they have no common one.

    An object array of numbers, such as a column of a frame may be, becomes one of numbers.

    >>> plain_array(np.array([1, 2.5], object))
    array([1. , 2.5])
    >>> plain_array(np.array([1, "a"], object)) is None, plain_array([[1], [2, 3]]) is None
    (True, True)
    """
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths
        return None
    if array.dtype == object:
        items = array.tolist()
        try:
            array = np.array(items) if items else np.empty([0], np.float32)
        except ValueError:
            return None
        if array.dtype.kind in "US" and len(set(map(type, np.array(items, object).flat))) > 1:
            return None  # NumPy turned numbers among strings into strings
    return array if array.dtype.kind in "biufcUS" else None


def from_arrays(
    images: np.ndarray,
    misc: Sequence[np.ndarray] = (),
    targets: Any = None,
    weights: np.ndarray | None = None,
    *,
    fraction: float = 0.0,
    subset: str | None = None,
) -> Source:
    """Returns images in memory, [n, H, W, C], as a `Source`; every column is cut to the same subset."""
    source = Source.of(Arrays(images), targets, weights, misc=misc)
    if subset is None:
        return source  # views: a large array is not copied
    count = split_count(len(source), fraction)
    rows = slice(None, count) if subset == "validation" else slice(count, None)
    return source.take(rows)
