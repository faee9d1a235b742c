"""The classic's augmentation set, from JPEG files to float batches: `python -m benchmarks.augment`.

Rotation 20, shifts 0.1, shear 10, zoom 0.1, horizontal flip, rescale; 520x419 photographs to 224x224.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import measure
from benchmarks.photos import write_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512, help="files in the set")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        write_set(Path(directory), arguments.images)
        peers = ("classic", "keras_layers", "torchvision", "tfpipe")
        rates = measure.rounds(peers, directory, "augmented", arguments.rounds)
    print(measure.environment())
    print(measure.table(rates))


if __name__ == "__main__":
    main()
