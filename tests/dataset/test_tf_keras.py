"""Models of tf_keras (Keras 2) take the data sets of both doors."""

import numpy as np
import pytest
import tf_keras

import tfpipe

pytestmark = pytest.mark.filterwarnings("ignore:.Model.*_generator. is deprecated")

SIZE, COUNT, BATCH, LENGTH = (8, 9), 7, 3, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture, write):
    """Seven pictures in two classes."""
    top = tmp_path_factory.mktemp("two")
    for i in range(COUNT):
        write(top / "ab"[i // 4] / f"{i}.png", picture(*SIZE, seed=i))
    return top


def of_generator(folder, shuffle=False):
    return tfpipe.ImageDataGenerator().flow_from_directory(
        folder, target_size=SIZE, class_mode="sparse", batch_size=BATCH, shuffle=shuffle, seed=1
    )


def of_function(folder, shuffle=False):
    return tfpipe.image_dataset_from_directory(
        folder, image_size=SIZE, batch_size=BATCH, shuffle=shuffle, seed=1, verbose=False
    )


@pytest.fixture(params=[of_generator, of_function])
def make(request, folder):
    """make(shuffle=False): the pictures, through one of the doors."""
    return lambda shuffle=False: request.param(folder, shuffle)


@pytest.fixture(scope="module")
def arrays(folder):
    """The same as arrays, from the classic class."""
    images, labels = tf_keras.preprocessing.image.ImageDataGenerator().flow_from_directory(
        folder, target_size=SIZE, class_mode="sparse", batch_size=COUNT, shuffle=False
    )[0]
    return images, labels


def small():
    layers = [
        tf_keras.Input((*SIZE, 3)),
        tf_keras.layers.Rescaling(1 / 255),
        tf_keras.layers.Flatten(),
        tf_keras.layers.Dense(2, "softmax"),
    ]
    model = tf_keras.Sequential(layers)
    generator = np.random.default_rng(5)
    model.set_weights([generator.normal(0, 0.1, w.shape) for w in model.get_weights()])
    model.compile(tf_keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


class Count(tf_keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = []

    def on_epoch_begin(self, epoch, logs=None):
        self.steps.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.steps[-1] += 1


def assert_close(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def trained_by_hand(arrays, epochs):
    """The weights after some epochs of batches that are cut from the arrays."""
    model = small()
    for _ in range(epochs):
        for at in range(0, COUNT, BATCH):
            model.train_on_batch(*(array[at : at + BATCH] for array in arrays))
    return model.get_weights()


@pytest.mark.slow
def test_fit(make, arrays):
    model, count = small(), Count()
    history = model.fit(make(), epochs=2, verbose=0, callbacks=[count], validation_data=make())
    assert count.steps == [LENGTH] * 2
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(*arrays, verbose=0))
    assert_close(model.get_weights(), trained_by_hand(arrays, 2))


@pytest.mark.slow
def test_fit_shuffled(make):
    model, count = small(), Count()
    model.fit(make(shuffle=True), epochs=3, verbose=0, callbacks=[count])
    assert count.steps == [LENGTH] * 3


def test_evaluate(make, arrays):
    data = make()
    expected = small().evaluate(*arrays, verbose=0)
    assert small().evaluate(data, verbose=0) == pytest.approx(expected, rel=1e-4)
    two = small().evaluate(*(array[: 2 * BATCH] for array in arrays), verbose=0)
    assert small().evaluate(data, steps=2, verbose=0) == pytest.approx(two, rel=1e-4)


def test_predict(make, arrays):
    data = make()
    expected = small().predict(arrays[0], verbose=0)
    assert_close(small().predict(data, verbose=0), expected)
    assert_close(small().predict(data, steps=2, verbose=0), expected[: 2 * BATCH])
    assert_close(small().predict(data, verbose=0), expected)


def test_fit_generator(make, arrays):
    model, count = small(), Count()
    model.fit_generator(make(), steps_per_epoch=LENGTH, epochs=2, verbose=0, callbacks=[count])
    assert count.steps == [LENGTH] * 2
    assert_close(model.get_weights(), trained_by_hand(arrays, 2))


def test_predict_generator(make, arrays):
    expected = small().predict(arrays[0], verbose=0)
    assert_close(small().predict_generator(make(), steps=LENGTH), expected)
    assert_close(small().predict_generator(make()), expected)


def test_evaluate_generator(make, arrays):
    expected = small().evaluate(*arrays, verbose=0)
    assert small().evaluate_generator(make(), LENGTH) == pytest.approx(expected, rel=1e-4)


def test_fewer_steps_than_batches_are_epochs_of_their_own(folder):
    history = small().fit(of_generator(folder), steps_per_epoch=2, epochs=3, verbose=0)
    assert len(history.epoch) == 3
