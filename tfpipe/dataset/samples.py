"""What a data set knows about its samples: where they come from, their classes, files and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import warn
from tfpipe.dataset.askers import is_predict, is_user
from tfpipe.dataset.lazy import LazyDataset
from tfpipe.dataset.methods import KnowsClasses
from tfpipe.dataset.pickling import reduced
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.class_weights import class_weight
from tfpipe.sources.source import Arrays, Source


class ShuffleFlag:
    """`tf.data.Dataset.shuffle`, which is a method, and at once the classic's flag `shuffle`."""

    def __init__(self, dataset: tf.data.Dataset, value: bool) -> None:
        self._dataset = dataset
        self._value = bool(value)

    def __call__(self, *args: Any, **kwargs: Any) -> tf.data.Dataset:
        return KnowsClasses.shuffle(self._dataset, *args, **kwargs)

    def __bool__(self) -> bool:
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == other

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return repr(self._value)


class KnowsSamples(LazyDataset):
    """A data set with a source and a specification, which tell all that is known about its samples."""

    def __init__(self, source: Source, spec: PipelineSpec) -> None:
        self._source = source
        self._spec = spec
        self._asked: dict[str, None] = {}  # what the user has asked for, and whose order it is in
        self._has_warned = False
        super().__init__()

    def __reduce__(self) -> Any:
        return reduced(self)

    @property
    def source(self) -> Source:
        return self._source

    @property
    def spec(self) -> PipelineSpec:
        return self._spec

    @property
    def samples(self) -> int:
        return len(self._source)

    n = samples
    _hint_if_empty = ""

    def _check_images(self) -> None:
        """Raises `ValueError` if there are no images, which says where they were looked for."""
        if self.samples:
            return
        images = self._source.images
        where = (
            "an empty array" if isinstance(images, Arrays) else f"directory={images.directory!r}"
        )
        subset = f" as subset={self.subset!r}" if getattr(self, "subset", None) else ""
        raise ValueError(
            f"This data set has no images: none were found in {where}{subset}.{self._hint_if_empty}"
        )

    @property
    def batch_size(self) -> int | None:
        return self._spec.batch_size if self._spec.batched else None

    @property
    def seed(self) -> int:
        return self._spec.seed

    @property
    def shuffle(self) -> ShuffleFlag:
        return ShuffleFlag(self, self._spec.shuffle)

    @property
    def dtype(self) -> str:
        return self._spec.dtype

    @property
    def data_format(self) -> str:
        return self._spec.data_format

    @property
    def class_names(self) -> Any:
        names, of_columns = self._source.class_names, dict(self._source.vocabularies)
        if self._source.output_names:
            return {
                name: list(of_columns[name])
                for name in self._source.output_names
                if name in of_columns
            }
        for name in self._source.feature_names:
            of_columns.pop(name, None)
        if len(of_columns) == 1 and not names:
            (names,) = of_columns.values()
        without_labels = self._spec.label.encoding is None and not self._source.masks
        return None if without_labels and not names else list(names)

    @property
    def vocabularies(self) -> dict[Any, list[str]]:
        return {name: list(names) for name, names in self._source.vocabularies.items()}

    @property
    def _drawn(self) -> bool:
        return self._spec.augment.changes_pixels or self._spec.augment.mixes

    def __iter__(self) -> Any:
        if not self._in_source_order and is_predict():
            self._notice("predict")
        return super().__iter__()

    @property
    def _in_source_order(self) -> bool:
        return not self._spec.shuffle and self._spec.balance is None

    def _notice(self, asked: str) -> None:
        """Warns where `predict` and what is in source order are both used, and differ in order."""
        self._asked.setdefault(asked)
        others = [name for name in self._asked if name != "predict"]
        if self._in_source_order or "predict" not in self._asked or not others or self._has_warned:
            return
        self._has_warned = True
        warn(
            f"The results of `predict` and `.{others[0]}` are in different orders, since this data set is "
            f"shuffled and `.{others[0]}` is in the order of the files. Make it with shuffle=False."
        )

    @property
    def classes(self) -> Any:
        if is_user():
            self._notice("classes")
        return self._source.targets

    @property
    def labels(self) -> Any:
        if is_user():
            self._notice("labels")
        return self._source.targets

    @property
    def class_weight(self) -> dict[int, float]:
        """What `fit(class_weight=...)` takes: n / (classes * samples of the class), by class id."""
        ids, names = self._source.classes
        if not names or not isinstance(ids, np.ndarray):
            raise ValueError(
                "class_weight needs one class per sample; these samples have none, or several. Give each "
                "sample a weight instead: weight_col of a table, sample_weight of arrays."
            )
        return class_weight(ids, len(names))

    @property
    def sample_weight(self) -> np.ndarray | None:
        return self._source.weights

    @property
    def filenames(self) -> list[str]:
        if is_user():
            self._notice("filenames")
        images = self._source.images
        return [] if isinstance(images, Arrays) else list(images.names)

    @property
    def filepaths(self) -> list[str]:
        if is_user():
            self._notice("filepaths")
        images = self._source.images
        return [] if isinstance(images, Arrays) else images.paths

    file_paths = filepaths

    @property
    def groups(self) -> np.ndarray | None:
        return self._source.groups

    @property
    def frame_rows(self) -> np.ndarray | None:
        return self._source.frame_rows
