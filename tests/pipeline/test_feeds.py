"""Graphs that data sets share: equal for a key, and never with the values of another data set."""

import re
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import Augment, ImageDataGenerator
from tfpipe.graph import mapped
from tfpipe.pipeline import feeds
from tfpipe.pipeline.feeds import Feeds, identity


@pytest.fixture
def none_known(monkeypatch):
    """No graph was traced before."""
    monkeypatch.setattr(feeds, "_known", type(feeds._known)())


@pytest.fixture(scope="module")
def folders(tmp_path_factory, write, picture):
    """Two folders with different files: names, numbers, sizes and classes."""
    made = []
    for number, counts in enumerate(((3, 2), (5, 9))):
        top = tmp_path_factory.mktemp(f"folder{number}")
        for name, count in zip("ab" if number else "cd", counts, strict=True):
            for i in range(count):
                write(f"{top}/{name}/{number}{i}.png", picture(9 + i, 7 + number, seed=i))
        made.append(str(top))
    return made


def table(folder):
    files = tfpipe.image_dataset_from_directory(folder, verbose=False).filepaths
    return pd.DataFrame(
        {"filename": files, "class": [["x", "y"][i % 2] for i in range(len(files))]}
    )


def arrays(number):
    generator = np.random.default_rng(number)
    return generator.uniform(0, 255, [4 + number, 6, 5, 3]).astype("float32")


SMALL = {"image_size": (6, 5), "verbose": False}
KINDS = {
    "files": lambda f, n: tfpipe.image_dataset_from_directory(f[n], **SMALL),
    "augmented": lambda f, n: tfpipe.image_dataset_from_directory(
        f[n], augment=Augment(rotation_range=20, brightness_range=(0.5, 1.5)), **SMALL
    ),
    "balanced": lambda f, n: tfpipe.image_dataset_from_directory(
        f[n], balance="oversample", **SMALL
    ),
    "paths": lambda f, n: tfpipe.image_dataset_from_directory(
        f[n], include_paths=True, label_mode="categorical", **SMALL
    ),
    "weights": lambda f, n: tfpipe.image_dataset_from_directory(
        f[n], class_weights="balanced", **SMALL
    ),
    "mixed": lambda f, n: tfpipe.image_dataset_from_directory(
        f[n], label_mode="categorical", augment=Augment(mixup_alpha=0.2), **SMALL
    ),
    "masks": lambda f, n: tfpipe.image_dataset_from_dataframe(
        table(f[n]), mask_col="filename", mask_dtype="float32", **SMALL
    ),
    "packed masks": lambda f, n: packed(f[n]),
    "in order": lambda f, n: tfpipe.image_dataset_from_directory(
        f[n], shuffle=False, batch_size=None, **SMALL
    ),
    "raw": lambda f, n: ImageDataGenerator(rotation_range=9).flow_from_dataframe(
        table(f[n]).assign(y=n + 0.5), y_col="y", class_mode="raw", target_size=(6, 5)
    ),
    "arrays": lambda f, n: ImageDataGenerator().flow(arrays(n), np.arange(4 + n)),
    "further inputs": lambda f, n: ImageDataGenerator().flow(
        (arrays(n), np.arange(4.0 + n)), np.arange(4 + n), sample_weight=np.ones(4 + n)
    ),
    "statistics": lambda f, n: fitted(n).flow(arrays(n)),
}


def packed(folder):
    options = {"mask_col": "filename", "mask_dtype": "float32", **SMALL}
    masked = tfpipe.image_dataset_from_dataframe(table(folder), **options)
    tfpipe.pack(masked, f"{folder}_packed")
    return tfpipe.image_dataset_from_shards(f"{folder}_packed", verbose=False)


def fitted(number):
    generator = ImageDataGenerator(featurewise_center=True, zca_whitening=True)
    generator.fit(arrays(number))
    return generator


def graph_of(dataset, monkeypatch):
    """The graph of a data set that is traced for it alone, without the numbers in TensorFlow's names."""
    monkeypatch.setattr(feeds, "_known", type(feeds._known)())
    assert dataset.element_spec  # made when it is first asked for
    [traced] = feeds._known.values()
    graph = traced.function.graph.as_graph_def()
    parts = [str(graph.node), *map(str, graph.library.function)]
    return sorted(re.sub(r"(_\d+)+", "", part) for part in parts)


def flat(dataset):
    """All that the next epoch holds, whichever door the data set came through."""
    return [np.asarray(part) for batch in dataset.take(-1) for part in tf.nest.flatten(batch)]


