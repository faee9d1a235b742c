"""Mean, standard deviation and ZCA matrix of a stream of batches, in one pass and in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_MOST_ZCA_BYTES = 8 << 30


@dataclass(frozen=True)
class Moments:
    """What is known about the values seen so far, feature by feature.

    Attributes:
        count: number of values of each feature.
        mean: [F].
        squares: [F], sum of the squared differences from `mean`.
    """

    count: int
    mean: np.ndarray
    squares: np.ndarray

    def merge(self, other: Moments) -> Moments:
        """Merges two moments; stable whatever the mean is (Chan, Golub & LeVeque 1979)."""
        count = self.count + other.count
        delta = other.mean - self.mean
        return Moments(
            count,
            self.mean + delta * (other.count / count),
            self.squares + other.squares + delta**2 * (self.count * other.count / count),
        )


def moments(values: np.ndarray) -> Moments:
    """Computes the moments of the rows of `values`, [N, F].

    >>> moments(np.array([[1.0], [3.0]])).squares
    array([2.])
    """
    values = values.astype(np.float64)
    mean = values.mean(axis=0)
    return Moments(len(values), mean, ((values - mean) ** 2).sum(axis=0))


@dataclass(frozen=True)
class Statistics:
    """Statistics of a data set: mean and std are [C], the matrix is [HWC, HWC], or None if not requested."""

    mean: np.ndarray
    std: np.ndarray
    zca_whitening_matrix: np.ndarray | None = None


def fit(
    batches: Iterable[np.ndarray], channel_axis: int, zca_epsilon: float | None = None
) -> Statistics:
    """Computes the statistics of all images of some batches.

    Args:
        batches: float [B, H, W, C] or [B, C, H, W], in any range.
        channel_axis: where the channels are in a batch, 3 or 1.
        zca_epsilon: added to the singular values; None: no ZCA matrix.

    Returns:
        Mean and std over all samples, rows and columns; the ZCA matrix of the images minus `mean`,
        (u * sqrt(n) / (s + epsilon)) u^T for the singular values s of the [HWC, n] data.

    Raises:
        ValueError: there are no images, or the ZCA matrix would be larger than 8 GiB.
    """
    total: Moments | None = None
    gram: Gram | None = None
    for batch in batches:
        here = moments(np.moveaxis(batch, channel_axis, -1).reshape(-1, batch.shape[channel_axis]))
        total = here if total is None else total.merge(here)
        if zca_epsilon is not None:
            if gram is None:
                gram = Gram(_broadcast(here.mean, batch.shape[1:], channel_axis))
            gram.add(batch.reshape(len(batch), -1))
            shape = batch.shape[1:]
    if total is None:
        raise ValueError("fit needs at least one image. Received none.")
    std = np.sqrt(total.squares / total.count)
    if gram is None:
        return Statistics(total.mean, std)
    matrix = gram.whitening(_broadcast(total.mean, shape, channel_axis), zca_epsilon or 0.0)
    return Statistics(total.mean, std, matrix)


def _broadcast(mean: np.ndarray, shape: tuple[int, ...], channel_axis: int) -> np.ndarray:
    """Returns one mean per channel as a flattened image, [HWC]."""
    column = mean if channel_axis == 3 else mean[:, None, None]
    return np.broadcast_to(column, shape).reshape(-1).astype(np.float64)


class Gram:
    """Sums from which the covariance of flattened images follows.

    A pivot near their mean is subtracted from the images, so that the differences lose little.
    """

    def __init__(self, pivot: np.ndarray) -> None:
        size = 8 * len(pivot) ** 2
        if size > _MOST_ZCA_BYTES:
            raise ValueError(
                f"zca_whitening of images with {len(pivot)} values needs a matrix of "
                f"{size / 2**30:.0f} GiB; the limit is {_MOST_ZCA_BYTES >> 30} GiB "
                f"({math.isqrt(_MOST_ZCA_BYTES // 8)} values). Use a smaller target_size."
            )
        self._pivot = pivot
        self._count = 0
        self._sum = np.zeros(len(pivot))
        self._products = np.zeros((len(pivot), len(pivot)))

    def add(self, rows: np.ndarray) -> None:
        """Adds flattened images, [B, HWC]."""
        rows = rows.astype(np.float64) - self._pivot
        self._count += len(rows)
        self._sum += rows.sum(axis=0)
        self._products += rows.T @ rows

    def whitening(self, mean: np.ndarray, epsilon: float) -> np.ndarray:
        """Computes the ZCA matrix of the images minus `mean`, [HWC]."""
        shift = mean - self._pivot
        crossed = np.outer(shift, self._sum)
        products = self._products - crossed - crossed.T + self._count * np.outer(shift, shift)
        # The eigenvectors of X X^T are the left singular vectors of X, and X has at most n of them.
        values, vectors = np.linalg.eigh(products)
        rank = min(self._count, len(mean))
        singular = np.sqrt(np.maximum(values[-rank:], 0))
        u = vectors[:, -rank:]
        return (u * (np.sqrt(self._count) / (singular + epsilon))) @ u.T
