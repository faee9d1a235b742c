"""The parts of a split that the files of a source are in, for `check`: names only, nothing is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfpipe.checks import check_int, is_share
from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.sources import listing, table
from tfpipe.sources.dataframe import file_rows
from tfpipe.sources.directory import class_folders, from_directory, from_tree
from tfpipe.sources.splits import holdout

# path -> the parts that it is in: one, or more where a table names it more than once
Parts = Mapping[str, frozenset[str]]


def check_split_options(
    is_table: bool, splits: Any, split_col: Any, fraction: Any, seed: Any
) -> None:
    """Raises `ValueError` unless the arguments name one split, or none."""
    given = [
        name
        for name, value in (
            ("splits", splits or None),
            ("split_col", split_col),
            ("validation_split", fraction),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise ValueError(
            f"{' and '.join(given)} exclude each other: pass the one that you train with."
        )
    if (splits and is_table) or (split_col is not None and not is_table):
        raise ValueError(
            f"splits=True is for a directory, and split_col for a table. Received: splits={splits!r}, "
            f"split_col={split_col!r}."
        )
    if fraction is not None:
        if not is_share(fraction):
            raise ValueError(
                "validation_split must be a number between 0 and 1. Received: "
                f"validation_split={fraction!r}."
            )
        if seed is None:
            raise ValueError(
                "validation_split needs the seed that you train with. Received: seed=None."
            )
        check_int("seed", seed, 0)


def parts_of_directory(
    directory: str, paths: Iterable[str], splits: bool, fraction: float | None, seed: int | None
) -> Parts:
    """Returns the part of each file of a directory; see `check`."""
    if splits:
        folders = {os.path.join(directory, name, ""): name for name in class_folders(directory)}
        names = ((path, _folder_of(path, directory)) for path in paths)
        return {p: frozenset({f}) for p, f in names if os.path.join(directory, f, "") in folders}
    if fraction is None:
        return {}
    has_classes = bool(class_folders(directory))
    source = (from_directory if has_classes else from_tree)(directory, KNOWN_SUFFIXES)
    return _halves(source.images.paths, fraction, seed)


def _folder_of(path: str, directory: str) -> str:
    """Returns the first folder of a path below a directory.

    >>> _folder_of("photos/train/cat/1.png", "photos")
    'train'
    """
    return path[len(os.path.join(directory, "")) :].partition("/")[0]


def parts_of_table(
    frame: pd.DataFrame,
    directory: str,
    x_col: str,
    split_col: Any,
    fraction: float | None,
    seed: int | None,
) -> Parts:
    """Returns the parts of each file that a table names; see `check`."""
    names = frame[x_col].tolist()
    if split_col is not None:
        table.require_columns(frame, split_col=split_col)
        pairs = zip(names, frame[split_col].tolist(), strict=True)
        known = [(n, str(s)) for n, s in pairs if isinstance(n, str) and n and not pd.isna(s)]
        return _by_path([listing.join(directory, n) for n, _ in known], [s for _, s in known])
    if fraction is None:
        return {}
    names = [name if isinstance(name, str) else "" for name in names]
    rows = np.flatnonzero(file_rows(names, directory, KNOWN_SUFFIXES))
    return _halves([listing.join(directory, names[row]) for row in rows], fraction, seed)


def _halves(paths: list[str], fraction: float, seed: int | None) -> Parts:
    """Splits paths as the functions do that shuffle."""
    cut = holdout(len(paths), fraction, seed=seed or 0, shuffle=True)
    names = np.full(len(paths), "training", object)
    names[cut.validation] = "validation"
    return _by_path(paths, names.tolist())


def _by_path(paths: Iterable[str], parts: Iterable[str]) -> Parts:
    found: dict[str, frozenset[str]] = {}
    for path, part in zip(paths, parts, strict=True):
        found[path] = found.get(path, frozenset()) | {part}
    return found


def across(parts: Parts, *paths: str) -> str:
    """Names the parts that some equal files are in; "" if it is only one.

    >>> across({"a": frozenset({"training"}), "b": frozenset({"validation"})}, "a", "b")
    ', and they are in different parts of the split: training, validation'
    """
    names = sorted(frozenset().union(*(parts.get(path, frozenset()) for path in paths)))
    return (
        f", and they are in different parts of the split: {', '.join(names)}"
        if len(names) > 1
        else ""
    )
