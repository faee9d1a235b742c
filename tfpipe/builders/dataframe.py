"""`image_dataset_from_dataframe`: a table of paths and labels, with the arguments of Keras 3."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
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
from tfpipe.builders.outputs import (
    check_names_of_masks,
    check_outputs,
    check_separator,
    check_weights,
    columns_of_classes,
    names_of_masks_in_y,
    output_weights,
    outputs_of,
    with_outputs,
)
from tfpipe.checks import check_bool, check_names
from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.fields.field import IMAGE
from tfpipe.fields.label import OUTPUT
from tfpipe.fields.layout import FEATURE
from tfpipe.sources import table
from tfpipe.sources.dataframe import class_labels, from_dataframe, label_lists
from tfpipe.sources.features import RAISE, feature_columns, feature_names
from tfpipe.sources.further_images import (
    check_columns,
    further_images,
    image_columns,
    with_all_files,
)
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
    feature_cols: Any = None,
    missing: Any = RAISE,
    **options: Unpack[Options],
) -> ImageDataset | list[ImageDataset]:
    """Returns batches of the images that a dataframe names, with the arguments of Keras 3.

    Args:
        dataframe: a dataframe, or the path of a .csv or .parquet file. It is not changed.
        directory: the folder of relative names; absolute names work with or without it.
        x_col: the column of file names, all str. The name of a column may be a str, an int, or a tuple in a
            frame whose column names have several levels. For several images per sample: a list of columns (x
            is a tuple), or a dict of the model's inputs and their columns (x is a dict); rows are left out
            if any of their files is missing.
        y_col: the column of labels, or a list of columns for "raw" and "multi_output". A dict of names and
            columns: y is a dict of outputs, as a Keras model with named outputs takes it.
        weight_col: the column of sample weights, numbers, which become the third item of each batch. For
            outputs by name also a dict of names and columns; an output without one has weights of 1.
        label_mode: "int" (int32 [B]), "binary" (2 classes; float32 [B, 1]) or "categorical" (float32
            [B, K]), with one class per row, a string or a whole number; "multi_label" (float32 [B, K] of
            zeros and ones), with a list of classes per row, or a string that `separator` splits; "raw" (the
            column as it is, [B] or [B, columns]); "multi_output" (a tuple with one array per column: numbers
            as they are, classes as their ids, int32 [B], with their names in `dataset.vocabularies`);
            "input" (y is x) or None (no y). For outputs by name: one for all, or a dict by name; by default,
            strings and categories are classes ("int") and numbers are "raw". Their classes are in
            `dataset.class_names`, a dict.
        class_names: the classes in the order of their ids; rows of other classes are dropped. Default: the
            labels that occur, sorted, or the categories of a categorical column.
        separator: what separates the classes in a string, for "multi_label".
        validate_filenames: drop rows whose file is missing or does not have the suffix of an image, and
            warn.
        validation_split, subset: the split is taken over all rows that are left.
        groups: a column, or a function path -> group; no group is in both subsets.
        mask_col: the column of mask files: y is the mask, see `masks` of `image_dataset_from_directory`. A
            list of columns, for several masks per image: a dict of them, by column. If you also give
            `y_col`, `label_mode` or `class_names`, y has the masks and the labels, see `targets`. With
            outputs by name, masks are among them: "segmentation_masks", or the names of their columns.
        feature_cols: further inputs of the model: a list of columns, or a dict of names and columns. x is
            then a dict of "image" and these: numbers as float32 (whole numbers and booleans as they are),
            text as tf.string, and categorical columns as int32 ids, whose names are in
            `dataset.vocabularies`.
        missing: "raise", or what stands for a missing value in `feature_cols`: a number in columns of
            numbers, a str in columns of text and categories.
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
    outputs: Mapping[str, Any] | None = y_col if isinstance(y_col, Mapping) else None
    output_mode: Any = label_mode
    if outputs is not None:
        label_mode, y_col = "multi_output", None
    checks.check_label_mode(label_mode, DATAFRAME_LABEL_MODES)
    beside = outputs is not None or with_labels_beside(
        y_col=y_col, label_mode=label_mode, class_names=class_names
    )
    if mask_col is not None and not beside:
        label_mode = None
    check_bool("validate_filenames", validate_filenames)
    spec = pipeline_spec(arguments, options)
    share = share_of(arguments, options, label_mode)
    frame = read_labelled_table(dataframe, x_col, outputs or y_col, output_mode, mask_col, groups)
    images = image_columns(frame, x_col, by_name=feature_cols is not None)
    check_columns(frame, images)
    x_col = images.first
    named_weights = weight_col if isinstance(weight_col, Mapping) else {}
    checks.check_label_columns(
        frame,
        x_col,
        y_col,
        None if named_weights else weight_col,
        label_mode if outputs is None else "input",
    )
    checks.check_mask_columns(frame, mask_col)
    of_outputs = outputs or (table.columns_of(frame, y_col) if label_mode == "multi_output" else ())
    taken = {
        **dict.fromkeys((images.name or IMAGE, *images.further), "an image"),
        **dict.fromkeys(of_outputs, "an output"),
    }
    features = feature_names(feature_cols, taken)
    for name, column in features.items():
        table.require_columns(frame, **{f"feature_cols[{name!r}]": column})
    targets = LABEL_MODES[label_mode][0]
    if outputs is None and isinstance(weight_col, Mapping):
        raise ValueError(
            "weight_col by name needs outputs by name: pass y_col={'age': 'column'}, or one column of "
            f"weights. Received: weight_col={weight_col!r}."
        )
    if outputs is not None:
        check_outputs(frame, outputs, output_mode)
        check_names_of_masks(frame, outputs, mask_col)
        check_weights(frame, outputs, named_weights)
        targets = None
        if class_names is not None:
            raise ValueError(
                "class_names are the classes of one column. Received: class_names, and outputs by name. Make "
                "the columns categorical, with the categories in their order."
            )
        check_separator(separator)
    given_as = None if class_names is None else "class_names"
    as_given = frame  # a feature stays as it is, although it is a label too
    if targets == "classes":
        frame, class_names = _with_classes(frame, y_col, label_mode, class_names, separator)
    elif class_names is not None:
        raise ValueError(
            f"`class_names` needs labels that are classes. Received: label_mode={label_mode!r}."
        )
    groups_are_named = groups is not None and not callable(groups)
    if groups_are_named:
        checks.check_group_column(frame, groups)
    path = os.fspath(directory or "")
    rows = np.arange(len(frame))
    if validate_filenames and images.further:
        rows = with_all_files(frame, images, path, KNOWN_SUFFIXES)
    source = from_dataframe(
        frame.iloc[rows],
        KNOWN_SUFFIXES,
        directory=path,
        x_col=x_col,
        y_col=y_col,
        weight_col=None if named_weights else weight_col,
        mask_col=mask_col,
        targets=targets,
        classes=class_names,
        classes_given_as=given_as,
        keep_unlabelled=label_mode == "multi_label",
        classes_are_ids=True,
        validate_filenames=validate_filenames,
    )
    source = replace(source, frame_rows=rows[source.frame_rows], image_name=images.name)
    if groups_are_named:
        source = replace(source, groups=frame[groups].to_numpy(object)[source.frame_rows])
    elif groups is not None:
        source = grouped(source, groups)
    kept = as_given.iloc[np.asarray(source.frame_rows)]
    further = further_images(kept, images, path, validated=validate_filenames)
    source = source.with_columns(**further)
    values, vocabularies = feature_columns(kept, features, missing)
    source = source.with_columns(**{f"{FEATURE}{name}": column for name, column in values.items()})
    if outputs is not None and len(kept):
        found = outputs_of(kept, outputs, output_mode, separator)
        of_masks = names_of_masks_in_y(frame, mask_col)
        weights = output_weights(kept, [*of_masks, *outputs], named_weights)
        source = with_outputs(source, found, weights)
        spec = replace(spec, fields={f"{OUTPUT}{name}": kind for name, kind in found.kinds.items()})
        vocabularies |= found.classes
    source = replace(source, vocabularies={**source.vocabularies, **vocabularies})
    where = f"in x_col={x_col!r} of the dataframe, below {os.fspath(directory or '.')!r}."
    return deliver_found(source, spec, label_spec(label_mode), share, where, verbose)