class TestKey:
    @pytest.mark.parametrize("kind", KINDS)
    def test_holds_all_that_a_graph_depends_on(self, kind, folders, monkeypatch):
        one, other = (KINDS[kind](folders, number) for number in (0, 1))
        assert one._plan.key == other._plan.key is not None
        assert graph_of(one, monkeypatch) == graph_of(other, monkeypatch)

    def test_of_different_kinds_differ(self, folders):
        keys = {kind: KINDS[kind](folders, 0)._plan.key for kind in KINDS}
        assert len(set(keys.values())) == len(KINDS)

    def test_an_int_is_not_the_float_that_equals_it(self):
        images = np.zeros([2, 4, 4, 1], "float32")
        one, other = (ImageDataGenerator(width_shift_range=r).flow(images) for r in (1, 1.0))
        assert one._plan.key != other._plan.key  # whole pixels, or any part of one
        assert identity((1,)) != identity((True,)) != identity((1.0,))

    def test_a_users_function_is_not_shared(self):
        generator = ImageDataGenerator(preprocessing_function=lambda image: image / 2)
        assert generator.flow(np.zeros([2, 4, 4, 1]))._plan.key is None


class TestShared:
    @pytest.mark.parametrize("kind", KINDS)
    def test_gives_what_a_graph_of_its_own_gives(self, kind, folders, none_known, monkeypatch):
        assert KINDS[kind](folders, 1).element_spec
        before = list(feeds._known)
        shared = KINDS[kind](folders, 0)
        values = flat(shared)
        assert set(feeds._known) == set(before)
        monkeypatch.setattr(feeds, "_known", type(feeds._known)())
        alone = type(shared)(shared.source, shared.spec)
        for one, other in zip(values, flat(alone), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_loops_side_by_side_in_threads(self):
        datasets = [
            ImageDataGenerator().flow(np.full([8, 2, 2, 1], n), batch_size=2) for n in range(6)
        ]
        means = {}

        def read(number):
            epoch = datasets[number].take(-1)
            means[number] = {float(x.numpy().mean()) for _ in range(3) for x in epoch}

        threads = [threading.Thread(target=read, args=[n]) for n in range(6)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert means == {n: {float(n)} for n in range(6)}

    def test_the_loop_and_single_batches_are_traced_once(self, none_known):
        dataset = ImageDataGenerator().flow(np.arange(4.0).reshape(4, 1, 1, 1), shuffle=False)
        assert flat(dataset)[0].ravel().tolist() == dataset[0].ravel().tolist() == [0, 1, 2, 3]
        assert len(feeds._known) == 1

    def test_what_is_captured_makes_a_graph_its_own(self, none_known):
        def from_number(number):
            outside = tf.constant(number, tf.int64)
            return Feeds().shared(
                "captures", lambda: mapped(tf.data.Dataset.range(2), lambda x: x + outside)
            )

        assert [int(x) for x in from_number(1)] == [1, 2]
        assert [int(x) for x in from_number(2)] == [2, 3]
        assert not feeds._known

    def test_only_so_many_are_kept(self, none_known, monkeypatch):
        monkeypatch.setattr(feeds, "_MOST_TRACED", 2)
        made = [Feeds().shared(n, lambda n=n: tf.data.Dataset.range(n)) for n in range(4)]
        assert [key[0] for key in feeds._known] == [2, 3]
        assert [len(list(dataset)) for dataset in made] == [0, 1, 2, 3]


class TestColumns:
    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64", "bool", "float16"])
    def test_a_large_array_is_copied_as_it_is(self, dtype):
        values = np.random.default_rng(0).integers(0, 2, [1100, 1000]).astype(dtype)[:, ::-1]
        before = values.copy()
        rows = Feeds().column(values)
        values[...] = 0  # what the user does with it afterwards is of no concern
        indices = tf.constant([3, 0, 1099], tf.int64)
        np.testing.assert_array_equal(rows(indices), before[indices.numpy()])
        assert rows(indices).dtype == dtype

    @pytest.mark.slow
    def test_takes_the_memory_of_one_copy(self):
        script = """
import numpy as np, tensorflow as tf
from tfpipe.pipeline.feeds import Feeds
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
tf.constant(1.0)
values = np.ones([100, 1000, 1000], np.uint8)
Feeds().column(np.ones([2, 2**20], np.uint8))
before = peak()
rows = Feeds().column(values)
print((peak() - before) / values.nbytes)
"""
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert float(ran.stdout) < 1.1, ran.stderr[-2000:]


class TestLazy:
    def test_nothing_is_traced_for_what_a_data_set_knows(self, folders, none_known):
        dataset = KINDS["files"](folders, 0)
        assert (dataset.samples, dataset.class_names) == (5, ["c", "d"])
        assert not feeds._known
        assert dataset[0][0].shape == (5, 6, 5, 3)
        assert len(feeds._known) == 1

    @pytest.mark.slow
    def test_options_of_a_data_set_that_is_not_made_yet(self):
        dataset = ImageDataGenerator().flow(np.zeros([4, 2, 2, 1]))
        assert dataset.options().deterministic
        assert dataset.take(1).options().deterministic

    def test_a_function_may_be_the_first_that_needs_it(self):
        dataset = ImageDataGenerator().flow(np.ones([4, 2, 2, 1]), np.arange(4), shuffle=False)

        @tf.function
        def total():
            result = tf.constant(0, tf.int64)
            for _, y in dataset:
                result += tf.reduce_sum(y)
            return result

        assert int(total()) == int(total()) == 6
        assert [y.numpy().tolist() for _, y in dataset.take(-1)] == [[0, 1, 2, 3]]
