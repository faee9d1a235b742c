"""Targets by name: the outputs of a model, each from a column of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.builders.options import LABEL_MODES, Default
from tfpipe.checks import check_one_of, did_you_mean, head
from tfpipe.fields.field import Kind
from tfpipe.fields.label import OUTPUT, Label, padded
from tfpipe.fields.layout import OUTPUT_WEIGHT
from tfpipe.fields.number import Number
from tfpipe.sources import table
from tfpipe.sources.dataframe import (
    class_labels,
    class_names_of,
    column_values,
    encode_classes,
    label_lists,
    weight_values,
)
from tfpipe.sources.source import Source

OUTPUT_MODES = ("int", "binary", "categorical", "multi_label", "raw")


@dataclass(frozen=True)
class Outputs:
    """The targets of some samples.

    Attributes:
        columns: of a `Source`, by the names of the outputs.
        kinds: of the same.
        classes: the names of the classes, by the names of the outputs that have classes.
    """

    columns: dict[str, Any]
    kinds: dict[str, Kind]
    classes: dict[str, tuple[str, ...]]


def check_outputs(frame: pd.DataFrame, y_col: Mapping[Any, Any], label_mode: Any) -> None:
    """Raises unless the outputs have names and columns, and a label mode that an output can have.

    Args:
        frame: the table.
        y_col: name of the output -> column.
        label_mode: of all outputs, or a dict by name.

    Raises:
        KeyError: the table has no such column.
        TypeError: a name is not a str.
        ValueError: there is no output; `label_mode` is not allowed, or names an unknown output.
    """
    if not y_col:
        raise ValueError(
            "y_col must have an output. Received: y_col={}. Pass {'age': 'age_column'}."
        )
    for name, column in y_col.items():
        if not isinstance(name, str) or name.isdigit() or not name:
            raise TypeError(
                f"The names of outputs must be str, and not numbers. Received, in y_col: {name!r}."
            )
        table.require_columns(frame, **{f"y_col[{name!r}]": column})
    given = label_mode if isinstance(label_mode, Mapping) else {}
    for name in given:
        if name not in y_col:
            raise ValueError(
                f"label_mode must be by the names of outputs: {head(list(y_col))}. Received: {name!r}."
                + did_you_mean(name, list(y_col))
            )
    modes = given.values() if given else [label_mode]
    if any(mode is None for mode in modes):
        raise ValueError(
            "label_mode=None means no y, and y_col names outputs. Received: "
            f"label_mode={label_mode!r}. Leave y_col, or label_mode, out."
        )
    for name in y_col:
        mode = _mode_of(name, label_mode)
        if mode is not None:
            check_one_of(f"label_mode of output {name!r}", mode, OUTPUT_MODES)


def _mode_of(name: str, label_mode: Any) -> Any:
    """Returns the label mode that the user gave an output; None: what suits its column."""
    if isinstance(label_mode, Mapping):
        return label_mode.get(name)
    return None if isinstance(label_mode, Default) or label_mode == "multi_output" else label_mode


def columns_of_classes(y_col: Mapping[Any, Any], label_mode: Any) -> list[Any]:
    """Returns the columns of the outputs that are classes by their label mode."""
    return [
        column for name, column in y_col.items() if _mode_of(name, label_mode) not in (None, "raw")
    ]


def outputs_of(
    frame: pd.DataFrame, y_col: Mapping[str, Any], label_mode: Any, separator: str
) -> Outputs:
    """Returns the targets of the rows of a frame.

    Without a label mode, strings and categories are classes, "int"; other columns are "raw".

    Raises:
        TypeError, ValueError: a column does not hold what its label mode needs.
    """
    found = Outputs({}, {}, {})
    for name, column in y_col.items():
        mode = _mode_of(name, label_mode)
        series = frame[column]
        if mode is None:
            is_categorical = isinstance(series.dtype, pd.CategoricalDtype)
            mode = "int" if is_categorical or table.all_strings(series.dropna()) else "raw"
        if mode == "raw":
            values = column_values(frame, column)
            if values.dtype.kind not in "iufb":
                raise TypeError(
                    f"Output {name!r} with label_mode='raw' must hold numbers. Received values such as "
                    f"{series.iloc[0]!r} in column {column!r}. Choose a label_mode with classes."
                )
            found.columns[name], found.kinds[name] = values, Number()
            continue
        if mode == "multi_label":
            labels, known = label_lists(series, separator), None
        else:
            labels, known = class_labels(series)
        names = tuple(known or class_names_of(labels))
        if mode == "binary" and len(names) != 2:
            raise ValueError(
                f"Output {name!r} with label_mode='binary' must have two classes. Received "
                f"{len(names)}: {head(names)}."
            )
        _, encoding, dtype = LABEL_MODES[mode]
        _, ids = encode_classes(labels, names, True)
        found.columns[name] = padded(ids) if isinstance(ids, list) else ids
        found.kinds[name] = Label(str(encoding), dtype, len(names))
        found.classes[name] = names
    return found


def names_of_masks_in_y(frame: pd.DataFrame, mask_col: Any) -> list[str]:
    """Returns what the masks are called among outputs by name."""
    if mask_col is None:
        return []
    if not table.names_several(frame, mask_col):
        return ["segmentation_masks"]
    return [str(column) for column in mask_col]


def check_separator(separator: Any) -> None:
    """Raises `ValueError` unless this can separate the classes in a str."""
    if not isinstance(separator, str) or not separator:
        raise ValueError(f"separator must be a str. Received: separator={separator!r}.")


def check_names_of_masks(frame: pd.DataFrame, y_col: Mapping[str, Any], mask_col: Any) -> None:
    """Raises `ValueError` if a mask and an output would have one name."""
    for name in names_of_masks_in_y(frame, mask_col):
        if name in y_col:
            raise ValueError(
                f"y_col must not have the name {name!r}, which a mask has. Choose another name for the "
                "output."
            )


def check_weights(
    frame: pd.DataFrame, y_col: Mapping[str, Any], weight_col: Mapping[str, Any]
) -> None:
    """Raises unless the weights of outputs belong to outputs, and are numbers.

    Raises:
        KeyError: the table has no such column.
        TypeError: a column does not hold numbers.
        ValueError: there is no output of this name.
    """
    for name, column in weight_col.items():
        if name not in y_col:
            raise ValueError(
                f"weight_col must be by the names of outputs: {head(list(y_col))}. Received: {name!r}."
                + did_you_mean(name, list(y_col))
            )
        argument = f"weight_col[{name!r}]"
        table.require_columns(frame, **{argument: column})
        table.check_numeric(frame, column, f"{argument}={column!r}")


def output_weights(
    frame: pd.DataFrame, outputs: Sequence[str], weight_col: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Returns the weights of each output, [n], if any of them has weights; 1 where none are given.

    Keras would give an output that is missing here the weights of another.
    """
    if not weight_col:
        return {}
    ones = np.ones(len(frame), np.float32)
    given = {name: weight_values(frame, column) for name, column in weight_col.items()}
    return {name: given.get(name, ones) for name in outputs}


def with_outputs(source: Source, outputs: Outputs, weights: Mapping[str, np.ndarray]) -> Source:
    """Returns the same samples with targets by name, and the weights of these."""
    return source.with_columns(
        **{f"{OUTPUT}{name}": column for name, column in outputs.columns.items()},
        **{f"{OUTPUT_WEIGHT}{name}": column for name, column in weights.items()},
    )
