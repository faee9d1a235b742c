"""Sources from directories: a folder per class, a tree of images, masks beside them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from tfpipe import console
from tfpipe.checks import check_names, did_you_mean, head, warn
from tfpipe.sources import listing
from tfpipe.sources.source import Files, Source
from tfpipe.sources.splits import split_rows

_MOST_CLASSES = 5  # classes in a warning
_ITSELF = (".", "")  # names of a class that stand for the directory itself, as in the classic


def from_directory(
    directory: str | os.PathLike[str],
    suffixes: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    follow_links: bool = False,
    fraction: float = 0.0,
    subset: str | None = None,
) -> Source:
    """Lists the images below each class folder of `directory`, with their class ids.

    Args:
        directory: a local folder or a path with a scheme.
        suffixes: which files are images, lower case, without the dot.
        classes: the class folders, in the order of their ids; "." is `directory` itself. Default: all
            sub-folders, sorted.
        follow_links: whether links to folders below a class are followed.
        fraction, subset: the split, taken from each class on its own.

    Returns:
        A `Source` with int32 targets; file names are "class/sub/file", which is "./sub/file" for ".".
    """
    directory = os.fspath(directory)
    class_names = chosen_classes(directory, classes)
    names: list[str] = []
    counts = []
    others: dict[str, Counter[str]] = {}
    empty = []
    with console.bar("Listing files") as advance:
        for class_name in class_names:
            is_itself = class_name in _ITSELF
            folder = directory if is_itself else listing.join(directory, class_name)
            others[class_name] = Counter()
            files = listing.image_files(folder, suffixes, follow_links, advance, others[class_name])
            if not files:
                empty.append(class_name)
            if subset is not None:
                files = [files[row] for row in split_rows(len(files), fraction, subset)]
            # No object has a name with "/./" in it: only local paths have a "." that means nothing.
            prefix = "" if is_itself and listing.scheme(directory) else class_name
            names += listing.join_all(prefix, files)
            counts.append(len(files))
    without = {name: others[name] for name in empty} if names else {}  # else there is an error
    _report(directory, sum(others.values(), Counter()), without)
    targets = np.repeat(np.arange(len(class_names), dtype=np.int32), counts)
    return Source.of(Files(directory, names), targets, class_names=tuple(class_names))


def from_tree(
    directory: str | os.PathLike[str],
    suffixes: Sequence[str],
    *,
    follow_links: bool = False,
) -> Source:
    """Lists all images in and below `directory`, whose folders are not classes.

    Args:
        directory: a local folder or a path with a scheme.
        suffixes: which files are images, lower case, without the dot.
        follow_links: whether links to folders are followed.
    """
    directory = os.fspath(directory)
    listing.require_directory(directory)
    others: Counter[str] = Counter()
    names = listing.image_files(directory, suffixes, follow_links, others=others)
    _report(directory, others, {})
    return Source.of(Files(directory, names))


def _report(directory: str, others: Counter[str], empty: Mapping[str, Counter[str]]) -> None:
    """Says which files are left alone, and warns of classes without images.

    Args:
        directory: which was listed.
        others: the files that are not images, by suffix.
        empty: the classes without images, each with its other files by suffix.
    """
    if others:
        console.say(
            f"Left alone {others.total():,} file(s) without an image's suffix: "
            f"{listing.suffixes_in_words(others)}."
        )
    if empty:
        shown = list(empty)[:_MOST_CLASSES]
        listed = ", ".join(
            f"{name!r} ({listing.suffixes_in_words(empty[name]) or 'no files'})" for name in shown
        )
        more = f", ... ({len(empty) - _MOST_CLASSES} more)" if len(empty) > _MOST_CLASSES else ""
        warn(f"{len(empty)} class(es) in {directory!r} have no images: {listed}{more}.")


def masks_below(
    directory: str | os.PathLike[str],
    images: Files,
    suffixes: Sequence[str],
    *,
    follow_links: bool = False,
) -> Files:
    """Finds the masks of some images: for "a/1.jpg" the file "a/1" below `directory`, with any suffix.

    Raises:
        ValueError: an image has no mask, or several; the masks are among the images.
    """
    directory = os.fspath(directory)
    listing.require_directory(directory)
    if _is_below(directory, images.directory):
        raise ValueError(
            f"masks={directory!r} must be outside the directory of the images, "
            f"{images.directory!r}, where they would be taken for images."
        )
    by_stem: dict[str, list[str]] = {}
    for name in listing.image_files(directory, suffixes, follow_links=follow_links):
        by_stem.setdefault(os.path.splitext(name)[0], []).append(name)
    found = [by_stem.get(os.path.splitext(name)[0], []) for name in images.names]
    check_each_has_a_mask(images, [bool(names) for names in found])
    several = next((names for names in found if len(names) > 1), None)
    if several:
        raise ValueError(
            f"masks={directory!r} must hold one mask for each image. Received several: {head(several)}."
        )
    return Files(directory, [names[0] for names in found])


def _is_below(path: str, directory: str) -> bool:
    if not listing.scheme(path) and not listing.scheme(directory):
        path, directory = os.path.realpath(path), os.path.realpath(directory)
    return path.rstrip("/").startswith(directory.rstrip("/") + "/") or path == directory


def check_each_has_a_mask(images: Files, has_mask: Sequence[bool]) -> None:
    """Raises `ValueError` if an image has no mask."""
    without = [path for path, there in zip(images.paths, has_mask, strict=True) if not there]
    if without:
        raise ValueError(
            f"Every image needs a mask. {len(without)} image(s) have none: {head(without, 3)}."
        )


def class_folders(directory: str) -> list[str]:
    """Returns the sorted names of the sub-folders that are classes; dot-folders are not.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: it is a file.
    """
    listing.require_directory(directory)
    here = listing.scan(directory)
    return sorted(n for n in here.folders + here.linked_folders if not n.startswith("."))


def chosen_classes(directory: str, classes: Sequence[str] | None) -> list[str]:
    """Returns the class folders of a directory: all of them, or `classes` in the order given, once each.

    Raises:
        ValueError: a name in `classes` has no folder and is not "."; lists the folders that exist.
    """
    check_names("classes", classes)
    existing = class_folders(directory)
    if not classes:
        return existing
    chosen = list(dict.fromkeys(classes))
    unknown = [name for name in chosen if name not in existing and name not in _ITSELF]
    if unknown:
        known = head(existing, 20) if existing else "it has none"
        raise ValueError(
            f"classes must be names of sub-folders of {directory!r}: {known}; or '.', the folder itself. "
            f"Received unknown: {head(unknown)}." + did_you_mean(unknown[0], existing)
        )
    return chosen
