"""Writes shards: image files, decoded and resized, as the records of TFRecord files."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.codecs.encode import encode
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.fields.image import ImageSpec
from tfpipe.fields.label import LabelSpec
from tfpipe.pipeline import bad_files
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.shards import places_path, write_whole
from tfpipe.sources.source import Files, Source

_SAMPLES_AT_ONCE = 32
_NO_MORE = (-1, -1, b"")
_FRAME = 16  # bytes of a record besides its content: its length and two checksums


@dataclass(frozen=True, eq=False)
class Task:
    """Some shards, and the samples of each.

    Attributes:
        paths: the paths of the shards.
        rows: int64 [k], one array per shard: its samples, as the whole source counts them.
        files: the image files of all these rows, one after the other.
        labels: the labels of these files, numbers [n, ...]; None: no labels are written.
        weights: the weights of these files, float [n]; None: no weights are written.
        image: how files become images.
        errors: what happens to files that cannot be used; whoever gives the task counts them.
        encoding, quality: see `pack.PackSpec`.
        threads: how many samples are in progress at once.
    """

    paths: Sequence[str]
    rows: Sequence[np.ndarray]
    files: Files
    labels: np.ndarray | None
    weights: np.ndarray | None
    image: ImageSpec
    errors: bad_files.ErrorPolicy
    encoding: str
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
    shard, row, record = next(samples, _NO_MORE)
    for number, path in enumerate(task.paths):
        partial = f"{path}.partial"
        places, end, count = [], 0, 0
        with tf.io.TFRecordWriter(partial) as writer:
            while shard == number:
                writer.write(record)
                places.append((row, end, len(record) + _FRAME))
                end += len(record) + _FRAME
                shard, row, record = next(samples, _NO_MORE)
                count += 1
                if count == _SAMPLES_AT_ONCE:
                    yield Step(count)
                    count = 0
        buffer = io.BytesIO()
        np.save(buffer, np.array(places, np.int64).reshape(-1, 3))
        write_whole(places_path(path), buffer.getvalue())
        tf.io.gfile.rename(partial, path, overwrite=True)
        there = {row for row, _, _ in places}
        lost = tuple(row for row in task.rows[number].tolist() if row not in there)
        yield Step(count, lost)


def _samples(task: Task) -> Generator[tuple[int, int, bytes], None, None]:
    """Yields (number of the shard, row, record) of each sample, in the order of the task."""
    rows = np.concatenate([np.zeros(0, np.int64), *task.rows]).tolist()
    shards = np.repeat(np.arange(len(task.rows)), [len(r) for r in task.rows]).tolist()
    spec = PipelineSpec(
        image=task.image,
        label=LabelSpec("value"),
        batch_size=_SAMPLES_AT_ONCE,
        shuffle=False,
        seed=0,
        dtype="uint8",
        errors=task.errors,
        num_parallel_calls=task.threads,
    )
    # The number of a sample travels as its label, since files that cannot be used may be left out.
    images = ImageDataset(Source.of(task.files, np.arange(len(rows))), spec)
    with ThreadPoolExecutor(task.threads) as pool:
        for batch, numbers in _read_batches(images):
            encoded = pool.map(lambda image: _encoded(image, task), tf.unstack(batch))
            for content, number in zip(encoded, numbers.numpy().tolist(), strict=True):
                label = None if task.labels is None else task.labels[number]
                weight = None if task.weights is None else float(task.weights[number])
                record = example(rows[number], content, label, weight)
                yield shards[number], rows[number], record


def _read_batches(images: ImageDataset) -> Generator[Any, None, None]:
    """Yields the batches of a data set; the error of a bad file is only the sentence that names it."""
    try:
        yield from images
    except tf.errors.OpError as err:
        sentence = bad_files.sentence_in(str(err.message))
        if not sentence:
            raise
        raise ValueError(sentence) from err


def _encoded(image: tf.Tensor, task: Task) -> bytes:
    """Returns uint8 [H, W, C] as the bytes of a record."""
    if task.encoding == "raw":
        return bytes(image.numpy().tobytes())
    return bytes(encode(image, task.encoding, task.quality).numpy())


def example(row: int, image: bytes, label: Any = None, weight: float | None = None) -> bytes:
    """Returns a record, a serialized `tf.train.Example`: "image", "index", and "label", "weight" if given.

    >>> parsed = tf.train.Example.FromString(example(3, b"pixels", np.int64(7), 0.5))
    >>> parsed.features.feature["label"].int64_list.value[:]
    [7]
    >>> parsed.features.feature["weight"].float_list.value[:]
    [0.5]
    """
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "index": tf.train.Feature(int64_list=tf.train.Int64List(value=[row])),
    }
    if label is not None:
        values = np.ravel(label).tolist()
        if np.asarray(label).dtype.kind in "iub":
            feature["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        else:
            feature["label"] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    if weight is not None:
        feature["weight"] = tf.train.Feature(float_list=tf.train.FloatList(value=[weight]))
    features = tf.train.Features(feature=feature)
    return bytes(tf.train.Example(features=features).SerializeToString(deterministic=True))
