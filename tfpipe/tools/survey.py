"""Summarizes a source from the headers of its files: `survey`, and the summary that it returns.

Nothing is decoded, so 100,000 photographs take a minute; `tfpipe.check` decodes.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pandas as pd

from tfpipe.codecs import formats
from tfpipe.codecs.dicom import dicom_header
from tfpipe.codecs.pillow import add_plugins
from tfpipe.installed import require_pillow
from tfpipe.sources import contents, table
from tfpipe.sources.directory import class_folders
from tfpipe.tools import inventory
from tfpipe.tools.problem import Problem

_FAR = 4.0  # a size or a ratio is suspicious if it is this many times off the median

_COMMON_RATIOS = {"1:1": 1.0, "5:4": 5 / 4, "4:3": 4 / 3, "3:2": 3 / 2, "16:9": 16 / 9, "2:1": 2.0}


@dataclass(frozen=True)
class FileHeader:
    """What the first bytes of an image file say.

    Attributes:
        path: the path of the file.
        bytes: its length.
        format: "JPEG", "PNG", ...
        mode: Pillow's name of its pixels: "RGB", "L" (gray), "P" (palette), "I;16" (16 bits), ...
        height, width: in pixels.
    """

    path: str
    bytes: int
    format: str
    mode: str
    height: int
    width: int

    @property
    def ratio(self) -> float:
        """The width divided by the height."""
        return self.width / self.height

    @property
    def shape(self) -> str:
        """Its ratio in words.

        >>> FileHeader("a.png", 90, "PNG", "L", 30, 40).shape
        'landscape 4:3'
        """
        long = max(self.ratio, 1 / self.ratio)
        name, usual = min(_COMMON_RATIOS.items(), key=lambda item: abs(item[1] - long))
        if abs(usual - long) > 0.03:
            name = "other"
        if name == "1:1":
            return "square"
        return f"{'landscape' if self.ratio > 1 else 'portrait'} {name}"


@dataclass(frozen=True)
class Summary:
    """What `survey` found.

    Attributes:
        source: the directory or the table.
        files: how many image files there are.
        bytes: the size of all of them.
        classes: the number of files of each class; empty without classes.
        formats, modes, shapes: the number of files of each format, color mode and ratio, the most common
            first.
        heights, widths: (smallest, median, largest), in pixels.
        suspicious: what to look at: files that are not images, and images that are far from the others.
        left_alone: how many files of the directory lack an image's suffix, by their own.
    """

    source: str
    files: int
    bytes: int
    classes: dict[str, int]
    formats: dict[str, int]
    modes: dict[str, int]
    shapes: dict[str, int]
    heights: tuple[float, float, float]
    widths: tuple[float, float, float]
    suspicious: tuple[Problem, ...]
    left_alone: dict[str, int] = field(default_factory=dict)

    @property
    def imbalance(self) -> float:
        """The largest class divided by the smallest; 1.0 without classes."""
        counts = [count for count in self.classes.values() if count]
        return max(counts) / min(counts) if counts else 1.0


def survey(
    source: str | os.PathLike[str],
    *,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str = "class",
    follow_links: bool = False,
) -> Summary:
    """Counts classes, formats, color modes and sizes, from the headers of all files.

    Args:
        source: a directory, whose sub-folders are the classes, or a .csv or .parquet file.
        directory: where relative names of a table start.
        x_col, y_col: the columns of a table that hold the paths and the labels, if any.
        follow_links: include images in linked folders.

    Raises:
        FileNotFoundError: there is no such directory or table.
        ImportError: Pillow, which reads the headers, is not installed.
    """
    require_pillow("tfpipe summary needs")
    if table.is_table(source):
        frame = table.read_frame(source, [x_col, y_col])
        found = inventory.list_table(frame, os.fspath(directory or ""), x_col)
        classes = classes_of_table(frame, y_col)
    else:
        found = inventory.list_directory(os.fspath(source), follow_links)
        classes = classes_of_folders(os.fspath(source), found.images)
    read = contents.in_threads("Reading headers", header_of, found.images)
    headers = [header for header in read.values() if isinstance(header, FileHeader)]
    broken = [Problem(path, "unreadable", r) for path, r in read.items() if isinstance(r, str)]
    return Summary(
        source=os.fspath(source),
        files=len(found.images),
        bytes=sum(header.bytes for header in headers) + sum(_size_or_0(p.path) for p in broken),
        classes=classes,
        formats=_commonest(header.format for header in headers),
        modes=_commonest(header.mode for header in headers),
        shapes=_commonest(header.shape for header in headers),
        heights=_spread([header.height for header in headers]),
        widths=_spread([header.width for header in headers]),
        suspicious=(*found.problems, *broken, *misnamed(headers), *outliers(headers)),
        left_alone=inventory.count_suffixes(found.others),
    )


def classes_of_folders(directory: str, paths: Sequence[str]) -> dict[str, int]:
    """Counts the files of each immediate sub-folder, sorted by name; files at the top have no class.

    >>> classes_of_folders("photos", ["photos/cat/a.png", "photos/cat/old/b.png", "photos/c.png"])
    {'cat': 2}
    """
    counted = dict.fromkeys(class_folders(directory), 0) if os.path.isdir(directory) else {}
    top = directory.rstrip("/") + "/"
    for path in paths:
        name, inside, _ = path.removeprefix(top).partition("/")
        if inside:
            counted[name] = counted.get(name, 0) + 1
    return dict(sorted(counted.items()))


def classes_of_table(frame: pd.DataFrame, y_col: str) -> dict[str, int]:
    """Counts the rows of each label, sorted by name; {} if there is no such column, or it holds floats."""
    if y_col not in frame.columns or frame[y_col].dtype.kind == "f":
        return {}
    labels = frame[y_col].explode().dropna().astype(str)
    return {str(name): int(count) for name, count in sorted(labels.value_counts().items())}


def header_of(path: str) -> FileHeader | str:
    """Reads the header of an image file; returns a str if it cannot, which says why."""
    from PIL import Image, UnidentifiedImageError

    add_plugins()
    try:
        length = contents.size_of(path)
        if not length:
            return "the file is empty"
        if _is_dicom(path):
            with contents.opened(path) as file:
                return FileHeader(path, length, formats.DICOM.name, *dicom_header(file.read()))
        with contents.opened(path) as file, warnings.catch_warnings():
            # Pillow warns of images that are large to decode; here nothing is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                width, height = image.size
                return FileHeader(path, length, image.format or "?", image.mode, height, width)
    except UnidentifiedImageError:
        return "Pillow does not know the format of its content, or its header is damaged"
    except Exception as err:  # each of Pillow's readers fails in its own way on damaged headers
        return f"its header cannot be read: {err}"


def _is_dicom(path: str) -> bool:
    """Whether pydicom reads a file: by its content, or by its suffix if it begins like no known format."""
    head = inventory.beginning(path)
    if not formats.is_installed(formats.PYDICOM) or not isinstance(head, bytes):
        return False
    content = formats.of_content(head)
    named = os.path.splitext(path)[1][1:].lower() in formats.DICOM.suffixes
    return content is formats.DICOM or (content is None and named)


def _size_or_0(path: str) -> int:
    try:
        return contents.size_of(path)
    except OSError:  # removed since it was listed
        return 0


def misnamed(headers: Sequence[FileHeader]) -> list[Problem]:
    """Finds files whose suffix belongs to another format than their content."""
    beginnings = {
        header.path: inventory.beginning(header.path) for header in headers if _lies(header)
    }
    return inventory.lying_suffixes({p: b for p, b in beginnings.items() if isinstance(b, bytes)})


def _lies(header: FileHeader) -> bool:
    suffix = os.path.splitext(header.path)[1][1:].lower()
    known = [f for f in formats.FORMATS if suffix in f.suffixes]
    return not any(f.name == header.format for f in known)


def outliers(headers: Sequence[FileHeader]) -> list[Problem]:
    """Finds images whose shorter side is four times below the median, or whose ratio is four times off it."""
    if not headers:
        return []
    usual_side = median(min(header.height, header.width) for header in headers)
    usual_ratio = median(header.ratio for header in headers)
    problems = []
    for header in headers:
        size = f"{header.width} x {header.height} pixels"
        side = min(header.height, header.width)
        if side * _FAR < usual_side:
            reason = f"{size}: much smaller than the others, whose median is {usual_side:g}"
            problems.append(Problem(header.path, "small", reason))
        if not 1 / _FAR < header.ratio / usual_ratio < _FAR:
            problems.append(Problem(header.path, "ratio", f"{size}: an unusual shape"))
    return problems


def _commonest(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _spread(values: Sequence[int]) -> tuple[float, float, float]:
    return (min(values), median(values), max(values)) if values else (0, 0, 0)
