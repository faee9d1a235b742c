"""Columns of a table that the model is given beside the image: numbers, text, categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.checks import head, is_number
from tfpipe.sources import table
from tfpipe.sources.arrays import plain_array

RAISE = "raise"


def feature_names(feature_cols: Any, taken: Mapping[str, str]) -> dict[str, Any]:
    """Returns the columns of features, by the names of the model's inputs.

    Args:
        feature_cols: a list of columns, or a dict name -> column; None: no features.
        taken: the names that are taken, and what has them.

    Raises:
        TypeError: it is neither; a name is not a str.
        ValueError: a name is there twice, or taken.

    >>> feature_names(["age"], {"image": "the image"}), feature_names({"years": "age"}, {})
    ({'age': 'age'}, {'years': 'age'})
    """
    if feature_cols is None:
        return {}
    if not isinstance(feature_cols, Mapping | list | tuple) or not len(feature_cols):
        raise TypeError(
            "feature_cols must be a list of columns, or a dict of the model's inputs and their columns. "
            f"Received: feature_cols={feature_cols!r}. Pass ['age'], or {{'years': 'age'}}."
        )
    pairs = list(
        feature_cols.items()
        if isinstance(feature_cols, Mapping)
        else ((column, column) for column in feature_cols)
    )
    names = [name for name, _ in pairs]
    others = [name for name in names if not isinstance(name, str)]
    if others:
        raise TypeError(
            "The inputs of a model have names that are str. Received, in feature_cols: "
            f"{head(others)}. Pass a dict: {{'name': {others[0]!r}}}."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"feature_cols must name each input once. Received twice: {head(twice)}.")
    for name in names:
        if name in taken:
            raise ValueError(
                f"feature_cols must not have the name {name!r}, which {taken[name]} has. Pass a dict with "
                "another name for it."
            )
    return dict(pairs)


def feature_columns(
    frame: pd.DataFrame, names: Mapping[str, Any], missing: Any = RAISE
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    """Returns the values of features, [n] or [n, ...] each, and the names of the categories.

    Args:
        frame: the rows of the samples.
        names: from `feature_names`.
        missing: "raise", or what stands for a missing value: a number in columns of numbers, a str in columns
            of text or categories.

    Returns:
        Numbers are float32, or whole numbers and booleans in the dtype of their column; text is a str in an
        object array; categories are int32 ids, in the order of their names.

    Raises:
        TypeError: a column mixes types; `missing` is of another type than a column that needs it.
        ValueError: a value is missing, and `missing` is "raise".

    >>> frame = pd.DataFrame({"age": [30, None], "note": ["well", "ill"], "sex": pd.Categorical(["f", "m"])})
    >>> values, categories = feature_columns(frame, {n: n for n in frame}, missing=-1)
    >>> values["age"].tolist(), values["note"].tolist(), values["sex"].tolist(), categories
    ([30.0, -1.0], ['well', 'ill'], [0, 1], {'sex': ('f', 'm')})
    """
    values, categories = {}, {}
    for name, column in names.items():
        filled = _filled(frame[column], column, missing)
        if isinstance(filled.dtype, pd.CategoricalDtype):
            categories[name] = tuple(str(category) for category in filled.cat.categories)
            values[name] = filled.cat.codes.to_numpy(np.int32)
        else:
            values[name] = _plain_values(filled, column)
    return values, categories


def _filled(series: pd.Series, column: Any, missing: Any) -> pd.Series:
    """Returns a column without missing values, and with categories that are str."""
    is_categorical = isinstance(series.dtype, pd.CategoricalDtype)
    if is_categorical:
        names = [str(category) for category in series.cat.categories]
        if len(set(names)) < len(names):
            raise ValueError(
                f"Column {column!r} of feature_cols must have categories with different names. Received: "
                f"{head(series.cat.categories.tolist())}."
            )
        series = series.cat.rename_categories(names)
    absent = np.flatnonzero(series.isna())
    if not len(absent):
        return series
    if isinstance(missing, str) and missing == RAISE:
        raise ValueError(
            f"Column {column!r} of feature_cols must have a value in every row. Received {len(absent)} "
            f"missing value(s), the first at index {series.index[absent[0]]!r}. Pass missing=VALUE, which "
            f"stands for them, or drop these rows: frame.dropna(subset=[{column!r}])."
        )
    present = series.dropna().infer_objects()
    of_text = is_categorical or table.all_strings(present)
    if not of_text and not pd.api.types.is_numeric_dtype(present.dtype):
        _plain_values(present, column)  # which says what the column holds
    if isinstance(missing, str) != of_text or not (of_text or is_number(missing)):
        kind = "text or categories" if of_text else "numbers"
        raise TypeError(
            f"missing={missing!r} cannot stand for a missing value in column {column!r}, which holds {kind}. "
            "Fill the columns of one of these kinds in the frame: "
            f"frame[{column!r}] = frame[{column!r}].fillna(...)."
        )
    if is_categorical and missing not in series.cat.categories:
        series = series.cat.add_categories([missing])
    return series.fillna(missing).infer_objects()


def _plain_values(series: pd.Series, column: Any) -> np.ndarray:
    """Returns numbers or text as an array that the graph can hold."""
    if table.all_strings(series):
        return series.to_numpy(object)
    kinds = sorted({type(value).__name__ for value in series.tolist()})
    values = None if "str" in kinds else plain_array(series.to_numpy())
    if values is None or values.dtype.kind not in "iufb":
        raise TypeError(
            f"Column {column!r} of feature_cols must hold numbers, text or categories. Received values of "
            f"type {head(kinds)}, such as {series.iloc[0]!r}. Convert it, to one of these types."
        )
    if values.dtype.kind != "f":
        return values
    if not np.isfinite(values).all():
        raise ValueError(f"Column {column!r} of feature_cols must hold finite numbers.")
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    whole = values == np.round(values)
    if not np.isfinite(numbers).all() or (numbers[whole] != values[whole]).any():
        raise ValueError(
            f"Column {column!r} of feature_cols has numbers that float32 does not hold, such as "
            f"{np.abs(values).max():g}. Give whole numbers as int64 (pandas' 'Int64' if some are missing), "
            "or scale the column."
        )
    return numbers
