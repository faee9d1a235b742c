"""How functions become parts of a tf.data graph.

`mapped`, `filtered`, `flat_mapped`, `scanned` and `unbatched` do what the methods of `tf.data.Dataset` do to
elements of dense tensors, with functions that start quickly. tf.data instantiates every function again for
each iterator. The function of a method may use several devices: TensorFlow places it, splits it, and runs all
its graph optimizers over it and over whatever it may call, which took 0.2 s at each start of an epoch. Here
it is a function of a single device, which is all that a graph on the host's CPU needs. A start then takes a
tenth of the time, and a branch is instantiated when it is first taken, and costs nothing until then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# Nothing here needs autograph's Python-to-graph translation, and tracing is twice as fast without it.
as_is = tf.autograph.experimental.do_not_convert


class Transformed(tf.data.Dataset):
    """The result of an op of tf.data on data sets and a function; keeps all of them alive."""

    def __init__(
        self,
        variant: tf.Tensor,
        element_spec: Any,
        before: Sequence[tf.data.Dataset],
        function: Callable[..., Any] | None = None,
    ) -> None:
        self._element_spec = element_spec
        self._before = list(before)
        self._function = function
        super().__init__(variant)

    def _inputs(self) -> list[tf.data.Dataset]:
        return self._before

    @property
    def element_spec(self) -> Any:
        return self._element_spec


def mapped(
    dataset: tf.data.Dataset, function: Callable[..., Any], num_parallel_calls: int | None = None
) -> tf.data.Dataset:
    """Maps elements like `dataset.map`, in order.

    >>> [int(x) for x in mapped(tf.data.Dataset.range(3), lambda x: 2 * x)]
    [0, 2, 4]
    """
    traced = _traced(function, dataset.element_spec)
    element_spec = _specs(traced)
    arguments = _arguments(dataset, traced) | _types(element_spec)
    if num_parallel_calls is None:
        variant = tf.raw_ops.MapDataset(f=traced, preserve_cardinality=True, **arguments)
    else:
        variant = tf.raw_ops.ParallelMapDatasetV2(
            f=traced,
            num_parallel_calls=tf.constant(num_parallel_calls, tf.int64),
            deterministic="true",
            preserve_cardinality=True,
            **arguments,
        )
    return Transformed(variant, element_spec, [dataset], traced)


def unbatched(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Splits batches into elements like `dataset.unbatch`.

    >>> [int(x) for x in unbatched(tf.data.Dataset.range(3).batch(2))]
    [0, 1, 2]
    """
    element_spec = tf.nest.map_structure(
        lambda spec: tf.TensorSpec(spec.shape[1:], spec.dtype), dataset.element_spec
    )
    variant = tf.data.experimental.to_variant(dataset)
    variant = tf.raw_ops.UnbatchDataset(input_dataset=variant, **_types(element_spec))
    return Transformed(variant, element_spec, [dataset])


def filtered(dataset: tf.data.Dataset, predicate: Callable[..., tf.Tensor]) -> tf.data.Dataset:
    """Filters elements like `dataset.filter`."""
    traced = _traced(predicate, dataset.element_spec)
    arguments = _arguments(dataset, traced) | _types(dataset.element_spec)
    variant = tf.raw_ops.FilterDataset(predicate=traced, **arguments)
    return Transformed(variant, dataset.element_spec, [dataset], traced)


def flat_mapped(
    dataset: tf.data.Dataset, function: Callable[..., tf.data.Dataset]
) -> tf.data.Dataset:
    """Maps elements to data sets and chains these, like `dataset.flat_map`."""
    specs = []

    def variant_of(*element: Any) -> tf.Tensor:
        made = function(*element)
        specs.append(made.element_spec)
        return tf.data.experimental.to_variant(made)

    traced = _traced(variant_of, dataset.element_spec)
    arguments = _arguments(dataset, traced) | _types(specs[-1])
    return Transformed(
        tf.raw_ops.FlatMapDataset(f=traced, **arguments), specs[-1], [dataset], traced
    )


def scanned(
    dataset: tf.data.Dataset, state: tf.Tensor, function: Callable[..., Any]
) -> tf.data.Dataset:
    """Scans elements like `dataset.scan`, with a state of one tensor: (state, element) -> (state, result)."""
    traced = _traced(function, (tf.TensorSpec.from_tensor(state), dataset.element_spec))
    _, element_spec = _specs(traced)
    arguments = _arguments(dataset, traced) | _types(element_spec)
    variant = tf.raw_ops.ScanDataset(
        f=traced, initial_state=[state], preserve_cardinality=True, **arguments
    )
    return Transformed(variant, element_spec, [dataset], traced)


