"""Loops of public scripts that count or save, with Keras' classes and with tfpipe's.

Each script is a small function of the class and of a folder that holds `data/` (see `idioms.write_data`).
What it returns must be equal; where the classic draws at random, it returns what can be compared.

- previews_of_one_image: twenty previews of one image by a loop that breaks, in save_to_dir
- previews_of_a_folder: `next` saves its own batch and no other
- views_averaged: test-time augmentation: views of one image from a loop, averaged
- epochs_averaged: test-time augmentation: `reset`, then one epoch, for each view
- until_batch_index_is_zero: one epoch: `if flow.batch_index == 0: break`
- while_batch_index: `while i <= flow.batch_index: data = flow.next()`, which ends with the epoch
- names_by_batch_index: `(flow.batch_index - 1) * flow.batch_size` is where the names of the batch begin
- names_by_index_array: index_array is that of the batch just given, also after the last of an epoch
- index_array_of_each_batch: None before the first batch, then whole numbers; the same array within an epoch
- features_until_a_count: features collected until `i * batch_size >= sample_count`
- until_all_are_seen: `while len(seen) < flow.samples: seen.extend(next(flow)[1])`
- epochs_by_hand: the Keras guide's epochs: `if batches >= len(x) / batch_size: break`
- epochs_of_one_flow_by_hand: the same of one flow, with `math.ceil(flow.n / flow.batch_size)` steps
- two_flows_side_by_side: training and validation in one loop, each with a position of its own
- reset_in_the_middle: `reset()` goes back to the first batch
- reset_of_a_shuffled_flow: `reset()` with shuffle: all samples once, in a new order
- reset_before_the_loop: `reset()` of a flow that nobody has read
- one_image_per_batch: batch_size=1 over `range(flow.samples)`, names by the counter
- whole_folder_in_one_batch: batch_size beyond the number of files: a short batch, an epoch each time
- empty_folder: a folder of no images: n and len are 0
"""

# ruff: noqa: N803, SIM113  as the scripts are written

import itertools
import math
import os

import numpy as np
import pytest
from idioms import (
    PEERS,
    SIZE,
    Idioms,
    assert_equal,
    listed,
    pets,
    pictures,
)

import tfpipe

# The classic's own way to SciPy.
pytestmark = pytest.mark.filterwarnings("ignore:.*scipy.ndimage:DeprecationWarning")

idiom = Idioms()
AUGMENT = {"rotation_range": 30, "zoom_range": 0.3, "horizontal_flip": True}


@pytest.mark.parametrize("script", idiom)
def test_as_the_classic(run, script):
    ours = run(script, tfpipe.ImageDataGenerator)
    for peer in PEERS:
        assert_equal(ours, run(script, peer))


def test_the_list_above_is_complete():
    assert listed(__doc__) == idiom.names


@idiom
def previews_of_one_image(ImageDataGenerator, directory):
    flow = ImageDataGenerator(**AUGMENT).flow(
        pictures(1), batch_size=1, save_to_dir="preview", save_prefix="cat", save_format="jpeg"
    )
    i = 0
    for _batch in flow:
        i += 1
        if i == 20:
            break  # otherwise the generator would loop indefinitely
    names = os.listdir("preview")
    return len(names), {(name.split("_")[0], name[-5:]) for name in names}


@idiom
def previews_of_a_folder(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, save_to_dir="preview", save_prefix="aug")
    counts = []
    for _ in range(2):
        next(flow)
        counts.append(len(os.listdir("preview")))
    return counts, sorted(name.rsplit("_", 1)[0] for name in os.listdir("preview"))


@idiom
def views_averaged(ImageDataGenerator, directory):
    flow = ImageDataGenerator(**AUGMENT).flow(pictures(1), batch_size=1)
    views = []
    for x in flow:
        views.append(x[0])
        if len(views) >= 10:
            break
    return np.mean(views, axis=0).shape, len({view.tobytes() for view in views})


@idiom
def epochs_averaged(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, settings=AUGMENT, class_mode=None)
    views = []
    for _ in range(3):
        flow.reset()
        views.append(np.concatenate([next(flow) for _ in range(len(flow))]))
    return np.mean(views, axis=0).shape, len({view.tobytes() for view in views})


