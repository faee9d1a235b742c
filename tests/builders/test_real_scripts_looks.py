"""What public scripts read from a flow, write to it and look up in it, with Keras' classes and with tfpipe's.

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
- frame_put_into_a_flow: a frame's files and classes put into the flow of a folder
- what_a_folder_knows: len, class_indices, classes, filenames, ... of a folder
- how_a_folder_is_read: save_to_dir, interpolation, subset, dtype, ... of a folder
- what_a_frame_knows: the same of a frame, with weights
- what_arrays_know: n, batch_size and the rest of `flow(x, y)` before the first batch
- arrays_of_a_flow: `flow.x`, `flow.y` and `flow.sample_weight`
- arrays_without_labels: `flow(x)`: x alone
- class_names_of_labels: `{v: k for k, v in flow.class_indices.items()}`, then the names of a batch
- counted_classes: `Counter(flow.classes)`, and class weights from it, of a folder and of a frame
- balanced_class_weight: scikit-learn's `compute_class_weight` of `flow.classes`
- names_for_a_submission: a frame of `[os.path.basename(f) for f in flow.filenames]`
- class_from_the_path: `os.path.dirname(name)` and `path.split(os.path.sep)[-2]`
- instance_of: `isinstance(flow, DirectoryIterator)` and its siblings, from the module of the class
- flat_folder: `classes=["."]`: files without a class folder, names "./0.png\"
- two_subsets: validation_split: training and validation of one generator, no file in both
- two_subsets_of_a_frame: the same of a frame
- folds_of_a_frame: `for train, val in KFold(3).split(frame)`, a flow of `frame.iloc[...]` for each
- fitted_featurewise: `datagen.fit(x)` with feature-wise steps, then flow
- fitted_on_a_batch: `datagen.fit(next(flow)[0])`, with the batch of another flow
- image_and_numbers: `flow((x, misc), y)`: a list of two inputs
- image_and_several_numbers: `flow([x, [a, b]], y)`: a list of three
- weighted_samples: `for x, y, w in flow` with sample_weight
- weighted_rows: a frame with weight_col
- several_outputs: multi_output: a list of one array per column
- several_outputs_by_name: multi_output wrapped as `(x, {"age": y[0], "legs": y[1]})`
- raw_columns: raw: one column, and two
- several_labels: labels that are lists: multi-hot
- denoising_pairs: class_mode="input": noise on x leaves y alone
- gray_planes: grayscale, then `np.squeeze(x)` and `x[..., 0]`
- binary_labels: class_mode="binary": `y.astype(int)`, floats of rank 1
- classes_in_my_order: `classes=["dog", "cat"]`: ids and files in that order
- absolute_names: a frame of absolute paths, directory=None
- preprocessing_in_numpy: a preprocessing_function that takes and gives an array
"""

# ruff: noqa: N803  as the scripts are written

import collections
import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from idioms import PEERS, SIZE, Idioms, assert_equal, names_of, pets, pictures, table
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.class_weight import compute_class_weight

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


def read(flow, *names):
    return [getattr(flow, name) for name in names]


def framed(ImageDataGenerator, directory, frame=None, settings=None, **options):
    options = {"target_size": SIZE, "batch_size": 3, "shuffle": False} | options
    frame = table(directory) if frame is None else frame
    return ImageDataGenerator(**settings or {}).flow_from_dataframe(frame, **options)


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


@idiom
def frame_put_into_a_flow(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, class_mode="sparse")
    frame = table(directory)[1:6]
    flow.filenames = frame["filename"].tolist()
    flow._filepaths = flow.filenames
    flow.classes = frame["age"].to_numpy()
    flow.samples = flow.n = len(frame)
    flow.directory = ""
    flow._set_index_array()
    flow.reset()
    return len(flow), [next(flow) for _ in range(3)], flow[1], flow.filepaths, flow.samples


# What it knows.


@idiom
def what_a_folder_knows(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, seed=3)
    names = "class_indices classes filenames filepaths labels samples n num_classes image_shape"
    more = "target_size class_mode color_mode directory data_format batch_size seed shuffle"
    return len(flow), read(flow, *names.split()), read(flow, *more.split())


@idiom
def how_a_folder_is_read(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, interpolation="bilinear")
    names = "save_to_dir save_prefix save_format interpolation keep_aspect_ratio subset split dtype"
    return read(flow, *names.split())


@idiom
def what_a_frame_knows(ImageDataGenerator, directory):
    flow = framed(ImageDataGenerator, directory, weight_col="weight", color_mode="grayscale")
    names = "class_indices filenames filepaths samples n image_shape target_size class_mode"
    more = "color_mode directory data_format batch_size shuffle sample_weight"
    values = read(flow, *names.split(), *more.split())
    return len(flow), values, np.array(flow.classes), np.array(flow.labels)


