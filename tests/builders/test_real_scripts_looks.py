"""What public scripts take from a flow by number, by private names, and write to it.

Each script is a small function of the class and of a folder that holds `data/` (see `idioms.write_data`).
What it returns must be equal; where the classic draws at random, it returns what can be compared.

- each_by_number: `for i in range(len(flow)): x, y = flow[i]`
- five_looks_at_one_image: `augmented = [flow[0][0][0] for i in range(5)]`: five versions
- five_looks_without_augmentation: the same of a plain flow: five times the same
- looks_at_arrays: the same of `flow(x)`, by batch: each batch drawn anew
- beyond_the_last: `flow[len(flow)]` is a ValueError
- number_between_next: `flow[i]` does not move `next`
- batch_at_random: `flow[np.random.randint(len(flow))]`: a NumPy number
- numbers_of_a_shuffled_flow: all numbers of a shuffled flow: every sample once, the rows in index_array
- sequence_around_a_flow: a Sequence with `__getitem__`, `__len__` and `on_epoch_end` handed on to the flow
- end_of_epoch: `on_epoch_end()` gives `[]` a new order, and none without shuffle
- threads_that_call_next: four threads that call `next`: over an epoch every sample once
- threads_that_look: four threads that call `[]`: each gets the batch that it asked for
- private_filepaths: `flow._filepaths`
- set_index_array: `flow._set_index_array()`, then index_array: the order without a batch
- index_generator: `next(flow.index_generator)`: rows that `next` then does not give
- index_generator_and_transform: `flow.lock`, rows, `_get_batches_of_transformed_samples`
- rows_of_my_own: `flow._get_batches_of_transformed_samples(np.array([5, 1]))`
- batch_index_written: `flow.batch_index = 2` goes to that batch, `= 0` to the first
- total_batches_seen_written: `flow.total_batches_seen = 0` starts the count again
- one_order_for_two_flows: `flow.index_array = order`, the same for images and masks
- shuffle_written: `flow.shuffle = False` before the first batch, so that filenames line up
- shuffle_written_later: `flow.shuffle = False` and `flow.reset()` after some batches
- batch_size_written: `flow.batch_size = 2` changes len, `[]` and `next`
- seed_written: `flow.seed = 7` on two flows: the same order and the same draws
- saving_written: `flow.save_to_dir`, `save_prefix` and `save_format` set after the first batch
"""

