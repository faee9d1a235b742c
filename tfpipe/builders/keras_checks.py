"""What Keras' `image_dataset_from_directory` checks, in its own words, and the like for dataframes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from tfpipe.checks import (
    MAX_PIXELS,
    check_names,
    check_one_of,
    check_size,
    did_you_mean,
    head,
    is_share,
)
from tfpipe.console import printable
from tfpipe.ops.color_modes import COLOR_MODES
from tfpipe.ops.resize_tf import TF_INTERPOLATIONS
from tfpipe.sources import table
from tfpipe.sources.directory import class_folders
from tfpipe.sources.source import Source
from tfpipe.transforms.standardize import Standardize

_CLASS_LABEL_MODES = ("int", "binary", "categorical")
# Label modes of a directory that come from folders or a list.
LABELLED = (*_CLASS_LABEL_MODES, "raw")


def check_labels(labels: Any, class_names: Any) -> None:
    """Raises unless `labels` is "inferred", None or a sequence, and fits `class_names`."""
    if labels is None or (isinstance(labels, str) and labels == "inferred"):
        if labels is None and class_names is not None:
            raise ValueError(
                "When `labels=None` (no labels), argument `class_names` cannot be specified."
            )
        return
    if not isinstance(labels, list | tuple | np.ndarray | pd.Series):
        raise ValueError(
            "`labels` argument should be a list/tuple of integer labels, of the same size as the "
            "number of image files in the target directory. If you wish to infer the labels from the "
            'subdirectory names in the target directory, pass `labels="inferred"`. If you wish to get '
            f"a dataset that only contains images (no labels), pass `labels=None`. Received: "
            f"labels={labels!r}"
        )
    if class_names:
        raise ValueError(
            f'You can only pass `class_names` if `labels="inferred"`. Received: labels={labels}, and '
            f"class_names={class_names}"
        )


def check_label_mode(label_mode: Any, allowed: Sequence[str]) -> None:
    """Raises unless `label_mode` is one of `allowed`, or None."""
    if label_mode is not None and (not isinstance(label_mode, str) or label_mode not in allowed):
        names = ", ".join(f'"{mode}"' for mode in allowed)
        raise ValueError(
            f"`label_mode` argument must be one of {names}, or None. Received: "
            f"label_mode={label_mode}" + did_you_mean(label_mode, allowed)
        )


def check_image_arguments(color_mode: Any, image_size: Any, interpolation: Any) -> tuple[int, int]:
    """Returns (height, width); raises unless color mode, size and interpolation are valid."""
    if type(color_mode) is not str or color_mode not in COLOR_MODES:
        raise ValueError(
            '`color_mode` must be one of {"rgb", "rgba", "grayscale"}. Received: '
            f"color_mode={color_mode}" + did_you_mean(color_mode, COLOR_MODES)
        )
    if isinstance(image_size, int | np.integer):
        image_size = (image_size, image_size)
    try:
        size = check_size("image_size", image_size)
    except ValueError:
        raise ValueError(
            "Invalid `image_size` value. Expected a tuple of 2 integers. Received: "
            f"image_size={image_size}. They are (height, width), each at least 1, with at most "
            f"{MAX_PIXELS} pixels."
        ) from None
    if type(interpolation) is not str or interpolation.lower() not in TF_INTERPOLATIONS:
        raise ValueError(
            f"Argument `interpolation` should be one of {TF_INTERPOLATIONS}. Received: "
            f"interpolation={interpolation}" + did_you_mean(interpolation, TF_INTERPOLATIONS)
        )
    return size


def check_aspect(crop: Any, pad: Any) -> str:
    """Returns `ResizeSpec.aspect` for Keras' two flags."""
    if crop and pad:
        raise ValueError(
            "Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`."
        )
    return "crop" if crop else "pad" if pad else "stretch"


def check_format(format: Any) -> None:
    """Raises unless `format` is "tf"."""
    if format != "tf":
        raise ValueError(
            f'`format` should be "tf", since tfpipe makes `tf.data` sets. Received: format={format!r}. '
            'For "grain" call keras.utils.image_dataset_from_directory.'
        )


def check_fitted(standardize: Standardize | None) -> None:
    """Raises if statistics are needed that have not been computed."""
    unfitted = list(standardize.unfitted()) if standardize is not None else []
    if unfitted:
        raise ValueError(
            f"standardize asks for {', '.join(unfitted)} without the statistics of the data. Compute them "
            "with ImageDataGenerator(...).fit(dataset), and pass the generator's `standardization`."
        )


