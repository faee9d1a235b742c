"""Keras on each of its backends takes the data sets of both doors: TensorFlow, JAX and PyTorch.

`scripts/check backends` runs this file with JAX and with PyTorch; the other profiles run it with TensorFlow.
"""

from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest

import tfpipe

pytestmark = [
    pytest.mark.backends,
    # Keras says it of every tf.data.Dataset, shuffled or not.
    pytest.mark.filterwarnings("ignore:.shuffle=True. was passed"),
]

SIZE, BATCH, SAMPLES = (6, 8), 4, 14  # three batches of 4, and one of 2
OPTIONS = {"batch_size": BATCH, "seed": 5}
NAMES = ["Emu", "cat", "dog"]


def from_arrays(animals, **options):
    folder = from_directory(animals, batch_size=SAMPLES, shuffle=False)
    return tfpipe.ImageDataGenerator().flow(*folder[0], **OPTIONS | options)


def from_directory(animals, **options):
    options = {"target_size": SIZE, "class_mode": "sparse"} | OPTIONS | options
    return tfpipe.ImageDataGenerator().flow_from_directory(animals, **options)


def from_dataframe(animals, **options):
    names = [path.relative_to(animals).as_posix() for path in sorted(animals.glob("*/*.png"))]
    frame = pd.DataFrame({"filename": names, "class": [name.split("/")[0] for name in names]})
    options = {"target_size": SIZE, "class_mode": "sparse"} | OPTIONS | options
    return tfpipe.ImageDataGenerator().flow_from_dataframe(frame, animals, **options)


def of_function(animals, **options):
    options = {"image_size": SIZE, "verbose": False} | OPTIONS | options
    return tfpipe.image_dataset_from_directory(animals, **options)


DOORS = {
    "flow": from_arrays,
    "flow_from_directory": from_directory,
    "flow_from_dataframe": from_dataframe,
    "image_dataset_from_directory": of_function,
}


class Seen(keras.metrics.Metric):
    """How many samples the model was given, and the sum of their labels."""

    def __init__(self):
        super().__init__(name="seen")
        self.samples = self.add_weight(shape=(), initializer="zeros", name="samples")
        self.labels = self.add_weight(shape=(), initializer="zeros", name="labels")

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels = keras.ops.cast(keras.ops.reshape(y_true, [-1]), "float32")
        self.samples.assign(self.samples + keras.ops.sum(keras.ops.ones_like(labels)))
        self.labels.assign(self.labels + keras.ops.sum(labels))

    def result(self):
        return {"samples": self.samples + 0.0, "labels": self.labels + 0.0}


def small_model(run_eagerly=False, weighted=False, used=True):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        "sparse_categorical_crossentropy",
        metrics=[Seen()],
        weighted_metrics=["accuracy"] if weighted else [],
        run_eagerly=run_eagerly,
    )
    if used:
        # On JAX and PyTorch, `fit` of a model that was never used looks at a batch first, with an iterator of
        # its own, which counts as an epoch.
        model.evaluate(np.zeros([1, *SIZE, 3]), np.zeros([1]), verbose=0)
    return model


def arrays_of(dataset):
    """The fields of the epoch that `[]` reads, as arrays; moves it to the next one."""
    batches = dataset[:]
    dataset.on_epoch_end()
    return [np.concatenate(field) for field in zip(*batches, strict=True)]


def assert_equal_weights(model, other):
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.fixture(params=["flow", "image_dataset_from_directory"])
def door(request, animals):
    """door(**options): a data set of the animals."""
    return partial(DOORS[request.param], animals)


