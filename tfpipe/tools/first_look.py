"""What can be told of the paths of a command at once, without TensorFlow, which takes seconds to import.

Paths with a scheme, such as gs://, are left to TensorFlow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.sources import listing, table
from tfpipe.sources.listing import scheme


@dataclass(frozen=True)
class Packed:
    """A folder that `tfpipe pack` wrote.

    Attributes:
        directory: the folder.
        images: the number of its images.
        size: (height, width) of each of them.
        color_mode: "grayscale", "rgb" or "rgba".
        encoding: "raw", "png" or "jpeg".
        shards: the number of its files of images.
        splits: the number of images of each split.
        classes: the names of the classes.
        masks: the names of the masks.
    """

    directory: str
    images: int
    size: tuple[int, int]
    color_mode: str
    encoding: str
    shards: int
    splits: dict[str, int]
    classes: list[str]
    masks: list[str]

    def __str__(self) -> str:
        (height, width), splits = self.size, self.splits.items()
        facts = [
            f"{self.images:,} images, {height}x{width} {self.color_mode}, {self.encoding}",
            f"{self.shards:,} shard(s)",
            *(f"split {name!r}: {count:,}" for name, count in splits if len(splits) > 1),
            f"{len(self.classes):,} classes" if self.classes else "no classes",
        ]
        return "; ".join([*facts, *(["masks"] if self.masks else [])])

    @property
    def remedy(self) -> str:
        """How to read it."""
        return f"Read it with tfpipe.image_dataset_from_shards({self.directory!r})."


def packed_set(directory: str) -> Packed | None:
    """Returns what a local folder holds if `tfpipe pack` wrote it, else None."""
    if scheme(directory):
        return None
    try:
        with open(os.path.join(directory, "index.json"), "rb") as file:
            found = json.load(file)
        image, *masks = found["fields"]
        stored = found["fields"][image]
        with np.load(os.path.join(directory, "columns.npz"), allow_pickle=False) as columns:
            counts = np.bincount(columns["split"], minlength=len(found["splits"])).tolist()
        return Packed(
            directory,
            sum(counts),
            (int(stored["shape"][0]), int(stored["shape"][1])),
            str(found["color_mode"]),
            str(stored["encoding"]),
            len(found["shards"]),
            dict(zip(found["splits"], counts, strict=True)),
            [str(name) for name in found["class_names"]],
            list(masks),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def check_source(
    source: str,
    directory: str | None = None,
    columns: Mapping[str, Any] | None = None,
    *,
    needs_images: bool = True,
) -> None:
    """Refuses what is not a directory of images, or a table with some columns and its directory.

    Args:
        source: the directory, or the .csv or .parquet file.
        directory: where relative names of a table start.
        columns: of a table, by the names of their options; None stands for no column.
        needs_images: whether a directory without images is an error.

    Raises:
        FileNotFoundError: there is no such directory or table.
        NotADirectoryError: what should be a directory is a file.
        KeyError: the table has no such column.
        ValueError: the directory holds no images, or it holds packed ones.
    """
    if scheme(source):
        return
    if not table.is_table(source):
        listing.require_directory(source)
        packed = packed_set(source)
        if packed is not None:
            raise ValueError(
                f"{source!r} holds packed images ({packed}), not image files. {packed.remedy}"
            )
        if needs_images and not _has_images(source):
            raise ValueError(
                f"No images found in {source!r}: no file in it, or in a folder below, has the suffix of an "
                f"image ({', '.join(KNOWN_SUFFIXES[:4])}, ...)."
            )
        return
    if not os.path.isfile(source):
        kind = IsADirectoryError if os.path.isdir(source) else FileNotFoundError
        raise kind(f"No such table: {source!r}. Expected a .csv or .parquet file.")
    if directory is not None and not scheme(directory) and not os.path.isdir(directory):
        raise FileNotFoundError(
            f"No such directory: {directory!r}. Expected the folder where the relative paths of "
            f"{source!r} start."
        )
    table.require_columns(table.head_of(source), **dict(columns or {}))


def _has_images(directory: str) -> bool:
    """Whether there is an image at any depth; the search ends at the first."""
    return any(
        listing.has_suffix(name, KNOWN_SUFFIXES)
        for _, folder in listing.walk(directory, follow_links=True)
        for name in folder.files
    )


def check_picture(path: str) -> None:
    """Refuses a picture that cannot be written, because of its folder or its suffix.

    Raises:
        FileNotFoundError: there is no such folder.
        PermissionError: nothing can be written there.
        ValueError: matplotlib writes no file of this suffix.
        ImportError: matplotlib is not installed.
    """
    from tfpipe.installed import require_matplotlib

    require_matplotlib("Pictures need")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"No such directory: {folder!r}. The picture {path!r} goes there.")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise PermissionError(f"{path!r} cannot be written. Choose another place with -o.")
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    suffix = os.path.splitext(path)[1][1:].lower()
    if suffix and suffix not in known:
        raise ValueError(
            f"The suffix of the picture must be one of {', '.join(known)}. Received: {path!r}."
        )


def check_destination(source: str, destination: str) -> None:
    """Refuses to write shards among the images that they are made of.

    Raises:
        ValueError: the destination is the directory of the images, or inside it.
        NotADirectoryError: the destination is a file.
    """
    if scheme(source) or scheme(destination):
        return
    if os.path.exists(destination) and not os.path.isdir(destination):
        raise NotADirectoryError(f"Not a directory: {destination!r}. Expected a folder for shards.")
    if table.is_table(source):
        return
    top, target = os.path.realpath(source), os.path.realpath(destination)
    if os.path.commonpath([top, target]) == top:
        raise ValueError(
            f"The shards cannot go to {destination!r}, which is inside {source!r}: a folder there is a "
            "class. Choose a folder beside it."
        )
