"""What the tests of real scripts share: the folder that a script runs in, and what counts as equal."""

# ruff: noqa: N803  as the scripts are written

from __future__ import annotations

import importlib
import itertools
import numbers
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator as OfKeras
from PIL import Image
from tf_keras.preprocessing.image import ImageDataGenerator as OfKeras2

import tfpipe

SIZE = (8, 9)
PEERS = (OfKeras, OfKeras2)


class Idioms(list):
    """The scripts of one module, as parameters of its test, in their order.

    As a decorator it adds a script; `slow` adds one that a plain run leaves out.
    """

    def __call__(self, script: Callable, *marks: Any) -> Callable:
        self.append(pytest.param(script, marks=marks, id=script.__name__))
        return script

    def slow(self, script: Callable) -> Callable:
        return self(script, pytest.mark.slow)

    @property
    def names(self) -> list[str]:
        return [parameter.id for parameter in self]


# What scripts find.


def write_data(folder: str) -> None:
    """Writes `data/` and an empty `preview/`: two classes, a flat folder, scans and their masks.

    Each image is 8 x 9 pixels and like no other; a mask is 255 minus its scan.
    """
    names = [
        *(f"train/cat/{i}.png" for i in range(4)),
        *(f"train/dog/{i}.png" for i in range(3)),
        *(f"test/{i}.png" for i in range(5)),
        *(f"scans/img/{i}.png" for i in range(5)),
    ]
    for image, name in zip(pictures(len(names)).astype(np.uint8), names, strict=True):
        path = os.path.join(folder, "data", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.fromarray(image).save(path)
        if "scans" in name:
            path = path.replace("scans", "masks")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Image.fromarray(255 - image).save(path)
    os.mkdir(os.path.join(folder, "preview"))


def pictures(count: int) -> np.ndarray:
    """Returns float32 [count, 8, 9, 3] of whole numbers, 0..255."""
    return np.random.default_rng(3).integers(0, 256, [count, *SIZE, 3]).astype(np.float32)


def pets(
    ImageDataGenerator: type,
    directory: str,
    batch_size: int = 3,
    shuffle: bool = False,
    settings: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Returns the flow of 4 cats and 3 dogs that most scripts begin with: 3 batches, the last of one."""
    return ImageDataGenerator(**settings or {}).flow_from_directory(
        f"{directory}/train", target_size=SIZE, batch_size=batch_size, shuffle=shuffle, **options
    )


def table(directory: str) -> pd.DataFrame:
    """Returns one row per pet, the classes alternating."""
    names = ["cat/0", "dog/0", "cat/1", "dog/1", "cat/2", "dog/2", "cat/3"]
    return pd.DataFrame(
        {
            "filename": [f"{directory}/train/{name}.png" for name in names],
            "class": [name[:3] for name in names],
            "weight": np.arange(7) / 4,
            "age": np.arange(7.0),
            "legs": range(7),
        }
    )


def framed(
    ImageDataGenerator: type,
    directory: str,
    frame: pd.DataFrame | None = None,
    settings: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Returns the flow of the table, or of another one."""
    options = {"target_size": SIZE, "batch_size": 3, "shuffle": False} | options
    frame = table(directory) if frame is None else frame
    return ImageDataGenerator(**settings or {}).flow_from_dataframe(frame, **options)


def names_of(ImageDataGenerator: type) -> Any:
    """Returns the module that a script takes `DirectoryIterator` from, beside this class."""
    ours = ImageDataGenerator is tfpipe.ImageDataGenerator
    return tfpipe if ours else importlib.import_module(ImageDataGenerator.__module__)


def listed(docstring: str) -> list[str]:
    """Returns the names in the list of a module's docstring."""
    return re.findall(r"^- (\w+):", docstring, re.MULTILINE)


# How they are run.


@contextmanager
def ended_within(seconds: int) -> Iterator[None]:
    """Raises `TimeoutError` in the main thread if the block does not end, as a loop over epochs may not."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"This did not end within {seconds} seconds.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Runner:
    """Runs scripts, each in a copy of the same folder and with the same global seeds."""

    def __init__(self, template: str, folder: str, chdir: Callable[[str], None]) -> None:
        self._template, self._folder, self._chdir = template, folder, chdir
        self._numbers = itertools.count()

    def __call__(self, script: Callable, ImageDataGenerator: type, *more: Any) -> Any:
        folder = os.path.join(self._folder, f"run{next(self._numbers)}")
        shutil.copytree(self._template, folder)
        self._chdir(folder)
        keras.utils.set_random_seed(1)
        return script(ImageDataGenerator, "data", *more)


# What they train.


def small(keras, outputs=2, shape=(*SIZE, 3), loss="categorical_crossentropy"):
    """Returns a compiled model whose weights are always the same."""
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs, "softmax")]
    )
    return started(keras, model, loss, ["accuracy"])


def started(keras, model, loss, metrics=None):
    generator = np.random.default_rng(5)
    model.set_weights([generator.normal(0, 0.01, w.shape) for w in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.01), loss, metrics=metrics)
    return model


def scaled(ImageDataGenerator, directory, *args, **options):
    return pets(ImageDataGenerator, directory, *args, settings={"rescale": 1 / 255}, **options)


def counted(keras):
    """Returns a callback that notes the number of steps of each epoch."""

    class Count(keras.callbacks.Callback):
        steps = []  # of the one callback that the class is made for

        def on_epoch_begin(self, epoch, logs=None):
            self.steps.append(0)

        def on_train_batch_end(self, batch, logs=None):
            self.steps[-1] += 1

    return Count()


# What is equal.


def assert_equal(ours: Any, theirs: Any) -> None:
    """Asserts the same containers, dtypes, shapes, writability and values, at any depth."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict)
        assert list(ours) == list(theirs)
        assert_equal(list(ours.values()), list(theirs.values()))
    elif isinstance(theirs, tuple | list):
        assert type(ours) is type(theirs)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_equal(one, other)
    elif isinstance(theirs, np.ndarray):
        assert type(ours) is np.ndarray
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.flags.writeable == theirs.flags.writeable
        if theirs.dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(ours, theirs)
    elif isinstance(theirs, numbers.Real) and not isinstance(theirs, bool | np.bool_):
        assert isinstance(ours, numbers.Real)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    else:
        assert ours == theirs