@idiom
def what_arrays_know(ImageDataGenerator, directory):
    flow = ImageDataGenerator().flow(pictures(7), np.arange(7), batch_size=3, shuffle=False)
    names = "n batch_size shuffle batch_index total_batches_seen index_array data_format dtype"
    return len(flow), read(flow, *names.split())


@idiom
def arrays_of_a_flow(ImageDataGenerator, directory):
    y = np.arange(7)
    flow = ImageDataGenerator().flow(pictures(7), y, batch_size=3, sample_weight=y / 2)
    return flow.x, flow.y, flow.sample_weight


@idiom
def arrays_without_labels(ImageDataGenerator, directory):
    flow = ImageDataGenerator().flow(pictures(5), batch_size=3, shuffle=False)
    return flow.sample_weight, [next(flow) for _ in range(3)], flow[1]


@idiom
def class_names_of_labels(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    names = {v: k for k, v in flow.class_indices.items()}
    return names, [names[k] for k in flow[1][1].argmax(1)], list(flow.class_indices.keys())


@idiom
def counted_classes(ImageDataGenerator, directory):
    results = []
    for flow in (pets(ImageDataGenerator, directory), framed(ImageDataGenerator, directory)):
        counts = collections.Counter(flow.classes)
        results.append({int(c): max(counts.values()) / n for c, n in sorted(counts.items())})
    return results


@idiom
def balanced_class_weight(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    weights = compute_class_weight("balanced", classes=np.unique(flow.classes), y=flow.classes)
    return dict(enumerate(weights)), flow.classes == 1, np.bincount(flow.labels)


@idiom
def names_for_a_submission(ImageDataGenerator, directory):
    flow = ImageDataGenerator().flow_from_directory(
        directory, classes=["test"], class_mode=None, target_size=SIZE, batch_size=2, shuffle=False
    )
    frame = pd.DataFrame({"id": [os.path.basename(f) for f in flow.filenames]})
    frame["mean"] = np.concatenate([next(flow) for _ in range(len(flow))]).mean((1, 2, 3))
    return frame.to_dict("list"), flow.filenames


@idiom
def class_from_the_path(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory)
    first = [os.path.dirname(name) for name in flow.filenames]
    return first, [path.split(os.path.sep)[-2] for path in flow.filepaths]


@idiom
def instance_of(ImageDataGenerator, directory):
    names = names_of(ImageDataGenerator)
    flows = [
        pets(ImageDataGenerator, directory),
        framed(ImageDataGenerator, directory),
        ImageDataGenerator().flow(pictures(2)),
    ]
    kinds = ("DirectoryIterator", "DataFrameIterator", "NumpyArrayIterator", "Iterator")
    return [[isinstance(flow, getattr(names, kind)) for kind in kinds] for flow in flows]


# What it can be made of.


@idiom
def flat_folder(ImageDataGenerator, directory):
    flow = ImageDataGenerator().flow_from_directory(
        f"{directory}/test", classes=["."], class_mode=None, target_size=SIZE, shuffle=False
    )
    return flow.filenames, flow.filepaths, flow.class_indices, flow.classes, next(flow)


@idiom
def two_subsets(ImageDataGenerator, directory):
    settings = {"validation_split": 0.4, "rescale": 1 / 255}
    train = pets(ImageDataGenerator, directory, settings=settings, subset="training")
    valid = pets(ImageDataGenerator, directory, settings=settings, subset="validation")
    return [(f.samples, len(f), f.filenames, f.classes, f.split, next(f)) for f in (train, valid)]


@idiom
def two_subsets_of_a_frame(ImageDataGenerator, directory):
    settings = {"validation_split": 0.3}
    return [
        (flow.n, flow.filenames, flow.class_indices, [next(flow) for _ in range(3)])
        for flow in (
            framed(ImageDataGenerator, directory, settings=settings, subset=subset)
            for subset in ("training", "validation")
        )
    ]


@idiom
def folds_of_a_frame(ImageDataGenerator, directory):
    frame = table(directory)
    found = []
    for parts in StratifiedKFold(3).split(frame, frame["class"]):
        for rows in parts:
            flow = framed(ImageDataGenerator, directory, frame.iloc[rows], class_mode="binary")
            found.append((flow.filenames, len(flow), [next(flow) for _ in range(2)]))
    return found


@idiom
def fitted_featurewise(ImageDataGenerator, directory):
    x = pictures(7)
    datagen = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    datagen.fit(x)
    flow = datagen.flow(x, np.arange(7), batch_size=4, shuffle=False)
    return datagen.mean, datagen.std, [next(flow) for _ in range(3)], flow[1]


@idiom
def fitted_on_a_batch(ImageDataGenerator, directory):
    x, _ = next(pets(ImageDataGenerator, directory, batch_size=7))
    datagen = ImageDataGenerator(featurewise_center=True)
    datagen.fit(x)
    return datagen.mean, next(datagen.flow(x, batch_size=7, shuffle=False)).mean((0, 1, 2))


@idiom
def image_and_numbers(ImageDataGenerator, directory):
    x, ages = pictures(7), np.arange(7) / 2
    flow = ImageDataGenerator().flow((x, ages), np.arange(7), batch_size=4, shuffle=False)
    seen = []
    for (images, misc), y in flow:
        seen.append([images, misc, y])
        if len(seen) == 3:
            return seen, flow[1]


@idiom
def image_and_several_numbers(ImageDataGenerator, directory):
    x, a, b = pictures(5), np.arange(5), np.eye(5)
    flow = ImageDataGenerator().flow([x, [a, b]], a, batch_size=3, shuffle=False)
    return [next(flow) for _ in range(3)]


@idiom
def weighted_samples(ImageDataGenerator, directory):
    flow = ImageDataGenerator().flow(
        pictures(5), np.arange(5), sample_weight=np.arange(5) / 2, batch_size=3, shuffle=False
    )
    seen = []
    for x, y, w in flow:
        w *= 2
        seen.append((x, y, w))
        if len(seen) == 4:
            return seen


@idiom
def weighted_rows(ImageDataGenerator, directory):
    flow = framed(ImageDataGenerator, directory, weight_col="weight", class_mode="categorical")
    return [next(flow) for _ in range(4)], flow[2]


@idiom
def several_outputs(ImageDataGenerator, directory):
    options = {"class_mode": "multi_output", "y_col": ["age", "legs"]}
    flow = framed(ImageDataGenerator, directory, **options)
    seen = []
    for x, (age, legs) in flow:
        seen.append((x, age, legs))
        if len(seen) == 4:
            return seen


@idiom
def several_outputs_by_name(ImageDataGenerator, directory):
    options = {"class_mode": "multi_output", "y_col": ["age", "legs"]}
    flow = framed(ImageDataGenerator, directory, **options)
    wrapped = ((x, {"age": y[0], "legs": y[1]}) for x, y in flow)
    return [next(wrapped) for _ in range(4)], flow[0]


@idiom
def raw_columns(ImageDataGenerator, directory):
    flows = [
        framed(ImageDataGenerator, directory, class_mode="raw", y_col=y_col)
        for y_col in ("legs", ["age", "weight"])
    ]
    return [[next(flow) for _ in range(4)] for flow in flows]


@idiom
def several_labels(ImageDataGenerator, directory):
    frame = table(directory)
    frame["class"] = [
        ["small", "cat"],
        ["dog"],
        ["cat"],
        ["dog"],
        ["cat"],
        ["dog", "small"],
        ["cat"],
    ]
    flow = framed(ImageDataGenerator, directory, frame)
    return flow.class_indices, flow.classes, [next(flow) for _ in range(3)]


@idiom
def denoising_pairs(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, class_mode="input")
    seen = []
    for x, y in flow:
        x += 10
        seen.append((x, y))
        if len(seen) == 4:
            return seen


@idiom
def gray_planes(ImageDataGenerator, directory):
    x, _ = next(pets(ImageDataGenerator, directory, color_mode="grayscale"))
    return x.shape, np.squeeze(x).shape, x[..., 0].dtype.name


@idiom
def binary_labels(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, class_mode="binary")
    seen = [next(flow)[1] for _ in range(3)]
    return seen, np.concatenate(seen).astype(int), flow.class_mode


@idiom
def classes_in_my_order(ImageDataGenerator, directory):
    flow = pets(ImageDataGenerator, directory, classes=["dog", "cat"])
    return flow.class_indices, flow.filenames, flow.classes, next(flow)


@idiom
def absolute_names(ImageDataGenerator, directory):
    frame = table(os.path.abspath(directory))
    flow = framed(ImageDataGenerator, "", frame, y_col="class", class_mode="sparse")
    relative = [os.path.relpath(path) for path in flow.filepaths]
    return relative, flow.filenames == flow.filepaths, next(flow)


@idiom
def preprocessing_in_numpy(ImageDataGenerator, directory):

    def darkest_first(image):
        return np.sort(image.reshape(-1, 3), axis=0).reshape(image.shape)

    settings = {"preprocessing_function": darkest_first, "rescale": 1 / 255}
    flow = pets(ImageDataGenerator, directory, settings=settings)
    return [next(flow) for _ in range(4)], flow[0]
