"""Loops of public scripts, with Keras' classes and with tfpipe's: the same batches, the same position.

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
"""

# ruff: noqa: N803  as the scripts are written

import collections
import collections.abc
import itertools

import numpy as np
import pytest
import tensorflow as tf
from idioms import (
    PEERS,
    SIZE,
    Idioms,
    assert_equal,
    listed,
    pets,
    pictures,
    table,
)

import tfpipe

# The classic's own way to SciPy.
pytestmark = pytest.mark.filterwarnings("ignore:.*scipy.ndimage:DeprecationWarning")

idiom = Idioms()


@pytest.mark.parametrize("script", idiom)
def test_as_the_classic(run, script):
    ours = run(script, tfpipe.ImageDataGenerator)
    for peer in PEERS:
        assert_equal(ours, run(script, peer))


def test_the_list_above_is_complete():
    assert listed(__doc__) == idiom.names


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
