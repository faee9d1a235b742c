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
        super().__init__(None)
        self._is_ready = True

    def _make(self) -> tf.data.Dataset:
        raise NotImplementedError

    @cached_property
    def _inner(self) -> tf.data.Dataset:
        with tf.init_scope():  # a `tf.function` may be the first that needs it, and not the last
            return for_strategies(self._make())

    @cached_property
    def _looped(self) -> tf.data.Dataset:
        return pipeline.for_a_loop(self._inner)

    def __iter__(self) -> Any:
        return iter(self._looped if tf.executing_eagerly() else self._inner)

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
