"""Tells who asks for an attribute or an iterator, where the answer depends on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import tensorflow as tf

# Modules whose loops are over one epoch of tensors: all but the user's own code.
WHOLE_EPOCHS_FOR = ("keras.", "tf_keras.", "tensorflow.", "tfpipe.")
_KERAS = ("keras.", "tf_keras.")
# `Dataset.from_generator` calls `iter` in this function; its generator is the user's code.
_FROM_GENERATOR = ("tensorflow.python.data.ops.dataset_ops", "get_iterator")
# A `tf.function` is called here.
_FUNCTIONS = "tensorflow.python.eager.polymorphic_function.polymorphic_function"
# It takes whatever has `next` for a Python generator, and refuses a data set that is one as well.
_TF_KERAS_ADAPTER = "tf_keras.src.engine.data_adapter"


def wants_epochs(depth: int = 1) -> bool:
    """Tells whether the code that called the caller loops over whole epochs.

    >>> wants_epochs()
    False
    """
    frame = sys._getframe(depth + 1)
    module = _module(frame)
    if (module, frame.f_code.co_name) == _FROM_GENERATOR:
        return False
    return module.startswith(WHOLE_EPOCHS_FOR) or _is_in_eager_function(frame)


def is_predict() -> bool:
    """Tells whether `predict` of Keras or tf_keras is under way.

    >>> is_predict()
    False
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "predict" and _module(frame).startswith(_KERAS):
            return True
        frame = frame.f_back
    return False


def is_user(depth: int = 1) -> bool:
    """Tells whether the caller was called by code outside this package.

    >>> is_user()
    True
    """
    return not _module(sys._getframe(depth + 1)).startswith("tfpipe.")


def _is_in_eager_function(frame: FrameType | None) -> bool:
    """Tells whether a frame belongs to a `tf.function` that `run_functions_eagerly` runs as Python."""
    if not tf.config.functions_run_eagerly():
        return False
    while frame is not None:
        if _module(frame) == _FUNCTIONS:
            return True
        frame = frame.f_back
    return False


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def steps_of_tf_keras() -> int | None:
    """Returns the steps per epoch, where tf_keras asks whether they are as many as a data set has.

    Only then does it begin each epoch with a new iterator, as it does for the classic's.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(2):  # it asks a function of TensorFlow, which asks for the variant
        frame = None if frame is None else frame.f_back
    asker = ("", "") if frame is None else (_module(frame), frame.f_code.co_name)
    if frame is None or asker != (_TF_KERAS_ADAPTER, "should_recreate_iterator"):
        return None
    steps: int | None = frame.f_locals["self"]._user_steps
    return steps


class HiddenFromTfKeras:
    """A method that the adapters of tf_keras do not see, so that they take its object for a data set.

    >>> class Batches:
    ...     @HiddenFromTfKeras
    ...     def next(self):
    ...         return 1
    >>> Batches().next()
    1
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if _module(sys._getframe(1)) == _TF_KERAS_ADAPTER:
            raise AttributeError(self._method.__name__)
        return self._method if instance is None else self._method.__get__(instance, owner)
