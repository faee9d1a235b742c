"""Sets of JPEG files cut from the real photographs in the wheels of scikit-learn and scikit-image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("a", "b", "c", "d")


def photographs() -> list[np.ndarray]:
    """RGB photographs, uint8 [H, W, 3], the larger side at least 400 pixels."""
    import skimage.data
    import sklearn.datasets

    names = ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field")
    images = [getattr(skimage.data, name)() for name in names]
    images += sklearn.datasets.load_sample_images().images
    return [np.ascontiguousarray(image[..., :3]) for image in images]


def cuts(count: int, height: int, width: int, seed: int = 0) -> Iterator[Image.Image]:
    """Random cuts of the photographs, each scaled to one size."""
    rng = np.random.default_rng(seed)
    sources = [Image.fromarray(image) for image in photographs()]
    for number in range(count):
        source = sources[number % len(sources)]
        share = rng.uniform(0.6, 1.0)
        box_width, box_height = int(source.width * share), int(source.height * share)
        left = int(rng.integers(0, source.width - box_width + 1))
        top = int(rng.integers(0, source.height - box_height + 1))
        box = (left, top, left + box_width, top + box_height)
        yield source.resize((width, height), Image.Resampling.LANCZOS, box=box)


def write_set(directory: Path, count: int, height: int = 419, width: int = 520) -> Path:
    """Writes `count` JPEG files of quality 90 into `directory`/<class>/; kept where they are there."""
    done = directory / f"{count}-{height}x{width}.done"
    if done.exists():
        return directory
    for name in CLASSES:
        (directory / name).mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(cuts(count, height, width)):
        image.save(directory / CLASSES[number % len(CLASSES)] / f"{number:05}.jpg", quality=90)
    done.touch()
    return directory
