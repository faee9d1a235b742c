"""What the classic class checks, in its own words, beyond the checks that every door shares."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.checks import warn
from tfpipe.sources import table
from tfpipe.sources.arrays import plain_array
from tfpipe.sources.source import Source
from tfpipe.sources.splits import split_count

DEPRECATED = {
    "has_ext": "filenames in the dataframe have to match the exact filenames on disk",
    "sort": "with shuffle=False batches come in the order of the dataframe",
    "drop_duplicates": "use pandas.DataFrame.drop_duplicates",
}

_IMAGES_ALONE = "Weights go with labels: a batch has the images alone."


def check_deprecated(class_mode: str | None, keywords: Iterable[str]) -> str | None:
    """Warns about arguments that the classic once took; returns the class mode by its current name."""
    for name, instead in DEPRECATED.items():
        if name in keywords:
            warn(f"{name} is deprecated and ignored: {instead}.", DeprecationWarning)
    if class_mode == "other":
        warn(
            '`class_mode="other"` is deprecated, please use `class_mode="raw"`.',
            DeprecationWarning,
        )
        return "raw"
    return class_mode


def check_class_columns(
    frame: pd.DataFrame,
    x_col: Any,
    y_col: Any,
    weight_col: Any,
    classes: Sequence[str] | None,
    class_mode: str | None,
) -> None:
    """Raises or warns if the columns do not fit the class mode."""
    if class_mode == "multi_output" and not isinstance(y_col, list):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col must be a list. Received {type(y_col).__name__}.'
            + table.outputs_by_name(y_col)
        )
    table.require_columns(frame, x_col=x_col, y_col=y_col, weight_col=weight_col)
    table.check_strings(frame, x_col, f"x_col={x_col}")
    has_classes = class_mode in ("binary", "sparse", "categorical")
    if has_classes and not table.is_column(frame, y_col):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col must be one column. Received: y_col={y_col!r}. For several '
            'columns use class_mode="raw", which makes one array of them, or "multi_output", which gives an '
            "array for each."
        )
    if class_mode in ("binary", "sparse") and not table.all_strings(frame[y_col]):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col="{y_col}" column values must be strings.'
        )
    if class_mode == "categorical" and not (
        table.all_strings(frame[y_col])
        or all(isinstance(label, str | list | tuple) for label in frame[y_col])
    ):
        raise TypeError(
            f'If class_mode="{class_mode}", y_col="{y_col}" column values must be type string, '
            "list or tuple."
        )
    if classes and class_mode in ("input", "multi_output", "raw", None):
        warn(
            f'`classes` will be ignored given the class_mode="{class_mode}"',
        )
    if class_mode == "binary" and classes and len(set(classes)) != 2:
        raise ValueError(
            f'If class_mode="binary" there must be 2 classes. {len(set(classes))} class/es were '
            "given."
        )
    if weight_col is not None:
        table.check_numeric(frame, weight_col, f"weight_col={weight_col}")
        if class_mode is None:
            warn(f"`weight_col` will be ignored given the class_mode=None. {_IMAGES_ALONE}")


def check_binary_classes(source: Source, class_mode: str | None, classes: Any) -> None:
    """Raises unless "binary" has 2 classes, counted after missing files were dropped."""
    found = len(source.class_names)
    if class_mode == "binary" and not classes and found != 2 and len(source):
        raise ValueError(f'If class_mode="binary" there must be 2 classes. Found {found} classes.')


def as_column(name: str, values: Any) -> np.ndarray:
    """Returns what `flow` was given besides the images, as an array that can be a tensor.

    Raises:
        TypeError: it cannot be one.
    """
    array = plain_array(values)
    if array is None:
        raise TypeError(
            f"{name} must be an array of numbers or strings, with rows of one shape. Received a "
            f"{type(values).__name__}: {reprlib.repr(values)}.{_outputs_of_arrays(values)}"
        )
    return array


def check_no_nan(name: str, values: np.ndarray | None) -> None:
    """Raises `ValueError` if an array holds NaN, from which every loss would become NaN.

    >>> check_no_nan("y", np.array([1.0, np.nan]))
    Traceback (most recent call last):
    ValueError: y must not hold NaN. Received: NaN in 1 of 2 values. Leave these samples out, or fill them.
    """
    # The minimum is NaN if any value is, and takes no memory.
    if values is None or values.dtype.kind != "f" or not values.size or not np.isnan(values.min()):
        return
    raise ValueError(
        f"{name} must not hold NaN. Received: NaN in {np.isnan(values).sum()} of {values.size} values. Leave "
        "these samples out, or fill them."
    )


def _outputs_of_arrays(values: Any) -> str:
    if not isinstance(values, Mapping):
        return ""
    return (
        " For several outputs, put their numbers side by side, and name them in the graph: "
        "generator.flow(x, np.stack([age, sex], axis=1)).map("
        'lambda x, y: (x, {"age": y[:, 0], "sex": y[:, 1]})).'
    )


def check_lengths(
    images: np.ndarray,
    misc: Sequence[np.ndarray],
    y: np.ndarray | None,
    weights: np.ndarray | None,
) -> None:
    """Raises if the columns of `flow` have different lengths."""
    for other in misc:
        if other.ndim == 0 or len(images) != len(other):
            raise ValueError(
                "All of the arrays in `x` should have the same length. Found a pair with: "
                f"len(x[0]) = {len(images)}, len(x[?]) = {len(other) if other.ndim else 'none'}"
            )
    for name, words, column in (
        ("y", "`y` (labels)", y),
        ("sample_weight", "`sample_weight`", weights),
    ):
        if column is not None and (column.ndim == 0 or len(images) != len(column)):
            raise ValueError(
                f"`x` (images tensor) and {words} should have the same length. "
                f"Found: x.shape = {images.shape}, {name}.shape = {np.asarray(column).shape}"
            )


def check_rank_and_channels(where: str, images: np.ndarray, axis: int, data_format: str) -> None:
    """Raises unless the images are of rank 4; warns about an unusual number of channels."""
    if images.ndim != 4:
        raise ValueError(
            f"Input to `.{where}()` should have rank 4. Got array with shape: {images.shape}"
        )
    if images.shape[axis] not in (1, 3, 4):
        choice = "1, 3, or 4" if where == "flow" else "1, 3 or 4"  # the classic's two wordings
        warn(
            f'`{where}` is set to use the data format convention "{data_format}" (channels on axis '
            f"{axis}), i.e. expected either {choice} channels on axis {axis}. However, it was "
            f"passed an array with shape {images.shape} ({images.shape[axis]} channels).",
        )


def weights_of(values: np.ndarray, has_labels: bool) -> np.ndarray | None:
    """Returns the weights of `flow`; None, with a warning, if there are no labels to go with.

    Raises:
        ValueError: they are not finite numbers of 0 or more.
    """
    if not has_labels:
        warn(f"`sample_weight` will be ignored, since there is no y. {_IMAGES_ALONE}")
        return None
    weights = plain_array(values)
    if weights is None or weights.dtype.kind not in "biuf" or not np.isfinite(weights).all():
        raise ValueError(
            "sample_weight must hold finite numbers. Received NaN, infinity, or values that are not numbers."
        )
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight must hold numbers of 0 or more. Received: {weights.min()}."
        )
    return weights


def check_same_labels(y: np.ndarray, fraction: float) -> None:
    """Raises if one side of the split lacks a label of the other."""
    count = split_count(len(y), fraction)
    if not np.array_equal(np.unique(y[:count]), np.unique(y[count:])):
        raise ValueError(
            "Training and validation subsets have different number of classes after the split. If "
            "your numpy arrays are sorted by the label, you might want to shuffle them, or pass "
            "ignore_class_split=True."
        )
