"""The fields that a source's columns are, and how the model is given them, where a door says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfpipe.fields.field import IMAGE, Kind, Layout, Names
from tfpipe.fields.label import OUTPUT, LabelSpec, kinds_of_targets, names_of_labels
from tfpipe.fields.mask import names_of_masks
from tfpipe.fields.number import Number, Weight
from tfpipe.fields.path import Path
from tfpipe.fields.text import Text
from tfpipe.sources.source import Source

WEIGHT, PATH, FURTHER = "weight", "path", "misc_"
FEATURE = "feature_"  # a further input with a name
FURTHER_IMAGE = "image_"  # this and a number or a name
OUTPUT_WEIGHT = "weight_"  # of one output, by its name


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
        **{name: _kind_of_feature(column) for name, column in source.named(FEATURE).items()},
        **kinds_of_targets(label, source.named(OUTPUT)),
        **dict.fromkeys(source.named(OUTPUT_WEIGHT), Weight()),
        WEIGHT: Weight(),
        PATH: Path(),
    }


def _kind_of_feature(column: Any) -> Kind:
    return Text() if column.dtype.kind in "OU" else Number()


def usual_layout(
    columns: Mapping[str, Any],
    label: LabelSpec,
    targets: str,
    include_paths: bool,
    image_name: str | None = None,
) -> Layout:
    """Returns x, y and what follows them. Inputs that have names are a dict.

    Args:
        columns: of a `Source`.
        label: the encoding of its targets.
        targets: "dict" or "tuple", what masks and labels together are.
        include_paths: whether the paths come last.
        image_name: of the image, if x is a dict because the user gave it a name.

    Raises:
        ValueError: there are weights without targets.

    >>> usual_layout({"image": ..., "misc_0": ..., "label": ...}, LabelSpec("index"), "dict", False)
    Layout(x=('image', 'misc_0'), y='label', extras=())
    """
    further = tuple(name for name in columns if name.startswith(FURTHER))
    features = [name for name in columns if name.startswith(FEATURE)]
    outputs = [name for name in columns if name.startswith(OUTPUT)]
    masks = [name for name in columns if name.startswith("mask")]
    y: Names | None = names_of_labels(label, outputs)
    if masks:
        y = _with_labels(names_of_masks(masks), y, targets)
    of_outputs = {name: name for name in columns if name.startswith(OUTPUT_WEIGHT)}
    weights: list[Names] = [WEIGHT] if WEIGHT in columns else []
    if of_outputs:
        weights = [{name.removeprefix(OUTPUT_WEIGHT): name for name in of_outputs}]
    if weights and y is None:
        raise ValueError(
            "Sample weights need labels, or Keras would take the weights for labels. Give labels (y_col, "
            "labels or y), or leave the weights out."
        )
    images = [name for name in columns if name.startswith(FURTHER_IMAGE)]
    x: Names = (IMAGE, *images, *further) if images or further else IMAGE
    if features or image_name is not None:
        x = {
            image_name or IMAGE: IMAGE,
            **{name.removeprefix(FURTHER_IMAGE): name for name in images},
            **{name.removeprefix(FEATURE): name for name in features},
        }
    return Layout(x, y, (*weights, *([PATH] if include_paths else [])))


def _with_labels(masks: Names, labels: Names | None, targets: str) -> Names:
    if labels is None:
        return masks
    if isinstance(labels, Mapping):  # outputs by name, and the masks among them
        return {
            **(masks if isinstance(masks, Mapping) else {"segmentation_masks": masks}),
            **labels,
        }
    if targets == "tuple":
        return (masks, labels)
    return {"segmentation_masks": masks, "labels": labels}
