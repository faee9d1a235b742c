"""Leaves out the files that cannot be used before a data set is made: `check_first`."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from tfpipe import console
from tfpipe.checks import warn
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.label import LabelSpec
from tfpipe.pipeline.bad_files import ErrorPolicy, left_out_sentence
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import listing
from tfpipe.sources.source import Files, Source
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.standardize import Standardize

_FILES_PER_BATCH = 64
# The kinds of problem of a report that keep a file from being used.
_FATAL = ("missing", "irregular", "unreadable")


def without_bad_files(source: Source, spec: PipelineSpec) -> tuple[Source, PipelineSpec]:
    """Returns the samples that can be used, if `check_first` asks for it, and the specification for them.

    Raises:
        TypeError: a report is given for samples that are not files.
        ValueError: more files cannot be used than max_errors allows, or none can be used.
    """
    check_first = spec.errors.check_first
    if not check_first or not len(source):
        return source, spec
    bad = _bad_by_reading(source, spec) if check_first is True else _bad_by_report(source, spec)
    spec = replace(spec, errors=replace(spec.errors, check_first=True))
    if not bad:
        return source, spec
    found = list(bad.values())
    limit = spec.errors.limit(len(source))
    if len(bad) == len(source) or (limit is not None and len(bad) > limit):
        path, reason = found[-1]
        allowed = "all there are" if limit is None else f"more than max_errors allows ({limit})"
        raise ValueError(
            f"{len(bad)} files cannot be used, {allowed}. Cannot read the image file {path!r}: {reason}"
        )
    warn(left_out_sentence(found))
    good = source.take(np.setdiff1d(np.arange(len(source)), list(bad)))
    return replace(good, left_out=(*source.left_out, *found)), spec


def _bad_by_reading(source: Source, spec: PipelineSpec) -> dict[int, tuple[str, str]]:
    """Returns the path and the reason of each sample that does not decode, as a training epoch would."""
    files = Source(source.of_pixels)
    plain = replace(
        spec,
        label=LabelSpec(),
        augment=Augment(),
        standardize=Standardize(),
        batch_size=_FILES_PER_BATCH,
        batched=True,
        drop_remainder=False,
        shuffle=False,
        balance=None,
        cache=None,
        include_paths=False,
        dtype="float32",
        errors=ErrorPolicy("skip"),
        save=None,
        ram_budget=None,
    )
    with console.bar("Checking files", len(files)) as advance, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the data set itself warns of the same
        dataset = ImageDataset(files, plain)
        for _ in dataset:
            advance(_FILES_PER_BATCH)
    skipping = dataset._plan.skipping
    return {} if skipping is None else skipping.named(dataset.filepaths)


def _bad_by_report(source: Source, spec: PipelineSpec) -> dict[int, tuple[str, str]]:
    """Returns the path and the reason of each sample that a report of `tfpipe.check` names."""
    report: Any = spec.errors.check_first
    if not isinstance(source.images, Files):
        raise TypeError(
            "A report of tfpipe.check names files, and these samples are not files. Pass check_first=True."
        )
    reasons = {_absolute(p.path): p.reason for p in report.problems if p.kind in _FATAL}
    bad: dict[int, tuple[str, str]] = {}
    for column in source.of_pixels.values():
        for row, path in enumerate(column.paths if reasons else ()):
            reason = reasons.get(_absolute(path))
            if reason is not None:
                bad.setdefault(row, (path, reason))
    if reasons and not bad:
        warn(
            f"None of the {len(reasons)} bad files in the report of {report.source!r} is in this data set, "
            "so check_first left out nothing."
        )
    return bad


def _absolute(path: str) -> str:
    return path if listing.scheme(path) else os.path.abspath(path)
