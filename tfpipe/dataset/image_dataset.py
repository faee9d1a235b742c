"""`ImageDataset`: what every door returns."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd
import tensorflow as tf

from tfpipe import plotting
from tfpipe.checks import check_int
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.dataset import pictures
from tfpipe.dataset.askers import HiddenFromTfKeras
from tfpipe.dataset.batches import Batches
from tfpipe.dataset.samples import KnowsSamples
from tfpipe.dataset.tuning import TuningOptions, prepared
from tfpipe.distribute.service import ServiceSpec, content_of, plan_for_service, service_epochs
from tfpipe.distribute.strategy import over_replicas
from tfpipe.fields.label import LabelSpec
from tfpipe.keywords import suggests, takes
from tfpipe.pipeline import pipeline
from tfpipe.pipeline import plan as pipeline_plan
from tfpipe.pipeline.cursor import Cursor
from tfpipe.pipeline.plan import Plan, place_after
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.source import Arrays, Source
from tfpipe.transforms.standardize import Standardize

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from typing_extensions import Unpack


class ImageDataset(KnowsSamples):
    """Batches of images and labels: a `tf.data.Dataset` that knows where they come from.

    Made by the functions `image_dataset_from_...` and by `folds`; `ImageDataGenerator`'s `flow...` methods
    return an `Iterator`, whose loops in Python never end. Give it to Keras' `fit`, `evaluate` and `predict`
    as it is. A `for` loop over it ends after one epoch, and each new loop is the next epoch, newly shuffled
    (every iterator that is started counts as one; `seek` sets the count). `next(dataset)` continues from
    epoch to epoch with no limit. `dataset[i]` is batch i of the first epoch as NumPy, `dataset[1:3]` a list
    of batches; neither moves the loop or `next`.

    Attributes:
        source: the columns that the arguments became.
        spec: what is done to them.
        samples, n: the number of samples.
        batch_size: samples per batch; the last batch may have fewer. None: samples without a batch dimension.
        seed: of the order and of everything random; drawn if none was given.
        shuffle: whether each epoch has a new order; if called, it is `tf.data.Dataset.shuffle`.
        dtype: of the images, such as "float32".
        data_format: "channels_last" or "channels_first".
        image_shape: of one image, (H, W, C), or (C, H, W) with channels_first.
        class_names: the classes in the order of their ids; [] if labels are not classes, None without labels.
        class_indices: the id of each class name, `{"cat": 0, "dog": 1}`.
        num_classes: the number of classes; 0 if the labels are not classes. For outputs by name, this,
            `class_names` and `class_indices` are dicts by name.
        vocabularies: for "multi_output", the names of the ids of each column of classes.
        classes, labels: the target of each sample in source order.
        sample_weight, groups: the weight and the group of each sample, or None.
        skipped: (path, reason) of each file that `on_error="skip"` has left out so far.
        class_weight: a weight for each class id, inverse to its number of samples.
        frame_rows: the row of each sample in the dataframe, so that `frame.iloc[dataset.frame_rows]` lines up
            with predictions; None without a dataframe.
        filenames, filepaths, file_paths: of each sample in source order; empty for arrays.
        batch_index: where `next` stands.
        total_batches_seen: how many batches `next` and `[]` gave.
        index_array: the order of the epoch that the last of them was taken from, int64 [n], or None.
        subset: "training", "validation" or None; only for data sets of `ImageDataGenerator`.
        split: its (begin, end) as fractions of the samples, or None; only for the same data sets.
        directory, class_mode, target_size, color_mode, interpolation, keep_aspect_ratio: only for
            `flow_from_directory` and `flow_from_dataframe`, as they were given.

    >>> source = Source.of(Arrays(np.zeros([5, 4, 6, 3])), targets=np.arange(5))
    >>> spec = PipelineSpec(label=LabelSpec("value"), batch_size=2, shuffle=False)
    >>> dataset = ImageDataset(source, spec)
    >>> [labels.numpy().tolist() for images, labels in dataset]
    [[0, 1], [2, 3], [4]]
    >>> images, labels = dataset[-1]
    >>> images.shape, len(dataset), dataset.samples
    ((1, 4, 6, 3), 3, 5)
    """

    def __init__(
        self,
        source: Source,
        spec: PipelineSpec,
        plan: Plan | None = None,
        epochs: Callable[[Plan, Cursor], tf.data.Dataset] = pipeline.epochs,
        cursor: Cursor | None = None,
    ) -> None:
        # Where the next iterator begins.
        self._cursor = Cursor.new() if cursor is None else cursor
        self._plan = plan or pipeline_plan.plan(source, spec)
        self._epochs = epochs
        self._batches = self._new_batches()
        super().__init__(source, self._plan.spec)

    def _new_batches(self) -> Batches:
        return Batches(self._plan)

    def _make(self) -> tf.data.Dataset:
        self._check_images()
        with tf.device("CPU:0"):  # where the columns are
            return self._epochs(self._plan, self._cursor)

    @property
    def _count(self) -> int:  # as `len`, which a trainer that shares epochs does not have
        return self._plan.count

    def __len__(self) -> int:
        return super().__len__() if self.samples else 0

    @property
    def image_shape(self) -> tuple[int, int, int]:
        height, width, channels = self._plan.loader.shape
        if self._spec.data_format == "channels_first":
            return channels, height, width
        return height, width, channels

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(path, reason) of each file that `on_error="skip"` has left out so far, in source order.

        Files that `check_first` has found come first.
        """
        skipping = self._plan.skipping
        found = {} if skipping is None else skipping.named(self.filepaths)
        return [*self._source.left_out, *found.values()]

    def images_only(self, **changes: Any) -> ImageDataset:
        """Returns the images in source order without labels, with parts of the specification changed."""
        augment = changes.pop("augment", self._spec.augment)
        as_they_are: dict[str, Any] = {
            "augment": replace(augment, mixup_alpha=0.0, cutmix_alpha=0.0),  # these need labels
            "shuffle": False,
            "balance": None,
            "include_paths": False,
            "save": None,
            "batched": True,
            "drop_remainder": False,
        }
        spec = replace(self._spec, label=LabelSpec(), **as_they_are, **changes)
        return ImageDataset(Source.of(self._source.images), spec)

    def with_spec(self, **changes: Any) -> ImageDataset:
        """Returns another data set of the same samples, with parts of the specification changed."""
        return ImageDataset(self._source, replace(self._spec, **changes))

    def before_standardizing(self) -> ImageDataset:
        """Returns the same samples in the same order, augmented but not standardized: 0..255, as float32."""
        plain = {"standardize": Standardize(), "dtype": "float32", "data_format": "channels_last"}
        return self.with_spec(save=None, **plain)

    # What they look like.

    @suggests
    def show(self, n: int = 16, *, standardized: bool = False) -> Figure:
        """Plots the first `n` images of the first epoch in a grid, with their labels as titles.

        Args:
            n: how many images, of as many batches as it takes.
            standardized: show the values that the model is given, each image stretched to its own range.
                By default the images are shown as augmented, before they are standardized.

        Returns:
            A `matplotlib.figure.Figure`: a notebook displays it, `show().savefig("grid.png")` writes it.

        Raises:
            ImportError: matplotlib is not installed.
        """
        return pictures.show(self, n, standardized)

    def class_distribution(self) -> pd.DataFrame:
        """Returns the samples and the share of each class, by name; a sample counts for each of its classes.

        Raises:
            ValueError: there are no classes, or several outputs have some.
        """
        targets, names = self._source.classes
        if self._source.output_names and not names:
            raise ValueError(
                "The classes of one output are counted. Received: outputs by name, and no class_output. Pass "
                f"class_output={self._source.output_names[0]!r}, or another one, as the data set is made."
            )
        return plotting.class_counts(names or self.class_names or (), targets, self.samples)

    def plot_classes(self) -> Figure:
        """Plots `class_distribution` as bars, in a `matplotlib.figure.Figure`."""
        return plotting.class_bars(self.class_distribution())

    # Where a loop begins.

    @suggests
    def seek(self, epoch: int, batch: int = 0) -> None:
        """Makes the next loop (the next iterator) begin at a batch of an epoch, by arithmetic.

        Nothing before that batch is read. The loop after it is the whole next epoch.

        Args:
            epoch: 0 is the first.
            batch: 0 to `len(self)`; the last is the end of the epoch.

        Raises:
            ValueError: there is no such epoch or batch.
        """
        check_int("epoch", epoch, 0)
        check_int("batch", batch, 0)
        if batch > self._count:
            raise ValueError(
                f"batch must be at most the number of batches, {self._count}. Received: batch={batch}."
            )
        if batch and not self._in_order:
            raise ValueError(
                "An epoch that service workers prepare begins at the first batch, because their order is "
                f"not known. Received: batch={batch}."
            )
        self.seek_position(epoch, self.position_after(epoch, 0, batch))

    def seek_position(self, epoch: int, position: int) -> None:
        """Makes the next loop begin at a position, such as one that `position_after` gave."""
        self._cursor.move_to(epoch, position)

    def position_after(self, epoch: int, position: int, batches: int) -> int:
        """Returns the position that is reached some batches after another one; see `plan.place_after`."""
        return place_after(self._plan, epoch, position, batches)

    @suggests
    def starting_at(self, epoch: int, batch: int = 0) -> ImageDataset:
        """Returns the same data set, with a first loop that begins at a batch of an epoch; `len` stays.

        Args:
            epoch, batch: as for `seek`.
        """
        other = self._like(self._plan, self._epochs, Cursor.new())
        other.seek(epoch, batch)
        return other

    @property
    def _in_order(self) -> bool:
        """Whether batch i of an epoch is always the same."""
        return self._epochs is pipeline.epochs

    def _like(
        self,
        plan: Plan,
        epochs: Callable[[Plan, Cursor], tf.data.Dataset],
        cursor: Cursor,
    ) -> ImageDataset:
        """Returns the same samples, with the attributes that a door has added, such as class_mode."""
        kind = type(self) if epochs is self._epochs else ImageDataset
        other = kind(self._source, plan.spec, plan, epochs, cursor)
        other.__dict__ |= {n: value for n, value in vars(self).items() if n[0] != "_"}
        return other

    def _copy(self, plan: Plan) -> ImageDataset:
        """Returns a data set of its own that stands where this one does."""
        other = self._like(plan, self._epochs, self._cursor.copy())
        other._batches.stand_where(self._batches)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> ImageDataset:
        return self._copy(self._plan)

    @takes(TuningOptions, PipelineSpec, DecodeSpec, as_given=True)
    def tuned(self, **options: Unpack[TuningOptions]) -> ImageDataset:
        """Returns the same samples in the same order, prepared in another way.

        What is not given stays as it is. This is meant for the data sets of `ImageDataGenerator`, whose
        methods do not have these options. The first loop begins where the next loop of this data set would.

        Raises:
            ValueError: an argument is not one of those allowed; the data set is already distributed.

        >>> dataset = ImageDataset(Source.of(Arrays(np.zeros([6, 2, 3, 1]))), PipelineSpec(batch_size=4))
        >>> len(dataset.tuned(num_parallel_calls=1, prefetch=1))
        2
        """
        if not self._in_order:
            raise ValueError("tuned comes before distribute: dataset.tuned(...).distribute(...).")
        spec = prepared(self._spec, options)
        return self._copy(pipeline_plan.plan(self._source, spec))

    # On several replicas, or hosts.

    @overload
    def distribute(
        self, strategy: tf.distribute.Strategy, *, epochs: int | None = 1
    ) -> tf.distribute.DistributedDataset: ...

    @overload
    def distribute(
        self,
        *,
        service: str,
        mode: str = "exactly_once",
        job_name: str | None = None,
        manifest: str | os.PathLike[str] | None = None,
    ) -> ImageDataset: ...

    @suggests
    def distribute(
        self,
        strategy: tf.distribute.Strategy | None = None,
        *,
        epochs: int | None = 1,
        service: str | None = None,
        mode: str = "exactly_once",
        job_name: str | None = None,
        manifest: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Returns the same batches for the replicas of a strategy, or prepared by a tf.data service.

        With a strategy, a batch of this data set is the global batch: each replica is given an equal part of
        it, and each worker reads and decodes only the parts of its own replicas. Every sample is delivered
        once per epoch; the last replicas may get less of a short last batch, or nothing. Any number of
        workers sees the same samples in the same global batches (MixUp and CutMix mix the samples of one
        replica's part). On every worker, make the data set with the same arguments, including the seed.

        With a service, its workers read, decode and augment. A new epoch is registered whenever a loop
        starts. The order of the batches depends on the workers; what is in a batch does not.
        Iterators over a service cannot be saved in a checkpoint, and `seek` takes whole epochs only.

        Either way, each loop is the next epoch of this data set. The result and this data set share one
        place in the epochs, so `seek` on this data set sets it for both.

        Args:
            strategy: a `tf.distribute.Strategy`; `MirroredStrategy` or `MultiWorkerMirroredStrategy`.
            epochs: with a strategy, how many epochs one loop goes over, each in its own order; None: no
                limit, for a `fit` with `steps_per_epoch=len(dataset)`.
            service: instead of a strategy, the dispatcher of a tf.data service, "grpc://host:port"; see
                `tfpipe service --help`.
            mode: "exactly_once": the workers share each epoch, and every batch comes once (at most once if a
                worker dies). "parallel_epochs": each worker gives the whole epoch.
            job_name: trainers that pass the same name share the batches of each epoch. Each batch goes to
                the trainer that asks first, so no trainer knows its share, and `len` is unknown. A trainer
                that comes late gets what is left. Choose a new name for each run, and make the data set with
                the same arguments, including the seed, in every trainer. None: this loop gets the whole
                epoch.
            manifest: a directory that the workers can read by the same path as this process; file names and
                labels are written there, so that the graph stays small. Needed if they take more than 1 MB.

        Returns:
            A `tf.distribute.DistributedDataset` for a strategy, else an `ImageDataset`.

        Raises:
            ConnectionError: no dispatcher answers at the address.
            TypeError: strategy is not a `tf.distribute.Strategy`.
            ValueError: the batch size is not a multiple of the number of replicas; an argument is not one of
                those allowed; a part of the pipeline runs in Python, which workers cannot run.

        >>> dataset = ImageDataset(Source.of(Arrays(np.zeros([6, 2, 3, 1]))), PipelineSpec(batch_size=4))
        >>> [int(x.shape[0]) for x in dataset.distribute(tf.distribute.get_strategy())]
        [4, 2]
        """
        if (strategy is None) == (service is None):
            raise ValueError("distribute takes a strategy or a service: one of them, not both.")
        if not self._in_order:
            raise ValueError(
                "This data set is already distributed. Distribute the one that it was made from."
            )
        if self._spec.errors.skips:
            raise ValueError(
                "distribute needs on_error='raise', since what other processes leave out is not noted here. "
                "Find the bad files with `tfpipe check`, and remove them from the source."
            )
        if epochs is not None:
            check_int("epochs", epochs, 1)
        if service is None:
            return over_replicas(self._plan, self._cursor, strategy, epochs)
        if epochs != 1:
            raise ValueError(
                f"epochs is for a strategy. Received: epochs={epochs!r}. With a service write "
                "distribute(service=...).repeat(epochs)."
            )
        if self._cursor.position:
            raise ValueError(
                "An epoch that service workers prepare begins at the first batch, because their order is "
                "not known. Call seek(epoch) first."
            )
        spec = ServiceSpec(service, mode, job_name)
        plan = plan_for_service(self._source, self._plan, self._inner, manifest)
        spec.require_dispatcher()
        content = content_of(self._source, self._spec) if job_name else ""
        of_service = partial(service_epochs, service=spec, content=content)
        return self._like(plan, of_service, self._cursor)

    def __getitem__(self, item: int | slice) -> Any:
        self._check_images()
        return self._batches.at(item)

    @HiddenFromTfKeras
    def __next__(self) -> Any:
        self._check_images()
        return self._batches.following()

    @HiddenFromTfKeras
    def next(self) -> Any:
        """Returns the next batch, endlessly: `next(dataset)`, as Keras 2 spelled it."""
        return next(self)

    def reset(self) -> None:
        """Makes `next` go to the first batch: of the next epoch, if it has begun this one."""
        self._batches.reset()

    def on_epoch_end(self) -> None:
        """Gives `next` and `[]` the order of the next epoch; `next` goes on at the same number."""
        self._batches.on_epoch_end()

    @property
    def batch_index(self) -> int:
        return self._batches.number

    @property
    def total_batches_seen(self) -> int:
        return self._batches.seen

    @property
    def index_array(self) -> np.ndarray | None:
        return self._batches.order

    def __repr__(self) -> str:
        images = self._source.images
        counts = self.num_classes
        classes = f" of {counts} classes" if counts else ""
        if isinstance(counts, dict):
            classes = "".join(f", {name!r} of {count} classes" for name, count in counts.items())
        elements = f"batches of {self.batch_size}" if self.batch_size else "samples"
        origin = "arrays" if isinstance(images, Arrays) else f"files in {images.directory!r}"
        return (
            f"<{type(self).__name__}: {self.samples} images{classes} from {origin}; "
            f"{self._count} {elements}; image {self.image_shape} {self.dtype}; "
            f"shuffle={bool(self.shuffle)}, seed={self.seed}>"
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return pictures.card(self, self._count)