def read_labelled_table(
    dataframe: pd.DataFrame | str | os.PathLike[str],
    x_col: Any = "filename",
    y_col: Any = Y_COL,
    label_mode: Any = LABEL_MODE,
    mask_col: Any = None,
    groups: Any = None,
) -> pd.DataFrame:
    """Reads the table. No class, name or group of a CSV file becomes a number, so "01" stays "01".

    The columns of several outputs are read as pandas reads them, except those with a label mode of classes.
    """
    of_classes: list[Any] = []
    if isinstance(y_col, Mapping):
        of_classes = columns_of_classes(y_col, label_mode)
        y_col, label_mode = None, "multi_output"
    if isinstance(x_col, Mapping):
        x_col = list(x_col.values())
    has_classes = LABEL_MODES[label_mode][0] == "classes"
    if mask_col is not None and not with_labels_beside(y_col=y_col, label_mode=label_mode):
        has_classes = False
    masks = mask_col if isinstance(mask_col, list | tuple) else [mask_col]
    first, *further = x_col if isinstance(x_col, list | tuple) and len(x_col) else [x_col]
    others = (*further, *masks, groups, *of_classes)
    text = table.text_columns(first, y_col, *others, has_classes=has_classes)
    frame = table.read_frame(dataframe, text)
    for column in [] if isinstance(dataframe, pd.DataFrame) else of_classes:
        if table.is_column(frame, column):
            frame = table.with_column(frame, column, table.plain_numbers(frame[column]))
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
        check_separator(separator)
        return table.with_column(frame, y_col, label_lists(frame[y_col], separator)), class_names
    labels, names = class_labels(frame[y_col])
    names = names if class_names is None else [str(name) for name in class_names]
    return table.with_column(frame, y_col, labels), names
