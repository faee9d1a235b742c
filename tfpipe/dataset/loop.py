"""The loop over a flow of `ImageDataGenerator`: endless batches for Python, one epoch for TensorFlow."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.data.ops.iterator_ops import OwnedIterator

# The names of the classic's own that public scripts use.
_PRIVATE = ("_filepaths", "_set_index_array", "_get_batches_of_transformed_samples")


class Loop(OwnedIterator):
    """What `iter(flow)` gives to the user's code.

    In Python it is the flow itself: `next` gives the flow's next batch as NumPy, endlessly, and attributes
    are the flow's. Where it is handed to a `tf.function`, it is the iterator of one epoch of tensors, which
    is made then.
    """

    def __init__(self, flow: Any) -> None:  # an `Iterator`, whose module makes loops
        # Without the constructor of TensorFlow's class, which would make an iterator, and move on the epoch.
        self._flow = flow
        self._get_next_call_count = 0

    @cached_property
    def _epoch(self) -> Any:
        with tf.init_scope():
            return iter(self._flow._inner)

    @property
    def _iterator_resource(self) -> Any:
        return self._epoch._iterator_resource

    @property
    def _dataset(self) -> Any:
        return self._epoch._dataset

    @property
    def _element_spec(self) -> Any:
        return self._flow.element_spec

    @property
    def _flat_output_types(self) -> Any:
        return self._epoch._flat_output_types

    @property
    def _flat_output_shapes(self) -> Any:
        return self._epoch._flat_output_shapes

    def __next__(self) -> Any:
        return next(self._flow) if tf.executing_eagerly() else super().__next__()

    def get_next(self) -> Any:
        return next(self._flow) if tf.executing_eagerly() else super().get_next()

    def __len__(self) -> int:
        return len(self._flow)

    def __getitem__(self, item: Any) -> Any:
        return self._flow[item]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name not in _PRIVATE:
            raise AttributeError(name)
        return getattr(self._flow, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            setattr(self._flow, name, value)

    # What `tf.train.Checkpoint` saves: the place of the flow, and of the epoch that a `tf.function` reads.

    def _serialize_to_tensors(self) -> dict[str, tf.Tensor]:
        place = tf.constant(self._flow.place, tf.int64)
        return {"_PLACE": place, **super()._serialize_to_tensors()}

    def _restore_from_tensors(self, restored_tensors: dict[str, tf.Tensor]) -> Any:
        self._flow.place = tuple(np.array(restored_tensors["_PLACE"]).tolist())
        return super()._restore_from_tensors(restored_tensors)
