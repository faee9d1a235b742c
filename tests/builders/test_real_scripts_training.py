"""What public scripts train with a flow, under Keras 3 and under tf_keras (Keras 2).

Each script is a small function of the class, of a folder that holds `data/` (see `idioms.write_data`) and
of the library that trains. What it returns (weights, losses, predictions, counts) must be equal with the
library's own class and with tfpipe's; where the classic draws at random, it returns what can be compared.

- fit_whole_epochs: `fit(flow, epochs=2)`: two epochs of `len(flow)` steps, the same weights
- fit_shuffled: the same of a shuffled and augmented flow: the same counts
- fit_with_steps: `steps_per_epoch=flow.samples // flow.batch_size`, one epoch
- fit_with_all_steps: `steps_per_epoch=len(flow)` over several epochs
- fit_and_validate: training and validation of one generator, with validation_steps
- validate_on_one_batch: `validation_data=next(flow)`
- fit_on_one_batch: `x, y = next(flow)`, then `fit(x, y)`
- fit_after_looks: `next`, `[]` and a loop before `fit`: the same epochs
- fit_between_looks: `next` after `fit` goes on where it was
- trained_on_batches: `train_on_batch` for each `x, y in flow`, with a counter
- gradients_by_hand: a GradientTape over `next(flow)`
- weights_of_classes: `fit(flow, class_weight=...)` from the counts of `flow.classes`
- weights_of_rows: `fit` of a frame with weight_col
- folds_trained: k-fold: a model, two flows and an `evaluate` for each fold
- segmentation: images and masks of one seed, zipped in a generator, `fit(steps_per_epoch=...)`
- two_targets: `fit` of a generator that yields `(x, (y, y))`, with validation_steps
- named_inputs: `fit` of a generator that yields `({"a": x, "b": x}, y)`
- image_and_numbers: `fit` of `flow((x, misc), y)` through a generator
- several_outputs: `fit` and `predict` of multi_output through generators
- autoencoder: `fit` of class_mode="input", and of noisy inputs from a generator
- batch_in_a_callback: a callback that looks at `next(flow)` and `flow[0]` after each epoch of `fit(flow)`
- arrays_trained: `fit(datagen.flow(x, y), steps_per_epoch=len(x) // batch_size)` after `datagen.fit(x)`
- endless_generator_over_epochs: `fit(generator, steps_per_epoch=2, epochs=4)`, over the flow's epochs
- dataset_from_generator: `fit(tf.data.Dataset.from_generator(lambda: flow, ...), steps_per_epoch=...)`
- fit_generator: `fit_generator(flow, steps_per_epoch=..., validation_data=...)`
"""

# ruff: noqa: N803, SIM113  as the scripts are written

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from idioms import (
    PEERS,
    SIZE,
    Idioms,
    assert_equal,
    counted,
    framed,
    listed,
    pets,
    pictures,
    scaled,
    small,
    started,
    table,
)
from sklearn.model_selection import StratifiedKFold

import tfpipe

pytestmark = [
    # Keras says the first of every tf.data.Dataset, tf_keras the second of every method of Keras 1.
    pytest.mark.filterwarnings("ignore:.shuffle=True. was passed"),
    pytest.mark.filterwarnings("ignore:.Model.*_generator. is deprecated"),
]

idiom = Idioms()
keras_2 = Idioms()
LIBRARIES = dict(zip((keras, tf_keras), PEERS, strict=True))


@pytest.mark.parametrize(
    "library", [keras, pytest.param(tf_keras, marks=pytest.mark.slow)], ids=lambda m: m.__name__
)
@pytest.mark.parametrize("script", idiom)
def test_as_the_classic(run, script, library):
    ours = run(script, tfpipe.ImageDataGenerator, library)
    assert_equal(ours, run(script, LIBRARIES[library], library))


@pytest.mark.slow
@pytest.mark.parametrize("script", keras_2)
def test_as_keras_2(run, script):
    ours = run(script, tfpipe.ImageDataGenerator, tf_keras)
    assert_equal(ours, run(script, LIBRARIES[tf_keras], tf_keras))


def test_the_list_above_is_complete():
    assert listed(__doc__) == idiom.names + keras_2.names


@idiom
def fit_whole_epochs(ImageDataGenerator, directory, keras):
    model, count = small(keras), counted(keras)
    flow = scaled(ImageDataGenerator, directory)
    history = model.fit(flow, epochs=2, callbacks=[count], shuffle=False, verbose=0).history
    return count.steps, history["loss"], model.get_weights()


@idiom
def fit_shuffled(ImageDataGenerator, directory, keras):
    model, count = small(keras), counted(keras)
    flow = pets(ImageDataGenerator, directory, shuffle=True, settings={"horizontal_flip": True})
    history = model.fit(flow, epochs=3, callbacks=[count], verbose=0).history
    return count.steps, sorted(history), len(history["loss"])


