"""How far the pixels of `decoding="fast"` are from exact ones: `python -m benchmarks.pixels`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import photos
from benchmarks.settings import SIZE

COUNT = 100


def differences(directory: Path, interpolation: str) -> np.ndarray:
    """Absolute differences in 0..255 over all values of the photographs of a set."""
    from tfpipe import image_dataset_from_directory

    def read(decoding: str) -> Any:
        return image_dataset_from_directory(
            directory,
            labels=None,
            image_size=SIZE,
            shuffle=False,
            verbose=False,
            interpolation=interpolation,
            antialias=interpolation != "nearest",
            decoding=decoding,
        )

    pairs = zip(read("exact"), read("fast"), strict=True)
    return np.concatenate([np.abs(a.numpy() - b.numpy()).ravel() for a, b in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pixels", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data")
    arguments = parser.parse_args()
    name = f"camera-{COUNT}"
    directory = photos.write_set(arguments.data / name, "camera", COUNT, lambda: None)
    print("| interpolation | mean | 99 % within | most |\n|---|---|---|---|")
    for interpolation in ("bilinear", "bicubic", "nearest"):
        found = differences(directory, interpolation)
        percentile = np.percentile(found, 99)
        print(f"| {interpolation} | {found.mean():.2f} | {percentile:.0f} | {found.max():.0f} |")


if __name__ == "__main__":
    main()
