"""Loops that begin anywhere, checkpoints of iterators, and a fit that survives SIGKILL."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpipe import ImageDataGenerator, ImageDataset, ResumableFit

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (22, 6, 7, 3), np.uint8)
AUGMENT = {"rotation_range": 20, "horizontal_flip": True, "rescale": 1 / 255}


def flow(shuffle=True, **options):
    return ImageDataGenerator(**options).flow(
        IMAGES, np.arange(22), batch_size=4, shuffle=shuffle, seed=5
    )


def as_bytes(batches):
    return [(x.numpy().tobytes(), y.numpy().tobytes()) for x, y in batches]


def epoch_of(dataset):
    """The next epoch of a flow, or the rest of it, as what trains on it sees it."""
    return as_bytes(dataset.take(-1))


class TestStartingAt:
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_every_batch_begins_the_rest_of_the_epoch(self, shuffle):
        dataset = flow(shuffle, **AUGMENT)
        epochs = [epoch_of(dataset) for _ in range(3)]
        for epoch in (0, 2):
            for batch in range(len(dataset) + 1):
                dataset.seek(epoch, batch)
                assert epoch_of(dataset) == epochs[epoch][batch:]

    def test_the_loop_after_it_is_the_next_whole_epoch(self):
        dataset = flow()
        epochs = [epoch_of(dataset) for _ in range(3)]
        resumed = dataset.starting_at(1, 4)
        assert epoch_of(resumed) == epochs[1][4:]
        assert epoch_of(resumed) == epochs[2]

    def test_leaves_the_first_data_set_alone_and_keeps_its_attributes(self):
        dataset = flow()
        first, _, _, fourth = (epoch_of(dataset) for _ in range(4))
        dataset.seek(0)
        resumed = dataset.starting_at(3, 2)
        assert epoch_of(dataset) == first
        assert isinstance(resumed, ImageDataset)
        assert (len(resumed), resumed.seed, resumed.subset) == (6, 5, None)
        assert resumed[1][0].tobytes() == fourth[1][0]
        assert next(resumed)[0].tobytes() == fourth[2][0]
        assert dataset[1][0].tobytes() == first[1][0]
        assert next(dataset)[0].tobytes() == first[0][0]

    def test_repeat_keeps_whole_epochs(self):
        dataset = flow()
        epochs = [epoch_of(dataset) for _ in range(3)]
        dataset.seek(0)
        assert as_bytes(dataset.repeat(3)) == epochs[0] + epochs[1] + epochs[2]

    def test_nothing_is_lost_at_the_seams_of_steps_per_epoch(self):
        seen = []

        class Recorder(keras.Model):
            def train_step(self, data):
                seen.append(data[1].numpy().tolist())
                return {"loss": 0.0}

        dataset = flow()
        epochs = [[y.numpy().tolist() for _, y in dataset.take(-1)] for _ in range(2)]
        dataset.seek(0)
        model = Recorder()
        model.compile(run_eagerly=True)
        model.fit(dataset.repeat(), steps_per_epoch=4, epochs=3, verbose=0, shuffle=False)
        assert seen == epochs[0] + epochs[1]  # 12 steps: two epochs of 6 batches

    @pytest.mark.parametrize(
        ("epoch", "batch", "text"),
        [(-1, 0, "epoch"), (0, -1, "batch"), (0, 7, "batch"), (0.5, 0, "epoch")],
    )
    def test_rejects_places_that_do_not_exist(self, epoch, batch, text):
        with pytest.raises(ValueError, match=text):
            flow().starting_at(epoch, batch)


class TestCheckpoint:
    def test_restored_before_every_batch_the_rest_is_equal(self, tmp_path):
        dataset = flow(**AUGMENT)
        whole = epoch_of(dataset)
        dataset.seek(0)
        iterator = iter(dataset.take(-1))
        checkpoint = tf.train.Checkpoint(iterator=iterator)
        for batch in range(len(dataset)):
            path = checkpoint.save(str(tmp_path / "place"))
            again = iter(dataset.starting_at(0).take(-1))
            tf.train.Checkpoint(iterator=again).restore(path)
            assert as_bytes(again) == whole[batch:]
            next(iterator)

    @pytest.mark.slow
    @pytest.mark.parametrize("shuffle", [True, False])
    @pytest.mark.parametrize("parallelism", [1, 2, 8])
    @pytest.mark.parametrize("prefetch", [0, 1, tf.data.AUTOTUNE])
    def test_whatever_threads_and_buffers_there_are(self, tmp_path, shuffle, parallelism, prefetch):
        plain = flow(shuffle, **AUGMENT)
        whole = epoch_of(plain)
        plain.seek(0)
        dataset = plain.tuned(num_parallel_calls=parallelism, prefetch=prefetch)
        iterator = iter(dataset.take(-1))
        checkpoint = tf.train.Checkpoint(iterator=iterator)
        for batch in range(len(whole)):
            path = checkpoint.save(str(tmp_path / "place"))
            again = iter(dataset.starting_at(0).take(-1))
            tf.train.Checkpoint(iterator=again).restore(path)
            assert as_bytes(again) == whole[batch:]
            assert epoch_of(dataset.starting_at(0, batch)) == whole[batch:]
            next(iterator)

    @pytest.mark.parametrize("n", [2_000, 1_000_000])
    def test_size_does_not_grow_with_the_data(self, n, tmp_path):
        # A million indices alone would be 8 MB. How much is read ahead, and so is part of the
        # checkpoint, depends on the threads: the bound leaves room for all of it.
        images = np.zeros([n, 1, 1, 1], np.uint8)
        iterator = iter(ImageDataGenerator().flow(images, batch_size=4, seed=1).take(-1))
        next(iterator)
        path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "place"))
        assert sum(f.stat().st_size for f in tmp_path.glob(Path(path).name + "*")) < 40_000


SCRIPT = """
import hashlib, os, signal, sys
import keras, numpy as np, tensorflow as tf
from tfpipe import ImageDataGenerator, ResumableFit

