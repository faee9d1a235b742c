"""A loop of the user's goes on for ever, as the classic's does; Keras' and TensorFlow's own see one epoch."""

import ast
import functools
import importlib.metadata
import itertools
from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from idioms import ended_within

from tfpipe import ImageDataGenerator

# Keras says it of every tf.data.Dataset, shuffled or not.
pytestmark = pytest.mark.filterwarnings("ignore:.shuffle=True. was passed")

LIBRARIES = pytest.mark.parametrize("library", [keras, tf_keras], ids=lambda lib: lib.__name__)
COUNT, BATCH, LENGTH = 7, 3, 3
IMAGES = np.random.default_rng(3).integers(0, 256, [COUNT, 8, 9, 3]).astype(np.float32)
TARGETS = np.arange(COUNT, dtype=np.float32)


@pytest.fixture(autouse=True)
def ends():
    """What goes wrong here goes wrong without end."""
    with ended_within(90):
        yield


def flow(y=TARGETS, shuffle=False, **options):
    generator = ImageDataGenerator(rescale=1 / 255)
    return generator.flow(IMAGES, y, batch_size=BATCH, shuffle=shuffle, **options)


def images_only():
    return flow(None)


def plain(values):
    return tf.data.Dataset.from_tensor_slices(values).batch(BATCH)


# Who loops over a data set, in the wheels of Keras.


class Loop(NamedTuple):
    module: str
    line: int
    over: str


NAMES = ("data", "ds", "dataset", "batches", "iterator", "epoch_iterator", "enumerate_epoch")


def over(node: ast.expr) -> str | None:
    """Returns what is looped over, `dataset` for `enumerate(self._dataset)`, or None."""
    while isinstance(node, ast.Call):
        passes_on = isinstance(node.func, ast.Name) and node.args
        node = node.args[0] if passes_on else node.func
    return {ast.Name: "id", ast.Attribute: "attr"}.get(type(node)) and (
        node.id if isinstance(node, ast.Name) else node.attr
    )


