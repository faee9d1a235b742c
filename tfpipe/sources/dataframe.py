"""Sources from a dataframe: a column of paths, one or more of labels, one of weights."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.checks import check_names, did_you_mean, head, warn
from tfpipe.codecs import formats
from tfpipe.sources import listing, table
from tfpipe.sources.arrays import plain_array
from tfpipe.sources.directory import check_each_has_a_mask
from tfpipe.sources.source import Files, Source
from tfpipe.sources.splits import split_rows

_TRIED = 5  # names whose suffix is looked for


def file_rows(names: Sequence[str], directory: str, suffixes: Sequence[str]) -> np.ndarray:
    """Tells for each name whether it has one of the suffixes and is a regular file, as bool [n]."""
    entries = listing.Entries()
    named = np.array([listing.has_suffix(name, suffixes) for name in names], bool)
    candidates = np.flatnonzero(named)
    named[candidates] = [
        entries.is_file(listing.join(directory, names[row])) for row in candidates.tolist()
    ]
    return named


def refused_files(names: Sequence[str], directory: str) -> dict[str, str]:
    """Returns the names that must not be opened, and why: they exist, but are not regular files.

    A FIFO would hang the reader, and a device would fill the memory. Names that do not exist are not
    included, since reading them fails by itself.
    """
    paths = listing.join_all(directory, names)
    irregular = listing.irregular(paths)
    if not irregular:
        return {}
    return {
        name: listing.refusal(path) or "it is not a regular file"
        for name, path in zip(names, paths, strict=True)
        if path in irregular
    }


def class_names_of(labels: Iterable[Any]) -> list[str]:
    """Returns the distinct labels, sorted; lists and tuples of labels are flattened."""
    names: set[str] = set()
    if isinstance(labels, pd.Series):
        with contextlib.suppress(TypeError):  # lists cannot be hashed
            labels = labels.unique().tolist()
    for label in labels:
        if isinstance(label, list | tuple):
            names.update(label)
        else:
            names.add(label)
    return sorted(names)


def encode_classes(
    labels: pd.Series, class_names: Sequence[str], keep_empty: bool = False
) -> tuple[np.ndarray, Any]:
    """Encodes labels as class ids, and tells which rows are kept.

    Args:
        labels: a column of str, list or tuple.
        class_names: the classes in the order of their ids.
        keep_empty: keep samples without a class, which are all zeros in a multi-hot target.

    Returns:
        (rows, ids): `rows` are the positions kept, int64; `ids` is int32 [len(rows)], or a list of
        lists of ids if a label is a list or tuple. Labels of other classes are left out.
    """
    ids = {name: number for number, name in enumerate(class_names)}
    if table.all_strings(labels):
        codes = labels.astype(object).map(ids)
        rows = np.flatnonzero(codes.notna())
        return rows, codes.to_numpy()[rows].astype(np.int32)
    rows_kept, encoded = [], []
    for row, label in enumerate(labels):
        names = label if isinstance(label, list | tuple) else [label]
        known = [ids[name] for name in names if name in ids]
        if known or keep_empty:
            rows_kept.append(row)
            encoded.append(known)
    return np.array(rows_kept, np.int64), encoded


def class_labels(column: pd.Series) -> tuple[pd.Series, list[str] | None]:
    """Returns a column of one class per row as str, and the class names if their order is not the sorted one.

    Strings stay as they are. Whole numbers and booleans are classes in the order of their values; a
    categorical column has all of its categories, in their order.

    Raises:
        ValueError: a row has no label.
        TypeError: the labels are of another kind.

    >>> labels, names = class_labels(pd.Series([10, 9, 10]))
    >>> labels.tolist(), names
    (['10', '9', '10'], ['9', '10'])
    """
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise ValueError(
            f"y_col={column.name!r} must hold a label in every row. {len(missing)} row(s) have none, the "
            f"first is row {missing[0]}: drop them with dataframe.dropna(subset=[{column.name!r}])."
        )
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object).map(str), [str(name) for name in column.cat.categories]
    if table.all_strings(column):
        return column, None
    if column.dtype.kind in "iub":
        return column.map(str), [str(value) for value in sorted(column.unique().tolist())]
    raise TypeError(
        f"y_col={column.name!r} must hold one class per row, strings or whole numbers. Received values "
        f"such as {column.iloc[0]!r}. Use label_mode='multi_label' for lists of labels, and 'raw' for "
        "other numbers."
    )


def label_lists(column: pd.Series, separator: str) -> pd.Series:
    """Returns a column with any number of labels per row as lists of str.

    Args:
        column: lists, tuples, arrays, or strings with `separator` between the labels; a missing value or
            an empty string means no labels.
        separator: such as "," or "|". Spaces around a label are dropped.

    Raises:
        TypeError: a row holds something else.

    >>> label_lists(pd.Series(["cat, dog", "", None, ["emu"]]), ",").tolist()
    [['cat', 'dog'], [], [], ['emu']]
    """

    def names(value: Any) -> list[str]:
        if isinstance(value, str):
            return [name.strip() for name in value.split(separator) if name.strip()]
        if isinstance(value, list | tuple | np.ndarray):
            return [str(name) for name in value]
        if pd.isna(value):
            return []
        raise TypeError(
            f"y_col={column.name!r} must hold lists of labels, or strings with {separator!r} between "
            f"them. Received: {value!r}."
        )

    return pd.Series([names(value) for value in column], dtype=object, name=column.name)


def column_values(frame: pd.DataFrame, columns: Any) -> np.ndarray:
    """Returns one column [n, ...] or several [n, columns] as one array of a dtype that a tensor can have.

    Raises:
        TypeError: the values have no common dtype or shape.
        ValueError: a value is missing, or NaN.
    """
    columns = list(columns) if table.names_several(frame, columns) else columns
    for column in columns if isinstance(columns, list) else [columns]:
        missing = np.flatnonzero(frame[column].isna())
        if len(missing):
            raise ValueError(
                f"Column {column!r} must have a value in every row. Received {len(missing)} missing value(s) "
                f"or NaN, the first at index {frame.index[missing[0]]!r}. Drop these rows: "
                f"frame.dropna(subset=[{column!r}]), or fill them: frame.fillna({{{column!r}: -1}})."
            )
    values = plain_array(frame[columns].to_numpy())
    if values is not None and values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(f"Column(s) {columns!r} must not have NaN in their arrays.")
    if values is None:
        raise TypeError(
            f"Column(s) {columns!r} cannot be one tensor: expected numbers, strings or arrays of "
            f"one shape. Received values such as {frame[columns].iloc[0]!r}."
        )
    return values


def weight_values(frame: pd.DataFrame, weight_col: Any) -> np.ndarray:
    """Returns the weights, [n]; raises `ValueError` if a weight is not a finite number, or below 0."""
    column = frame[weight_col]
    nullable = not isinstance(column.dtype, np.dtype)
    weights = column.to_numpy(np.float64, na_value=np.nan) if nullable else column.to_numpy()
    numbers = weights.astype(np.float64)
    bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
    if len(bad):
        raise ValueError(
            f"weight_col={weight_col!r} must hold finite numbers of 0 or more. Received {len(bad)} other "
            f"value(s), the first at index {column.index[bad[0]]!r}: {weights[bad[0]]}."
        )
    return weights


def with_ids(frame: pd.DataFrame, columns: Any) -> tuple[pd.DataFrame, dict[Any, tuple[str, ...]]]:
    """Returns the frame with the ids of classes in the columns of strings or categories, and their names."""
    vocabularies = {}
    for name in table.columns_of(frame, columns):
        is_categorical = isinstance(frame[name].dtype, pd.CategoricalDtype)
        present = frame[name].dropna()
        if not is_categorical and not (len(present) and table.all_strings(present)):
            continue
        labels, names = class_labels(frame[name])
        vocabularies[name] = tuple(names or class_names_of(labels))
        ids = {label: number for number, label in enumerate(vocabularies[name])}
        frame = table.with_column(frame, name, labels.map(ids).astype(np.int32))
    return frame, vocabularies


def _what_to_do(invalid: Sequence[str], directory: str) -> str:
    """Returns what is likely wrong with the names of missing files, to end a message; "" if nothing is."""
    if directory and not listing.scheme(directory) and not os.path.isdir(directory):
        return f". There is no directory={directory!r}, where relative names start."
    if any(listing.scheme(name).startswith("http") for name in invalid):
        return ". Addresses are not read: download the files, and name these."
    for name in invalid[:_TRIED]:
        for suffix in formats.KNOWN_SUFFIXES if not listing.suffix(name) else ():
            if os.path.isfile(listing.join(directory, f"{name}.{suffix}")):
                return f". {f'{name}.{suffix}'!r} exists: add '.{suffix}' to the names."
    return ""


def from_dataframe(
    frame: pd.DataFrame,
    suffixes: Sequence[str],
    *,
    directory: str = "",
    x_col: Any,
    y_col: Any = None,
    weight_col: Any = None,
    mask_col: Any = None,
    targets: str | None = "classes",
    classes: Sequence[str] | None = None,
    classes_given_as: str | None = "classes",
    keep_unlabelled: bool | None = None,
    classes_are_ids: bool = False,
    validate_filenames: bool = True,
    fraction: float = 0.0,
    subset: str | None = None,
) -> Source:
    """Returns the rows of a frame as a `Source`, in frame order. The caller has to check the column types.

    Args:
        frame: from `read_frame`.
        suffixes: which files are images.
        directory: where relative names start.
        x_col, y_col, weight_col: names of columns, or for "values" and "outputs" a list of names in y_col.
        mask_col: the column of the files of masks, or several columns.
        targets: "classes" (labels become ids), "values" (one array), "outputs" (one array per column)
            or None.
        classes: the class names in the order of their ids; rows of other classes are dropped.
            Default: the labels that occur, sorted.
        classes_given_as: the name of the user's argument with these classes, for a warning about classes
            that no row has; None: the user gave none.
        keep_unlabelled: keep samples whose list of labels has none of the classes. Default: only if
            `classes` are not given.
        classes_are_ids: for "outputs", make ids of the columns of strings and categories.
        validate_filenames: drop rows without the suffix of an image or without a regular file, and
            warn; otherwise every row is kept and reading fails later. What exists but is not a regular
            file is never opened.
        fraction, subset: the split, over the rows that are left.
    """
    names = frame[x_col].tolist()
    rows = np.arange(len(frame))
    refused: dict[str, str] = {}
    if not validate_filenames:
        refused = refused_files(names, directory)
    else:
        keep = file_rows(names, directory, suffixes)
        if not keep.all():
            invalid = [name for name, kept in zip(names, keep, strict=True) if not kept]
            warn(
                f'Found {len(invalid)} invalid image filename(s) in x_col="{x_col}". '
                f"These filename(s) will be ignored. {head(invalid)}{_what_to_do(invalid, directory)}",
            )
            frame, rows = frame[keep], rows[keep]
    class_names: Sequence[str] = ()
    ids: Any = None
    if targets == "classes":
        check_names("classes", classes)
        class_names = list(dict.fromkeys(classes)) if classes else class_names_of(frame[y_col])
        unused = sorted(set(class_names) - set(class_names_of(frame[y_col])))
        if unused and len(frame) and classes_given_as is not None:
            warn(
                f"No row has the class(es) {head(unused)} of `{classes_given_as}`."
                + did_you_mean(unused[0], class_names_of(frame[y_col]))
            )
        keep_empty = not classes if keep_unlabelled is None else keep_unlabelled
        kept, ids = encode_classes(frame[y_col], class_names, keep_empty)
        frame, rows = frame.iloc[kept], rows[kept]
    vocabularies: dict[Any, tuple[str, ...]] = {}
    if targets == "outputs" and classes_are_ids:
        frame, vocabularies = with_ids(frame, y_col)
    values = {
        "classes": lambda: ids,
        "values": lambda: column_values(frame, y_col),
        "outputs": lambda: tuple(column_values(frame, c) for c in table.columns_of(frame, y_col)),
        None: lambda: None,
    }[targets]()
    images = Files(directory, frame[x_col].tolist(), refused)
    of_one = not table.names_several(frame, mask_col)
    masks = {}
    for column in [] if mask_col is None else table.columns_of(frame, mask_col):
        mask_names = frame[column].tolist()
        refused = {} if validate_filenames else refused_files(mask_names, directory)
        masks[str(column)] = Files(directory, mask_names, refused)
        if validate_filenames:
            check_each_has_a_mask(images, listing.are_files(masks[str(column)].paths))
    source = Source.of(
        images,
        values,
        None if weight_col is None else weight_values(frame, weight_col),
        class_names=tuple(class_names),
        vocabularies=vocabularies,
        frame_rows=rows,
        masks=masks.get(str(mask_col)) if of_one else masks,
    )
    return source if subset is None else source.take(split_rows(len(source), fraction, subset))