@idiom
def fit_with_steps(ImageDataGenerator, directory, keras):
    model, count = small(keras), counted(keras)
    flow = scaled(ImageDataGenerator, directory)
    steps = flow.samples // flow.batch_size
    history = model.fit(
        flow, steps_per_epoch=steps, callbacks=[count], shuffle=False, verbose=0
    ).history
    return count.steps, history["loss"], model.get_weights()


@idiom
def fit_with_all_steps(ImageDataGenerator, directory, keras):
    model, count = small(keras), counted(keras)
    flow = scaled(ImageDataGenerator, directory)
    model.fit(
        flow, steps_per_epoch=len(flow), epochs=3, callbacks=[count], shuffle=False, verbose=0
    )
    return count.steps, model.get_weights()


@idiom.slow
def fit_and_validate(ImageDataGenerator, directory, keras):
    model = small(keras)
    datagen = {"settings": {"validation_split": 0.4, "rescale": 1 / 255}}
    train = pets(ImageDataGenerator, directory, 2, subset="training", **datagen)
    valid = pets(ImageDataGenerator, directory, 2, subset="validation", **datagen)
    history = model.fit(
        train,
        validation_data=valid,
        validation_steps=len(valid),
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history
    return history["val_loss"], history["val_accuracy"], model.get_weights()


@idiom.slow
def validate_on_one_batch(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    history = small(keras).fit(flow, validation_data=next(flow), shuffle=False, verbose=0).history
    return history["val_loss"], flow.batch_index


@idiom.slow
def fit_on_one_batch(ImageDataGenerator, directory, keras):
    model = small(keras)
    x, y = next(scaled(ImageDataGenerator, directory, batch_size=7))
    model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()


@idiom
def fit_after_looks(ImageDataGenerator, directory, keras):
    model = small(keras)
    flow = scaled(ImageDataGenerator, directory)
    next(flow), flow[1]
    for _x, _y in flow:
        break
    model.fit(flow, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()


@idiom
def fit_between_looks(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    seen = [next(flow)[1]]
    small(keras).fit(flow, shuffle=False, verbose=0)
    return seen, next(flow)[1], flow.batch_index


@idiom
def trained_on_batches(ImageDataGenerator, directory, keras):
    model = small(keras)
    flow = scaled(ImageDataGenerator, directory)
    for _epoch in range(2):
        batches = 0
        for x, y in flow:
            model.train_on_batch(x, y)
            batches += 1
            if batches >= len(flow):
                break
    return model.get_weights(), flow.total_batches_seen


@idiom.slow
def gradients_by_hand(ImageDataGenerator, directory, keras):
    model = small(keras)
    flow = scaled(ImageDataGenerator, directory)
    for _ in range(4):
        x, y = next(flow)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return model.get_weights(), float(loss)


@idiom.slow
def weights_of_classes(ImageDataGenerator, directory, keras):
    model = small(keras)
    flow = scaled(ImageDataGenerator, directory)
    counts = np.bincount(flow.classes)
    weight = {i: len(flow.classes) / (2 * n) for i, n in enumerate(counts)}
    history = model.fit(flow, class_weight=weight, shuffle=False, verbose=0).history
    return history["loss"], model.get_weights()


@idiom
def weights_of_rows(ImageDataGenerator, directory, keras):
    model = small(keras)
    settings = {"rescale": 1 / 255}
    flow = framed(ImageDataGenerator, directory, weight_col="weight", settings=settings)
    model.fit(flow, shuffle=False, verbose=0)
    return model.get_weights()


@idiom.slow
def folds_trained(ImageDataGenerator, directory, keras):
    frame, scores = table(directory), []
    for train, valid in StratifiedKFold(3).split(frame, frame["class"]):
        model = small(keras)
        flows = [
            framed(ImageDataGenerator, directory, frame.iloc[rows], {"rescale": 1 / 255})
            for rows in (train, valid)
        ]
        model.fit(flows[0], validation_data=flows[1], shuffle=False, verbose=0)
        scores.append(model.evaluate(flows[1], verbose=0))
    return scores


@idiom
def segmentation(ImageDataGenerator, directory, keras):

    def pairs():
        flows = [
            ImageDataGenerator(rescale=1 / 255).flow_from_directory(
                f"{directory}/{kind}",
                target_size=SIZE,
                color_mode=color,
                class_mode=None,
                batch_size=2,
                shuffle=False,
                seed=1,
            )
            for kind, color in (("scans", "rgb"), ("masks", "grayscale"))
        ]
        for image, mask in zip(*flows):  # noqa: B905
            mask[mask > 0.5] = 1
            mask[mask <= 0.5] = 0
            yield image, mask

    layers = [keras.Input((*SIZE, 3)), keras.layers.Conv2D(1, 3, padding="same")]
    model = started(keras, keras.Sequential(layers), "mse")
    history = model.fit(pairs(), steps_per_epoch=4, epochs=3, verbose=0).history
    return history["loss"], model.get_weights()


@idiom.slow
def two_targets(ImageDataGenerator, directory, keras):

    def doubled(flow):
        while True:
            x, y = next(flow)
            yield x, (y, y)

    image = keras.Input((*SIZE, 3))
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, [keras.layers.Dense(2)(flat), keras.layers.Dense(2)(flat)])
    model = started(keras, model, ["mse", "mae"])
    flow = scaled(ImageDataGenerator, directory)
    history = model.fit(
        doubled(flow),
        steps_per_epoch=len(flow),
        validation_data=doubled(scaled(ImageDataGenerator, directory)),
        validation_steps=2,
        verbose=0,
    ).history
    return history["loss"], history["val_loss"], model.get_weights()


@idiom
def named_inputs(ImageDataGenerator, directory, keras):

    def named(flow):
        for x, y in flow:
            yield {"a": x, "b": x[:, ::-1]}, y

    inputs = [keras.Input((*SIZE, 3), name=name) for name in "ab"]
    flat = [keras.layers.Flatten()(image) for image in inputs]
    joined = keras.layers.Concatenate()(flat)
    model = started(keras, keras.Model(inputs, keras.layers.Dense(2)(joined)), "mse")
    model.fit(named(scaled(ImageDataGenerator, directory)), steps_per_epoch=5, verbose=0)
    return model.get_weights()


@idiom.slow
def image_and_numbers(ImageDataGenerator, directory, keras):

    def pairs(flow):
        for (x, misc), y in flow:
            yield (x, misc * 2), y

    image, numbers = keras.Input((*SIZE, 3)), keras.Input((2,))
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(image), numbers])
    model = started(keras, keras.Model([image, numbers], keras.layers.Dense(1)(joined)), "mse")
    misc, y = np.eye(7, 2, dtype="float32"), np.arange(7.0)
    datagen = ImageDataGenerator(rescale=1 / 255)
    flow = datagen.flow((pictures(7), misc), y, batch_size=3, shuffle=False)
    model.fit(pairs(flow), steps_per_epoch=4, verbose=0)
    return model.get_weights()


@idiom.slow
def several_outputs(ImageDataGenerator, directory, keras):

    def flow():
        options = {"class_mode": "multi_output", "y_col": ["age", "legs"]}
        return framed(ImageDataGenerator, directory, settings={"rescale": 1 / 255}, **options)

    image = keras.Input((*SIZE, 3))
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, [keras.layers.Dense(1)(flat), keras.layers.Dense(1)(flat)])
    model = started(keras, model, ["mse", "mae"])
    model.fit(((x, tuple(y)) for x, y in flow()), steps_per_epoch=4, verbose=0)
    images = ((x,) for x, _ in flow())
    return model.get_weights(), model.predict(images, steps=3, verbose=0)


