"""`pack`: writes data sets of image files once, as shards of images that are decoded and resized."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_int, check_one_of, head, warn
from tfpipe.console import bar, shown
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.packed import stored_fields
from tfpipe.keywords import suggests
from tfpipe.pipeline import order
from tfpipe.pipeline.bad_files import ErrorPolicy
from tfpipe.pipeline.cache import description_of_files
from tfpipe.pipeline.resources import default_parallel_calls
from tfpipe.sources import listing, shards, splits
from tfpipe.sources.record import HEADER, VERSION, set_number
from tfpipe.sources.shard_index import RECORD_ENCODINGS, Index, check_fields
from tfpipe.sources.source import Files, Records, Source, Stored, joined
from tfpipe.tools import first_look
from tfpipe.tools import pack_place as place
from tfpipe.tools.pack_process import in_processes
from tfpipe.tools.pack_writer import Task, write

_BYTES_A_SHARD = 2**27  # 128 MiB: TensorFlow's guide on input pipelines advises 100 to 200 MB


@dataclass(frozen=True)
class PackSpec:
    """How images are written.

    Attributes:
        encoding: "raw" (uint8 pixels: the fastest to read, the largest), "png" (the same pixels, about
            half as large, slower) or "jpeg" (the smallest, with losses).
        quality: JPEG quality, 1 to 100.
        samples_per_shard: images per file; None: as many as make 128 MiB of raw pixels.
        processes: how many processes write at once, each with its own threads.
    """

    encoding: str = "raw"
    quality: int = 95
    samples_per_shard: int | None = None
    processes: int = 1

    def __post_init__(self) -> None:
        check_one_of("encoding", self.encoding, RECORD_ENCODINGS)
        check_int("quality", self.quality, 1)
        if self.quality > 100:
            raise ValueError(f"quality must be an int, 1 to 100. Received: quality={self.quality}.")
        if self.samples_per_shard is not None:
            check_int("samples_per_shard", self.samples_per_shard, 1)
        check_int("processes", self.processes, 1)

    def rows_of_shards(self, n: int, *shapes: tuple[int, int, int]) -> list[np.ndarray]:
        """Returns the samples of each shard, out of n: a fixed mixture, so that any shard is a fair sample.

        Args:
            n: the number of samples.
            *shapes: of the fields of one sample.

        >>> [rows.tolist() for rows in PackSpec(samples_per_shard=2).rows_of_shards(3, (1, 1, 1))]
        [[1, 2], [0]]
        """
        bytes_each = sum(int(np.prod(shape)) for shape in shapes)
        size = self.samples_per_shard or max(1, _BYTES_A_SHARD // bytes_each)
        mixed = order.shuffled(tf.range(n, dtype=tf.int64), n, 0, tf.constant(0, tf.int64)).numpy()
        return [mixed[first : first + size] for first in range(0, n, size)]


@dataclass(frozen=True, eq=False)
class _Job:
    """Everything that decides what is written.

    Attributes:
        source: the samples of all splits.
        names: the names of the image files, as the data sets have them.
        split: int [n], the number of each sample's split.
        splits: the names of the splits.
        image: how files become images.
        mask_dtype: of the masks, if there are any.
        errors: what happens to files that cannot be used.
        spec: how images are written.
    """

    source: Source
    names: Sequence[str]
    split: np.ndarray
    splits: tuple[str, ...]
    image: ImageSpec
    mask_dtype: str
    errors: ErrorPolicy
    spec: PackSpec

    @property
    def fields(self) -> dict[str, Stored]:
        masks = list(self.source.masks)
        return stored_fields(self.image, self.spec.encoding, masks, self.mask_dtype)

    @property
    def images(self) -> Files:
        images = self.source.images
        if not isinstance(images, Files):
            raise TypeError("Only image files are packed.")
        return images

    @cached_property
    def fingerprint(self) -> str:
        """A digest that is equal for equal jobs: it identifies a job that was stopped."""
        digest = hashlib.sha256()
        how = {**asdict(self.spec), "processes": 0}
        fields = {name: asdict(stored) for name, stored in self.fields.items()}
        # What happens to bad files is not part of it: a job that one of them stopped resumes with "skip".
        any_errors = asdict(ErrorPolicy())
        settings = [VERSION, how, asdict(self.image), any_errors, self.splits, fields]
        names = [self.source.class_names, list(self.source.vocabularies.values())]
        digest.update(json.dumps([*settings, *names]).encode())
        for name in self.names:
            digest.update(os.fsencode(name) + b"\0")
        # Another folder, or a file that was replaced, may have the same names.
        for files in (self.images, *self.source.masks.values()):
            digest.update(description_of_files(files.paths).encode())
        targets = self.source.targets
        columns = targets if isinstance(targets, tuple) else (targets,)
        named = {
            n: c for n, c in self.source.columns.items() if n.startswith(("feature_", "weight_"))
        }
        names_of = [self.source.output_names, list(named)]
        if any(names_of):
            digest.update(json.dumps(names_of).encode())
        columns = (*columns, *named.values())
        for column in (self.split, self.source.weights, self.source.groups, *columns):
            values = column.tolist() if isinstance(column, np.ndarray) else column
            digest.update(repr(values).encode())
        return digest.hexdigest()


@suggests
def pack(
    datasets: ImageDataset | Mapping[str, ImageDataset],
    directory: str | os.PathLike[str],
    *,
    encoding: str = "raw",
    quality: int = 95,
    samples_per_shard: int | None = None,
    processes: int = 1,
    progress: Callable[[int, int], object] | None = None,
    verbose: bool = True,
) -> int:
    """Writes the images of data sets as TFRecord shards, decoded and resized, with their masks and labels.

    Read them with `image_dataset_from_shards`. What is used of each data set is its files, masks, labels,
    weights, groups and classes, everything up to the resize, and what happens to files that cannot be used;
    its augmentation, standardization and order are not. If it was stopped, call it again: it keeps the shards
    that were finished. If a local file was changed since then, it is another job, and an error.

    Args:
        datasets: one data set of image files, or several by the names of their splits, such as
            {"training": ..., "validation": ...}, with the same classes and images of the same shape.
        directory: where the shards go, local or with a scheme such as gs://.
        encoding: "raw" (uint8 pixels: the fastest to read, the largest), "png" (the same pixels, about
            half as large, slower) or "jpeg" (the smallest, with losses). Masks never have losses.
        quality: JPEG quality, 1 to 100.
        samples_per_shard: images per file; None: as many as make 128 MiB of raw pixels.
        processes: how many processes write at once, each with its own threads.
        progress: called with how many samples are done so far, and how many there are.
        verbose: show a progress bar in a terminal.

    Returns:
        The number of samples that the shards hold.

    Raises:
        TypeError: a data set is not of files.
        ValueError: there are no data sets, or they do not fit together; the directory holds something
            else, or lies among the images; another process is packing into it; a file cannot be read, and its
            data set does not skip it.

    >>> import tempfile
    >>> from tfpipe import ImageDataGenerator
    >>> folder = tempfile.mkdtemp()
    >>> tf.io.gfile.makedirs(f"{folder}/photos/cat")
    >>> png = tf.io.encode_png(np.zeros([8, 8, 3], np.uint8))
    >>> tf.io.write_file(f"{folder}/photos/cat/1.png", png)
    >>> dataset = ImageDataGenerator().flow_from_directory(f"{folder}/photos", target_size=(4, 4))
    Found 1 images belonging to 1 classes.
    >>> pack(dataset, f"{folder}/packed")
    1
    """
    spec = PackSpec(encoding, quality, samples_per_shard, processes)
    job = _job(dict(datasets) if isinstance(datasets, Mapping) else {"all": datasets}, spec)
    directory = os.fspath(directory)
    for dataset in _of_folders(datasets):
        first_look.check_destination(dataset.source.images.directory, directory)
    shapes = [stored.shape for stored in job.fields.values()]
    rows = spec.rows_of_shards(len(job.source), *shapes)
    names = [f"{number:05}-of-{len(rows):05}.tfrecord" for number in range(len(rows))]
    if place.is_there(directory, job.fingerprint):
        return _count_of(job, directory)
    listing.require_filesystem(directory)
    tf.io.gfile.makedirs(directory)
    with place.alone_in(directory), shown(verbose), bar("Packing", len(job.source)) as advance:
        report = progress or (lambda done, total: None)

        def step(done: int, more: int) -> None:
            advance(more)
            report(done, len(job.source))

        return _write_missing(job, directory, names, rows, step)


def _of_folders(datasets: ImageDataset | Mapping[str, ImageDataset]) -> list[ImageDataset]:
    """Lists the data sets whose folders are classes, without the ones of a dataframe."""
    every = datasets.values() if isinstance(datasets, Mapping) else [datasets]
    return [dataset for dataset in every if dataset.frame_rows is None]


def _count_of(job: _Job, directory: str) -> int:
    """Returns the number of samples of a job that is finished; `ValueError` if too many are left out."""
    packed = shards.read_index(directory)[1]
    if len(packed) < len(job.source):
        kept = packed.images.header[:, HEADER.index("index")]
        _check_lost(job, np.setdiff1d(np.arange(len(job.source)), kept).tolist())
    return len(packed)


def _write_missing(
    job: _Job,
    directory: str,
    names: Sequence[str],
    rows: Sequence[np.ndarray],
    report: Callable[[int, int], None],
) -> int:
    """Writes what is missing of a job; returns the number of samples that the shards hold.

    Args:
        job: what to write.
        directory: where, for this process alone.
        names: of the shards.
        rows: the samples of each.
        report: called with how many samples are done, and how many of them since the last call.
    """
    if place.is_there(directory, job.fingerprint):  # by a process that was there first
        return _count_of(job, directory)
    place.begin(directory, job.fingerprint)
    paths = [listing.join(directory, name) for name in names]
    set_, processes = set_number(job.fingerprint), job.spec.processes
    there = [place.places_of(path, number, set_) for number, path in enumerate(paths)]
    missing = [number for number, places in enumerate(there) if places is None]
    done = len(job.source) - sum(len(rows[number]) for number in missing)
    lost = [
        row
        for of_shard, places in zip(rows, there, strict=True)
        if places is not None
        for row in np.setdiff1d(of_shard, places.index).tolist()
    ]
    untold = list(lost)
    _check_lost(job, lost)
    report(done, done)
    turns = [missing[first::processes] for first in range(min(processes, len(missing)))]
    tasks = [_task(job, [paths[n] for n in turn], [rows[n] for n in turn]) for turn in turns]
    # Closed at once, whatever ends it: no process may keep writing after `pack` has raised.
    with closing(write(tasks[0]) if len(tasks) == 1 else in_processes(tasks)) as steps:
        for step in steps:
            lost += step.lost
            _check_lost(job, lost)
            more = step.count + len(step.lost)
            done += more
            report(done, more)
    if len(tasks) != 1:  # with one task, a data set of this process has warned already
        untold = lost
    if untold:
        names_of_lost = [job.images.paths[row] for row in sorted(untold)]
        warn(
            f"Left out {len(untold)} file(s) that cannot be used: {head(names_of_lost, 3)}. "
            "tfpipe.check tells what is wrong with each."
        )
    return _finish(directory, job, names)


def _job(datasets: Mapping[str, ImageDataset], spec: PackSpec) -> _Job:
    """Combines all splits into one job; raises an error if they do not fit together."""
    if not datasets:
        raise ValueError(
            "datasets must be an ImageDataset, or a dict of at least one. Received: datasets={}."
        )
    for name, dataset in datasets.items():
        if not isinstance(dataset, ImageDataset) or not isinstance(dataset.source.images, Files):
            raise TypeError(
                "pack takes an ImageDataset of image files, or a dict of them. Received: "
                f"{name!r}: {dataset!r}."
            )
    first = next(iter(datasets.values()))
    for name, other in datasets.items():
        if _shared(other) != _shared(first):
            raise ValueError(
                "The data sets of all splits must have the same classes, decode and resize their files and "
                "masks in the same way, and do the same with files that cannot be used. "
                f"Received, for {next(iter(datasets))!r}: {_shared(first)}; for {name!r}: {_shared(other)}."
            )
    image = first.spec.image or ImageSpec()  # image files always have one
    if spec.encoding == "jpeg" and image.decode.color_mode == "rgba":
        raise ValueError(
            "encoding='jpeg' has no alpha: use 'png' or 'raw'. Received: color_mode='rgba'."
        )
    check_fields(stored_fields(image, spec.encoding, [], "int32"), image.decode.color_mode)
    source = joined([dataset.source for dataset in datasets.values()])
    if source.groups is not None:
        splits.check_groups_known(source.groups)
    if source.further_images:
        raise ValueError(
            "Samples of several images cannot be packed: shards hold one image per sample. Received the "
            f"images {head(list(source.further_images))} beside the first. Train from the files."
        )
    names = [name for dataset in datasets.values() for name in dataset.filenames]
    sizes = [dataset.samples for dataset in datasets.values()]
    if not sum(sizes):
        raise ValueError(
            f"datasets must hold images. Received: none in {head(list(datasets))}. Check the directory "
            "or the table that they come from."
        )
    split = np.repeat(np.arange(len(sizes)), sizes)
    of_masks = first.spec.mask_dtype
    return _Job(source, names, split, tuple(datasets), image, of_masks, first.spec.errors, spec)


def _shared(dataset: ImageDataset) -> tuple[Any, ...]:
    """Returns what must be the same in all splits."""
    spec = dataset.spec
    of_masks = (spec.mask_dtype,) if dataset.source.masks else ()
    return spec.image, spec.errors, dataset.class_names, *of_masks


def _task(job: _Job, paths: Sequence[str], rows: Sequence[np.ndarray]) -> Task:
    """Returns the part of a job that one process does."""
    every = np.concatenate(rows)
    targets, weights = job.source.targets, job.source.weights
    numbers = isinstance(targets, np.ndarray) and targets.dtype.kind in "iubf"
    files = Source.of(job.images).with_columns(**job.source.masks)
    return Task(
        paths,
        rows,
        files.take(every),
        targets[every] if numbers else None,
        None if weights is None else weights[every],
        job.image,
        job.mask_dtype,
        replace(job.errors, max_errors=None),  # it counts for all tasks together
        job.fields,
        set_number(job.fingerprint),
        job.spec.quality,
        -(-default_parallel_calls() // job.spec.processes),
    )


def _check_lost(job: _Job, lost: Sequence[int]) -> None:
    """Raises `ValueError` if all processes together left out more files than allowed."""
    if lost and not job.errors.skips:  # by a call before this one
        raise ValueError(
            f"The directory holds shards without {len(lost)} file(s), which on_error='skip' left out: "
            f"{head([job.images.paths[row] for row in lost], 3)}. Received: on_error='raise'. Pass "
            "on_error='skip' again, or pack into another directory."
        )
    limit = job.errors.limit(len(job.source))
    if limit is not None and len(lost) > limit:
        raise ValueError(
            f"{len(lost)} files cannot be used, more than max_errors allows ({limit}): "
            f"{head([job.images.paths[row] for row in lost], 3)}."
        )


def _finish(directory: str, job: _Job, names: Sequence[str]) -> int:
    """Writes the index, and removes the files that only an unfinished job needs.

    Raises:
        ValueError: another process has written shards of its own there, where directories have no locks.
    """
    paths = [listing.join(directory, name) for name in names]
    set_ = set_number(job.fingerprint)
    found = [place.places_of(path, number, set_) for number, path in enumerate(paths)]
    if place.is_there(directory, job.fingerprint):  # by a process that packed the same
        return _count_of(job, directory)
    lost = [path for path, part in zip(paths, found, strict=True) if part is None]
    place.require_own(directory, lost)
    places = place.Places.joined([part for part in found if part is not None])
    image, *others = job.fields.items()
    records = Records(
        paths,
        places.shard,
        places.offset,
        places.length,
        places.header,
        [job.names[row] for row in places.index],
        image[1],
    )
    index = Index(
        job.fields,
        job.image.decode.color_mode,
        job.source.class_names,
        job.splits,
        tuple(names),
        shards.target_names(shards.targets_in_order(job.source)),
        job.fingerprint,
        {str(name): names for name, names in job.source.vocabularies.items()},
    )
    masks = {name: replace(records, feature=name, stored=stored) for name, stored in others}
    source = job.source.take(places.index).with_columns(image=records, **masks)
    shards.write_index(directory, index, source, job.split[places.index])
    place.tidy(directory, paths)
    return len(records)
