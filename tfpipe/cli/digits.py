"""The scanned digits that ship with the package, as arrays, as folders of PNG files, as a frame."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

INK = 16  # the largest value in the file: all 16 dots of a 4 x 4 block of the scan are black


class Digits(NamedTuple):
    """Scanned digits and what they are.

    Attributes:
        images: uint8 [n, 8, 8], 0 (paper) to 16 (all ink).
        labels: uint8 [n], 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray


def read_digits() -> Digits:
    """Reads all 1,797 digits; `tfpipe/data/README.md` names their source and license."""
    contents = (resources.files("tfpipe") / "data" / "digits.npz").read_bytes()
    with np.load(io.BytesIO(contents), allow_pickle=False) as arrays:
        return Digits(arrays["images"], arrays["labels"])


def as_grey(images: np.ndarray) -> np.ndarray:  # uint8 [...]
    """Converts ink, 0..16, to brightness, 0..255.

    >>> as_grey(np.array([0, 8, 16], np.uint8)).tolist()
    [0, 127, 255]
    """
    return (images.astype(np.uint16) * 255 // INK).astype(np.uint8)


def is_validation(labels: np.ndarray, every: int = 5) -> np.ndarray:  # bool [n]
    """Tells if a digit is held back: one in `every` of each class, so both parts have all classes.

    >>> is_validation(np.array([3, 3, 7, 3, 7]), every=2).tolist()
    [True, False, True, True, False]
    """
    held_back = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held_back[np.flatnonzero(labels == label)[::every]] = True
    return held_back


def file_names(labels: np.ndarray) -> list[str]:
    """Returns the file of each digit, relative to the directory: part/class/number.

    >>> file_names(np.array([3, 3]))
    ['validation/3/0000.png', 'train/3/0001.png']
    """
    parts = np.where(is_validation(labels), "validation", "train")
    return [
        f"{part}/{label}/{number:04d}.png"
        for number, (part, label) in enumerate(zip(parts, labels, strict=True))
    ]


def strangers(directory: Path, names: Iterable[str]) -> list[str]:
    """Finds files in the demo's folders that are not in `names`: others would become digits too."""
    found = (
        path.relative_to(directory).as_posix()
        for part in ("train", "validation")
        for path in (directory / part).rglob("*")
        if not path.is_dir()
    )
    return sorted(set(found) - set(names))


def write_folders(digits: Digits, directory: Path) -> list[str]:
    """Writes each digit as a gray 8 x 8 PNG.

    Returns:
        The file names, relative to `directory`, in the order of the digits.
    """
    names = file_names(digits.labels)
    for folder in {str(PurePosixPath(name).parent) for name in names}:
        (directory / folder).mkdir(parents=True, exist_ok=True)
    for name, image in zip(names, as_grey(digits.images), strict=True):
        (directory / name).write_bytes(tf.io.encode_png(image[..., None]).numpy())
    return names


def parity_frame(names: Sequence[str]) -> pd.DataFrame:
    """Returns columns `filename` and `class`, for another question on the same files: is the digit odd?

    >>> parity_frame(["train/3/0001.png", "train/8/0002.png"])["class"].tolist()
    ['odd', 'even']
    """
    digits = [int(PurePosixPath(name).parent.name) for name in names]
    return pd.DataFrame(
        {"filename": names, "class": ["odd" if digit % 2 else "even" for digit in digits]}
    )


def sketch(images: np.ndarray, shades: str = " .:-=+*#%@") -> str:
    """Draws gray images beside each other as text, two characters per pixel.

    Args:
        images: [n, H, W, 1], 0 to 255.
        shades: from dark to bright.

    >>> print(sketch(np.array([[[[0], [255]]], [[[255], [130]]]]), shades=".@"))
    ..@@  @@@@
    """
    shade = (images[..., 0] / 256 * len(shades)).astype(int)
    rows = shade.transpose(1, 0, 2)  # [H, n, W]
    return "\n".join(
        "  ".join("".join(shades[level] * 2 for level in line) for line in row).rstrip()
        for row in rows
    )
