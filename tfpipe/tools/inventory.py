"""The files that a source names, and their first bytes: what `check` and `survey` start from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from tfpipe import console
from tfpipe.codecs import formats
from tfpipe.sources import listing, table
from tfpipe.sources.contents import opened
from tfpipe.sources.directory import class_folders
from tfpipe.tools.problem import Problem


@dataclass(frozen=True)
class Listing:
    """What a directory or a table names.

    Attributes:
        images: regular files with an image's suffix; for a table, all of its regular files.
        others: regular files of a directory without such a suffix.
        problems: what is not a regular file, or does not exist.
    """

    images: list[str]
    others: list[str]
    problems: list[Problem]


def list_directory(directory: str, follow_links: bool = False) -> Listing:
    """Lists the files below a directory, ordered by path; names that begin with a dot are left out."""
    class_folders(directory)  # raises where there is no such directory
    found = Listing([], [], [])
    with console.bar("Listing files") as advance:
        for relative, folder in listing.walk(directory, follow_links):
            here = listing.join(directory, relative) if relative else directory
            for name in folder.files:
                if not name.startswith("."):
                    is_image = listing.has_suffix(name, formats.KNOWN_SUFFIXES)
                    (found.images if is_image else found.others).append(listing.join(here, name))
            for name in folder.irregular:
                if listing.has_suffix(name, formats.KNOWN_SUFFIXES):
                    reason = "not a regular file: a FIFO, device, socket or dangling link"
                    found.problems.append(Problem(listing.join(here, name), "irregular", reason))
            advance(len(folder.files))
    return Listing(sorted(found.images), sorted(found.others), found.problems)


def count_suffixes(paths: Iterable[str]) -> dict[str, int]:
    """Counts the suffixes of some files, the most frequent first."""
    return dict(Counter(map(listing.suffix, paths)).most_common())


def without_images(directory: str, images: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Returns the folders right below a directory that hold other files, but no image.

    >>> without_images("photos", ["photos/cat/1.jpg"], ["photos/cat/a.txt", "photos/dog/1.raw"])
    ('dog',)
    """
    top = listing.join(directory, "")

    def folders(paths: Iterable[str]) -> set[str]:
        inside = (path.removeprefix(top) for path in paths)
        return {path.partition("/")[0] for path in inside if "/" in path}

    return tuple(sorted(folders(others) - folders(images)))


def list_table(
    source: str | os.PathLike[str] | pd.DataFrame, directory: str, x_col: str
) -> Listing:
    """Lists the files that a table names, once each, in its order."""
    frame = table.read_frame(source, [x_col])
    table.require_columns(frame, x_col=x_col)
    rows: dict[str, int] = {}
    problems = []
    for number, name in enumerate(frame[x_col].tolist()):
        if isinstance(name, str) and name:
            path = listing.join(directory, name)
            rows[path] = rows.get(path, 0) + 1
        else:
            reason = f"{x_col!r} holds {name!r}, which is not a path"
            problems.append(Problem(f"row {number}", "missing", reason))
    paths = list(rows)
    present = listing.are_files(paths)
    for path, is_there in zip(paths, present, strict=True):
        if is_there and rows[path] > 1:
            reason = f"named by {rows[path]} rows of the table"
            problems.append(Problem(path, "duplicate", reason))
        elif not is_there:
            problems.append(_absent(path))
    images = [path for path, is_there in zip(paths, present, strict=True) if is_there]
    return Listing(images, [], problems)


def _absent(path: str) -> Problem:
    if not listing.scheme(path) and os.path.lexists(path):
        return Problem(path, "irregular", "not a regular file: a folder, FIFO, device or bad link")
    return Problem(path, "missing", "no such file")


def beginning(path: str) -> bytes | str:
    """Returns the first bytes of a file or, as a str, why it cannot be opened."""
    try:
        with opened(path) as file:
            return file.read(formats.HEAD_BYTES)
    except listing.file_errors(path) as err:
        return f"it cannot be opened: {getattr(err, 'strerror', None) or err}"


def lying_suffixes(heads: dict[str, bytes]) -> list[Problem]:
    """Finds files whose content has another known format than their suffix says."""
    problems = []
    for path, head in heads.items():
        suffix = os.path.splitext(path)[1][1:].lower()
        content = formats.of_content(head)
        if content is not None and suffix not in content.suffixes:
            named = f"named .{suffix}" if suffix else "named without a suffix"
            remedy = f"rename it to .{content.suffixes[0]}"
            reason = f"its content is {content.name}, {named}: {remedy}"
            problems.append(Problem(path, "suffix", reason))
    return problems
