"""The transformations of `tfpipe.graph` against the methods of `tf.data.Dataset` that they stand for."""

import collections
import gc
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.graph import (
    always_traced,
    case_of_one,
    filtered,
    flat_mapped,
    mapped,
    scanned,
    unbatched,
)

ONE_DEVICE = "experimental_ints_on_device"


@pytest.fixture
def pairs():
    values = np.arange(7, dtype=np.int64)
    return tf.data.Dataset.from_tensor_slices((values, (values * 10.0, values % 2 == 0)))


def both(first, rest):
    number, is_even = rest
    return {"sum": tf.cast(first, tf.float64) + number}, (is_even, tf.stack([first, first]))


def elements(dataset):
    return [tf.nest.map_structure(np.asarray, element) for element in dataset.as_numpy_iterator()]


def assert_same(dataset, expected):
    assert dataset.element_spec == expected.element_spec
    assert dataset.cardinality() == expected.cardinality()
    tf.nest.map_structure(np.testing.assert_array_equal, elements(dataset), elements(expected))


class TestAgainstTheMethods:
    @pytest.mark.parametrize("workers", [None, 1, 3])
    def test_mapped(self, pairs, workers):
        assert_same(mapped(pairs, both, workers), pairs.map(both))

    def test_filtered(self, pairs):
        predicate = lambda first, rest: rest[1]  # noqa: E731
        assert_same(filtered(pairs, predicate), pairs.filter(predicate))

    def test_flat_mapped(self, pairs):
        def repeated(first, rest):
            return tf.data.Dataset.from_tensors((first, rest[0])).repeat(first % 3)

        assert_same(flat_mapped(pairs, repeated), pairs.flat_map(repeated))

    def test_scanned(self, pairs):
        def step(total, element):
            total += element[0]
            return total, (total, element[1])

        begin = tf.constant(100, tf.int64)
        assert_same(scanned(pairs, begin, step), pairs.scan(begin, step))

    def test_inside_one_another_with_what_they_capture(self):
        table = tf.Variable([5, 7, 9], dtype=tf.int64)
        base = tf.data.Dataset.range(5)

        def value(i, n):
            return table[i % 3] + n

        def upto(n):
            values = mapped(tf.data.Dataset.range(n), lambda i: value(i, n), 2)
            return filtered(values, lambda x: x % 2 == 0)

        def expected(n):
            values = tf.data.Dataset.range(n).map(lambda i: value(i, n))
            return values.filter(lambda x: x % 2 == 0)

        assert_same(flat_mapped(base, upto), base.flat_map(expected))
        assert len(elements(flat_mapped(base, upto))) == 4


class TestElements:
    def test_a_dict_and_a_named_tuple_are_one_argument(self):
        pair = collections.namedtuple("pair", ["a", "b"])
        for element in ({"a": np.arange(3), "b": np.ones(3)}, pair(np.arange(3), np.ones(3))):
            dataset = tf.data.Dataset.from_tensor_slices(element)
            assert_same(mapped(dataset, lambda one: one), dataset.map(lambda one: one))

    def test_unbatched(self, pairs):
        assert_same(unbatched(pairs.batch(3)), pairs.batch(3).unbatch())

    @pytest.mark.parametrize("in_graph", [False, True])
    def test_case_of_one(self, in_graph):
        offset = tf.Variable(5)
        function = tf.function(lambda x: tf.strings.length(x) + offset)
        call = lambda x: case_of_one(function, x)  # noqa: E731
        assert int((tf.function(call) if in_graph else call)(tf.constant("abc"))) == 8

    @pytest.mark.parametrize("eagerly", [False, True])
    def test_always_traced(self, eagerly):
        function = always_traced(lambda pair, scale: scale * (pair["a"] + pair["b"]))
        pair = {"a": tf.constant([1, 2]), "b": tf.constant([10, 20])}
        tf.config.run_functions_eagerly(eagerly)
        try:
            assert function(pair, 3).numpy().tolist() == [33, 66]
            graph = tf.function(function).get_concrete_function(pair, 3).graph
            assert "PartitionedCall" in {
                op.type.removeprefix("Stateful") for op in graph.get_operations()
            }
        finally:
            tf.config.run_functions_eagerly(False)


