"""Loops of public scripts, each with Keras' classes and with tfpipe's: the same batches, the same position.

Each script is a small function of the class and of a folder that holds `data/` (see `idioms.write_data`).
What it returns must be equal; where the classic draws at random, it returns what can be compared.

- a_loop_that_breaks: `for x, y in flow` goes on over epochs until it breaks
- loop_over_arrays: the same of `flow(x, y)`, whose y keeps its dtype
- loop_over_a_frame: the same of a dataframe, binary labels
- loop_without_labels: `for x in flow` with class_mode=None: arrays, no tuples
- shuffled_loop: each epoch of a shuffled loop has every sample once, in a new order
- mask_in_place: `mask[mask > .5] = 1` on the batch itself, and the next epoch is as it was
- as_bytes: `x[0].astype("uint8")`, to show it
- loop_after_next: `next` and a loop share one position, one batch_index, one count
- two_loops: a second loop goes on where the first one broke
- iter_twice: `iter(flow)` is the flow: two of them share a position
- next_of_iter: `x, y = next(iter(flow))`, again and again
- dunder_next: `flow.__next__()[0]`, as Keras 2's `flow.next()` became
- is_an_iterator: `isinstance(flow, collections.abc.Iterator)`
- enumerate_from_one: `enumerate(flow, 1)` that stops at `len(flow)`
- zip_of_two_flows: images and masks of one seed, augmented and shuffled alike over epochs
- zip_with_a_range: `zip(flow, range(n))` takes one batch more than `zip(range(n), flow)`
- mapped: `map(f, flow)`
- sliced: `islice(flow, n)`, twice
- chained_and_cycled: `chain` of two flows, `cycle` of one
- generator_expression: `(x for x, y in flow)`
- unpacked_zip: `xs, ys = zip(*(next(flow) for ...))`, then one array
- wrapper_of_two_targets: a Python generator that yields `(x, [y, y])`
- wrapper_of_named_inputs: a Python generator that yields `({"a": x}, y)`
- wrapper_that_rescales_in_place: `x /= 255` and `y *= 0.9` in a generator, of each epoch anew
- wrapper_of_two_flows: a siamese generator: `[next(a)[0], next(b)[0]]` and the labels of one
- wrapper_that_crops: `crop_generator(batches, length)`: windows at random
- wrapper_class: a class with `__iter__` and `__next__` around `next(flow)`
- from_generator: `tf.data.Dataset.from_generator(lambda: flow, ...)` goes on over epochs
- from_generator_that_makes_the_flow: the same, the flow made in the lambda
- subclass_whose_flow_yields: a subclass whose `flow` yields from `super().flow(...)`
- subclass_whose_directory_yields: a subclass whose `flow_from_directory` yields crops of `super()`'s batches
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

import collections.abc
import itertools
import math
import os
import re

import numpy as np
import pytest
import tensorflow as tf
from idioms import PEERS, SIZE, Idioms, assert_equal, pets, pictures, table

import tfpipe

# The classic's own way to SciPy.
pytestmark = pytest.mark.filterwarnings("ignore:.*scipy.ndimage:DeprecationWarning")

idiom = Idioms()
AUGMENT = {"rotation_range": 30, "zoom_range": 0.3, "horizontal_flip": True}


@pytest.mark.parametrize("script", idiom, ids=lambda script: script.__name__)
def test_as_the_classic(run, script):
    ours = run(script, tfpipe.ImageDataGenerator)
    for peer in PEERS:
        assert_equal(ours, run(script, peer))


def test_the_list_above_is_complete():
    assert re.findall(r"^- (\w+):", __doc__, re.MULTILINE) == [s.__name__ for s in idiom]


# A loop, and where it stands.


@idiom
def a_loop_that_breaks(ImageDataGenerator, directory):
    seen = []
    for x, y in pets(ImageDataGenerator, directory):
        seen.append((x, y, y.argmax(1).tolist()))
        if len(seen) > 7:
            break
    return seen


@idiom
def loop_over_arrays(ImageDataGenerator, directory):
    flow = ImageDataGenerator(rescale=1 / 255).flow(
        pictures(7), np.arange(7), batch_size=4, shuffle=False
    )
    return [batch for batch, _ in zip(flow, range(5))]  # noqa: B905


@idiom
def loop_over_a_frame(ImageDataGenerator, directory):
    flow = ImageDataGenerator().flow_from_dataframe(
        table(directory), target_size=SIZE, class_mode="binary", batch_size=4, shuffle=False
    )
    seen = []
    for i, (x, y) in enumerate(flow):
        seen.append((x, y))
        if i == 4:
            break
    return seen


@idiom
def loop_without_labels(ImageDataGenerator, directory):
    seen = []
    for x in pets(ImageDataGenerator, directory, class_mode=None):
        seen.append(x)
        if len(seen) == 4:
            return seen


@idiom
def shuffled_loop(ImageDataGenerator, directory):
    orders = [[]]
    for x in pets(ImageDataGenerator, directory, batch_size=2, shuffle=True, class_mode=None):
        orders[-1] += [int(image.sum()) for image in x]
        if len(orders[-1]) == 7:
            orders.append([])
        if len(orders) == 4:
            break
    distinct = {tuple(order) for order in orders[:3]}
    return [sorted(order) for order in orders], len(distinct)


@idiom
def mask_in_place(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, settings={"rescale": 1 / 255}, class_mode="input")
    seen = []
    for image, mask in flow:
        mask[mask > 0.5] = 1
        mask[mask <= 0.5] = 0
        seen.append((image, mask))
        if len(seen) == 6:
            return seen


@idiom
def as_bytes(ImageDataGenerator, directory):
    x, y = next(pets(ImageDataGenerator, directory))
    return x[0].astype("uint8"), np.argmax(y[0])


@idiom
def loop_after_next(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    seen = [next(flow)[1]]
    for i, (_x, y) in enumerate(flow):
        seen += [y, flow.batch_index, flow.total_batches_seen]
        if i == 1:
            break
    return seen, next(flow)[1], flow.batch_index, flow.total_batches_seen


@idiom
def two_loops(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    labels = []
    for _ in range(2):
        for _x, y in flow:
            labels.append(y)
            if len(labels) % 2 == 0:
                break
    return labels


@idiom
def iter_twice(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    one, two = iter(flow), iter(flow)
    return [next(one)[1], next(two)[1], next(one)[1], next(flow)[1]]


@idiom
def next_of_iter(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return [next(iter(flow)) for _ in range(4)]


@idiom
def dunder_next(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return [flow.__next__()[0] for _ in range(4)]


@idiom
def is_an_iterator(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return isinstance(flow, collections.abc.Iterator), isinstance(flow, collections.abc.Sized)


# What Python makes of it.


@idiom
def enumerate_from_one(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    seen = []
    for i, (x, _y) in enumerate(flow, 1):
        seen.append((i, x))
        if i >= len(flow):
            break
    return seen, flow.batch_index


@idiom
def zip_of_two_flows(ImageDataGenerator, directory):
    flows = [
        ImageDataGenerator(horizontal_flip=True).flow_from_directory(
            f"{directory}/{kind}",
            target_size=SIZE,
            class_mode=None,
            batch_size=2,
            seed=4,
        )
        for kind in ("scans", "masks")
    ]
    return [np.ptp(x + y) for (x, y), _ in zip(zip(*flows), range(7))]  # noqa: B905


@idiom
def zip_with_a_range(ImageDataGenerator, directory):
    first, last = pets(ImageDataGenerator, directory), pets(ImageDataGenerator, directory)
    counts = len(list(zip(first, range(4)))), len(list(zip(range(4), last)))  # noqa: B905
    return counts, first.total_batches_seen, last.total_batches_seen, next(first)[1]


@idiom
def mapped(ImageDataGenerator, directory):

    def scaled(batch):
        return batch[0] / 255

    flow = pets(ImageDataGenerator, directory)
    return list(itertools.islice(map(scaled, flow), 5))


@idiom
def sliced(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return [list(itertools.islice(flow, n)) for n in (2, 3)]


@idiom
def chained_and_cycled(ImageDataGenerator, directory):
    cats = pets(ImageDataGenerator, directory, classes=["cat"], class_mode=None)
    dogs = pets(ImageDataGenerator, directory, classes=["dog"], class_mode=None)
    both = itertools.chain(itertools.islice(cats, 2), itertools.islice(dogs, 1))
    return list(both), list(itertools.islice(itertools.cycle(dogs), 4))


@idiom
def generator_expression(ImageDataGenerator, directory):
    images = (x for x, _ in pets(ImageDataGenerator, directory))
    return [next(images) for _ in range(4)]


@idiom
def unpacked_zip(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    xs, ys = zip(*(next(flow) for _ in range(len(flow))))  # noqa: B905
    return np.concatenate(xs), np.vstack(ys)


@idiom
def wrapper_of_two_targets(ImageDataGenerator, directory):

    def two_targets(flow):
        for x, y in flow:
            yield x, [y, y]

    return list(itertools.islice(two_targets(pets(ImageDataGenerator, directory)), 4))


@idiom
def wrapper_of_named_inputs(ImageDataGenerator, directory):

    def named(flow):
        while True:
            x, y = next(flow)
            yield {"a": x, "b": x[..., :1]}, y

    return list(itertools.islice(named(pets(ImageDataGenerator, directory)), 4))


@idiom
def wrapper_that_rescales_in_place(ImageDataGenerator, directory):

    def rescaled(flow):
        for x, y in flow:
            x /= 255
            y *= 0.9
            yield x, y

    return list(itertools.islice(rescaled(pets(ImageDataGenerator, directory)), 6))


@idiom
def wrapper_of_two_flows(ImageDataGenerator, directory):

    def pairs():
        left = pets(ImageDataGenerator, directory)
        right = pets(ImageDataGenerator, directory, batch_size=2)
        while True:
            (x1, y), (x2, _) = next(left), next(right)
            yield [x1, x2], y

    return list(itertools.islice(pairs(), 5))


@idiom
def wrapper_that_crops(ImageDataGenerator, directory):

    def crops(flow, length):
        for batch_x, batch_y in flow:
            top, left = np.random.randint(0, 8 - length), np.random.randint(0, 9 - length)
            yield batch_x[:, top : top + length, left : left + length], batch_y

    flow = pets(ImageDataGenerator, directory)
    return [(x.shape, x.dtype.name, y) for x, y in itertools.islice(crops(flow, 4), 5)]


@idiom
def wrapper_class(ImageDataGenerator, directory):

    class Noisy:
        def __init__(self, flow):
            self.flow = flow

        def __iter__(self):
            return self

        def __next__(self):
            x, _ = next(self.flow)
            return x + 1, x

    return list(itertools.islice(Noisy(pets(ImageDataGenerator, directory)), 4))


@idiom
def from_generator(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    dataset = tf.data.Dataset.from_generator(
        lambda: flow,
        output_signature=(
            tf.TensorSpec((None, *SIZE, 3), tf.float32),
            tf.TensorSpec((None, 2), tf.float32),
        ),
    )
    return list(dataset.take(7).as_numpy_iterator())


@idiom
def from_generator_that_makes_the_flow(ImageDataGenerator, directory):
    dataset = tf.data.Dataset.from_generator(
        lambda: pets(ImageDataGenerator, directory, batch_size=2),
        output_types=(tf.float32, tf.float32),
        output_shapes=([None, *SIZE, 3], [None, 2]),
    )
    images, labels = next(iter(dataset.take(1)))
    return images.numpy().copy(), labels.numpy().copy(), sum(1 for _ in dataset.take(9))


@idiom
def subclass_whose_flow_yields(ImageDataGenerator, directory):

    class WithNoise(ImageDataGenerator):
        def flow(self, *args, **kwargs):
            for x, y in super().flow(*args, **kwargs):
                yield [x, x[..., :1]], y

    flow = WithNoise().flow(pictures(5), np.arange(5), batch_size=2, shuffle=False)
    return list(itertools.islice(flow, 5))


@idiom
def subclass_whose_directory_yields(ImageDataGenerator, directory):

    class Cropping(ImageDataGenerator):
        def flow_from_directory(self, *args, crop=4, **kwargs):
            batches = super().flow_from_directory(*args, **kwargs)
            while True:
                x, y = next(batches)
                yield x[:, :crop, :crop], y

    flow = Cropping().flow_from_directory(
        f"{directory}/train", target_size=SIZE, batch_size=4, shuffle=False
    )
    return list(itertools.islice(flow, 4))


# Loops that count.


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
