"""Measures the images per second of whole epochs, one pipeline beside another."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def images_per_second(
    epochs: Mapping[str, Callable[[], object]],
    samples: int,
    rounds: int = 5,
    step: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Returns the median speed of each pipeline over a few epochs.

    The first epoch of each only warms up. The others take turns, so that whatever else the machine
    does meanwhile slows all of them alike.

    Args:
        epochs: functions that read one epoch each, by name.
        samples: images per epoch.
        rounds: epochs measured per pipeline.
        step: called after each epoch.
    """
    for read_epoch in epochs.values():
        read_epoch()
        step()
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(rounds):
        for name, read_epoch in epochs.items():
            start = time.perf_counter()
            read_epoch()
            seconds[name].append(time.perf_counter() - start)
            step()
    return {name: samples / statistics.median(times) for name, times in seconds.items()}


def read_all(batches: Iterable[Any]) -> None:
    """Reads one epoch of a data set."""
    for _ in batches:
        pass


def read_all_classic(batches: Any, count: int | None = None) -> None:
    """Reads one epoch, or `count` batches, of the classic generator, where a `for` loop never ends."""
    batches.reset()
    for _ in range(len(batches) if count is None else count):
        next(batches)


def classic_generator() -> Any | None:
    """Returns the classic `ImageDataGenerator` in the Keras wheel, or None if Pillow is missing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        return None
    # No longer public, so Keras does not promise that it stays in this place.
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator


def silence() -> contextlib.AbstractContextManager[Any]:
    """Hides what loaders print on stdout about the files they found."""
    return contextlib.redirect_stdout(io.StringIO())


def classic_batches(generator: Any, directory: str, **options: Any) -> Any:
    """Calls the classic's `flow_from_directory` without its "Found ... images" line."""
    with silence():
        return generator().flow_from_directory(directory, **options)