@idiom.slow
def autoencoder(ImageDataGenerator, directory, keras):

    def noisy(flow):
        for x, y in flow:
            x += 0.1
            yield x, y

    layers = [keras.Input((*SIZE, 3)), keras.layers.Conv2D(3, 3, padding="same")]
    model = started(keras, keras.Sequential(layers), "mse")
    flow = scaled(ImageDataGenerator, directory, class_mode="input")
    model.fit(flow, shuffle=False, verbose=0)
    model.fit(noisy(flow), steps_per_epoch=len(flow), verbose=0)
    return model.get_weights()


@idiom
def batch_in_a_callback(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            x, y = next(flow)
            seen.append((y, flow[0][1], self.model.predict_on_batch(x).shape))

    model = small(keras)
    model.fit(flow, epochs=2, callbacks=[Look()], shuffle=False, verbose=0)
    return seen, model.get_weights()


@idiom
def arrays_trained(ImageDataGenerator, directory, keras):
    x, y = pictures(9) / 255, np.eye(3, dtype="float32")[np.arange(9) % 3]
    datagen = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    datagen.fit(x)
    model = small(keras, 3)
    flow = datagen.flow(x, y, batch_size=4, shuffle=False)
    model.fit(flow, steps_per_epoch=len(x) // 4, shuffle=False, verbose=0)
    return model.get_weights(), model.evaluate(flow, verbose=0)


@idiom
def endless_generator_over_epochs(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    model = small(keras)
    model.fit((batch for batch in flow), steps_per_epoch=2, epochs=4, verbose=0)
    return model.get_weights()


@idiom
def dataset_from_generator(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    dataset = tf.data.Dataset.from_generator(
        lambda: itertools.islice(flow, 12),
        output_signature=(
            tf.TensorSpec((None, *SIZE, 3), tf.float32),
            tf.TensorSpec((None, 2), tf.float32),
        ),
    )
    model = small(keras)
    model.fit(dataset, steps_per_epoch=4, epochs=2, verbose=0)
    return model.get_weights()


@keras_2
def fit_generator(ImageDataGenerator, directory, keras):
    model, count = small(keras), counted(keras)
    flow = scaled(ImageDataGenerator, directory)
    history = model.fit_generator(
        flow,
        steps_per_epoch=len(flow),
        epochs=2,
        validation_data=scaled(ImageDataGenerator, directory),
        validation_steps=2,
        callbacks=[count],
        shuffle=False,
        verbose=0,
    ).history
    return count.steps, history["loss"], history["val_loss"], model.get_weights()
