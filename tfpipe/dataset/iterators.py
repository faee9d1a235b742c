"""What the `flow...` methods of `ImageDataGenerator` return: data sets that Python sees as the classic's."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe import seeds
from tfpipe.dataset.askers import steps_of_tf_keras, wants_epochs
from tfpipe.dataset.batches import Batches
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.dataset.loop import Loop
from tfpipe.dataset.samples import ShuffleFlag
from tfpipe.keywords import suggests
from tfpipe.pipeline import plan as pipeline_plan
from tfpipe.pipeline.plan import order_of
from tfpipe.pipeline.saving import SaveSpec
from tfpipe.pipeline.stages import cast_image
from tfpipe.sources.source import Source

# The attributes that cannot be set, by what sets them.
_OF_THE_SOURCE = (
    *("classes", "labels", "sample_weight", "class_weight", "class_indices", "class_names"),
    *("num_classes", "filenames", "filepaths", "file_paths", "_filepaths", "n", "samples"),
    *("groups", "frame_rows", "source", "skipped", "split"),
)
_OF_THE_METHOD = (
    *("target_size", "color_mode", "class_mode", "directory", "interpolation"),
    *("keep_aspect_ratio", "subset"),
)
_OF_THE_GENERATOR = ("data_format", "dtype", "image_shape", "spec")


def _remedy(name: str) -> str | None:
    """Returns what to do instead of setting an attribute; None: it can be set."""
    if name in _OF_THE_SOURCE:
        return (
            "Make another data set of the samples you want, for example with flow_from_dataframe."
        )
    if name in _OF_THE_METHOD:
        return "Pass it to ImageDataGenerator.flow..., which makes another data set."
    if name in _OF_THE_GENERATOR:
        return "Pass it to ImageDataGenerator(...), and make the data set again."
    return None


class Iterator(ImageDataset):
    """Batches of images and labels: for Python the classic's iterator, for everything else a data set.

    Made by the `flow...` methods of `ImageDataGenerator`. Python sees what the classic generator returns:
    a `for` loop never ends, gives writable NumPy arrays in a tuple, and is the same sequence as
    `next(flow)`; `flow[i]` is batch i, and each further look at an augmented batch draws new numbers. What
    takes it as a data set (`fit`, `evaluate`, `predict`, `adapt`, a `tf.function`, a strategy, the service,
    `map`, `take` and the other methods of tf.data) sees one epoch of tensors, and each time the next one.
    Neither side moves the other; `seek` moves both.

    The attributes are those of `ImageDataset`. `shuffle`, `batch_size`, `seed`, `save_to_dir`,
    `save_prefix`, `save_format`, `batch_index`, `index_array` and `total_batches_seen` can be set.

    Attributes:
        batch_index: the number of the batch that `next` gives; 0 after the last batch of an epoch.
        index_array: the order of the epoch that the last batch was taken from, int64 [n]: of Python's last
            batch, or, if it has read none, of the last epoch of `fit` or `predict`; None before the first.
        total_batches_seen: how many batches the loop, `next` and `[]` gave.
        index_generator: gives the indices of one batch after another, without reading the images.

    >>> from itertools import islice
    >>> from tfpipe import ImageDataGenerator
    >>> flow = ImageDataGenerator().flow(np.zeros([5, 4, 6, 3]), np.arange(5), 2, shuffle=False)
    >>> [y.tolist() for x, y in islice(flow, 4)]
    [[0, 1], [2, 3], [4], [0, 1]]
    >>> flow.batch_index, [y.numpy().tolist() for x, y in flow.take(-1)]
    (1, [[0, 1], [2, 3], [4]])
    """

    def __init__(self, source: Any = None, *args: Any, **kwargs: Any) -> None:
        if not isinstance(source, Source):
            raise TypeError(
                f"{type(self).__name__} is what ImageDataGenerator.flow... returns; it is here for "
                "isinstance. Call that method. To write an iterator of your own, derive it from "
                "tensorflow.keras.preprocessing.image.Iterator."
            )
        self.save_options: tuple[Any, str, str] = (None, "", "png")  # where, prefix, format
        super().__init__(source, *args, **kwargs)
        self._first_epoch = self._cursor.epoch

    def _new_batches(self) -> Batches:
        return Batches(self._plan, looks_count=True)

    def __iter__(self) -> Any:
        if not tf.executing_eagerly() or wants_epochs():
            return super().__iter__()
        return Loop(self)

    @property
    def _variant_tensor(self) -> tf.Tensor:
        steps = steps_of_tf_keras()
        inner = self._inner if steps is None else self._inner.take(steps)
        return inner._variant_tensor

    @suggests
    def seek(self, epoch: int, batch: int = 0) -> None:
        super().seek(epoch, batch)
        self._first_epoch = epoch
        self._batches.move_to(epoch, batch)

    seek.__doc__ = (ImageDataset.seek.__doc__ or "").replace(
        "Makes the next loop (the next iterator) begin", "Makes both sides, `fit` and Python, begin"
    )

    @property
    def place(self) -> tuple[int, int]:
        """The epoch and the number of the batch that `next` gives; can be set."""
        return self._batches.epoch, self._batches.number

    @place.setter
    def place(self, place: tuple[int, int]) -> None:
        self._batches.move_to(*place)

    # What public scripts reach for.

    @property
    def index_generator(self) -> Generator[np.ndarray, None, None]:
        while True:
            yield self._batches.following_indices()

    @property
    def lock(self) -> Any:
        """Held while the place of `next` moves."""
        return self._batches.lock

    def _set_index_array(self) -> None:
        self._batches.on_epoch_end()

    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        return self._batches.of_indices(np.asarray(index_array, np.int64))

    @property
    def _filepaths(self) -> list[str]:
        return self.filepaths

    # What can be set.

    def __setattr__(self, name: str, value: Any) -> None:
        remedy = _remedy(name)
        if remedy is not None and self._is_ready:
            raise AttributeError(
                f"{name} tells what this data set was made from; setting it would change nothing. {remedy}"
            )
        super().__setattr__(name, value)

    def _change(self, **changes: Any) -> None:
        """Makes the plan again; the place in the epochs stays."""
        spec = replace(self._spec, **changes)
        before, plan = self._batches, pipeline_plan.plan(self._source, spec)
        known = self._plan.skipping
        if plan.skipping is not None and known is not None:  # what was left out stays known
            plan = replace(plan, skipping=replace(plan.skipping, skipped=known.skipped))
        self._spec, self._plan = spec, plan
        self._make_again()
        self._batches = self._new_batches()
        self._batches.stand_where(before)

    @property
    def shuffle(self) -> ShuffleFlag:
        return super().shuffle

    @shuffle.setter
    def shuffle(self, value: bool) -> None:
        self._change(shuffle=bool(value))

    @property
    def batch_size(self) -> int | None:
        return super().batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        self._change(batch_size=value)

    @property
    def seed(self) -> int:
        return super().seed

    @seed.setter
    def seed(self, value: int | None) -> None:
        self._change(seed=seeds.as_seed(value))

    @property
    def batch_index(self) -> int:
        return self._batches.number

    @batch_index.setter
    def batch_index(self, value: int) -> None:
        self._batches.go_to(value)

    @property
    def total_batches_seen(self) -> int:
        return self._batches.seen

    @total_batches_seen.setter
    def total_batches_seen(self, value: int) -> None:
        self._batches.seen = value

    @property
    def index_array(self) -> np.ndarray | None:
        order, reached = self._batches.order, self._cursor.epoch
        if order is None and reached > self._first_epoch:  # `predict` has read, but not Python
            return order_of(self._plan, reached - 1)
        return order

    @index_array.setter
    def index_array(self, value: Any) -> None:
        self._batches.order = value

    def _change_saving(self, place: int, value: Any) -> None:
        options = list(self.save_options)
        options[place] = value
        self._change(save=SaveSpec.of(*options))
        self.save_options = (options[0], options[1], options[2])

    @property
    def save_to_dir(self) -> Any:
        return self.save_options[0]

    @save_to_dir.setter
    def save_to_dir(self, value: Any) -> None:
        self._change_saving(0, value)

    @property
    def save_prefix(self) -> str:
        return self.save_options[1]

    @save_prefix.setter
    def save_prefix(self, value: str) -> None:
        self._change_saving(1, value)

    @property
    def save_format(self) -> str:
        return self.save_options[2]

    @save_format.setter
    def save_format(self, value: str) -> None:
        self._change_saving(2, value)


class NumpyArrayIterator(Iterator):
    """What `ImageDataGenerator.flow` returns; see `Iterator`.

    Attributes:
        x: a copy of the images of this subset, in `dtype` and `data_format`.
        y: a copy of their targets.
        x_misc: the further inputs, a list.

    >>> from tfpipe import ImageDataGenerator
    >>> flow = ImageDataGenerator().flow(np.zeros([5, 4, 6, 3]))
    >>> isinstance(flow, NumpyArrayIterator), flow.x.shape
    (True, (5, 4, 6, 3))
    """

    @property
    def x(self) -> np.ndarray:
        dtype = tf.as_dtype(self.dtype)
        with tf.device("CPU:0"):  # as batches are cast
            images = np.array(cast_image(tf.constant(self._source.images.images), dtype))
        return np.moveaxis(images, -1, 1) if self.data_format == "channels_first" else images

    @property
    def y(self) -> Any:
        return None if self.labels is None else np.array(self.labels)

    @property
    def x_misc(self) -> list[np.ndarray]:
        return [np.array(values) for values in self._source.named("misc_").values()]


class DirectoryIterator(Iterator):
    """What `ImageDataGenerator.flow_from_directory` returns; see `Iterator`.

    >>> issubclass(DirectoryIterator, Iterator) and issubclass(DirectoryIterator, tf.data.Dataset)
    True
    """

    _hint_if_empty = (
        " Expected one sub-folder per class; for the images of the folder itself, pass "
        "classes=['.']."
    )


class DataFrameIterator(Iterator):
    """What `ImageDataGenerator.flow_from_dataframe` returns; see `Iterator`.

    >>> issubclass(DataFrameIterator, Iterator) and issubclass(DataFrameIterator, tf.data.Dataset)
    True
    """
