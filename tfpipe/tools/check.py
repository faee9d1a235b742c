"""Checks every file of a source: `check`, and the report that it returns.

The steps, in order: list -> look at names and first bytes -> decode, as a training epoch would -> find equal
contents.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from tfpipe import console
from tfpipe.checks import check_one_of
from tfpipe.codecs import formats
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.console import printable
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.image import ImageSpec
from tfpipe.keywords import suggests
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import contents, listing, table
from tfpipe.sources.source import Files, Source
from tfpipe.tools import inventory
from tfpipe.tools.parts import (
    Parts,
    across,
    check_split_options,
    parts_of_directory,
    parts_of_table,
)
from tfpipe.tools.problem import KINDS, Problem

_FILES_AT_ONCE = 64


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes:
        source: the directory, or the table.
        files: how many image files were checked.
        others: how many files of the directory are not images, by suffix and content.
        problems: in the order of `KINDS`, then of the paths.
        seconds: how long it took.
        left_alone: how many of `others` have which suffix.
        without_images: the folders right below the directory that hold other files, but no image.

    >>> report = CheckReport("photos", 3, 0, (Problem("photos/b.png", "unreadable", "it is empty"),))
    >>> report.sound, report.counts
    (False, {'unreadable': 1})
    """

    source: str
    files: int
    others: int = 0
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    left_alone: dict[str, int] = field(default_factory=dict)
    without_images: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether no problems were found."""
        return not self.problems

    @property
    def counts(self) -> dict[str, int]:
        """The number of problems of each kind that occurs."""
        counted = Counter(problem.kind for problem in self.problems)
        return {kind: counted[kind] for kind in KINDS if counted[kind]}

    def without(self, kinds: Iterable[str]) -> CheckReport:
        """Returns the same report without the problems of some kinds.

        Args:
            kinds: "missing", "irregular", "unreadable", "suffix" or "duplicate".
        """
        ignored = tuple(kinds)
        for kind in ignored:
            check_one_of("kind", kind, KINDS)
        kept = tuple(problem for problem in self.problems if problem.kind not in ignored)
        return replace(self, problems=kept)

    def frame(self) -> pd.DataFrame:
        """Returns the problems as a table with the columns path, kind and reason.

        Bytes of a name that are not UTF-8 are escaped here, so that the table can be written; `problems` has
        the names as they are.
        """
        rows = [(problem.path, problem.kind, problem.reason) for problem in self.problems]
        written = [
            [
                text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                for text in row
            ]
            for row in rows
        ]
        return pd.DataFrame(written, columns=["path", "kind", "reason"], dtype=object)

    def __str__(self) -> str:
        found = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        lines = [f"{self.source}: {self.files} image files, {found or 'no problems found'}"]
        lines += [f"  {p.kind}: {p.path}: {p.reason}" for p in self.problems]
        return "\n".join(map(printable, lines))


@suggests
def check(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    color_mode: str = "rgb",
    follow_links: bool = False,
    duplicates: bool = True,
    splits: bool = False,
    split_col: str | None = None,
    validation_split: float | None = None,
    seed: int | None = None,
    verbose: bool = True,
) -> CheckReport:
    """Decodes every file as a training epoch would, and reports which files are bad, and why.

    Nothing is changed. Files are decoded in parallel by the same graph that training uses, so a training
    epoch gets through every file that passes.

    Args:
        source: a directory (of classes, or of images; all its sub-folders are looked at), the path
            of a .csv or .parquet file, or a dataframe.
        directory: where relative names of a table start.
        x_col: the column of a table that holds the paths.
        color_mode: "grayscale", "rgb" or "rgba", the mode that you train in.
        follow_links: include images in linked folders.
        duplicates: also look for files of equal content. Only files of equal size are read again.
        splits: each folder in the directory is one part of a split, such as "train" and "val". The report
            says which equal files are in two of them.
        split_col: the same for a table: the column with the name of the part of each row.
        validation_split, seed: the same for the split that `image_dataset_from_directory` or
            `image_dataset_from_dataframe` makes with these arguments and `shuffle=True`.
        verbose: show progress in a terminal.

    Returns:
        A `CheckReport`; its `sound` is True if no problems were found.

    Raises:
        FileNotFoundError: there is no such directory or table.
        KeyError: the table has no such column.
        ValueError: more than one split is given, or one that such a source cannot have.

    >>> import tempfile
    >>> import tensorflow as tf
    >>> image = tf.io.encode_png(tf.zeros([2, 3, 3], tf.uint8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, content in (("a.png", image), ("b.png", image), ("c.png", b"no image")):
    ...         tf.io.write_file(f"{folder}/{name}", content)
    ...     report = check(folder)
    >>> report.files, report.counts
    (3, {'unreadable': 1, 'duplicate': 1})
    """
    start = time.monotonic()
    is_table = isinstance(source, pd.DataFrame) or table.is_table(source)
    check_split_options(is_table, splits, split_col, validation_split, seed)
    with console.shown(verbose):
        if isinstance(source, pd.DataFrame) or is_table:
            top, folder = "", os.fspath(directory or "")
            as_text = [x_col] if split_col is None else [x_col, split_col]
            frame = table.read_frame(source, as_text)
            found = inventory.list_table(frame, folder, x_col)
            parts = parts_of_table(frame, folder, x_col, split_col, validation_split, seed)
        else:
            top = os.fspath(source)
            found = inventory.list_directory(top, follow_links)
            files = [*found.images, *found.others]
            parts = parts_of_directory(top, files, splits, validation_split, seed)
        heads = contents.in_threads(
            "Opening files", inventory.beginning, [*found.images, *found.others]
        )
        closed = [(path, head) for path, head in heads.items() if isinstance(head, str)]
        known = {path: head for path, head in heads.items() if isinstance(head, bytes)}
        images = [path for path in found.images if path in known]
        hidden = [
            path for path in found.others if formats.of_content(known.get(path, b"")) is not None
        ]
        left_alone = sorted(set(found.others).difference(hidden))
        without = inventory.without_images(top, [*found.images, *hidden], left_alone) if top else ()
        problems = [
            *(_with_parts(problem, parts) for problem in found.problems),
            *(Problem(path, "unreadable", reason) for path, reason in closed),
            *inventory.lying_suffixes({path: known[path] for path in [*images, *hidden]}),
            *unreadable(images, color_mode),
            *(equal_contents([*images, *hidden], parts) if duplicates else ()),
        ]
    problems.sort(key=lambda problem: (KINDS.index(problem.kind), problem.path))
    return CheckReport(
        "a dataframe" if isinstance(source, pd.DataFrame) else os.fspath(source),
        len(found.images) + len(hidden),
        len(found.others) - len(hidden),
        tuple(problems),
        time.monotonic() - start,
        inventory.count_suffixes(left_alone),
        without,
    )


def unreadable(paths: Sequence[str], color_mode: str) -> list[Problem]:
    """Finds files that do not decode, in one epoch of the same graph that trains, with on_error="skip".

    A data set that contains a format that nothing installed reads is refused as a whole, so files of such
    formats are set apart first.
    """
    lacking = formats.without_reader(listing.suffixes_of(paths))
    suffixes = [listing.suffix(path) for path in paths] if lacking else [""] * len(paths)
    problems = [
        Problem(path, "unreadable", lacking[suffix])
        for path, suffix in zip(paths, suffixes, strict=True)
        if suffix in lacking
    ]
    paths = [p for p, suffix in zip(paths, suffixes, strict=True) if suffix not in lacking]
    if not paths:
        return problems
    dataset = ImageDataset(
        Source.of(Files("", paths)),
        PipelineSpec(
            image=ImageSpec(DecodeSpec(color_mode), ResizeSpec((1, 1))),
            batch_size=_FILES_AT_ONCE,
            shuffle=False,
            seed=0,
            dtype="uint8",
            errors=ErrorPolicy("skip"),
        ),
    )
    with console.bar("Decoding", len(paths)) as advance, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*left out", UserWarning)  # the report says it all
        for batch in dataset:
            advance(len(batch))
    return [*problems, *(Problem(path, "unreadable", reason) for path, reason in dataset.skipped)]


def _with_parts(problem: Problem, parts: Parts) -> Problem:
    """Returns a problem of a table, which says so if its rows are in different parts of a split."""
    if problem.kind != "duplicate":
        return problem
    return replace(problem, reason=problem.reason + across(parts, problem.path))


def equal_contents(paths: Sequence[str], parts: Parts) -> list[Problem]:
    """Finds files with the same content as an earlier one. Empty files are left to the decoder."""
    digests = contents.digests_of_equal_sizes(paths)
    first: dict[bytes, str] = {}
    problems = []
    for path in sorted(digests):
        original = first.setdefault(digests[path], path)
        if original != path:
            other = os.path.dirname(original) != os.path.dirname(path)
            where = ", in another folder" if other else ""
            reason = f"same content as {original}{where}{across(parts, original, path)}"
            problems.append(Problem(path, "duplicate", reason))
    return problems
