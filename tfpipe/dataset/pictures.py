"""How a data set shows itself: a grid of its images, and a table in a notebook."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tfpipe import plotting
from tfpipe.checks import check_int, head

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(dataset: Any, n: int, standardized: bool) -> Figure:
    """Draws the first `n` images of an `ImageDataset`; see its method `show`."""
    check_int("n", n, 1)
    # Another data set, so that the user's own is not read, and nothing is saved.
    seen = dataset.with_spec(save=None) if standardized else dataset.before_standardizing()
    if dataset.batch_size is None:  # what a sample looks like does not depend on its batch
        spec = replace(seen.spec, batched=True, batch_size=n, save=None)
        seen = type(seen)(dataset.source, spec)
    batches = [seen[0]]
    with contextlib.suppress(IndexError):  # an epoch is shorter where files were skipped
        for number in range(1, min(-(-n // (dataset.batch_size or n)), len(seen))):
            batches.append(seen[number])
    batch = _in_sequence(batches)
    if standardized and dataset.data_format == "channels_first":
        batch = _channels_last(batch)
    return plotting.show_batch(batch, dataset.class_names or (), n, stretch=standardized)


def card(dataset: Any, batches: int) -> str:
    """Returns a table of an `ImageDataset` of a number of batches, as HTML for notebooks."""
    names, size = dataset.class_names or (), dataset.batch_size
    rows = {
        "samples": f"{dataset.samples:,}",
        "batches": f"{batches:,}, of up to {size:,} samples each" if size else "none",
        "images": f"{dataset.image_shape} {dataset.dtype}",
        "classes": _classes(names),
        "element": str(dataset.element_spec),
        "order": f"{'shuffled' if dataset.shuffle else 'as listed'}, seed {dataset.seed}",
    }
    return plotting.html_table("ImageDataset", rows)


def _classes(names: Any) -> str:
    if isinstance(names, dict):
        return "; ".join(f"{output}: {_classes(of)}" for output, of in names.items()) or "none"
    return f"{len(names)}: {head(names, 8)}" if names else "none"


def _in_sequence(batches: Sequence[Any]) -> Any:
    """Puts batches of one structure one behind the other."""
    first = batches[0]
    if len(batches) == 1:
        return first
    if isinstance(first, dict):
        return {name: _in_sequence([batch[name] for batch in batches]) for name in first}
    if isinstance(first, tuple | list):
        return type(first)(_in_sequence(parts) for parts in zip(*batches, strict=True))
    return np.concatenate(batches)


def _channels_last(batch: Any) -> Any:
    """Returns a batch of channels_first images with the channels last."""
    if isinstance(batch, tuple):
        return (_channels_last(batch[0]), *batch[1:])
    if isinstance(batch, dict):
        shape = np.shape(next(iter(batch.values())))
        return {n: _channels_last(v) if np.shape(v) == shape else v for n, v in batch.items()}
    if isinstance(batch, list):
        return [_channels_last(batch[0]), *batch[1:]]
    return np.moveaxis(batch, 1, -1)
