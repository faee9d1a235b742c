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

from tfpipe import (
    ImageDataGenerator,
    ImageDataset,
    ResumableFit,
    image_dataset_from_directory,
)

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
    @pytest.mark.slow
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


KILLED_WHILE_WRITING = """
import os, pathlib, signal, sys, threading
import keras, numpy as np
from tfpipe import ImageDataGenerator, ResumableFit

directory, kill_at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
keras.utils.set_random_seed(1)
training = ImageDataGenerator().flow(np.ones([40, 32, 32, 3]), np.ones(40), batch_size=8, seed=5)
model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3000), keras.layers.Dense(1)])
model.compile("sgd", "mse")

def watch():
    while not (directory / f"ckpt-{kill_at}_temp").exists():
        pass
    os.kill(os.getpid(), signal.SIGKILL)

if kill_at:
    threading.Thread(target=watch, daemon=True).start()
steps = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: print("STEP", flush=True))
keep = ResumableFit(training, directory, save_freq=1)
model.fit(training, epochs=2, verbose=0, shuffle=False, callbacks=[keep, steps])
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

    @pytest.mark.slow
    def test_killed_in_the_middle_of_a_write(self, tmp_path):
        script, kept = tmp_path / "train.py", tmp_path / "kept"
        script.write_text(KILLED_WHILE_WRITING)
        killed = self.run(script, kept, 4)
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        left = {path.name for path in kept.iterdir()}
        assert "ckpt-4_temp" in left or "ckpt-4.data-00000-of-00001" in left
        resumed = self.run(script, kept, 0)
        assert resumed.returncode == 0, resumed.stderr[-2000:]
        assert resumed.stdout.count("STEP") in (7, 6)  # of ten, from behind the third or the fourth
        assert {path.name.partition(".")[0] for path in kept.iterdir()} == {
            "checkpoint",
            "ckpt-10",
            "ckpt-9",
            "run",
        }

    def test_rejects_another_data_set_and_bad_frequencies(self, tmp_path):
        with pytest.raises(TypeError, match="ImageDataset"):
            ResumableFit(tf.data.Dataset.range(3), tmp_path)
        with pytest.raises(ValueError, match="save_freq"):
            ResumableFit(flow(), tmp_path, save_freq=0)
        with pytest.raises(ValueError, match="changed must be one of 'raise', 'warn'"):
            ResumableFit(flow(), tmp_path, changed="ignore")


PICTURES = RNG.integers(0, 256, (20, 6, 7, 3), np.uint8)


def training_on(images=PICTURES, labels=None, batch_size=4, seed=1, **options):
    labels = np.arange(len(images)) % 3 if labels is None else labels
    return ImageDataGenerator(**options).flow(images, labels, batch_size=batch_size, seed=seed)


class Interrupt(keras.callbacks.Callback):
    """Stops a fit behind a batch of its first epoch."""

    def __init__(self, batch):
        super().__init__()
        self.last = batch

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.last:
            raise KeyboardInterrupt


class Places(keras.callbacks.Callback):
    """The (epoch, batches) that a fit took, and the weights that it began with."""

    def on_train_begin(self, logs=None):
        self.weights = [w.numpy() for w in self.model.weights]
        self.rate = float(self.model.optimizer.learning_rate)
        self.steps = []

    def on_epoch_begin(self, epoch, logs=None):
        self.steps.append((epoch, 0))

    def on_train_batch_end(self, batch, logs=None):
        self.steps[-1] = (self.steps[-1][0], batch + 1)


def fit(directory, dataset=None, epochs=2, stop=None, optimizer=None, units=3, **options):
    """A fit that is stopped behind batch `stop`, or runs to its end; what it did, and its model."""
    keras.utils.set_random_seed(3)
    dataset = training_on() if dataset is None else dataset
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(units, "softmax")])
    model.compile(optimizer or keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    keep = ResumableFit(dataset, directory, save_freq=2, **options)
    places = Places()
    callbacks = [keep, places] if stop is None else [keep, places, Interrupt(stop)]
    try:
        model.fit(dataset, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks)
    except KeyboardInterrupt:
        assert stop is not None
    return places, model


class TestChanged:
    """A second start that is not the same run."""

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"seed": 2}, "seed: 1 -> 2"),
            ({"batch_size": 5}, "batch_size: 4 -> 5"),
            ({"horizontal_flip": True}, "augment.horizontal_flip: False -> True"),
            ({"rescale": 1 / 255}, "standardize.rescale: None -> 0.00392"),
            ({"images": PICTURES[::-1]}, "image: uint8 "),
            ({"labels": np.zeros(20)}, "label: "),
        ],
    )
    def test_data(self, tmp_path, change, text):
        fit(tmp_path, stop=2)
        with pytest.raises(ValueError, match="are of another run") as error:
            fit(tmp_path, training_on(**change))
        assert f"\n  {text}" in str(error.value)
        assert "choose another directory" in str(error.value)
        assert "changed='warn'" in str(error.value)

    @pytest.mark.slow
    def test_files(self, tmp_path, write, picture):
        for number in range(8):
            write(
                tmp_path / "photos" / "ab"[number % 2] / f"{number}.png", picture(3, 4, seed=number)
            )

        def photos():
            return image_dataset_from_directory(
                tmp_path / "photos", image_size=(3, 4), batch_size=2, seed=1, verbose=False
            )

        fit(tmp_path / "kept", photos(), stop=2)
        fit(tmp_path / "kept", photos(), stop=0)
        (tmp_path / "photos" / "a" / "4.png").unlink()
        with pytest.raises(
            ValueError, match=r"files: 8 -> 7, .* number 2: 'a/4\.png' .*-> 'a/6\.png'"
        ):
            fit(tmp_path / "kept", photos())

    @pytest.mark.slow
    def test_optimizer_and_model(self, tmp_path):
        fit(tmp_path, stop=2)
        with pytest.raises(ValueError, match=r"optimizer\.learning_rate: 0\.01 -> 0\.1"):
            fit(tmp_path, optimizer=keras.optimizers.SGD(0.1))
        with pytest.raises(ValueError, match="optimizer: SGD -> Adam"):
            fit(tmp_path, optimizer=keras.optimizers.Adam(0.01))
        with pytest.raises(ValueError, match=r"Dense\)\.units: 3 -> 4"):
            fit(tmp_path, units=4)

    @pytest.mark.slow
    def test_the_same_run_with_other_epochs_and_buffers_says_nothing(self, tmp_path):
        fit(tmp_path, stop=2)
        dataset = training_on().tuned(num_parallel_calls=1, prefetch=1)
        places, _ = fit(tmp_path, dataset, epochs=3)
        assert places.steps == [(0, 3), (1, 5), (2, 5)]

    def test_a_rate_that_a_callback_changed_is_no_difference(self, tmp_path):
        dataset, model = training_on(), None
        for epochs in (1, 2):
            keep = ResumableFit(dataset, tmp_path)
            if model is None:
                model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
                model.compile("sgd", "mse")
            slower = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
            model.fit(dataset, epochs=epochs, callbacks=[keep, slower], verbose=0, shuffle=False)
        assert model.optimizer.learning_rate == 0.01 / 4

    @pytest.mark.slow
    def test_warn_begins_the_epoch_again_if_the_data_changed(self, tmp_path):
        fit(tmp_path, epochs=3, stop=2)
        with pytest.warns(
            UserWarning, match="training continues with what is new.*\n  batch_size: 4 -> 5"
        ):
            places, _ = fit(tmp_path, training_on(batch_size=5), epochs=2, changed="warn", stop=1)
        assert places.steps == [(0, 2)]
        for one, other in zip(
            places.weights, fit(tmp_path / "two", stop=1)[1].weights, strict=True
        ):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-5)
        places, _ = fit(tmp_path, training_on(batch_size=5), epochs=2)  # it is this run now
        assert places.steps == [(0, 2), (1, 4)]

    @pytest.mark.slow
    def test_warn_takes_the_new_optimizer(self, tmp_path):
        fit(tmp_path, stop=2)
        with pytest.warns(UserWarning, match="learning_rate: 0.01 -> 0.1"):
            places, model = fit(
                tmp_path, optimizer=keras.optimizers.SGD(0.1), changed="warn", stop=0
            )
        assert places.rate == pytest.approx(0.1)
        assert places.steps == [(0, 1)]
        assert model.optimizer.iterations == 3
        with pytest.warns(UserWarning, match="optimizer: SGD -> Adam"):
            _, model = fit(tmp_path, optimizer=keras.optimizers.Adam(), changed="warn", stop=0)
        assert model.optimizer.iterations == 1

    @pytest.mark.slow
    def test_another_model_does_not_fit(self, tmp_path):
        fit(tmp_path, stop=2)
        with (
            pytest.warns(UserWarning, match="units: 3 -> 4"),
            pytest.raises(
                ValueError, match=r"ckpt-1' does not fit the model.*\[126, 3\].*\[126, 4\]"
            ),
        ):
            fit(tmp_path, units=4, changed="warn")

    @pytest.mark.slow
    @pytest.mark.parametrize("content", [None, b"", bytes(99)], ids=["missing", "empty", "zeros"])
    def test_without_a_fingerprint_it_goes_on_with_one_warning(self, tmp_path, content):
        fit(tmp_path, stop=2)
        path = tmp_path / "run.json.gz"
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.warns(
            UserWarning, match=r"run\.json\.gz' (is missing|cannot be read)"
        ) as warned:
            places, _ = fit(tmp_path, stop=2)
        assert len(warned) == 1
        assert places.steps == [(0, 3)]
        path.unlink()
        with pytest.warns(UserWarning), pytest.raises(ValueError, match="seed: 1 -> 2"):
            fit(tmp_path, training_on(seed=2))


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def invert(path):
    content = bytearray(path.read_bytes())
    content[20:24] = bytes(255 - byte for byte in content[20:24])
    path.write_bytes(content)


def fill_with_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.slow
def test_made_in_the_scope_of_a_strategy(tmp_path):
    def fit_mirrored(*callbacks):
        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
            model.compile("adam", "mse")
            dataset = training_on()
            keep = ResumableFit(dataset, tmp_path, save_freq=2)
        options = {"epochs": 2, "verbose": 0, "shuffle": False}
        model.fit(dataset, callbacks=[keep, *callbacks], **options)
        return int(model.optimizer.iterations.value.numpy())

    with pytest.raises(KeyboardInterrupt):
        fit_mirrored(Interrupt(2))
    assert fit_mirrored() == 10


class TestDamaged:
    """What is there when it is started again after a kill, a full disk, or a bad copy."""

    @pytest.mark.slow
    @pytest.mark.parametrize("damage", [halve, invert, fill_with_zeros, Path.unlink])
    @pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
    def test_the_checkpoint_before_is_used(self, tmp_path, damage, part):
        fit(tmp_path, epochs=1)
        assert sorted(path.name for path in tmp_path.glob("ckpt-*.index")) == [
            "ckpt-2.index",
            "ckpt-3.index",
        ]
        damage(tmp_path / f"ckpt-3.{part}")
        with pytest.warns(UserWarning, match="ckpt-3' is damaged: .*resumes from .*ckpt-2'"):
            places, model = fit(tmp_path)
        assert places.steps == [(0, 1), (1, 5)]  # from behind four batches of five
        for one, other in zip(model.weights, fit(tmp_path / "whole")[1].weights, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
        fit(tmp_path, epochs=3)  # and all is well again

    @pytest.mark.slow
    @pytest.mark.parametrize("damage", [halve, fill_with_zeros, Path.unlink])
    def test_the_list_of_checkpoints(self, tmp_path, damage):
        fit(tmp_path, epochs=1)
        damage(tmp_path / "checkpoint")
        places, _ = fit(tmp_path)
        assert places.steps == [(1, 5)]

    @pytest.mark.slow
    def test_without_any_that_is_sound_there_is_an_error(self, tmp_path):
        fit(tmp_path, epochs=1)
        for path in tmp_path.glob("ckpt-*.index"):
            halve(path)
        message = (
            r"No checkpoint in .* can be used.*ckpt-3' is damaged.*ckpt-2' is damaged.*Put back"
        )
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                fit(tmp_path)
        for path in tmp_path.glob("ckpt-*"):
            path.unlink()
        with pytest.raises(
            ValueError, match=r"checkpoint' tells of checkpoints, but there are none"
        ):
            fit(tmp_path)

    @pytest.mark.slow
    def test_leftovers_of_killed_writes_are_cleared(self, tmp_path):
        fit(tmp_path, epochs=1)
        (tmp_path / "ckpt-4_temp").mkdir()
        leftovers = [
            "ckpt-4_temp/part-00000-of-00001.data-00000-of-00001.tempstate123",
            "ckpt-4.data-00000-of-00001",
            "checkpoint.tmp0a1b2c",
            "run.json.gz.part",
        ]
        for name in leftovers:
            (tmp_path / name).write_bytes(b"half of it")
        (tmp_path / "notes.txt").write_text("mine")
        places, _ = fit(tmp_path, stop=0)
        assert places.steps == [(1, 1)]
        assert not [name for name in leftovers if (tmp_path / name).exists()]
        assert (tmp_path / "notes.txt").exists()

    def test_a_first_write_that_was_killed_is_no_checkpoint(self, tmp_path):
        (tmp_path / "ckpt-1.data-00000-of-00001").write_bytes(b"half of it")
        places, _ = fit(tmp_path, stop=0)
        assert places.steps == [(0, 1)]
        (tmp_path / "ckpt-1.index").write_bytes(b"half of it")
        with pytest.warns(UserWarning, match="ckpt-1' is damaged.*training begins again"):
            fit(tmp_path, stop=0)
