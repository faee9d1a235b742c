"""The fields that a source's columns are, and how the model is given them, where a door says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfpipe.fields.field import IMAGE, Kind, Layout, Names
from tfpipe.fields.label import LabelSpec, kinds_of_targets, names_of_labels
from tfpipe.fields.mask import names_of_masks
from tfpipe.fields.number import Number, Weight
from tfpipe.fields.path import Path
from tfpipe.sources.source import Source

WEIGHT, PATH, FURTHER = "weight", "path", "misc_"


def usual_kinds(source: Source, label: LabelSpec) -> dict[str, Kind]:
    """Returns the kinds of the columns that are not pixels, and of the paths, by name.

    Args:
        source: of the samples.
        label: the encoding of its targets.

    >>> import numpy as np
    >>> from tfpipe.sources.source import Arrays
    >>> images = Arrays(np.zeros([2, 4, 4, 1]))
    >>> usual_kinds(Source.of(images, np.ones(2), np.ones(2)), LabelSpec("value"))
    {'label': Number(), 'weight': Weight(), 'path': Path()}
    """
    return {
        **dict.fromkeys(source.named(FURTHER), Number()),
        **kinds_of_targets(label, source.targets),
        WEIGHT: Weight(),
        PATH: Path(),
    }


def usual_layout(
    columns: Mapping[str, Any], label: LabelSpec, targets: str, include_paths: bool
) -> Layout:
    """Returns x, y and what follows them.

    Args:
        columns: of a `Source`.
        label: the encoding of its targets.
        targets: "dict" or "tuple", what masks and labels together are.
        include_paths: whether the paths come last.

    Raises:
        ValueError: there are weights without targets.

    >>> usual_layout({"image": ..., "misc_0": ..., "label": ...}, LabelSpec("index"), "dict", False)
    Layout(x=('image', 'misc_0'), y='label', extras=())
    """
    further = tuple(name for name in columns if name.startswith(FURTHER))
    outputs = [name for name in columns if name.startswith("y_")]
    masks = [name for name in columns if name.startswith("mask")]
    y: Names | None = names_of_labels(label, outputs)
    if masks:
        y = _with_labels(names_of_masks(masks), y, targets)
    extras = [WEIGHT] * (WEIGHT in columns) + [PATH] * include_paths
    if WEIGHT in columns and y is None:
        raise ValueError(
            "Sample weights need labels, or Keras would take the weights for labels. Give labels (y_col, "
            "labels or y), or leave the weights out."
        )
    return Layout((IMAGE, *further) if further else IMAGE, y, tuple(extras))


def _with_labels(masks: Names, labels: Names | None, targets: str) -> Names:
    if labels is None:
        return masks
    if targets == "tuple":
        return (masks, labels)
    return {"segmentation_masks": masks, "labels": labels}