directory, kill_at = sys.argv[1], int(sys.argv[2])
keras.utils.set_random_seed(1)
tf.config.experimental.enable_op_determinism()
rng = np.random.default_rng(0)
x, y = rng.integers(0, 256, (50, 8, 9, 3)).astype("uint8"), rng.integers(0, 3, 50)
generator = ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
training = generator.flow(x, y, batch_size=8, seed=5)
model = keras.Sequential([
    keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization(),
    keras.layers.Flatten(), keras.layers.Dropout(0.3), keras.layers.Dense(3, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")

class Kill(keras.callbacks.Callback):
    seen = 0
    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

keep = ResumableFit(training, directory, save_freq=2)
model.fit(training, epochs=4, verbose=0, shuffle=False, callbacks=[keep, Kill()])
weights = b"".join(w.tobytes() for w in model.get_weights())
print("WEIGHTS", hashlib.sha256(weights).hexdigest(), int(model.optimizer.iterations))
"""


class TestResumableFit:
    def run(self, script, directory, kill_at):
        return subprocess.run(
            [sys.executable, str(script), str(directory), str(kill_at)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    @pytest.mark.slow
    def test_killed_twice_it_ends_with_the_same_weights(self, tmp_path):
        script = tmp_path / "train.py"
        script.write_text(SCRIPT)
        whole = self.run(script, tmp_path / "whole", 0)
        assert whole.returncode == 0, whole.stderr[-2000:]
        for kill_at in (12, 9):  # 7 batches an epoch: in the middle of the second, then the third
            killed = self.run(script, tmp_path / "killed", kill_at)
            assert killed.returncode == -signal.SIGKILL
        resumed = self.run(script, tmp_path / "killed", 0)
        assert resumed.returncode == 0, resumed.stderr[-2000:]
        last = re.compile(r"WEIGHTS \w+ 28")
        assert last.search(resumed.stdout).group() == last.search(whole.stdout).group()

    def test_another_seed_is_refused(self, tmp_path):
        def fit(seed):
            training = ImageDataGenerator().flow(IMAGES, np.zeros(22), batch_size=8, seed=seed)
            model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            keep = ResumableFit(training, tmp_path)
            model.fit(training, epochs=1, verbose=0, shuffle=False, callbacks=[keep])

        fit(1)
        with pytest.raises(ValueError, match="seed 1.*seed 2"):
            fit(2)

    def test_rejects_another_data_set_and_bad_frequencies(self, tmp_path):
        with pytest.raises(TypeError, match="ImageDataset"):
            ResumableFit(tf.data.Dataset.range(3), tmp_path)
        with pytest.raises(ValueError, match="save_freq"):
            ResumableFit(flow(), tmp_path, save_freq=0)