def _traced(function: Callable[..., Any], element_spec: Any) -> Any:
    """Traces a function of elements of a spec, as a concrete function of one device."""
    # The attribute is named after what it does on a GPU; on a CPU, all it does is to keep tf.data from
    # making the function one of several devices. The methods also mark their functions for tf.data's
    # optimizer, which takes 0.5 s to find nothing in ours.
    attributes = {"experimental_ints_on_device": True}

    def of_element(*element: Any) -> Any:  # tensors are named after its argument, not `_`
        return function(*element)

    of_element.__name__ = getattr(function, "__name__", "function")
    made = tf.function(of_element, autograph=False, experimental_attributes=attributes)
    parts = element_spec if type(element_spec) is tuple else (element_spec,)
    return made.get_concrete_function(*parts)


def always_traced(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Returns a `tf.function` that stays one after `tf.config.run_functions_eagerly(True)`.

    The graph of a data set calls it all the same, and must not change with that switch.

    >>> is_graph = always_traced(lambda x: tf.constant(not tf.executing_eagerly()))
    >>> bool(is_graph(tf.constant(1)))
    True
    """
    made = tf.function(function, autograph=False, **options)

    def call(*args: Any, **keywords: Any) -> Any:
        if tf.config.functions_run_eagerly():
            return made.get_concrete_function(*args, **keywords)(*args, **keywords)
        return made(*args, **keywords)

    return call


def case_of_one(function: Any, argument: tf.Tensor) -> tf.Tensor:
    """Returns the result of a `tf.function`, called in a way that keeps it a function of one device.

    The op of a plain call makes it a function of several devices, with all the costs of starting one.
    """
    traced = function.get_concrete_function(tf.TensorSpec(argument.shape, argument.dtype))
    [output] = traced.outputs
    [result] = tf.raw_ops.Case(
        branch_index=0,
        input=[argument, *traced.captured_inputs],
        Tout=[output.dtype],
        branches=[traced],
        output_shapes=[output.shape],
    )
    return tf.ensure_shape(result, output.shape)


def check_conversions() -> None:
    """Raises `RuntimeError` in the modes of NumPy behavior in which TensorFlow's own functions fail.

    >>> check_conversions()
    """
    with tf.init_scope():
        is_weak = not isinstance(tf.constant(1), tf.Tensor)
    if is_weak:
        raise RuntimeError(
            "dtype_conversion_mode of TensorFlow's NumPy behavior must be 'legacy' (its default) or 'off'. "
            "Received: 'safe' or 'all', where TensorFlow's own random numbers and Keras' layers fail. Leave "
            "the argument out: tf.experimental.numpy.experimental_enable_numpy_behavior()."
        )


def _arguments(dataset: tf.data.Dataset, traced: Any) -> dict[str, Any]:
    variant = tf.data.experimental.to_variant(dataset)
    return {"input_dataset": variant, "other_arguments": traced.captured_inputs}


def _specs(traced: Any) -> Any:
    """Returns the specs of a function's results."""
    return tf.nest.map_structure(
        lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), traced.structured_outputs
    )


def _types(element_spec: Any) -> dict[str, Any]:
    flat = tf.nest.flatten(element_spec)
    return {
        "output_types": [spec.dtype for spec in flat],
        "output_shapes": [spec.shape for spec in flat],
    }


def succeeds(function: Callable[[], Any]) -> tf.Tensor:  # bool scalar
    """Tells whether a function of tensors runs without an error, by running it; works in a graph, too.

    >>> bool(succeeds(lambda: tf.io.read_file("no such file")))
    False
    """
    # The results leave the map, because what only a control dependency holds there is pruned.
    once = tf.data.Dataset.from_tensors(0)
    tried = mapped(once, lambda _: tuple(tf.nest.flatten(function())))
    result: tf.Tensor = tried.ignore_errors().reduce(False, as_is(lambda *_: True))
    return result


def value_or(default: Any, function: Callable[[], tf.Tensor]) -> tf.Tensor:
    """Returns what a function of tensors gives, or a default if it fails; works in a graph, too.

    Takes 0.1 ms, since the function is instantiated each time.

    >>> value_or("nothing", lambda: tf.io.read_file("no such file")).numpy()
    b'nothing'
    """
    default = tf.convert_to_tensor(default)
    tried = mapped(tf.data.Dataset.from_tensors(0), lambda _: function()).ignore_errors()
    first = tried.concatenate(tf.data.Dataset.from_tensors(default)).take(1)
    return tf.ensure_shape(first.get_single_element(), default.shape)