class TestLifetime:
    def test_what_a_function_calls_and_captures_lives_as_long(self):
        def make():
            seen, factor = [], tf.Variable(3, dtype=tf.int64)

            def in_python(x):
                seen.append(int(x))
                return x + 1

            def step(x):
                return factor * tf.ensure_shape(tf.numpy_function(in_python, [x], tf.int64), [])

            return mapped(mapped(tf.data.Dataset.range(4), step), lambda x: x).batch(3), seen

        dataset, seen = make()
        gc.collect()
        assert [batch.tolist() for batch in dataset.as_numpy_iterator()] == [[3, 6, 9], [12]]
        assert seen == [0, 1, 2, 3]

    def test_an_iterator_goes_on_from_a_checkpoint(self, tmp_path):
        dataset = mapped(tf.data.Dataset.range(6), lambda x: x * x, 3)
        iterator = iter(dataset)
        assert [int(next(iterator)) for _ in range(2)] == [0, 1]
        path = tf.train.Checkpoint(iterator=iterator).write(str(tmp_path / "here"))
        again = iter(dataset)
        tf.train.Checkpoint(iterator=again).read(path)
        assert [int(x) for x in again] == [4, 9, 16, 25]


def functions_of(dataset):
    """(op, function) of every op of tf.data in the whole graph that calls a function."""
    graph = tf.compat.v1.GraphDef.FromString(dataset._as_serialized_graph().numpy())
    library = {function.signature.name: function for function in graph.library.function}
    nodes = [*graph.node, *(node for function in library.values() for node in function.node_def)]
    return [
        (node.op, library[value.func.name])
        for node in nodes
        if "Dataset" in node.op
        for value in node.attr.values()
        if value.WhichOneof("value") == "func"
    ]


def calls_of_several_devices(dataset):
    """The functions called by the op that makes them functions of several devices; XLA's are one op."""
    graph = tf.compat.v1.GraphDef.FromString(dataset._as_serialized_graph().numpy())
    return {
        node.attr["f"].func.name
        for function in graph.library.function
        for node in function.node_def
        if node.op in ("PartitionedCall", "StatefulPartitionedCall")
        and not node.attr["_XlaMustCompile"].b
    }


def printed(script):
    """The last line that a script prints in a process of its own."""
    run = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


class TestOfOneDevice:
    def test_the_attribute_is_there(self):
        [(_, function)] = functions_of(mapped(tf.data.Dataset.range(3), lambda x: x + 1))
        assert function.attr[ONE_DEVICE].b

    def test_a_method_of_tf_data_has_none(self):
        [(_, function)] = functions_of(tf.data.Dataset.range(3).map(lambda x: x + 1))
        assert ONE_DEVICE not in function.attr

    @pytest.mark.parametrize("suffix", ["png", "gif"])
    @pytest.mark.parametrize(
        "options",
        [{}, {"on_error": "skip"}, {"cache": "memory"}, {"batch_size": None}],
        ids=lambda options: next(iter(options), "as it is"),
    )
    def test_every_function_that_an_epoch_starts_with(self, tmp_path, write, suffix, options):
        for name in ("a/1", "b/2"):
            write(tmp_path / f"{name}.{suffix}")
        dataset = tfpipe.image_dataset_from_directory(tmp_path, verbose=False, **options)
        found = functions_of(dataset)
        slow = {op for op, function in found if not function.attr[ONE_DEVICE].b}
        # `succeeds` tries a file that failed once more: no epoch starts with its `reduce`.
        assert slow <= {"ReduceDataset"}
        assert {"FlatMapDataset", "ParallelMapDatasetV2"} <= {op for op, _ in found}
        assert calls_of_several_devices(dataset) == set()

    def test_the_walk_finds_a_call_of_several_devices(self):
        twice = tf.function(lambda x: 2 * x)
        [name] = calls_of_several_devices(mapped(tf.data.Dataset.range(3), lambda x: twice(x)))
        assert "lambda" in name

    @pytest.mark.slow
    def test_every_op_is_on_the_host(self):
        script = """
            import numpy as np
            import tensorflow as tf

            cpu = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
            import tfpipe

            with tf.device("CPU:1"):
                flow = tfpipe.ImageDataGenerator().flow(np.ones([5, 2, 2, 1]), batch_size=2)
                whole = tfpipe.ImageDataset(flow.source, flow.spec)
                loops = [len(next(iter(flow))), sum(len(batch) for batch in whole)]
                print(flow[1].shape, next(flow).shape, loops)
        """
        assert printed(script) == "(2, 2, 2, 1) (2, 2, 2, 1) [2, 5]"

    @pytest.mark.slow
    def test_a_users_function_may_have_variables_on_another_device(self, tmp_path):
        script = """
            import numpy as np
            import tensorflow as tf

            cpu = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
            import tfpipe

            with tf.device("CPU:1"):
                factor = tf.Variable(3.0)
            generator = tfpipe.ImageDataGenerator(preprocessing_function=lambda image: factor * image)
            flow = generator.flow(np.ones([2, 2, 2, 1]), batch_size=2)
            print([float(batch.numpy().mean()) for batch in flow.take(-1)])
        """
        assert printed(script) == "[3.0]"
