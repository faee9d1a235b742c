"""Images that the tests write, the photographs they read, and the peer they are compared with."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator as Classic
from PIL import Image

import tfpipe
from tfpipe import checks


@pytest.fixture(autouse=True)
def nothing_is_said_yet():
    """What is warned of only once in a process is warned of in each test."""
    checks._said.clear()


@pytest.fixture(scope="session")
def classic():
    """The classic class itself, as the installed Keras has it."""
    return Classic


@pytest.fixture(scope="session")
def picture():
    """picture(height, width, channels, seed) -> uint8 with gradients, edges and noise."""

    def make(height, width, channels=3, seed=0):
        generator = np.random.default_rng([seed, height, width, channels])
        rows, columns = np.mgrid[:height, :width]
        planes = [
            rows * (3 + c) + columns * (5 - c) + 90 * (rows > columns) + 40 * c
            for c in range(channels)
        ]
        noise = generator.integers(0, 32, [height, width, channels])
        return ((np.stack(planes, -1) + noise) % 256).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def write(picture):
    """write(path, image, **options): a file and its folders; image is an array, a Pillow image or None."""

    def make(path, image=None, **options):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if image is None:
            image = picture(7, 11, seed=len(os.path.basename(path)))
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        image.save(path, **options)

    return make


@pytest.fixture(scope="session")
def animals(tmp_path_factory, picture, write):
    """A folder of three classes, 4 + 7 + 3 PNGs of differing sizes; no two images are alike."""
    top = tmp_path_factory.mktemp("animals")
    for number, (name, count) in enumerate([("cat", 4), ("dog", 7), ("Emu", 3)]):
        for i in range(count):
            image = picture(9 + i, 14 + number, seed=10 * number + i)
            write(top / name / f"{i}.png", image)
    return top


@pytest.fixture(scope="session")
def small_dataset(animals):
    """small_dataset(**options): the animals at 6 x 8, batches of 4, through tfpipe."""

    def make(data_format=None, dtype=None, validation_split=0.0, **options):
        generator = tfpipe.ImageDataGenerator(
            data_format=data_format, dtype=dtype, validation_split=validation_split
        )
        options = {"target_size": (6, 8), "batch_size": 4, "seed": 5} | options
        return generator.flow_from_directory(animals, **options)

    return make


@pytest.fixture(scope="session")
def assert_same():
    """assert_same(ours, theirs): the same structure, types, dtypes, shapes and values."""

    def check(ours, theirs):
        if isinstance(theirs, tuple | list):
            assert type(ours) is type(theirs)
            assert len(ours) == len(theirs)
            for one, other in zip(ours, theirs, strict=True):
                check(one, other)
            return
        assert type(ours) is np.ndarray
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs)

    return check
