"""What public scripts evaluate and predict with a flow, under Keras 3 and under tf_keras (Keras 2).

Each script is a small function of the class, of a folder that holds `data/` (see `idioms.write_data`) and
of the library that trains. What it returns (weights, losses, predictions, counts) must be equal with the
library's own class and with tfpipe's; where the classic draws at random, it returns what can be compared.

- evaluated: `evaluate(flow)`, and with steps
- predicted: `predict(flow)`, with `steps=len(flow)`, with fewer, and a short last batch
- predicted_after_reset: `flow.reset()`, then `predict(flow)` of images without labels
- names_of_predictions: predictions in a frame beside `flow.filenames`, classes by class_indices
- confusion: confusion matrix and report from `flow.classes` and `predict(flow)`
- classes_of_predictions: `flow.classes[flow.index_array]` after `predict(flow)`
- predicted_in_a_loop: `predict_on_batch(next(flow)[0])`, and `predict(x)` of a loop until batch_index is 0
- predicted_from_an_expression: `predict(((x,) for x, y in flow), steps=len(flow))`
- views_predicted_and_averaged: test-time augmentation: `predict(flow)` several times, averaged
- features_then_a_head: bottleneck features by `predict(flow)`, saved, then a head on them and `flow.classes`
- previews_while_predicting: `predict` of a flow with save_to_dir: a file for each image
- predict_generator: `predict_generator(flow, steps=len(flow))`, and without steps
- evaluate_generator: `evaluate_generator(flow, steps=...)`
- dot_next: `x, y = flow.next()`
"""

# ruff: noqa: N803  as the scripts are written

import math
import os

import keras
import numpy as np
import pandas as pd
import pytest
import tf_keras
from idioms import (
    PEERS,
    SIZE,
    Idioms,
    assert_equal,
    listed,
    pets,
    scaled,
    small,
    started,
)
from sklearn.metrics import classification_report, confusion_matrix

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


@pytest.mark.parametrize("script", keras_2)
def test_as_keras_2(run, script):
    ours = run(script, tfpipe.ImageDataGenerator, tf_keras)
    assert_equal(ours, run(script, LIBRARIES[tf_keras], tf_keras))


def test_the_list_above_is_complete():
    assert listed(__doc__) == idiom.names + keras_2.names


@idiom
def evaluated(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    model = small(keras)
    return model.evaluate(flow, verbose=0), model.evaluate(flow, steps=2, verbose=0)


@idiom
def predicted(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    model = small(keras)
    return [model.predict(flow, steps=steps, verbose=0) for steps in (None, len(flow), 2, None)]


@idiom
def predicted_after_reset(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory, class_mode=None)
    model = small(keras)
    next(flow)
    flow.reset()
    return model.predict(flow, verbose=0), model.predict(flow, steps=len(flow), verbose=0)


@idiom
def names_of_predictions(ImageDataGenerator, directory, keras):
    flow = ImageDataGenerator().flow_from_directory(
        directory, classes=["test"], class_mode=None, target_size=SIZE, batch_size=2, shuffle=False
    )
    found = small(keras).predict(flow, steps=math.ceil(flow.samples / 2), verbose=0).argmax(1)
    names = {v: k for k, v in pets(ImageDataGenerator, directory).class_indices.items()}
    frame = pd.DataFrame({"file": flow.filenames, "class": [names[k] for k in found]})
    return frame.to_dict("list")


@idiom
def confusion(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory, batch_size=2)
    found = np.argmax(small(keras).predict(flow, verbose=0), axis=1)
    labels = list(flow.class_indices)
    report = classification_report(flow.classes, found, target_names=labels, zero_division=0)
    return confusion_matrix(flow.classes, found), report


@idiom
def classes_of_predictions(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    small(keras).predict(flow, verbose=0)
    return flow.classes[flow.index_array]


@idiom
def predicted_in_a_loop(ImageDataGenerator, directory, keras):
    flow, model = scaled(ImageDataGenerator, directory), small(keras)
    first = model.predict_on_batch(next(flow)[0])
    flow.reset()
    found = []
    for x, y in flow:
        found.append((model.predict(x, verbose=0), y))
        if flow.batch_index == 0:
            return first, found


@idiom
def predicted_from_an_expression(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    return small(keras).predict(((x,) for x, _ in flow), steps=len(flow), verbose=0)


@idiom
def views_predicted_and_averaged(ImageDataGenerator, directory, keras):
    model = small(keras)
    settings = {"horizontal_flip": True, "channel_shift_range": 90, "rescale": 1 / 255}
    flow = pets(ImageDataGenerator, directory, settings=settings)
    views = []
    for _ in range(4):
        flow.reset()
        views.append(model.predict(flow, verbose=0))
    return np.mean(views, axis=0).shape, len({view.tobytes() for view in views})


@idiom.slow
def features_then_a_head(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory, class_mode=None)
    layers = [keras.Input((*SIZE, 3)), keras.layers.Conv2D(2, 3)]
    base = started(keras, keras.Sequential(layers), "mse")
    np.save("features.npy", base.predict(flow, verbose=0))
    features = np.load("features.npy")
    head = small(keras, shape=features.shape[1:])
    labels = keras.utils.to_categorical(flow.classes, flow.num_classes)
    head.fit(features, labels, epochs=2, shuffle=False, verbose=0)
    return features, head.get_weights()


@idiom
def previews_while_predicting(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory, save_to_dir="preview", save_prefix="seen")
    small(keras).predict(flow, verbose=0)
    return sorted({name.rsplit("_", 1)[0] for name in os.listdir("preview")})


@keras_2
def predict_generator(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory, class_mode=None)
    model = small(keras)
    return model.predict_generator(flow, len(flow)), model.predict_generator(flow)


@keras_2
def evaluate_generator(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    model = small(keras)
    return model.evaluate_generator(flow, 2), model.evaluate_generator(flow, steps=len(flow))


@keras_2
def dot_next(ImageDataGenerator, directory, keras):
    flow = scaled(ImageDataGenerator, directory)
    seen = [flow.next() for _ in range(4)]
    return seen, next(flow)[1], small(keras).predict_on_batch(flow.next()[0])
