"""Cross-validation: the training and validation data sets of each fold, made by the other doors."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from tfpipe.builders import dataframe, directory, split_and_build
from tfpipe.builders import keras_checks as checks
from tfpipe.builders.options import DATAFRAME_LABEL_MODES
from tfpipe.builders.options import SYNONYMS as NAMES_OF_OTHERS
from tfpipe.checks import check_bool
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.keywords import check_known, with_keywords
from tfpipe.sources import splits, table, together
from tfpipe.sources.contents import content_ids


def folds(
    source: pd.DataFrame | str | os.PathLike[str],
    k: int | str = 5,
    *,
    stratify: bool = False,
    groups: Any | Callable[[str], Any] | None = None,
    seed: int = 0,
    **options: Any,
) -> Iterator[tuple[ImageDataset, ImageDataset]]:
    """Returns the (training, validation) data sets of each fold. Each sample is in one validation set.

    Both know the same classes by the same ids. As with `subset="both"`, the validation set is not shuffled,
    augmented, balanced or weighted by class. The folds are a function of the seed and the source, so several
    processes can each train one of them: `list(tfpipe.folds(...))[3]`.

    Args:
        source: a dataframe or the path of a .csv or .parquet file, for `image_dataset_from_dataframe`; the
            path of a directory, for `image_dataset_from_directory`.
        k: the number of folds; or, for a dataframe, the column that names the fold of each sample.
        stratify: keep the class proportions of the whole in each fold.
        groups: a column of the dataframe, or a function path -> group. No group is in two folds.
        seed: of the folds, the order and the augmentation.
        **options: further arguments of `image_dataset_from_dataframe` or, for a directory, of
            `image_dataset_from_directory`, such as `image_size` and `augment`.

    Returns:
        An iterator of `k` pairs, each made when you ask for it.

    Raises:
        ValueError: a fold would be empty; a class has fewer than `k` samples; there are fewer than `k`
            groups; a group, or with `keep_duplicates_together` a content, is in two folds of the column.
        KeyError: the dataframe has no such column.
        TypeError: `validation_split` or `subset` among the options.
        ImportError: scikit-learn is not installed.

    >>> import tempfile
    >>> import pandas as pd
    >>> import tensorflow as tf
    >>> path = f"{tempfile.mkdtemp()}/1.png"
    >>> tf.io.write_file(path, tf.io.encode_png(tf.zeros([4, 5, 3], tf.uint8)))
    >>> frame = pd.DataFrame({"filename": [path] * 6, "class": ["cat", "dog"] * 3})
    >>> pairs = folds(frame, k=3, stratify=True, image_size=(2, 2), verbose=False)
    >>> [(len(training.source), len(validation.source)) for training, validation in pairs]
    [(4, 2), (4, 2), (4, 2)]
    """
    check_bool("stratify", stratify)
    for name in ("validation_split", "subset"):
        if options.get(name) is not None:
            raise TypeError(
                f"folds makes the split itself, so leave {name} out. Received: {name}={options[name]!r}."
            )
    is_frame = not isinstance(source, str | os.PathLike) or table.is_table(source)
    door: Callable[..., ImageDataset] = (
        dataframe.image_dataset_from_dataframe
        if is_frame
        else directory.image_dataset_from_directory
    )
    own = [name for name in inspect.signature(folds).parameters if name in _OWN]
    of_door = list(inspect.signature(door).parameters)[1:]  # the first is the source
    known = [name for name in of_door if name not in _NOT_OF_FOLDS]
    check_known("folds", options, [*own, *known], _SYNONYMS)
    class_weights = options.pop("class_weights", None)
    keeps = options.pop("keep_duplicates_together", None)
    together.check_together(keeps)
    options |= {"groups": groups, "seed": seed}
    frame = None
    if is_frame:
        named = ("x_col", "y_col", "label_mode", "mask_col")
        given = {name: options[name] for name in named if name in options}
        if not isinstance(given.get("y_col"), Mapping):
            checks.check_label_mode(given.get("label_mode"), DATAFRAME_LABEL_MODES)
        source = frame = dataframe.read_labelled_table(source, groups=groups, **given)
    whole = door(source, **options)
    strata = split_and_build.strata_of(whole.source, stratify)
    contents = None if keeps is None else content_ids(whole.source.images)
    if not isinstance(k, str):
        if contents is not None and strata.groups is not None:
            strata = together.with_contents(strata, contents)
        pairs = splits.fold_rows(len(whole.source), k, seed=seed, strata=strata)
        if contents is not None and strata.groups is None:
            pairs = together.folds_together(pairs, contents, strata.labels)
    elif frame is None:
        raise TypeError(f"k={k!r} names a column, but a directory has no columns. Pass an int.")
    else:
        table.require_columns(frame, k=k)
        pairs = splits.given_folds(frame[k].to_numpy(object)[whole.frame_rows], strata=strata)
        if contents is not None:
            together.check_folds_together(pairs, contents, whole.source.images.paths)
    split_and_build.with_class_weights(whole.source, class_weights)  # raises before the first fold
    return (_of_rows(whole, rows, class_weights) for rows in pairs)


_SYNONYMS = {**NAMES_OF_OTHERS, "n_splits": "k", "n_folds": "k", "dataframe": "source"}
# What `folds` has itself, and what it leaves out of the arguments of the door that it calls.
_OWN = ("source", "k", "stratify", "groups", "seed")
_NOT_OF_FOLDS = ("dataframe", "validation_split", "subset")
_OF_TABLES = inspect.signature(dataframe.image_dataset_from_dataframe).parameters.values()
with_keywords(folds, [p for p in _OF_TABLES if p.name not in _NOT_OF_FOLDS])


def _of_rows(
    whole: ImageDataset, rows: splits.Holdout, class_weights: Any
) -> tuple[ImageDataset, ImageDataset]:
    spec = whole.spec
    training = split_and_build.with_class_weights(whole.source.take(rows.training), class_weights)
    validation = whole.source.take(rows.validation)
    return (
        ImageDataset(training, spec),
        ImageDataset(validation, split_and_build.for_validation(spec)),
    )
