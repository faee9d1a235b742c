"""Writes shards: image files, decoded and resized, as the records of TFRecord files."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.field import IMAGE, Record
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.label import LabelSpec
from tfpipe.fields.mask import names_of_masks
from tfpipe.fields.packed import encoded
from tfpipe.pipeline import bad_files
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.record import FRAME, Header, record_header, serialized
from tfpipe.sources.shards import partial_path
from tfpipe.sources.source import Source, Stored
from tfpipe.tools.pack_place import write_places

_SAMPLES_AT_ONCE = 32
_NO_MORE = (-1, Header(-1, -1, -1), b"")


@dataclass(frozen=True, eq=False)
class Task:
    """Some shards, and the samples of each.

    Attributes:
        paths: the paths of the shards.
        rows: int64 [k], one array per shard: its samples, as the whole source counts them.
        files: the image files, and the masks, of all these rows, one after the other.
        labels: the labels of these files, numbers [n, ...]; None: no labels are written.
        weights: the weights of these files, float [n]; None: no weights are written.
        image: how files become images.
        mask_dtype: of the masks.
        errors: what happens to files that cannot be used; whoever gives the task counts them.
        fields: how each field is stored.
        set: the number of the set, for the headers of its records.
        quality: see `pack.PackSpec`.
        threads: how many samples are in progress at once.
    """

    paths: Sequence[str]
    rows: Sequence[np.ndarray]
    files: Source
    labels: np.ndarray | None
    weights: np.ndarray | None
    image: ImageSpec
    mask_dtype: str
    errors: bad_files.ErrorPolicy
    fields: Mapping[str, Stored]
    set: int
    quality: int
    threads: int


@dataclass(frozen=True)
class Step:
    """The work since the previous step: how many samples were written, and which rows were left out."""

    count: int
    lost: tuple[int, ...] = ()


def write(task: Task) -> Generator[Step, None, None]:
    """Writes the shards of a task one after the other; yields what each step did.

    Raises:
        ValueError: a file cannot be used, and the task does not skip it.
    """
    samples = _samples(task)
    shard, header, content = next(samples, _NO_MORE)
    for number, path in enumerate(task.paths):
        partial = partial_path(path)
        places, end, count = [], 0, 0
        with tf.io.TFRecordWriter(partial) as writer:
            while shard == number:
                writer.write(content)
                places.append((end, len(content) + FRAME, header))
                end += len(content) + FRAME
                shard, header, content = next(samples, _NO_MORE)
                count += 1
                if count == _SAMPLES_AT_ONCE:
                    yield Step(count)
                    count = 0
        write_places(path, places)
        tf.io.gfile.rename(partial, path, overwrite=True)
        there = {header.index for _, _, header in places}
        lost = tuple(row for row in task.rows[number].tolist() if row not in there)
        yield Step(count, lost)


def _samples(task: Task) -> Generator[tuple[int, Header, bytes], None, None]:
    """Yields (number of the shard, header, record) of each sample, in the order of the task."""
    rows = np.concatenate([np.zeros(0, np.int64), *task.rows]).tolist()
    shards = np.repeat(np.arange(len(task.rows)), [len(r) for r in task.rows]).tolist()
    spec = PipelineSpec(
        image=task.image,
        label=LabelSpec("value"),
        mask_dtype=task.mask_dtype,
        targets="tuple",
        batch_size=_SAMPLES_AT_ONCE,
        shuffle=False,
        seed=0,
        dtype="uint8",
        errors=task.errors,
        num_parallel_calls=task.threads,
    )
    # The number of a sample travels as its label, since files that cannot be used may be left out.
    dataset = ImageDataset(task.files.with_columns(label=np.arange(len(rows))), spec)

    def packed(number: int, values: Record) -> tuple[int, Header, bytes]:
        try:
            fields = {n: encoded(v, task.fields[n], task.quality) for n, v in values.items()}
        except ValueError as err:
            raise ValueError(f"Cannot pack {task.files.images.paths[number]!r}: {err}") from err
        header = record_header(task.set, rows[number], fields)
        label = None if task.labels is None else task.labels[number]
        weight = None if task.weights is None else float(task.weights[number])
        return shards[number], header, serialized(header, fields, label, weight)

    names = list(task.files.masks)
    with ThreadPoolExecutor(task.threads) as pool:
        for images, y in _read_batches(dataset):
            masks, numbers = y if names else ((), y)
            batch = {IMAGE: images, **dict(zip(names, _values_of(masks, names), strict=True))}
            columns = [tf.unstack(values) for values in batch.values()]
            records = [dict(zip(batch, row, strict=True)) for row in zip(*columns, strict=True)]
            yield from pool.map(packed, numbers.numpy().tolist(), records)


def _values_of(masks: Any, names: Sequence[str]) -> list[tf.Tensor]:
    """Returns the masks of a batch in the order of the names of their fields."""
    named = names_of_masks(names)
    if isinstance(named, str):
        return [masks] if names else []
    return [masks[key] for key in named]


def _read_batches(dataset: ImageDataset) -> Generator[Any, None, None]:
    """Yields the batches of a data set; the error of a bad file is only the sentence that names it."""
    try:
        yield from dataset
    except tf.errors.OpError as err:
        sentence = bad_files.sentence_in(str(err.message))
        if not sentence:
            raise
        raise ValueError(sentence) from err
