"""The loaders that are compared: each makes an iterable of batches, one pass over it an epoch.

    python -m benchmarks.peers NAME SETTING DIRECTORY EPOCHS

runs one of them in this process and prints what it took as JSON.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import itertools
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.settings import BATCH, SETTINGS, SIZE, Setting

Batches = Iterable[Any]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Epoch(NamedTuple):
    """What an epoch took."""

    images: int
    seconds: float
    cpu_seconds: float


def classic(directory: str, setting: Setting) -> Batches:
    """Keras' deprecated generator, iterated plainly."""
    flow = classic_flow(directory, setting)

    class Passes:
        def __iter__(self) -> Iterator[Any]:
            return (next(flow) for _ in range(len(flow)))

    return Passes()


def classic_flow(directory: str, setting: Setting) -> Any:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator(**setting.generator).flow_from_directory(
        directory, target_size=SIZE, batch_size=BATCH, interpolation=setting.interpolation
    )


def tfpipe(directory: str, setting: Setting) -> Batches:
    """This package, in the classic's spelling: the classic's pixels."""
    return tfpipe_flow(directory, setting).take(-1)  # epochs of tensors, as `fit` sees them


def tfpipe_flow(directory: str, setting: Setting) -> Any:
    from tfpipe import ImageDataGenerator

    return ImageDataGenerator(**setting.generator).flow_from_directory(
        directory,
        target_size=SIZE,
        batch_size=BATCH,
        interpolation=setting.interpolation,
    )


def tfpipe_function(directory: str, setting: Setting, **options: Any) -> Batches:
    """This package, in Keras 3's spelling."""
    from tfpipe import image_dataset_from_directory

    options = {"interpolation": setting.interpolation, "decoding": "exact"} | options
    return image_dataset_from_directory(
        directory, label_mode="categorical", image_size=SIZE, batch_size=BATCH, **options
    )


def tfpipe_raise(directory: str, setting: Setting) -> Batches:
    return tfpipe_function(directory, setting, on_error="raise")


def tfpipe_skip(directory: str, setting: Setting) -> Batches:
    return tfpipe_function(directory, setting, on_error="skip")


def tfpipe_check(directory: str, setting: Setting) -> Batches:
    """All that `tfpipe check` does, as one batch."""
    import tfpipe

    class Passes:
        def __iter__(self) -> Iterator[Any]:
            yield (range(tfpipe.check(directory).files),)

    return Passes()


def tfpipe_fast(directory: str, setting: Setting) -> Batches:
    return tfpipe_function(directory, setting, decoding="fast")


def tfpipe_memory(directory: str, setting: Setting) -> Batches:
    return tfpipe_function(directory, setting, cache="memory")


def tfpipe_disk(directory: str, setting: Setting) -> Batches:
    return tfpipe_function(directory, setting, cache=tempfile.mkdtemp(dir=Path(directory).parent))


def tfpipe_shards(directory: str, setting: Setting, encoding: str = "raw") -> Batches:
    """Packed before the clock starts."""
    import tfpipe

    packed = Path(directory).parent / f"{Path(directory).name}-{encoding}"
    tfpipe.pack(tfpipe_function(directory, setting), packed, encoding=encoding)
    return tfpipe.image_dataset_from_shards(packed, label_mode="categorical", batch_size=BATCH)


def keras(directory: str, setting: Setting) -> Batches:
    """Keras' `image_dataset_from_directory` as it is called most: bilinear, not antialiased."""
    import keras
    import tensorflow as tf

    return keras.utils.image_dataset_from_directory(
        directory, label_mode="categorical", image_size=SIZE, batch_size=BATCH
    ).prefetch(tf.data.AUTOTUNE)


