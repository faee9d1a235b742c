"""Cross-validation with groups: is it brick, grass or gravel?

The pictures are crops of three photographs. Crops of the same tile of a photograph overlap, so the tile is
their group: a model that is validated on crops of tiles it has seen would look better than it is.

    python examples/folds.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image
from skimage import data

import tfpipe


def write_crops(directory: Path, crops: int, tile: int = 128, size: int = 48) -> pd.DataFrame:
    """Writes `crops` squares from each of the 16 tiles of each photograph, and returns a frame of them."""
    random = np.random.default_rng(0)
    rows = []
    for name in ("brick", "grass", "gravel"):
        photograph = getattr(data, name)()
        for top in range(0, 512, tile):
            for left in range(0, 512, tile):
                for number in range(crops):
                    y, x = np.add((top, left), random.integers(tile - size, size=2))
                    path = directory / f"{name}_{top}_{left}_{number}.png"
                    Image.fromarray(photograph[y : y + size, x : x + size]).save(path)
                    rows.append(
                        {"filename": str(path), "class": name, "tile": f"{name} {top} {left}"}
                    )
    return pd.DataFrame(rows)


def network(image_size: int, classes: int) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input([image_size, image_size, 1]),
            keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
            keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(crops: int = 10, image_size: int = 32, k: int = 4, epochs: int = 12) -> list[float]:
    """Trains a network on each fold and returns the accuracies."""
    accuracies = []
    with tempfile.TemporaryDirectory() as folder:
        frame = write_crops(Path(folder), crops)
        pairs = tfpipe.folds(
            frame,
            k,
            stratify=True,
            groups="tile",
            seed=1,
            color_mode="grayscale",
            image_size=image_size,
            augment=tfpipe.Augment(rotation_range=15, horizontal_flip=True, vertical_flip=True),
            standardize=tfpipe.Standardize(
                samplewise_center=True, samplewise_std_normalization=True
            ),
        )
        for number, (training, validation) in enumerate(pairs, start=1):
            keras.utils.set_random_seed(1)
            model = network(image_size, training.num_classes)
            model.fit(training, epochs=epochs, shuffle=False, verbose=0)
            accuracies.append(model.evaluate(validation, verbose=0)[1])
            print(f"Fold {number}: {validation.samples} crops, accuracy {accuracies[-1]:.3f}")
    print(f"Mean {np.mean(accuracies):.3f}, standard deviation {np.std(accuracies):.3f}")
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, a worse result")
    main(**{"crops": 3, "epochs": 3, "k": 2} if parser.parse_args().quick else {})