@idiom
def until_batch_index_is_zero(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    epochs = []
    for _ in range(2):
        labels = []
        for _x, y in flow:
            labels.append(y)
            if flow.batch_index == 0:
                break
        epochs.append(np.concatenate(labels))
    return epochs


@idiom
def while_batch_index(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    images, labels = [], []
    i = 0
    while i <= flow.batch_index:
        x, y = next(flow)
        images.extend(x)
        labels.append(y)
        i += 1
    return np.array(images), np.concatenate(labels)


@idiom
def names_by_batch_index(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    found = []
    for i, _batch in enumerate(flow):
        at = (flow.batch_index - 1) * flow.batch_size
        found.append((at, flow.filenames[at : at + flow.batch_size]))
        if i == 4:
            return found


@idiom
def names_by_index_array(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, batch_size=2, shuffle=True, class_mode="sparse")
    plain = pets(ImageDataGenerator, directory, batch_size=7)[0][0]
    right = []
    for x, y in flow:
        number = flow.batch_index - 1 if flow.batch_index else flow.n // flow.batch_size
        rows = flow.index_array[2 * number : 2 * number + len(x)]
        right.append(np.array_equal(plain[rows], x) and np.array_equal(flow.classes[rows], y))
        if len(right) == 9:
            return right, [np.array(flow.filenames)[rows].shape]


@idiom
def index_array_of_each_batch(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, shuffle=True)
    before, orders = flow.index_array, []
    for _ in range(6):
        next(flow)
        orders.append(np.array(flow.index_array))
    same = [np.array_equal(a, b) for a, b in itertools.pairwise(orders)]
    return before, [np.sort(order) for order in orders], same


@idiom
def features_until_a_count(ImageDataGenerator, directory):
    sample_count, batch_size = 6, 2
    features, labels = np.zeros((sample_count, 3)), np.zeros(sample_count)
    flow = pets(ImageDataGenerator, directory, batch_size=batch_size, class_mode="binary")
    i = 0
    for inputs_batch, labels_batch in flow:
        features[i * batch_size : (i + 1) * batch_size] = inputs_batch.mean((1, 2))
        labels[i * batch_size : (i + 1) * batch_size] = labels_batch
        i += 1
        if i * batch_size >= sample_count:
            break
    return features, labels, flow.total_batches_seen


@idiom
def until_all_are_seen(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, class_mode="sparse")
    seen = []
    while len(seen) < flow.samples:
        seen.extend(next(flow)[1])
    return np.array(seen)


@idiom
def epochs_by_hand(ImageDataGenerator, directory):
    x, y = pictures(7), np.arange(7)
    flow = ImageDataGenerator()
    epochs = []
    for _ in range(2):
        batches, labels = 0, []
        for _x, y_batch in flow.flow(x, y, batch_size=3, shuffle=False):
            labels.append(y_batch)
            batches += 1
            if batches >= len(x) / 3:
                break
        epochs.append(labels)
    return epochs


@idiom
def epochs_of_one_flow_by_hand(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    steps = math.ceil(flow.n / flow.batch_size)
    return [[next(flow)[1] for _ in range(steps)] for _ in range(2)]


@idiom
def two_flows_side_by_side(ImageDataGenerator, directory):
    settings = {"validation_split": 0.5}
    train = pets(ImageDataGenerator, directory, 2, settings=settings, subset="training")
    valid = pets(ImageDataGenerator, directory, 1, settings=settings, subset="validation")
    seen = []
    for i, (_x, y) in enumerate(train):
        seen += [y, next(valid)[1], train.batch_index, valid.batch_index]
        if i == 4:
            return seen


@idiom
def reset_in_the_middle(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    seen = [next(flow)[1], next(flow)[1], flow.batch_index]
    flow.reset()
    return seen, flow.batch_index, [next(flow)[1] for _ in range(4)], flow.total_batches_seen


@idiom
def reset_of_a_shuffled_flow(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, batch_size=4, shuffle=True, class_mode=None)
    orders = []
    for _ in range(3):
        flow.reset()
        next(flow)
        flow.reset()
        orders.append([int(x.sum()) for x in np.concatenate([next(flow), next(flow)])])
    return [sorted(order) for order in orders], len({tuple(order) for order in orders})


@idiom
def reset_before_the_loop(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    flow.reset()
    return next(flow), flow.batch_index, flow.total_batches_seen


@idiom
def one_image_per_batch(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, batch_size=1)
    return [(next(flow), flow.filenames[i], flow.batch_index) for i in range(flow.samples)]


@idiom
def whole_folder_in_one_batch(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, batch_size=50)
    return [(*next(flow), flow.batch_index, len(flow)) for _ in range(2)]


@idiom
def empty_folder(ImageDataGenerator, directory):
    os.makedirs("nothing/a")
    flow = ImageDataGenerator().flow_from_directory("nothing", target_size=SIZE)
    return flow.n, flow.samples, len(flow), flow.class_indices, flow.filenames