def keras_layers(directory: str, setting: Setting) -> Batches:
    """`image_dataset_from_directory`, with Keras' preprocessing layers in a map over its batches."""
    import keras
    import tensorflow as tf

    options = {"fill_mode": "nearest", "interpolation": "bilinear"}
    layers = [
        keras.layers.RandomRotation(20 / 360, **options),
        keras.layers.RandomTranslation(0.1, 0.1, **options),
        keras.layers.RandomZoom(0.1, 0.1, **options),
        keras.layers.RandomFlip("horizontal"),
        keras.layers.Rescaling(1 / 255),
    ]
    if hasattr(keras.layers, "RandomShear"):  # older releases have none
        layers.insert(1, keras.layers.RandomShear(0.17, 0.0, **options))

    def work(x: Any, y: Any) -> Any:
        for layer in layers:
            x = layer(x, training=True) if "Random" in type(layer).__name__ else layer(x)
        return x, y

    batches = keras.utils.image_dataset_from_directory(
        directory, label_mode="categorical", image_size=SIZE, batch_size=BATCH
    )
    return batches.map(work, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def torchvision(directory: str, setting: Setting) -> Batches:
    """torchvision's ImageFolder and v2 transforms in a DataLoader, one worker a core."""
    import torch
    import torch.utils.data
    from torchvision import datasets
    from torchvision.transforms import v2

    modes = v2.InterpolationMode
    steps: list[Any] = [v2.Resize(SIZE, modes(setting.interpolation)), v2.ToImage()]
    if setting.generator:
        steps.append(v2.RandomAffine(20, (0.1, 0.1), (0.9, 1.1), 10, interpolation=modes.BILINEAR))
        steps.append(v2.RandomHorizontalFlip())
    steps.append(v2.ToDtype(torch.float32, scale=True))
    folder = datasets.ImageFolder(directory, v2.Compose(steps))
    return torch.utils.data.DataLoader(folder, BATCH, shuffle=True, num_workers=CORES)


def libjpeg_turbo(directory: str, setting: Setting, **options: Any) -> Batches:
    """The limit: every file read and decoded by libjpeg-turbo, one thread a core, and nothing else."""
    import simplejpeg

    paths = sorted(Path(directory).rglob("*.jpg"))

    def decode(path: Path) -> Any:
        return simplejpeg.decode_jpeg(path.read_bytes(), **options)

    class Passes:
        def __iter__(self) -> Iterator[Any]:
            with ThreadPoolExecutor(CORES) as pool:
                # The images go one by one: to keep them all would measure the memory.
                yield from ((image[None],) for image in pool.map(decode, paths))

    return Passes()


def libjpeg_turbo_scaled(directory: str, setting: Setting) -> Batches:
    """The same at the smallest fraction of the size that covers the target, with the fast DCT."""
    height, width = SIZE
    return libjpeg_turbo(
        directory, setting, min_height=height, min_width=width, min_factor=1, fastdct=True
    )


def timed_epochs(
    make: Callable[..., Batches], directory: str, setting: Setting, epochs: int
) -> list[Epoch]:
    """Each epoch, the end of its iterator included, after one to warm up."""
    batches = make(directory, setting)
    times = []
    for number in range(epochs + 1):
        # A walk of Python's garbage collector over all of TensorFlow's objects is no loader's work.
        gc.collect()
        start, cpu = time.perf_counter(), _cpu_seconds()
        images = 0
        for batch in batches:
            images += len(batch[0])
        if number:
            times.append(Epoch(images, time.perf_counter() - start, _cpu_seconds() - cpu))
    return times


def timed_fit(
    make: Callable[..., Any], directory: str, setting: Setting, epochs: int
) -> list[Epoch]:
    """The same under Keras' `fit`, with a network that costs next to nothing."""
    import keras

    batches = make(directory, setting)
    if hasattr(batches, "workers"):  # a PyDataset: as many threads as there are cores
        batches.workers = CORES
    ends: list[tuple[float, float]] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            ends.append((time.perf_counter(), _cpu_seconds()))

    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4, "softmax")]
    model = keras.Sequential([keras.Input((*SIZE, 3)), *layers])
    model.compile("sgd", "categorical_crossentropy")
    model.fit(batches, epochs=epochs + 1, verbose=0, shuffle=False, callbacks=[Clock()])
    return [
        Epoch(batches.n, after[0] - before[0], after[1] - before[1])
        for before, after in itertools.pairwise(ends)
    ]


PEERS: dict[str, Callable[[str, Setting, int], list[Epoch]]] = {
    make.__name__: functools.partial(timed_epochs, make)
    for make in (
        classic,
        tfpipe,
        tfpipe_raise,
        tfpipe_skip,
        tfpipe_check,
        tfpipe_fast,
        tfpipe_memory,
        tfpipe_disk,
        tfpipe_shards,
        keras,
        keras_layers,
        torchvision,
        libjpeg_turbo,
        libjpeg_turbo_scaled,
    )
} | {
    "tfpipe_shards_jpeg": functools.partial(
        timed_epochs, functools.partial(tfpipe_shards, encoding="jpeg")
    ),
    "classic_fit": functools.partial(timed_fit, classic_flow),
    "tfpipe_fit": functools.partial(timed_fit, tfpipe_flow),
}


def main(name: str, setting: str, directory: str, epochs: str) -> None:
    """Runs one peer; prints its speed, CPU time an image and peak memory."""
    with contextlib.redirect_stdout(io.StringIO()):
        epochs_taken = PEERS[name](directory, SETTINGS[setting], int(epochs))
    images, seconds, cpu_seconds = map(sum, zip(*epochs_taken, strict=True))
    result = {
        "rate": images / seconds,
        "cpu_ms": cpu_seconds / images * 1000,
        "peak_mb": _peak_bytes() / 2**20,
    }
    print(json.dumps(result))


def _cpu_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_bytes() -> int:
    """Of this process, and of its largest child for each of those that it had at once."""
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    workers = CORES if "torch" in sys.modules else 0
    return (own + workers * child) * unit


if __name__ == "__main__":
    main(*sys.argv[1:])