def loops(module: str, source: str) -> Iterator[Loop]:
    """Yields the loops, and the calls of `iter` and the like, over what is named as a data set is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            found = [node.iter]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            names = ("iter", "enumerate", "zip", "next", "list", "tuple")
            found = node.args if node.func.id in names else []
        else:
            continue
        for each in found:
            name = (over(each) or "").lstrip("_")
            if name in NAMES or name.endswith("_dataset"):
                yield Loop(module, each.lineno, ast.unparse(each))


@functools.cache
def loops_of_wheel(wheel: str) -> list[Loop]:
    found = []
    for path in importlib.metadata.files(wheel):
        if path.suffix == ".py" and ".." not in path.parts:
            source = path.locate().read_text(encoding="utf-8")
            found += loops(".".join(PurePath(path).with_suffix("").parts), source)
    return found


# Modules that were read by hand.
KNOWN = {
    "keras": {
        "keras.src.layers.preprocessing.discretization",
        "keras.src.layers.preprocessing.normalization",
        "keras.src.layers.preprocessing.text_vectorization",
        "keras.src.trainers.data_adapters.tf_dataset_adapter",
        "keras.src.trainers.epoch_iterator",
        "keras.src.utils.dataset_utils",
    },
    "tf_keras": {"tf_keras.src.engine.data_adapter", "tf_keras.src.utils.dataset_utils"},
}


class TestWheels:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("for x in dataset: pass", ["dataset"]),
            ("[x for x in self._dataset]", ["self._dataset"]),
            ("for i, x in enumerate(data, 1): pass", ["enumerate(data, 1)", "data"]),
            ("for x in iter(self._distributed_dataset): pass", 2),
            ("for x in dataset.take(2): pass", []),
            ("a, b = zip(train_dataset, names)", ["train_dataset"]),
            ("next(iter(ds))", ["iter(ds)", "ds"]),
            ("for x in names: pass", []),
        ],
    )
    def test_the_reader(self, source, expected):
        found = sorted((loop.over for loop in loops("m", source)), key=len, reverse=True)
        assert found == expected if isinstance(expected, list) else len(found) == expected

    @pytest.mark.slow
    @pytest.mark.parametrize("wheel", KNOWN)
    def test_it_finds_what_is_known(self, wheel):
        assert KNOWN[wheel] <= {loop.module for loop in loops_of_wheel(wheel)}

    @pytest.mark.parametrize("wheel", KNOWN)
    def test_each_is_given_whole_epochs(self, wheel):
        from tfpipe.dataset.askers import WHOLE_EPOCHS_FOR

        assert isinstance(WHOLE_EPOCHS_FOR, tuple)
        assert [x for x in loops_of_wheel(wheel) if not x.module.startswith(WHOLE_EPOCHS_FOR)] == []

    def test_users_are_not(self):
        from tfpipe.dataset.askers import WHOLE_EPOCHS_FOR

        users = ["__main__", "keras_tuner.engine", "kerastools", "train", "my_keras.data"]
        assert [user for user in users if user.startswith(WHOLE_EPOCHS_FOR)] == []


# Layers that look at all data once.

# What each layer is given: a flow itself, or the values that a map makes of one.
ADAPTED = {
    "Normalization": ({"axis": -1}, None),
    "Discretization": ({"num_bins": 4}, None),
    "IntegerLookup": ({}, np.array([5, 3, 3, 5, 5, 8, 1])),
    "StringLookup": ({}, np.array(["b", "a", "a", "b", "b", "c", "d"])),
    "TextVectorization": ({}, np.array(["b a", "a", "a e", "b", "b", "c", "d"])),
}


def with_adapt(library):
    """Returns the names of the layers that have `adapt`."""
    classes = {
        name: value for name, value in vars(library.layers).items() if isinstance(value, type)
    }
    return [name for name, value in classes.items() if hasattr(value, "adapt")]


def state_of(layer):
    """Returns what a layer has learned."""
    if hasattr(layer, "get_vocabulary"):
        return layer.get_vocabulary()
    if hasattr(layer, "bin_boundaries"):
        return [float(boundary) for boundary in layer.bin_boundaries]
    return [np.asarray(value) for value in (layer.mean, layer.variance)]


class TestAdapt:
    @LIBRARIES
    def test_all_layers_are_tried(self, library):
        assert set(with_adapt(library)) == set(ADAPTED)

    @LIBRARIES
    @pytest.mark.parametrize("name", ADAPTED)
    def test_one_epoch(self, library, name):
        options, values = ADAPTED[name]
        layer, expected = (getattr(library.layers, name)(**options) for _ in range(2))
        if values is None:
            layer.adapt(images_only())
            expected.adapt(plain(IMAGES / 255))
        else:
            layer.adapt(flow(values).map(lambda _, y: y))
            expected.adapt(plain(values))
        for ours, theirs in zip(state_of(layer), state_of(expected), strict=True):
            if isinstance(theirs, str | int):
                assert ours == theirs
            else:
                np.testing.assert_allclose(ours, theirs, rtol=1e-4)

    @LIBRARIES
    def test_after_a_loop(self, library):
        data = images_only()
        list(itertools.islice(data, 5))
        layer, expected = (library.layers.Normalization(axis=-1) for _ in range(2))
        layer.adapt(data)
        expected.adapt(plain(IMAGES / 255))
        np.testing.assert_allclose(layer.mean, expected.mean, rtol=1e-4)

    def test_feature_space(self):
        space = keras.utils.FeatureSpace({"y": keras.utils.FeatureSpace.float_normalized()})
        space.adapt(flow().map(lambda _, y: {"y": y}))
        np.testing.assert_allclose(space.preprocessors["y"].mean.numpy().ravel(), [3.0])


# Training.


def linear(library, run_eagerly=False):
    """Returns a compiled model of one output, the sum of an image's pixels at first."""
    layers = [
        library.Input((8, 9, 3)),
        library.layers.Flatten(),
        library.layers.Dense(1, kernel_initializer="ones"),
    ]
    model = library.Sequential(layers)
    model.compile(library.optimizers.SGD(1e-3), "mse", run_eagerly=run_eagerly)
    return model


