"""Keras takes the object as it is."""

import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe

# Keras says it of every tf.data.Dataset, shuffled or not.
pytestmark = pytest.mark.filterwarnings("ignore:.shuffle=True. was passed")


def small_model(outputs=3, shape=(6, 8, 3)):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs, "softmax")]
    )
    loss = "sparse_categorical_crossentropy" if outputs != 3 else "categorical_crossentropy"
    model.compile(keras.optimizers.SGD(1e-5), loss, metrics=["accuracy"])
    return model


class TestFit:
    @pytest.mark.slow
    def test_fit_evaluate_predict(self, small_dataset):
        model = small_model()
        training = small_dataset(validation_split=0.3, subset="training")
        validation = small_dataset(validation_split=0.3, subset="validation", shuffle=False)
        history = model.fit(training, validation_data=validation, epochs=2, verbose=0).history
        assert [len(history[name]) for name in ("loss", "val_loss")] == [2, 2]

        loss, _ = model.evaluate(validation, verbose=0)
        assert loss == pytest.approx(history["val_loss"][-1], rel=1e-5)

        predicted = model.predict(validation, verbose=0)
        assert predicted.shape == (validation.samples, 3)
        by_hand = np.concatenate([model.predict_on_batch(x) for x, _ in validation.take(-1)])
        np.testing.assert_allclose(predicted, by_hand, rtol=1e-5)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["classes", "labels", "filenames", "filepaths", "file_paths"])
    def test_results_beside_what_is_in_another_order_warn(self, small_dataset, name):
        model, match = small_model(), r"`predict` and `.*` are in different orders.*shuffle=False"
        read_first, read_later, in_order = (small_dataset(shuffle=s) for s in (True, True, False))
        getattr(read_first, name)
        with pytest.warns(UserWarning, match=match):
            model.predict(read_first, verbose=0)
        model.predict(read_later, verbose=0)
        with pytest.warns(UserWarning, match=match):
            getattr(read_later, name)
        getattr(read_later, name)  # once is enough
        getattr(in_order, name)
        model.predict(in_order, verbose=0)

    @pytest.mark.slow
    def test_what_is_not_compared_with_results_does_not_warn(self, small_dataset):
        dataset = small_dataset()
        model = small_model()
        model.fit(dataset, verbose=0)
        assert dataset.classes is not None
        model.predict(small_dataset(), verbose=0)
        dataset.show()  # reads them too, for its titles

    @pytest.mark.slow
    def test_steps(self, small_dataset):
        class Count(keras.callbacks.Callback):
            batches = 0

            def on_train_batch_end(self, batch, logs=None):
                self.batches += 1

        count = Count()
        small_model().fit(small_dataset(), epochs=2, verbose=0, callbacks=[count])
        assert count.batches == 8
        count = Count()
        small_model().fit(
            small_dataset(), epochs=2, steps_per_epoch=2, verbose=0, callbacks=[count]
        )
        assert count.batches == 4

    @pytest.mark.slow
    def test_sample_weights_reach_the_loss(self, animals):
        names = [f"cat/{i}.png" for i in range(4)] + [f"dog/{i}.png" for i in range(4)]
        frame = pd.DataFrame({"filename": names, "class": list("aaaabbbb"), "weight": [0.0] * 8})
        frame["double"] = 2.0
        generator = tfpipe.ImageDataGenerator(dtype="float32")
        losses = []
        for weight_col in (None, "weight", "double"):
            dataset = generator.flow_from_dataframe(
                frame,
                animals,
                weight_col=weight_col,
                class_mode="sparse",
                target_size=(6, 8),
                batch_size=8,
                shuffle=False,
            )
            losses.append(small_model(2).train_on_batch(*dataset[0])[0])
            assert small_model(2).evaluate(dataset, verbose=0)[0] == pytest.approx(losses[-1])
        assert losses[0] > 0
        assert losses[1] == 0
        assert losses[2] == pytest.approx(2 * losses[0], rel=1e-4)

    @pytest.mark.slow
    def test_several_inputs_and_outputs(self):
        image, number = keras.Input([2, 3, 1]), keras.Input([2])
        joined = keras.layers.Concatenate()([keras.layers.Flatten()(image), number])
        model = keras.Model([image, number], keras.layers.Dense(1)(joined))
        model.compile("sgd", "mse")
        x = np.random.default_rng(3).random([10, 2, 3, 1])
        dataset = tfpipe.ImageDataGenerator().flow((x, x[:, :, 0, 0]), x[:, 0, 0, 0], batch_size=4)
        assert np.isfinite(model.fit(dataset, verbose=0).history["loss"]).all()
        alone = tfpipe.ImageDataGenerator().flow((x, x[:, :, 0, 0]), batch_size=4)
        assert model.predict(alone, verbose=0).shape == (10, 1)

    @pytest.mark.slow
    def test_multi_output(self, animals):
        frame = pd.DataFrame(
            {"filename": [f"dog/{i}.png" for i in range(7)], "a": range(7), "b": np.arange(7.0)}
        )
        dataset = tfpipe.ImageDataGenerator().flow_from_dataframe(
            frame, animals, y_col=["a", "b"], class_mode="multi_output", target_size=(6, 8)
        )
        image = keras.Input([6, 8, 3])
        flat = keras.layers.Flatten()(image)
        model = keras.Model(image, [keras.layers.Dense(1)(flat), keras.layers.Dense(1)(flat)])
        model.compile(keras.optimizers.SGD(1e-9), ["mse", "mae"])
        assert np.isfinite(model.fit(dataset, verbose=0).history["loss"]).all()

    @pytest.mark.slow
    def test_a_broken_file_is_named(self, tmp_path, write, picture):
        for i in range(5):
            write(tmp_path / "a" / f"{i}.jpg", picture(7, 9, seed=i))
        path = tmp_path / "a" / "3.jpg"
        path.write_bytes(path.read_bytes()[:200])
        dataset = tfpipe.ImageDataGenerator().flow_from_directory(
            tmp_path, target_size=(6, 8), batch_size=2, class_mode="sparse"
        )
        with pytest.raises(tf.errors.OpError) as caught:
            small_model(2).fit(dataset, verbose=0)
        assert str(path) in str(caught.value)


# Logical devices must be set up before TensorFlow starts, so in a process of its own.
MIRRORED = """
import keras, numpy as np, sys, tensorflow as tf, tfpipe
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def make():
    return tfpipe.ImageDataGenerator().flow_from_directory(
        sys.argv[1], target_size=(6, 8), batch_size=4, seed=5
    )

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
outside = make()
with strategy.scope():
    inside = make()
    model = keras.Sequential(
        [keras.Input((6, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    )
    model.compile(keras.optimizers.SGD(1e-5), "categorical_crossentropy")
for dataset in (outside, inside):
    history = model.fit(dataset, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert dataset[0][0].shape == (4, 6, 8, 3)
assert np.isfinite(model.evaluate(inside, verbose=0))
assert model.predict(outside, verbose=0).shape == (14, 3)
seen = 0
for x, y in strategy.experimental_distribute_dataset(make()):
    seen += sum(len(part) for part in strategy.experimental_local_results(y))
assert seen == 14, seen
print("fitted on two replicas")
"""


class TestMirroredStrategy:
    @pytest.mark.slow
    def test_made_inside_and_outside_of_the_scope(self, animals):
        found = os.path.dirname(os.path.dirname(tfpipe.__file__))
        path = os.pathsep.join(filter(None, [found, os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-c", MIRRORED, str(animals)],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert "fitted on two replicas" in done.stdout, done.stderr[-3000:]
