"""Sources from arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfpipe.sources.source import Arrays, Source
from tfpipe.sources.splits import split_count


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
