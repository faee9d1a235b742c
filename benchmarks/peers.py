"""The loaders that are compared: each a function that runs one epoch and returns the images it gave.

python -m benchmarks.peers NAME DIRECTORY SETTING    prints images/s, whole epochs to the end
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

BATCH = 64
SIZE = (224, 224)

# Arguments of the classic generator. Every peer does the same work with its own means.
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"rescale": 1 / 255},
    "augmented": {
        "rescale": 1 / 255,
        "rotation_range": 20,
        "width_shift_range": 0.1,
        "height_shift_range": 0.1,
        "shear_range": 10,
        "zoom_range": 0.1,
        "horizontal_flip": True,
    },
}


def classic(directory: str, setting: str) -> Iterator[Any]:
    """Keras' deprecated generator, iterated plainly."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    flow = ImageDataGenerator(**SETTINGS[setting]).flow_from_directory(
        directory, target_size=SIZE, batch_size=BATCH
    )
    while True:
        for _ in range(len(flow)):
            yield next(flow)
        yield None


def tfpipe(directory: str, setting: str) -> Iterator[Any]:
    """This package."""
    from tfpipe import ImageDataGenerator

    flow = ImageDataGenerator(**SETTINGS[setting]).flow_from_directory(
        directory, target_size=SIZE, batch_size=BATCH
    )
    while True:
        yield from flow
        yield None


def keras_layers(directory: str, setting: str) -> Iterator[Any]:
    """image_dataset_from_directory with Keras' preprocessing layers in a map over batches.

    Keras has no shear range in its older releases; RandomShear is used where there is one.
    """
    import keras
    import tensorflow as tf

    batches = keras.utils.image_dataset_from_directory(
        directory,
        label_mode="categorical",
        image_size=SIZE,
        batch_size=BATCH,
        interpolation="nearest",
        verbose=False,
    )
    steps = []
    if setting == "augmented":
        options = {"fill_mode": "nearest", "interpolation": "bilinear"}
        steps = [
            keras.layers.RandomRotation(20 / 360, **options),
            keras.layers.RandomTranslation(0.1, 0.1, **options),
            keras.layers.RandomZoom(0.1, 0.1, **options),
            keras.layers.RandomFlip("horizontal"),
        ]
        if hasattr(keras.layers, "RandomShear"):
            steps.insert(1, keras.layers.RandomShear(0.17, 0.0, **options))
    steps.append(keras.layers.Rescaling(1 / 255))

    def work(x: Any, y: Any) -> Any:
        for step in steps:
            x = step(x, training=True) if "Random" in type(step).__name__ else step(x)
        return x, y

    batches = batches.map(work, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    while True:
        yield from batches
        yield None


def torchvision(directory: str, setting: str) -> Iterator[Any]:
    """torchvision's ImageFolder and v2 transforms in a DataLoader, one worker a core."""
    import os

    import torch.utils.data
    from torchvision import datasets
    from torchvision.transforms import v2

    steps: list[Any] = [v2.Resize(SIZE, v2.InterpolationMode.NEAREST), v2.ToImage()]
    if setting == "augmented":
        steps += [
            v2.RandomAffine(
                20,
                (0.1, 0.1),
                (0.9, 1.1),
                10,
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.RandomHorizontalFlip(),
        ]
    import torch

    steps.append(v2.ToDtype(torch.float32, scale=True))
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(directory, v2.Compose(steps)),
        BATCH,
        shuffle=True,
        num_workers=os.cpu_count() or 1,
    )
    while True:
        yield from loader
        yield None


PEERS: dict[str, Callable[[str, str], Iterator[Any]]] = {
    "classic": classic,
    "keras_layers": keras_layers,
    "torchvision": torchvision,
    "tfpipe": tfpipe,
}


def images_per_second(name: str, directory: str, setting: str, epochs: int = 1) -> float:
    """The rate over whole epochs, the end of each iterator included, after one epoch to warm up.

    Reference counts delete an iterator as its epoch ends; a walk of Python's garbage collector over
    all of TensorFlow's objects is no loader's work, and comes before the clock starts.
    """
    batches = PEERS[name](directory, setting)
    while next(batches) is not None:  # traces, compiles, fills the page cache
        pass
    gc.collect()
    images = 0
    start = time.perf_counter()
    for _ in range(epochs):
        for batch in iter(batches.__next__, None):
            images += len(batch[0])
    return images / (time.perf_counter() - start)


if __name__ == "__main__":
    print(images_per_second(*sys.argv[1:4]))
