"""Graphs that are traced once in the process, and are given what differs from data set to data set.

    feeds = Feeds()
    path = feeds.column(paths)                  # planning: nothing is traced
    dataset = feeds.shared("paths", lambda: mapped(tf.data.Dataset.range(9), path))

To trace a data set takes a second; to call what was traced for another one of the same kind takes 10 ms.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfpipe.graph import Transformed, check_conversions
from tfpipe.sources.columns import Rows

Value: TypeAlias = Callable[[], tf.Tensor]  # in the graph that is being traced, or here and now

# A traced data set takes about 2 MB.
_MOST_TRACED = 64
_LARGE = 2**20  # bytes
_ALIGNMENT = 64  # of TensorFlow's tensors, in bytes


@dataclasses.dataclass(frozen=True)
class _Traced:
    function: Any
    element_spec: Any


_known: OrderedDict[Hashable, _Traced] = OrderedDict()
_lock = threading.RLock()


class Feeds:
    """The values of one data set that its graph is given: columns, the seed, lengths, handles of resources.

    Data sets of one kind add the same values in the same order.

    >>> feeds = Feeds()
    >>> n, rows = feeds.value(3), feeds.column([10, 20, 30])
    >>> dataset = feeds.shared("doctest", lambda: tf.data.Dataset.range(n()).map(rows))
    >>> [int(row) for row in dataset]
    [10, 20, 30]
    """

    def __init__(self) -> None:
        check_conversions()
        self._values: list[tf.Tensor] = []
        self._specs: list[tf.TensorSpec] = []
        self._tracing = threading.local()

    def extended(self) -> Feeds:
        """Returns the same feeds, to which more can be added without changing what is here."""
        other = Feeds()
        other._values, other._specs = list(self._values), list(self._specs)
        other._tracing = self._tracing
        return other

    def value(self, value: Any, dtype: tf.DType | None = None) -> Value:
        """Adds a tensor, or what becomes one; whole numbers become int64."""
        if dtype is None and isinstance(value, int):
            dtype = tf.int64
        tensor = value if tf.is_tensor(value) else tf.constant(value, dtype)
        return self._added(tensor, tf.TensorSpec(tensor.shape, tensor.dtype))

    def column(self, values: Any) -> Rows:
        """Adds a column of any number of rows."""
        tensor = _copied(values)
        shape = tensor.shape[1:]
        fed = self._added(tensor, tf.TensorSpec([None, *shape], tensor.dtype))
        return lambda indices: tf.gather(fed(), indices)

    def _added(self, tensor: tf.Tensor, spec: tf.TensorSpec) -> Value:
        place = len(self._values)
        self._values.append(tensor)
        self._specs.append(spec)

        def fed() -> tf.Tensor:
            return getattr(self._tracing, "arguments", self._values)[place]

        return fed

    def shared(
        self,
        key: Hashable | None,
        build: Callable[..., tf.data.Dataset],
        own: Sequence[tf.Tensor] = (),
    ) -> tf.data.Dataset:
        """Returns the data set that `build` makes, traced only if none with this key was traced before.

        Args:
            key: with the shapes and dtypes of the values, all that `build` depends on; None: it depends on
                something else, so it is traced for this data set alone.
            build: called with tensors that stand for `own`. A tensor that it captures from outside makes
                the graph this data set's own.
            own: further values, of this call.
        """
        specs = [*self._specs, *(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in own)]
        whole = None if key is None else (key, *((tuple(s.shape), s.dtype) for s in specs))
        with _lock:
            traced = None if whole is None else _known.get(whole)
            if traced is None:
                traced = self._trace(build, specs, len(own))
                if whole is not None and not traced.function.captured_inputs:
                    _known[whole] = traced
                    if len(_known) > _MOST_TRACED:
                        _known.popitem(last=False)
            else:
                _known.move_to_end(whole)
        variant = traced.function(*self._values, *own)
        return Transformed(variant, traced.element_spec, (), traced.function)

    def _trace(
        self, build: Callable[..., tf.data.Dataset], specs: Sequence[tf.TensorSpec], count: int
    ) -> _Traced:
        check_conversions()  # the mode may have changed since
        element_specs = []

        def variant_of(*arguments: tf.Tensor) -> tf.Tensor:
            self._tracing.arguments = arguments
            try:
                dataset = build(*arguments[len(arguments) - count :])
            finally:
                del self._tracing.arguments
            element_specs.append(dataset.element_spec)
            return tf.data.experimental.to_variant(dataset)

        # A graph of its own also where a data set is made inside another graph.
        with tf.init_scope():
            made = tf.function(variant_of, autograph=False)
            function = made.get_concrete_function(*specs)
        return _Traced(function, element_specs[-1])


def _copied(values: Any) -> tf.Tensor:
    """Returns a tensor of some values, and takes no more memory than it for a large array."""
    if not isinstance(values, np.ndarray) or values.dtype == object or values.nbytes < _LARGE:
        return tf.constant(values)
    # tf.constant copies twice: once to be safe, once more for memory that is aligned.
    memory = np.empty(values.nbytes + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    copy = memory[first : first + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return tf.experimental.dlpack.from_dlpack(copy.__dlpack__())


def identity(value: Any) -> Hashable:
    """Returns a key of a value that equal numbers of different types do not share: 1, 1.0 and True differ.

    >>> identity((1, "a")) == identity((1.0, "a")), identity((1, "a")) == identity((1, "a"))
    (False, True)
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = (identity(getattr(value, f.name)) for f in dataclasses.fields(value))
        return (type(value), *parts)
    if isinstance(value, tuple | list):
        return (type(value), *map(identity, value))
    if isinstance(value, Mapping):
        return (type(value), *((key, identity(item)) for key, item in value.items()))
    return (type(value), value)