def check_split(validation_split: Any, subset: Any, shuffle: Any, seed: Any) -> None:
    """Raises unless `validation_split` and `subset` fit each other."""
    if validation_split and not is_share(validation_split):
        raise ValueError(
            f"`validation_split` must be between 0 and 1, received: {validation_split}"
        )
    if bool(validation_split) != bool(subset):
        raise ValueError("If `subset` is set, `validation_split` must be set, and inversely.")
    if subset not in ("training", "validation", "both", None):
        raise ValueError(
            f'`subset` must be either "training", "validation" or "both", received: {subset}'
        )
    if validation_split and shuffle and seed is None:
        raise ValueError(
            "If using `validation_split` and shuffling the data, you must provide a `seed` argument, "
            "to make sure that there is no overlap between the training and validation subset."
        )


def check_stratify(stratify: Any, validation_split: Any, label_mode: Any) -> None:
    """Raises unless a stratified split has a split to make and classes to keep in proportion."""
    if stratify and not validation_split:
        raise ValueError(
            "stratify=True needs a split: pass validation_split and subset. Received: "
            f"validation_split={validation_split!r}. For folds: tfpipe.folds(..., stratify=True)."
        )
    if stratify and label_mode not in (*_CLASS_LABEL_MODES, "multi_output"):
        raise ValueError(
            "stratify=True needs one class per sample: label_mode 'int', 'binary' or 'categorical'. "
            f"Received: label_mode={label_mode!r}."
        )


def check_class_output(class_output: Any, source: Source) -> None:
    """Raises unless this is the name of an output with one class per sample, or None."""
    if class_output is None:
        return
    names = [
        name
        for name in source.output_names
        if name in source.vocabularies and np.ndim(cast(Any, source.columns[f"y_{name}"])) == 1
    ]
    if not names:
        raise ValueError(
            f"class_output={class_output!r} needs outputs by name, one of them with classes: pass "
            "y_col={'species': 'column'} to image_dataset_from_dataframe."
        )
    check_one_of("class_output", class_output, (*names, None))


def check_balance(balance: Any, source: Source) -> None:
    """Raises if class ids below 0, which `labels` may hold, are to be balanced."""
    targets, _ = source.classes
    integers = isinstance(targets, np.ndarray) and targets.dtype.kind == "i" and len(targets)
    if balance is not None and integers and targets.min() < 0:
        raise ValueError(
            f"balance={balance!r} needs class ids >= 0. Received: the label {targets.min()}. Number the "
            "classes 0, 1, ... in `labels`, or leave balance out."
        )


def check_no_class_weights(class_weights: Any) -> None:
    """Raises if class weights are given for samples without labels."""
    if class_weights is not None:
        raise ValueError(
            f"class_weights needs labels. Received: class_weights={class_weights!r}, label_mode=None."
        )


def check_group_function(groups: Any) -> None:
    """Raises unless `groups` is a function, or None."""
    if groups is not None and not callable(groups):
        raise TypeError(
            "groups must be a function path -> group, such as lambda path: "
            f"os.path.basename(path)[:4]. Received: groups={groups!r}. Columns are for dataframes."
        )


def check_group_column(frame: pd.DataFrame, groups: Any) -> None:
    """Raises unless `groups` is the name of one column."""
    table.require_columns(frame, groups=groups)
    if not table.is_column(frame, groups):
        raise TypeError(
            "groups must be the name of one column, or a function path -> group. Received: "
            f"groups={groups!r}."
        )


def check_class_names(directory: str, class_names: Any) -> None:
    """Raises unless `class_names`, if given, are sub-folders of `directory`."""
    check_names("class_names", class_names)
    if class_names is None:
        return
    folders = class_folders(directory)
    unknown = [name for name in class_names if name not in folders]
    if unknown or not len(class_names):
        raise ValueError(
            "The `class_names` passed did not match the names of the subdirectories of the target "
            f"directory. Expected: {folders} (or a subset of it), but received: "
            f"class_names={list(class_names)}"
            + (did_you_mean(unknown[0], folders) if unknown else "")
        )


def check_two_classes(class_names: Sequence[str]) -> None:
    """Raises unless there are two classes."""
    if len(class_names) != 2:
        raise ValueError(
            'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: '
            f"class_names={list(class_names)}"
        )


