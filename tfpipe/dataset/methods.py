"""Data sets that still know their classes after `map`, `take`, `batch` and the rest."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfpipe.checks import warn

# Methods whose result has the elements of one epoch for good.
_FREEZING = ("cache", "snapshot", "save")


class KnowsClasses(tf.data.Dataset):
    """A data set with class names, as is every data set that a method of tf.data makes from it.

    Attributes:
        class_names: the classes in the order of their ids; None without labels, as in Keras.
        class_indices: the id of each class name, `{"cat": 0, "dog": 1}`.
        num_classes: the number of classes; 0 if the labels are not classes. For outputs by name, this and the
            other two are dicts by name.
    """

    @property
    def class_names(self) -> list[str] | None:
        raise AttributeError("class_names")

    @property
    def class_indices(self) -> Any:
        names: Any = self.class_names or ()
        if isinstance(names, dict):
            return {output: {n: i for i, n in enumerate(of)} for output, of in names.items()}
        return {name: number for number, name in enumerate(names)}

    @property
    def num_classes(self) -> Any:
        names: Any = self.class_names or ()
        return {n: len(of) for n, of in names.items()} if isinstance(names, dict) else len(names)

    @property
    def _drawn(self) -> bool:
        """Whether the elements are drawn again in each epoch."""
        return False


class DerivedDataset(KnowsClasses):
    """What `map`, `take`, `batch`, ... of an `ImageDataset` return: a `tf.data.Dataset` with class names.

    >>> import numpy as np
    >>> from tfpipe import ImageDataGenerator
    >>> dataset = ImageDataGenerator().flow(np.zeros([4, 2, 3, 1]), np.ones(4), batch_size=2)
    >>> dataset.take(1).map(lambda x, y: x / 255).class_names
    []
    """

    def __init__(
        self, dataset: tf.data.Dataset, class_names: list[str] | None, drawn: bool = False
    ) -> None:
        self._inner = dataset
        self._class_names = class_names
        self._is_drawn = drawn
        super().__init__(dataset._variant_tensor)

    def __reduce__(self) -> Any:
        raise TypeError(
            "What map, take, batch, ... return is a graph of TensorFlow, which cannot be pickled or copied. "
            "Pickle the data set that it was made from, and call the method again."
        )

    def _inputs(self) -> list[tf.data.Dataset]:
        return [self._inner]

    @property
    def element_spec(self) -> Any:
        return self._inner.element_spec

    @property
    def class_names(self) -> list[str] | None:
        return None if self._class_names is None else list(self._class_names)

    @property
    def _drawn(self) -> bool:
        return self._is_drawn


def _keeping_classes(method: Callable[..., tf.data.Dataset]) -> Callable[..., DerivedDataset]:
    """Wraps a method of tf.data so that its result keeps the class names of the data set."""

    @functools.wraps(method)
    def derive(self: KnowsClasses, *args: Any, **kwargs: Any) -> DerivedDataset:
        freezes = method.__name__ in _FREEZING
        if freezes and self._drawn:
            warn(
                f"`{method.__name__}` keeps the samples as they were augmented in the first epoch, and gives "
                "them again in every later one. To keep decoded images and augment them in each epoch, "
                'leave it out and use tfpipe\'s own cache: cache="memory", or cache=DIRECTORY, of '
                'image_dataset_from_..., or dataset.tuned(cache="memory").'
            )
        return DerivedDataset(
            method(self, *args, **kwargs), self.class_names, self._drawn and not freezes
        )

    return derive


def _gives_a_dataset(method: Any) -> bool:
    if not inspect.isfunction(method) or method.__name__.startswith("_"):
        return False
    return inspect.signature(method).return_annotation in ("DatasetV2", tf.data.Dataset)


# One mechanism for all methods, including those of later releases of TensorFlow.
for _method_name, _method in vars(tf.data.Dataset).items():
    if _gives_a_dataset(_method):
        setattr(KnowsClasses, _method_name, _keeping_classes(_method))
