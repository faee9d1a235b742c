"""Sets of JPEG files cut from the real photographs in the wheels of scikit-learn and scikit-image."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("a", "b", "c", "d")
SIZES = {"small": (419, 520), "camera": (1500, 2000)}  # height, width


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


def write_set(directory: Path, name: str, count: int, step: Callable[[], object]) -> Path:
    """Writes `count` JPEG files of quality 90 into `directory`/<class>/; kept where they are there.

    Args:
        directory: of this set.
        name: "small" or "camera".
        count: of files.
        step: called after each file.
    """
    done = directory.with_suffix(".done")
    if done.exists():
        return directory
    for folder in CLASSES:
        (directory / folder).mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(cuts(count, *SIZES[name])):
        image.save(directory / CLASSES[number % len(CLASSES)] / f"{number:05}.jpg", quality=90)
        step()
    done.touch()
    return directory


def write_tree(directory: Path, folders: int, files: int) -> Path:
    """Writes `folders` classes of `files` JPEG files each, of 16x16 pixels: for what a name costs."""
    done = directory.with_suffix(".done")
    if done.exists():
        return directory
    tiny = io.BytesIO()
    next(cuts(1, 16, 16)).save(tiny, "jpeg")
    for number in range(folders):
        folder = directory / f"class_{number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in range(files):
            (folder / f"image_{name:06}.jpg").write_bytes(tiny.getvalue())
    done.touch()
    return directory
