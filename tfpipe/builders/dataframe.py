"""`image_dataset_from_dataframe`: a table of paths and labels, with the arguments of Keras 3."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from tfpipe.builders import keras_checks as checks
from tfpipe.builders.options import (
    DATAFRAME_LABEL_MODES,
    LABEL_MODE,
    LABEL_MODES,
    Y_COL,
    KerasArguments,
    Options,
    deliver_found,
    door,
    label_spec,
    pipeline_spec,
    share_of,
    with_labels_beside,
)
from tfpipe.checks import check_bool, check_names
from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.sources import table
from tfpipe.sources.dataframe import class_labels, from_dataframe, label_lists
from tfpipe.sources.source import grouped

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfpipe.dataset.image_dataset import ImageDataset


@door(Options, decoding="keras")
def image_dataset_from_dataframe(
    dataframe: pd.DataFrame | str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
    x_col: Any = "filename",
    y_col: Any = Y_COL,
    weight_col: Any = None,
    label_mode: str | None = LABEL_MODE,
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
    *,
    separator: str = ",",
    validate_filenames: bool = True,
    groups: Any | Callable[[str], Any] | None = None,
    mask_col: Any = None,
    **options: Unpack[Options],
) -> ImageDataset | list[ImageDataset]:
    """Returns batches of the images that a dataframe names, with the arguments of Keras 3.

    Args:
        dataframe: a dataframe, or the path of a .csv or .parquet file. It is not changed.
        directory: the folder of relative names; absolute names work with or without it.
        x_col: the column of file names, all str. The name of a column may be a str, an int, or a tuple in a
            frame whose column names have several levels.
        y_col: the column of labels, or a list of columns for "raw" and "multi_output".
        weight_col: the column of sample weights, numbers, which become the third item of each batch.
        label_mode: "int" (int32 [B]), "binary" (2 classes; float32 [B, 1]) or "categorical" (float32
            [B, K]), with one class per row, a string or a whole number; "multi_label" (float32 [B, K] of
            zeros and ones), with a list of classes per row, or a string that `separator` splits; "raw" (the
            column as it is, [B] or [B, columns]); "multi_output" (a tuple with one array per column: numbers
            as they are, classes as their ids, int32 [B], with their names in `dataset.vocabularies`);
            "input" (y is x) or None (no y).
        class_names: the classes in the order of their ids; rows of other classes are dropped. Default: the
            labels that occur, sorted, or the categories of a categorical column.
        separator: what separates the classes in a string, for "multi_label".
        validate_filenames: drop rows whose file is missing or does not have the suffix of an image, and
            warn.
        validation_split, subset: the split is taken over all rows that are left.
        groups: a column, or a function path -> group; no group is in both subsets.
        mask_col: the column of mask files: y is the mask, see `masks` of `image_dataset_from_directory`. A
            list of columns, for several masks per image: a dict of them, by column. If you also give
            `y_col`, `label_mode` or `class_names`, y has the masks and the labels, see `targets`.
        color_mode, batch_size, image_size, shuffle, seed, interpolation, crop_to_aspect_ratio,
            pad_to_aspect_ratio, data_format, verbose: as for `image_dataset_from_directory`.

    Returns:
        An `ImageDataset` of x, (x, y) or (x, y, weights), or a list of two for "both".

    Raises:
        KeyError: the dataframe has no such column.
        TypeError: a column holds the wrong type.
        ValueError: an argument is not one of those allowed; a row has no label; there are no images.
        ImportError: `stratify` or `groups` without scikit-learn.

    >>> import tempfile
    >>> import tensorflow as tf
    >>> path = f"{tempfile.mkdtemp()}/1.png"
    >>> tf.io.write_file(path, tf.io.encode_png(tf.zeros([4, 5, 3], tf.uint8)))
    >>> frame = pd.DataFrame({"path": [path, path], "age": [30.5, 41.0]})
    >>> ages = image_dataset_from_dataframe(
    ...     frame, x_col="path", y_col="age", label_mode="raw", shuffle=False, verbose=False
    ... )
    >>> ages[0][1].tolist()
    [30.5, 41.0]
    """
    arguments = KerasArguments(
        color_mode=color_mode,
        batch_size=batch_size,
        image_size=image_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        data_format=data_format,
    )
    checks.check_label_mode(label_mode, DATAFRAME_LABEL_MODES)
    beside = with_labels_beside(y_col=y_col, label_mode=label_mode, class_names=class_names)
    if mask_col is not None and not beside:
        label_mode = None
    check_bool("validate_filenames", validate_filenames)
    spec = pipeline_spec(arguments, options)
    share = share_of(arguments, options, label_mode)
    frame = read_labelled_table(dataframe, x_col, y_col, label_mode, mask_col, groups)
    checks.check_label_columns(frame, x_col, y_col, weight_col, label_mode)
    checks.check_mask_columns(frame, mask_col)
    targets = LABEL_MODES[label_mode][0]
    given_as = None if class_names is None else "class_names"
    if targets == "classes":
        frame, class_names = _with_classes(frame, y_col, label_mode, class_names, separator)
    elif class_names is not None:
        raise ValueError(
            f"`class_names` needs labels that are classes. Received: label_mode={label_mode!r}."
        )
    groups_are_named = groups is not None and not callable(groups)
    if groups_are_named:
        checks.check_group_column(frame, groups)
    source = from_dataframe(
        frame,
        KNOWN_SUFFIXES,
        directory=os.fspath(directory or ""),
        x_col=x_col,
        y_col=y_col,
        weight_col=weight_col,
        mask_col=mask_col,
        targets=targets,
        classes=class_names,
        classes_given_as=given_as,
        keep_unlabelled=label_mode == "multi_label",
        classes_are_ids=True,
        validate_filenames=validate_filenames,
    )
    if groups_are_named:
        source = replace(source, groups=frame[groups].to_numpy(object)[source.frame_rows])
    elif groups is not None:
        source = grouped(source, groups)
    where = f"in x_col={x_col!r} of the dataframe, below {os.fspath(directory or '.')!r}."
    return deliver_found(source, spec, label_spec(label_mode), share, where, verbose)


def read_labelled_table(
    dataframe: pd.DataFrame | str | os.PathLike[str],
    x_col: Any = "filename",
    y_col: Any = Y_COL,
    label_mode: str | None = LABEL_MODE,
    mask_col: Any = None,
    groups: Any = None,
) -> pd.DataFrame:
    """Reads the table. No class, name or group of a CSV file becomes a number, so "01" stays "01".

    The columns of several outputs are read as pandas reads them.
    """
    has_classes = LABEL_MODES[label_mode][0] == "classes"
    if mask_col is not None and not with_labels_beside(y_col=y_col, label_mode=label_mode):
        has_classes = False
    masks = mask_col if isinstance(mask_col, list | tuple) else [mask_col]
    text = table.text_columns(x_col, y_col, *masks, groups, has_classes=has_classes)
    frame = table.read_frame(dataframe, text)
    one_class = has_classes and label_mode != "multi_label" and not isinstance(y_col, list | tuple)
    if isinstance(dataframe, pd.DataFrame) or not one_class or not table.is_column(frame, y_col):
        return frame
    return table.with_column(frame, y_col, table.plain_numbers(frame[y_col]))


def _with_classes(
    frame: pd.DataFrame, y_col: Any, label_mode: str | None, class_names: Any, separator: str
) -> tuple[pd.DataFrame, Any]:
    """Returns the frame with classes as str, or lists of them, and the class names if they are known."""
    check_names("class_names", class_names)
    if label_mode == "multi_label":
        if not isinstance(separator, str) or not separator:
            raise ValueError(f"separator must be a str. Received: separator={separator!r}.")
        return table.with_column(frame, y_col, label_lists(frame[y_col], separator)), class_names
    labels, names = class_labels(frame[y_col])
    names = names if class_names is None else [str(name) for name in class_names]
    return table.with_column(frame, y_col, labels), names