# ruff: noqa: N803  as the scripts are written

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from idioms import (
    PEERS,
    SIZE,
    Idioms,
    assert_equal,
    framed,
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


# By number.


@idiom
def each_by_number(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return [flow[i] for i in range(len(flow))], flow.batch_index, flow.total_batches_seen


@idiom
def five_looks_at_one_image(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, settings=AUGMENT)
    looks = [flow[0][0][0] for _ in range(5)]
    return [look.shape for look in looks], len({look.tobytes() for look in looks})


@idiom
def five_looks_without_augmentation(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return [flow[0][0][0] for _ in range(5)]


@idiom
def looks_at_arrays(ImageDataGenerator, directory):
    flow = ImageDataGenerator(**AUGMENT).flow(pictures(4), batch_size=2, shuffle=False)
    looks = [flow[i].tobytes() for i in (0, 1, 0, 1, 0)]
    return len(set(looks)), flow.total_batches_seen


@idiom
def beyond_the_last(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    with pytest.raises(
        ValueError, match="Asked to retrieve element 3, but the Sequence has length"
    ):
        flow[len(flow)]


@idiom
def number_between_next(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    seen = [next(flow)[1], flow[0][1], flow[2][1], next(flow)[1], flow[1][1], next(flow)[1]]
    return seen, flow.batch_index, flow.total_batches_seen


@idiom
def batch_at_random(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return [flow[i] for i in np.random.default_rng(2).integers(0, len(flow), 4)]


@idiom
def numbers_of_a_shuffled_flow(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, shuffle=True, class_mode="sparse")
    y = np.concatenate([flow[i][1] for i in range(len(flow))])
    return np.sort(flow.index_array), np.array_equal(flow.classes[flow.index_array], y)


@idiom
def sequence_around_a_flow(ImageDataGenerator, directory):

    class Scaled:
        def __init__(self, flow):
            self.flow = flow

        def __len__(self):
            return len(self.flow)

        def __getitem__(self, number):
            x, y = self.flow[number]
            rows = self.flow.index_array[number * self.flow.batch_size :][: len(x)]
            x /= 255
            return x, {"class": y, "row": rows}

        def on_epoch_end(self):
            self.flow.on_epoch_end()

    sequence = Scaled(pets(ImageDataGenerator, directory))
    first = [sequence[i] for i in range(len(sequence))]
    sequence.on_epoch_end()
    return first, sequence[1]


@idiom
def end_of_epoch(ImageDataGenerator, directory):
    shuffled = pets(ImageDataGenerator, directory, batch_size=7, shuffle=True, class_mode=None)
    plain = pets(ImageDataGenerator, directory, batch_size=7, class_mode=None)
    orders = []
    for _ in range(3):
        orders.append([int(x.sum()) for x in shuffled[0]])
        shuffled.on_epoch_end()
        plain.on_epoch_end()
    return [sorted(o) for o in orders], len({tuple(o) for o in orders}), plain[0], plain.index_array


@idiom
def threads_that_call_next(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, batch_size=1)
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: next(flow), range(7)))
    sums = sorted(int(x.sum()) for x, _ in batches)
    return sums, sum(y for _, y in batches), flow.batch_index, flow.total_batches_seen


@idiom
def threads_that_look(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, batch_size=2)
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(flow.__getitem__, [0, 1, 2, 3, 3, 2, 1, 0])), flow.total_batches_seen


# Under the lid.


@idiom
def private_filepaths(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    return flow._filepaths, flow.filepaths, [os.path.isfile(path) for path in flow._filepaths]


@idiom
def set_index_array(ImageDataGenerator, directory):
    plain = pets(ImageDataGenerator, directory)
    shuffled = pets(ImageDataGenerator, directory, batch_size=7, shuffle=True, class_mode="sparse")
    plain._set_index_array()
    shuffled._set_index_array()
    same = np.array_equal(shuffled[0][1], shuffled.classes[shuffled.index_array])
    return plain.index_array, np.sort(shuffled.index_array), same


@idiom
def index_generator(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    rows = [next(flow.index_generator) for _ in range(2)]
    return rows, flow.batch_index, next(flow), next(flow), flow.total_batches_seen


@idiom
def index_generator_and_transform(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    batches = []
    for _ in range(4):
        with flow.lock:
            rows = next(flow.index_generator)
        batches.append((rows, *flow._get_batches_of_transformed_samples(rows)))
    return batches


@idiom
def rows_of_my_own(ImageDataGenerator, directory):
    flows = [
        pets(ImageDataGenerator, directory),
        framed(ImageDataGenerator, directory, weight_col="weight", class_mode="sparse"),
        ImageDataGenerator(rescale=0.5).flow(pictures(7), np.arange(7)),
    ]
    return [flow._get_batches_of_transformed_samples(np.array([5, 1])) for flow in flows]


@idiom
def batch_index_written(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    next(flow)
    flow.batch_index = 2
    seen = [flow.batch_index, next(flow)[1], flow.batch_index, next(flow)[1], next(flow)[1]]
    flow.batch_index = 0
    return seen, next(flow)[1], flow.batch_index


@idiom
def total_batches_seen_written(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    next(flow)
    flow.total_batches_seen = 0
    next(flow)
    return flow.total_batches_seen, flow.batch_index


@idiom
def one_order_for_two_flows(ImageDataGenerator, directory):
    order = np.array([3, 0, 4, 2, 1])
    results = []
    for kind in ("scans", "masks"):
        flow = ImageDataGenerator().flow_from_directory(
            f"{directory}/{kind}", target_size=SIZE, class_mode=None, batch_size=2, shuffle=True
        )
        next(flow)
        flow.index_array = order
        results += [flow[0], flow[2], next(flow), flow.index_array]
    return results


@idiom
def shuffle_written(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, shuffle=True)
    flow.shuffle = False
    return [next(flow) for _ in range(4)], flow.index_array, flow.shuffle


@idiom
def shuffle_written_later(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, shuffle=True)
    next(flow)
    flow.shuffle = False
    flow.reset()
    return [next(flow) for _ in range(4)], flow.index_array


@idiom
def batch_size_written(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    flow.batch_size = 2
    return len(flow), flow[3], [next(flow) for _ in range(5)], flow.batch_index


@idiom
def seed_written(ImageDataGenerator, directory):
    flows = [
        pets(ImageDataGenerator, directory, shuffle=True, settings=AUGMENT, seed=seed)
        for seed in (None, 3)
    ]
    for flow in flows:
        flow.seed = 7
    same = [np.array_equal(x, y) for (x, _), (y, _) in (map(next, flows) for _ in range(4))]
    return same, [flow.seed for flow in flows]


@idiom
def saving_written(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    next(flow)
    flow.save_to_dir, flow.save_prefix, flow.save_format = "preview", "late", "bmp"
    next(flow)
    names = os.listdir("preview")
    flow.save_to_dir = None
    next(flow)
    kinds = sorted(name.rsplit("_", 1)[0] + name[-4:] for name in names)
    return kinds, len(os.listdir("preview"))
