"""What public scripts ask a flow about its samples, and make it of, with Keras' classes and with tfpipe's.

Each script is a small function of the class and of a folder that holds `data/` (see `idioms.write_data`).
What it returns must be equal; where the classic draws at random, it returns what can be compared.

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
import collections.abc
import os
import warnings

import numpy as np
import pandas as pd
import pytest
from idioms import (
    PEERS,
    SIZE,
    Idioms,
    assert_equal,
    framed,
    listed,
    names_of,
    pets,
    pictures,
    table,
)
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.class_weight import compute_class_weight

import tfpipe

# The classic's own way to SciPy.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*scipy.ndimage:DeprecationWarning"),
    # tfpipe's, of what it costs.
    pytest.mark.filterwarnings("ignore:preprocessing_function .* takes only NumPy arrays"),
]

idiom = Idioms()


@pytest.mark.parametrize("script", idiom)
def test_as_the_classic(run, script):
    ours = run(script, tfpipe.ImageDataGenerator)
    for peer in PEERS:
        assert_equal(ours, run(script, peer))


def test_the_list_above_is_complete():
    assert listed(__doc__) == idiom.names


def read(flow, *names):
    return [getattr(flow, name) for name in names]


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
    more = "color_mode directory data_format batch_size shuffle"
    values = read(flow, *names.split(), *more.split())
    classes = [int(number) for number in (*flow.classes, *flow.labels)]
    return len(flow), values, classes, np.array(flow.sample_weight)


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tfpipe says that the function runs in Python
        flow = pets(ImageDataGenerator, directory, settings=settings)
    return [next(flow) for _ in range(4)], flow[0]
