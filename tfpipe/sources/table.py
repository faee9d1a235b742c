"""Reads tables of samples, and checks their columns."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.checks import did_you_mean, head
from tfpipe.installed import has_module
from tfpipe.sources import listing

# The texts that mean a missing value in a CSV file: pandas' own list, which it does not export.
_MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip


def is_table(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a table, by its suffix.

    >>> is_table("labels.CSV"), is_table("photos")
    (True, False)
    """
    return _suffix(path) in (".csv", ".parquet")


def _suffix(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(os.fspath(path))[1].lower()


def read_frame(
    dataframe: pd.DataFrame | str | os.PathLike[str], text_columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Returns a frame with a fresh index, from a frame or the path of a .csv or .parquet file.

    Args:
        dataframe: the frame, which is not changed, or the path.
        text_columns: columns of a CSV file to read as text, so that a class "01" stays "01", and "NA"
            is the name of a class; in these columns only empty cells are missing.
    """
    if isinstance(dataframe, pd.DataFrame):
        return dataframe.reset_index(drop=True)
    if not isinstance(dataframe, str | os.PathLike):
        raise TypeError(
            "dataframe must be a pandas.DataFrame or the path of a .csv or .parquet file. "
            f"Received: {type(dataframe).__name__}."
        )
    path = os.fspath(dataframe)
    if not is_table(path):
        raise ValueError(
            "dataframe must be a pandas.DataFrame or the path of a .csv or .parquet file. "
            f"Received: dataframe={path!r}."
        )
    if listing.scheme(path):
        listing.require_filesystem(path)
    try:
        return _read_file(path, text_columns)
    except (ValueError, OSError) as err:
        if getattr(err, "errno", None) is not None:  # from the system, with the path in it
            raise
        raise ValueError(f"dataframe={path!r} cannot be read as a table: {err}") from err


def head_of(path: str) -> pd.DataFrame:
    """Returns a frame without rows that has the columns of a local .csv or .parquet file.

    Raises:
        ValueError: the file cannot be read as a table.
    """
    try:
        if _suffix(path) == ".csv":
            return pd.read_csv(path, nrows=0)
        if not has_module("pyarrow"):
            return pd.read_parquet(path).iloc[:0]
        from pyarrow import parquet

        return parquet.read_schema(path).empty_table().to_pandas()
    except ValueError as err:
        raise ValueError(f"dataframe={path!r} cannot be read as a table: {err}") from err


def _read_file(path: str, text_columns: Sequence[str]) -> pd.DataFrame:
    file: str | io.BytesIO = path
    if listing.scheme(path):
        # pandas would need fsspec, and knows other schemes than TensorFlow.
        import tensorflow as tf

        with tf.io.gfile.GFile(path, "rb") as remote:
            file = io.BytesIO(remote.read())
    if _suffix(path) == ".csv":
        return _read_csv(file, text_columns)
    return pd.read_parquet(file).reset_index(drop=True)


def _read_csv(file: str | io.BytesIO, text_columns: Sequence[str]) -> pd.DataFrame:
    columns = pd.read_csv(file, nrows=0).columns
    if isinstance(file, io.BytesIO):
        file.seek(0)
    missing = {name: [""] if name in text_columns else list(_MISSING) for name in columns}
    text = dict.fromkeys(text_columns, str)
    return pd.read_csv(file, dtype=text, keep_default_na=False, na_values=missing)


def text_columns(
    x_col: Any, y_col: Any = None, *others: Any, has_classes: bool = False
) -> list[str]:
    """Returns the columns of a CSV file to read as text: names of files and groups, and classes.

    Args:
        x_col: the column of the file names.
        y_col: the column of the labels, or a list of columns.
        others: further columns of names; anything that is not a str is skipped.
        has_classes: whether the labels are names of classes, not values.

    >>> text_columns("filename", "class", None, "patient", has_classes=True)
    ['filename', 'class', 'patient']
    """
    labels = [y_col] if has_classes else []
    return [column for column in (x_col, *labels, *others) if isinstance(column, str)]


def plain_numbers(column: pd.Series) -> pd.Series:
    """Converts a column of text to int64 if each value is a whole number as Python writes it.

    Any other column is returned as it is. The classes 9 and 10 of a CSV file are then in the same order as
    in a frame, while "09" stays a name.

    >>> plain_numbers(pd.Series(["10", "9"])).tolist(), plain_numbers(pd.Series(["09", "10"])).tolist()
    ([10, 9], ['09', '10'])
    """
    if not len(column) or not all_strings(column):
        return column
    try:
        numbers = {text: int(text) for text in column.unique().tolist()}
    except ValueError:
        return column
    if any(str(number) != text or abs(number) >= 2**63 for text, number in numbers.items()):
        return column
    return column.map(numbers).astype(np.int64)


def columns_of(frame: pd.DataFrame, value: Any) -> list[Any]:
    """Returns the names of the columns that an argument means: its items, or itself.

    A tuple is one name if the frame has a column of this name, or if its names have several levels.

    >>> frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
    >>> columns_of(frame, ("a", "b")), columns_of(frame, [("a", "b"), ("a", "c")])
    ([('a', 'b')], [('a', 'b'), ('a', 'c')])
    >>> columns_of(frame.droplevel(0, axis=1), ("b", "c"))
    ['b', 'c']
    """
    return list(value) if names_several(frame, value) else [value]


def names_several(frame: pd.DataFrame, value: Any) -> bool:
    """Whether an argument is a list of names of columns, even of one; see `columns_of`."""
    if not isinstance(value, tuple):
        return isinstance(value, list | np.ndarray | pd.Index | pd.Series)
    names: list[Any] = frame.columns.tolist()
    if value in names:
        return False
    return frame.columns.nlevels == 1 or any(isinstance(item, tuple) for item in value)


def is_column(frame: pd.DataFrame, value: Any) -> bool:
    """Whether a value is the name of one column.

    >>> frame = pd.DataFrame({"a": [1], 0: [2]})
    >>> [is_column(frame, value) for value in ("a", 0, "b", ["a"], {})]
    [True, True, False, False, False]
    """
    return _can_be_name(value) and value in frame.columns and isinstance(frame[value], pd.Series)


def _can_be_name(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def require_columns(frame: pd.DataFrame, **columns: Any) -> None:
    """Raises an error if an argument names a column that the frame does not have, or has several times.

    Raises:
        KeyError: there is no such column.
        TypeError: the argument cannot be a name, such as a dict.
        ValueError: there are several columns of this name.
    """
    for argument, value in columns.items():
        for column in [] if value is None else columns_of(frame, value):
            if not _can_be_name(column):
                raise TypeError(
                    f"{argument} must be the name of a column, or a list of names where several are allowed. "
                    f"Received: {argument}={value!r}."
                    f"{outputs_by_name(value) if argument == 'y_col' else ''}"
                )
            if column not in frame.columns:
                raise KeyError(
                    f"{argument}={column!r} is not a column of the dataframe. Its columns are "
                    f"{head(list(frame.columns), 20)}." + did_you_mean(column, frame.columns)
                )
            if frame.columns.tolist().count(column) > 1:
                twice = frame.columns[frame.columns.duplicated()].unique().tolist()
                raise ValueError(
                    f"{argument}={column!r} must be the name of one column, but several columns of the "
                    f"dataframe have this name. Names that occur more than once: {head(twice, 20)}. Rename "
                    "them, or keep the first of each with dataframe.loc[:, ~dataframe.columns.duplicated()]."
                )


def outputs_by_name(value: Any) -> str:
    """Returns what to do about a dict of targets, to end a message; "" for anything else."""
    if not isinstance(value, Mapping):
        return ""
    return (
        ' For outputs by name, ask for "multi_output" with a list of columns, and name them in the graph: '
        'dataset.map(lambda x, y: (x, {"age": y[0], "sex": y[1]})).'
    )


def with_column(frame: pd.DataFrame, name: Any, values: Any) -> pd.DataFrame:
    """Returns the frame with other values in a column, whose name need not be a str.

    >>> with_column(pd.DataFrame({0: [1]}), 0, ["a"])[0].tolist()
    ['a']
    """
    changed = frame.copy(deep=False)
    changed[name] = values
    return changed


def all_strings(column: pd.Series) -> bool:
    """Whether every value is a str; NaN is not."""
    return pd.api.types.infer_dtype(column.astype(object), skipna=False) in ("string", "empty")


def check_strings(frame: pd.DataFrame, column: Any, named: str) -> None:
    """Raises `TypeError` unless every value of a column is a str; the message calls the column `named`."""
    if names_several(frame, column):
        raise TypeError(
            f"{named} must be the name of one column, and not a list. Pass one of them."
        )
    if not is_column(frame, column) or not all_strings(frame[column]):
        raise TypeError(f"All values in column {named} must be strings.")


def check_numeric(frame: pd.DataFrame, column: Any, named: str) -> None:
    """Raises `TypeError` unless a column holds numbers; the message calls the column `named`."""
    values: Any = frame[column] if is_column(frame, column) else None
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        raise TypeError(f"Column {named} must be numeric.")