def counting(library):
    """Returns a callback that counts the batches it is told of, by what is done with them."""

    class Count(library.callbacks.Callback):
        counts = {"train": 0, "test": 0, "predict": 0}

        def on_train_batch_end(self, batch, logs=None):
            self.counts["train"] += 1

        def on_test_batch_end(self, batch, logs=None):
            self.counts["test"] += 1

        def on_predict_batch_end(self, batch, logs=None):
            self.counts["predict"] += 1

    return Count()


def trained(data, library=keras, **options):
    model = linear(library)
    model.fit(data, epochs=2, verbose=0, shuffle=False, **options)
    return model.get_weights()


LOOKS = {
    "next": lambda data: next(data),
    "next over epochs": lambda data: [next(data) for _ in range(5)],
    "next of iter": lambda data: next(iter(data)),
    "number": lambda data: (data[0], data[2]),
    "loop that breaks": lambda data: list(zip(range(1), data, strict=False)),
    "loop over epochs": lambda data: list(itertools.islice(data, 8)),
    "reset": lambda data: data.reset(),
}


class TestTraining:
    @LIBRARIES
    @pytest.mark.parametrize("run_eagerly", [False, True], ids=["compiled", "eager"])
    def test_one_epoch_each(self, library, run_eagerly):
        model, count = linear(library, run_eagerly), counting(library)
        data = flow()
        predicted = model.predict(data, verbose=0, callbacks=[count])
        np.testing.assert_allclose(predicted[:, 0], IMAGES.sum((1, 2, 3)) / 255, rtol=1e-4)
        loss = model.evaluate(data, verbose=0, callbacks=[count])
        assert loss == pytest.approx(np.mean((predicted[:, 0] - TARGETS) ** 2), rel=1e-4)
        model.fit(data, epochs=2, verbose=0, callbacks=[count], validation_data=data)
        assert count.counts == {"train": 2 * LENGTH, "test": 3 * LENGTH, "predict": LENGTH}

    def test_fit_does_not_move_next(self):
        data = flow()
        next(data)
        trained(data)
        assert next(data)[1].tolist() == [3, 4, 5]
        assert data.total_batches_seen == 2

    @pytest.mark.parametrize("look", LOOKS)
    def test_looks_change_nothing(self, look):
        expected = trained(flow(shuffle=True, seed=5))
        data = flow(shuffle=True, seed=5)
        LOOKS[look](data)
        for ours, theirs in zip(trained(data), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)

    @pytest.mark.slow
    @pytest.mark.parametrize("look", LOOKS)
    def test_looks_change_nothing_for_tf_keras(self, look):
        expected = trained(flow(shuffle=True, seed=5), tf_keras)
        data = flow(shuffle=True, seed=5)
        LOOKS[look](data)
        for ours, theirs in zip(trained(data, tf_keras), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)

    @LIBRARIES
    def test_split_dataset(self, library):
        data = ImageDataGenerator().flow(IMAGES[:6], TARGETS[:6], batch_size=BATCH, shuffle=False)
        next(data)
        left, right = library.utils.split_dataset(data, left_size=1)
        assert [labels(left), labels(right)] == [EPOCH[:1], EPOCH[1:2]]


# TensorFlow's own ways.


def labels(batches):
    return [np.asarray(y).tolist() for _, y in batches]


EPOCH = [[0, 1, 2], [3, 4, 5], [6]]