def with_labels(source: Source, labels: Any, label_mode: str, directory: str) -> Source:
    """Adds the labels that the user has given to the files: int32 [n], or as they are for "raw".

    The classes are "0", "1", ...; there are no classes if the labels have gaps, which "int" allows.

    Raises:
        ValueError: there is not one label for each file; the labels are not whole numbers, or have gaps
            although they are to be encoded.
    """
    try:
        values = np.asarray(labels)
    except ValueError as err:  # NumPy's own message is about an inhomogeneous shape
        raise ValueError(
            "`labels` must hold one label for each file, all of the same shape. Received: "
            f"labels=[{head(list(labels), 3)}]. For several classes per file, use "
            'image_dataset_from_dataframe with label_mode="multi_label".'
        ) from err
    if len(values) != len(source):
        raise ValueError(
            "Expected the lengths of `labels` to match the number of files in the target directory. "
            f"len(labels) is {len(values)} while we found {len(source)} files in directory "
            f"{printable(os.fspath(directory))}."
        )
    if label_mode == "raw":
        return source.with_columns(label=values)
    if values.ndim != 1 or (values.dtype.kind not in "iub" and len(values)):
        raise ValueError(
            "`labels` argument should be a list/tuple of integer labels, of the same size as the "
            f"number of image files in the target directory. Received values such as {values[0]!r}. "
            'For other numbers pass label_mode="raw".'
        )
    limits = np.iinfo(np.int32)
    outside = values[(values < limits.min) | (values > limits.max)]
    if len(outside):
        raise ValueError(
            f"`labels` must be in the range of int32, {limits.min} to {limits.max}. Received: "
            f'{outside[0]!r}. For other numbers pass label_mode="raw".'
        )
    targets = values.astype(np.int32)
    distinct = np.unique(targets).tolist()
    gapless = distinct == list(range(len(distinct)))
    if label_mode != "int" and not gapless:
        raise ValueError(
            f'`labels` must be 0, 1, ... without a gap for label_mode="{label_mode}". Received the '
            f"distinct labels {head(distinct, 20)}."
        )
    names = tuple(map(str, distinct)) if gapless else ()
    return replace(source.with_columns(label=targets), class_names=names)


def check_label_columns(
    frame: pd.DataFrame, x_col: Any, y_col: Any, weight_col: Any, label_mode: str | None
) -> None:
    """Raises if the columns do not fit the label mode."""
    of_several = table.names_several(frame, y_col)
    if label_mode == "multi_output" and not of_several:
        raise TypeError(
            'label_mode="multi_output" needs a list of columns in y_col, one for each output. '
            f"Received: y_col={y_col!r}.{table.outputs_by_name(y_col)}"
        )
    if label_mode in (*_CLASS_LABEL_MODES, "multi_label") and of_several:
        raise TypeError(
            f'label_mode="{label_mode}" needs one column in y_col. Received: y_col={y_col!r}. Several '
            'columns go with "raw" or "multi_output".'
        )
    has_labels = label_mode not in ("input", None)
    table.require_columns(
        frame, x_col=x_col, y_col=y_col if has_labels else None, weight_col=weight_col
    )
    table.check_strings(frame, x_col, f"x_col={x_col!r}")
    if label_mode in (*_CLASS_LABEL_MODES, "multi_label") and not table.is_column(frame, y_col):
        columns = list(frame[y_col].columns)
        raise ValueError(
            f"y_col={y_col!r} names several columns: {head(columns)}. Pass one of them."
        )
    if weight_col is not None:
        table.check_numeric(frame, weight_col, f"weight_col={weight_col!r}")
        if label_mode is None:
            raise ValueError(
                f"weight_col={weight_col!r} needs labels, and label_mode=None has none: choose a label_mode, "
                "or leave weight_col out."
            )


def check_mask_columns(frame: pd.DataFrame, mask_col: Any) -> None:
    """Raises unless the columns of masks are there, different, and all str."""
    if mask_col is None:
        return
    columns = table.columns_of(frame, mask_col)
    are_names = bool(columns) and all(isinstance(c, str | int | tuple) for c in columns)
    if not are_names or len(set(columns)) < len(columns):
        raise ValueError(
            "mask_col must be the name of a column, or a list of different names. "
            f"Received: mask_col={mask_col!r}."
        )
    table.require_columns(frame, mask_col=columns)
    for column in columns:
        table.check_strings(frame, column, f"mask_col={column!r}")
