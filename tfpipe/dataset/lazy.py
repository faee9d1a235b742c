"""Data sets that are made when something first takes them as one."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import tensorflow as tf

from tfpipe.dataset.methods import KnowsClasses
from tfpipe.distribute.strategy import for_strategies
from tfpipe.pipeline import pipeline


class LazyDataset(KnowsClasses):
    """A data set that `_make` gives, called when a loop, `fit` or a method of tf.data first needs it."""

    def __init__(self) -> None:
        self._is_ready = False
        self._made: tuple[int, tf.data.Dataset] | None = None
        super().__init__(None)
        self._is_ready = True

    def _make(self) -> tf.data.Dataset:
        raise NotImplementedError

    @property
    def _count(self) -> int:
        """The length that it is made with; made again where that has changed."""
        raise NotImplementedError

    @property
    def _inner(self) -> tf.data.Dataset:
        count = self._count
        if self._made is None or self._made[0] != count:
            self._make_again()
            with (
                tf.init_scope()
            ):  # a `tf.function` may be the first that needs it, and not the last
                made = for_strategies(self._make())
            self._made = count, made
        return self._made[1]

    def _make_again(self) -> None:
        self._made = None
        self.__dict__.pop("_looped", None)

    @cached_property
    def _looped(self) -> tf.data.Dataset:
        return pipeline.for_a_loop(self._inner)

    def __iter__(self) -> Any:
        inner = self._inner  # first, since it may be made again
        return iter(self._looped if tf.executing_eagerly() else inner)

    def _inputs(self) -> list[tf.data.Dataset]:
        return []

    @property
    def element_spec(self) -> Any:
        return self._inner.element_spec

    @property
    def _variant_tensor(self) -> tf.Tensor:
        return self._inner._variant_tensor

    @property
    def _options_attr(self) -> tf.data.Options:
        return self._inner._options_attr if self._is_ready else self._no_options

    @_options_attr.setter
    def _options_attr(self, options: tf.data.Options) -> None:
        self._no_options = options  # `tf.data.Dataset.__init__` knows none yet
