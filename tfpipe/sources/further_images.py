"""Several images per sample: the columns of a table that name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.checks import head, warn
from tfpipe.sources import table
from tfpipe.sources.dataframe import file_rows, refused_files
from tfpipe.sources.source import Files


@dataclass(frozen=True)
class ImageColumns:
    """The columns of the images of a sample.

    Attributes:
        first: the column of the image that every sample has.
        name: what the model's inputs by name call it; None: they have no names.
        further: the columns of the others, by a number or a name.
    """

    first: Any
    name: str | None
    further: dict[str, Any]


def image_columns(frame: pd.DataFrame, x_col: Any, *, by_name: bool) -> ImageColumns:
    """Returns what `x_col` names: one column, or several in a list, or in a dict by the names of inputs.

    Args:
        frame: the table.
        x_col: the argument.
        by_name: whether there are other inputs with names, so that images need names too.

    Raises:
        TypeError: a name of an input is not a str, or it is a number; there is one column in a list.
        ValueError: there is no column, or a name twice.
    """
    if isinstance(x_col, Mapping):
        named = dict(x_col)
    elif not table.names_several(frame, x_col):
        return ImageColumns(x_col, None, {})
    elif len(x_col) == 1:
        raise TypeError(
            f"x_col={x_col!r} must be the name of one column, or a list of several. Pass {x_col[0]!r}."
        )
    elif by_name:
        named = {column: column for column in x_col}
        if len(named) < len(x_col):
            raise ValueError(
                f"x_col must name each input once. Received: x_col={x_col!r}. Pass a dict of names and "
                "columns."
            )
    else:
        columns = list(x_col)
        named = {str(number): column for number, column in enumerate(columns)}
    if not named:
        raise ValueError(f"x_col must name a column. Received: x_col={x_col!r}.")
    if isinstance(x_col, Mapping) or by_name:
        for name in named:
            if not isinstance(name, str) or not name or name.isdigit():
                raise TypeError(
                    "The inputs of a model have names that are str, and not numbers. Received, in x_col: "
                    f"{name!r}. Pass a dict: {{'left': 'left_path', 'right': 'right_path'}}."
                )
    (name, first), *further = named.items()
    is_named = isinstance(x_col, Mapping) or by_name
    return ImageColumns(first, name if is_named else None, dict(further))


def with_all_files(
    frame: pd.DataFrame, columns: ImageColumns, directory: str, suffixes: Sequence[str]
) -> np.ndarray:
    """Returns the rows whose further images are files, int64; warns of the others."""
    keep = np.ones(len(frame), bool)
    for column in columns.further.values():
        found = file_rows(frame[column].tolist(), directory, suffixes)
        invalid = [name for name, kept in zip(frame[column], found, strict=True) if not kept]
        if invalid:
            warn(
                f'Found {len(invalid)} invalid image filename(s) in x_col="{column}". The rows of these '
                f"filename(s) will be ignored. {head(invalid)}"
            )
        keep &= found
    return np.flatnonzero(keep)


def further_images(
    frame: pd.DataFrame, columns: ImageColumns, directory: str, *, validated: bool
) -> dict[str, Files]:
    """Returns the further images of the rows of a frame, by the names of their fields."""
    images = {}
    for name, column in columns.further.items():
        names = frame[column].tolist()
        refused = {} if validated else refused_files(names, directory)
        images[f"image_{name}"] = Files(directory, names, refused)
    return images


def check_columns(frame: pd.DataFrame, columns: ImageColumns) -> None:
    """Raises unless the columns of all images are there, and hold names.

    Raises:
        KeyError: the table has no such column.
        TypeError: a value is not a str.
    """
    for column in (columns.first, *columns.further.values()):
        table.require_columns(frame, x_col=column)
        table.check_strings(frame, column, f"x_col={column!r}")