class TestFit:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", DOORS)
    def test_equals_fit_on_the_arrays_of_each_epoch(self, name, animals):
        self.check_epochs(partial(DOORS[name], animals))

    @pytest.mark.slow
    def test_eagerly(self, door):
        self.check_epochs(door, run_eagerly=True)

    def check_epochs(self, door, **options):
        model, other = small_model(**options), small_model(**options)
        history = model.fit(door(), epochs=2, verbose=0).history
        assert history["samples"] == [SAMPLES, SAMPLES]

        twin = door()
        losses = []
        for _ in range(2):
            x, y = arrays_of(twin)
            fitted = other.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0).history
            assert history["labels"][0] == fitted["labels"][0] == y.sum()
            losses += fitted["loss"]
        np.testing.assert_allclose(history["loss"], losses, rtol=1e-4)
        assert_equal_weights(model, other)

    @pytest.mark.slow
    def test_again_continues_with_the_next_epochs(self, door):
        model, other = small_model(), small_model()
        dataset = door()
        for _ in range(2):
            model.fit(dataset, epochs=1, verbose=0)
        other.fit(door(), epochs=2, verbose=0)
        assert_equal_weights(model, other)

    @pytest.mark.slow
    def test_validation_data(self, door):
        model = small_model()
        validation = door(shuffle=False)
        history = model.fit(door(), validation_data=validation, epochs=2, verbose=0).history
        assert history["samples"] == history["val_samples"] == [SAMPLES, SAMPLES]
        x, y = arrays_of(validation)
        loss = model.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True)["loss"]
        assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)

    @pytest.mark.slow
    def test_steps_per_epoch(self, door):
        history = small_model().fit(door(), epochs=2, steps_per_epoch=2, verbose=0).history
        assert history["samples"] == [2 * BATCH, SAMPLES - 2 * BATCH]  # one epoch in two parts

    @pytest.mark.slow
    def test_class_weight(self, door):
        weights = {0: 0.5, 1: 2.0, 2: 1.0}
        model, other = small_model(), small_model()
        model.fit(door(shuffle=False), class_weight=weights, verbose=0)
        x, y = arrays_of(door(shuffle=False))
        options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
        other.fit(x, y, class_weight=weights, **options)
        assert_equal_weights(model, other)

    @pytest.mark.slow
    def test_sample_weights(self, animals):
        weights = np.arange(SAMPLES) / 7
        model, other = small_model(weighted=True), small_model(weighted=True)
        model.fit(from_arrays(animals, sample_weight=weights), verbose=0)
        x, y, weight = arrays_of(from_arrays(animals, sample_weight=weights))
        options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
        other.fit(x, y, sample_weight=weight, **options)
        assert_equal_weights(model, other)

    @pytest.mark.slow
    def test_weights_of_classes(self, animals):
        model, other = small_model(weighted=True), small_model(weighted=True)
        weighted = {"class_weights": {"Emu": 3.0, "cat": 1.0, "dog": 0.5}}
        model.fit(of_function(animals, **weighted), verbose=0)
        x, y, weight = arrays_of(of_function(animals, **weighted))
        options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
        other.fit(x, y, sample_weight=weight, **options)
        assert_equal_weights(model, other)

    @pytest.mark.slow
    def test_what_map_and_take_make(self, door):
        model = small_model()
        taken = door().map(lambda x, y: (255 - x, y)).take(2)
        assert taken.class_names in (NAMES, [])  # arrays have no names
        history = model.fit(taken, epochs=2, verbose=0).history
        assert history["samples"] == [2 * BATCH, 2 * BATCH]
        last = door().map(lambda x, y: (x / 2, y)).skip(3)
        assert model.evaluate(last, verbose=0, return_dict=True)["samples"] == SAMPLES % BATCH

    @pytest.mark.slow
    def test_a_callback_sets_the_epoch(self, door):
        """Also where Keras looks at a batch first, with an iterator of its own."""
        dataset = door()
        here = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: dataset.seek(epoch))
        model, other = small_model(used=False), small_model()
        model.fit(dataset, epochs=2, callbacks=[here], verbose=0)
        twin = door()
        for _ in range(2):
            x, y = arrays_of(twin)
            other.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
        assert_equal_weights(model, other)


class TestOnOtherBackends:
    @pytest.mark.skipif(
        keras.backend.backend() == "tensorflow",
        reason="about what is refused on the other backends",
    )
    def test_what_needs_tensorflow_says_so(self, animals, tmp_path):
        with pytest.raises(ValueError, match=r"ResumableFit needs .*seek\(epoch\)"):
            tfpipe.ResumableFit(of_function(animals), tmp_path)
        with pytest.raises(ValueError, match=r"Augment needs Keras' TensorFlow backend"):
            tfpipe.layers.Augment(rotation_range=20)


class TestEvaluate:
    def test_equals_evaluate_on_arrays(self, door):
        model = small_model()
        result = model.evaluate(door(), verbose=0, return_dict=True)
        assert result["samples"] == SAMPLES
        x, y = arrays_of(door())
        wanted = model.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True)
        assert result == pytest.approx(wanted, rel=1e-5)


class TestPredict:
    @pytest.mark.slow
    def test_equals_predict_on_arrays(self, door):
        model = small_model()
        predicted = model.predict(door(shuffle=False), verbose=0)
        x, _ = arrays_of(door(shuffle=False))
        assert predicted.shape == (SAMPLES, 3)
        np.testing.assert_allclose(predicted, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)

    @pytest.mark.slow
    def test_without_labels(self, animals):
        model = small_model()
        x, _ = arrays_of(from_directory(animals, shuffle=False))
        for dataset in (
            from_directory(animals, shuffle=False, class_mode=None),
            of_function(animals, shuffle=False, label_mode=None, antialias=False),
        ):
            assert model.predict(dataset, verbose=0).shape == (SAMPLES, 3)
        alone = tfpipe.ImageDataGenerator().flow(x, batch_size=BATCH, shuffle=False)
        predicted = model.predict(alone, verbose=0)
        np.testing.assert_allclose(predicted, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


class TestAdapt:
    def test_equals_adapt_on_arrays(self, door):
        layer, other = keras.layers.Normalization(), keras.layers.Normalization()
        layer.adapt(door().map(lambda x, y: x))
        other.adapt(arrays_of(door())[0])
        for name in ("mean", "variance"):
            ours, theirs = (
                keras.ops.convert_to_numpy(getattr(each, name)) for each in (layer, other)
            )
            np.testing.assert_allclose(ours, theirs, rtol=1e-3)

    @pytest.mark.slow
    def test_without_labels(self, animals):
        x, _ = arrays_of(from_directory(animals))
        alone = tfpipe.ImageDataGenerator().flow(x, batch_size=BATCH)
        for dataset in (alone, from_directory(animals, class_mode=None)):
            layer = keras.layers.Normalization()
            layer.adapt(dataset)
            mean = keras.ops.convert_to_numpy(layer.mean).ravel()
            np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-4)