METHODS = {
    "take": (lambda data: data.take(2), EPOCH[:2]),
    "take more": (lambda data: data.take(9), EPOCH),
    "skip": (lambda data: data.skip(1), EPOCH[1:]),
    "map": (lambda data: data.map(lambda x, y: (x, y)), EPOCH),
    "prefetch": (lambda data: data.prefetch(1), EPOCH),
    "cache": (lambda data: data.cache(), EPOCH),
    "repeat": (lambda data: data.repeat(2), 2 * EPOCH),
    "concatenate": (lambda data: data.concatenate(data), 2 * EPOCH),
    "unbatch and batch": (lambda data: data.unbatch().batch(4), [[0, 1, 2, 3], [4, 5, 6]]),
    "batch": (lambda data: data.take(2).batch(2), [EPOCH[:2]]),
    "shard": (lambda data: data.shard(2, 1), EPOCH[1:2]),
    "filter": (lambda data: data.filter(lambda x, y: y[0] > 0), EPOCH[1:]),
    "enumerate": (lambda data: data.enumerate().map(lambda i, batch: batch), EPOCH),
    "zip": (lambda data: tf.data.Dataset.zip((data, data)).map(lambda a, b: b), EPOCH),
    "flat_map": (lambda data: tf.data.Dataset.range(2).flat_map(lambda i: data), 2 * EPOCH),
    "apply": (lambda data: data.apply(tf.data.experimental.assert_cardinality(LENGTH)), EPOCH),
}


class TestTensorFlow:
    def test_as_numpy_iterator(self):
        data = flow()
        assert labels(data.as_numpy_iterator()) == EPOCH
        assert labels(data.as_numpy_iterator()) == EPOCH

    def test_cardinality(self):
        assert int(flow().cardinality()) == len(flow()) == LENGTH
        assert int(tf.data.experimental.cardinality(flow())) == LENGTH

    @pytest.mark.parametrize("name", METHODS)
    def test_methods(self, name):
        change, expected = METHODS[name]
        data = flow()
        assert labels(change(data)) == expected
        next(data)
        assert labels(change(data)) == expected

    def test_reduce(self):
        data = flow()
        assert int(data.reduce(0, lambda count, _: count + 1)) == LENGTH
        assert float(data.reduce(0.0, lambda total, batch: total + tf.reduce_sum(batch[1]))) == 21

    def test_saved_and_loaded(self, tmp_path):
        flow().save(str(tmp_path / "saved"))
        assert labels(tf.data.Dataset.load(str(tmp_path / "saved"))) == EPOCH

    def test_a_loop_in_a_function(self):
        @tf.function
        def total(data):
            count, result = 0, 0.0
            for _, y in data:
                count, result = count + 1, result + tf.reduce_sum(y)
            return count, result

        data = flow()
        for _ in range(2):
            assert [float(value) for value in total(data)] == [LENGTH, 21]

    def test_next_in_a_function(self):
        data = flow()

        @tf.function
        def first():
            return next(iter(data))[1]

        assert [first().numpy().tolist() for _ in range(2)] == [EPOCH[0]] * 2

    def test_an_iterator_given_to_a_function(self):
        @tf.function
        def two(iterator):
            return next(iterator)[1], next(iterator)[1]

        assert [y.numpy().tolist() for y in two(iter(flow()))] == EPOCH[:2]

    def test_strategy(self):
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        shared = strategy.experimental_distribute_dataset(flow())
        for _ in range(2):
            assert labels(shared) == EPOCH

    def test_fit_under_a_strategy(self):
        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            model, count = linear(keras), counting(keras)
        data = flow()
        next(data)
        model.fit(data, epochs=2, verbose=0, callbacks=[count])
        assert count.counts["train"] == 2 * LENGTH


class TestPython:
    """The user's own loop, beside them."""

    def test_it_goes_on(self):
        data = flow()
        assert labels(itertools.islice(data, 7)) == [*EPOCH, *EPOCH, EPOCH[0]]

    def test_while_another_epoch_is_read(self):
        data = flow()
        seen = []
        for _, y in data:
            seen.append(y.tolist())
            assert labels(data.take(2)) == EPOCH[:2]
            if len(seen) == 4:
                break
        assert seen == [*EPOCH, EPOCH[0]]

    def test_the_other_door_ends(self, tmp_path, write):
        import tfpipe

        for i in range(COUNT):
            write(tmp_path / "a" / f"{i}.png")
        data = tfpipe.image_dataset_from_directory(tmp_path, batch_size=BATCH, image_size=(8, 9))
        assert sum(1 for _ in data) == LENGTH
        assert sum(1 for _ in data) == LENGTH
