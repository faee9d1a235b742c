"""The files that a source names, and their first bytes: what `check` and `survey` start from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tfpipe import console
from tfpipe.codecs import formats
from tfpipe.sources import listing, table
from tfpipe.sources.directory import class_folders
from tfpipe.tools.problem import Problem

_HEAD = 132  # bytes: what `formats.of_content` looks at
_THREADS = 16  # they wait for the disk or the network, not for a core


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


def in_threads(label: str, function: Callable[[str], Any], paths: Sequence[str]) -> dict[str, Any]:
    """Calls function(path) for each path, in threads, since it waits for the disk or the network."""
    results: dict[str, Any] = {}
    with ThreadPoolExecutor(_THREADS) as pool, console.bar(label, len(paths)) as advance:
        for start in range(0, len(paths), 1024):  # a million futures would take many GB
            part = paths[start : start + 1024]
            results.update(zip(part, pool.map(function, part), strict=True))
            advance(len(part))
    return results


def opened(path: str) -> Any:
    """Opens a file for reading bytes."""
    if not listing.scheme(path):
        return open(path, "rb")
    import tensorflow as tf

    return tf.io.gfile.GFile(path, "rb")


def beginning(path: str) -> bytes | str:
    """Returns the first bytes of a file or, as a str, why it cannot be opened."""
    try:
        with opened(path) as file:
            return file.read(_HEAD)
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


def size_of(path: str) -> int:
    """Returns the length of a file in bytes."""
    if not listing.scheme(path):
        return os.stat(path).st_size
    import tensorflow as tf

    return int(tf.io.gfile.stat(path).length)


def digest_of(path: str) -> bytes:
    """Returns the SHA-256 of the content of a file."""
    digest = hashlib.sha256()
    with opened(path) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.digest()
