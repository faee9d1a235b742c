"""Regression from a CSV file: how much of a picture is covered by coins?

The CSV has a column of file names and a column of numbers; `label_mode="raw"` gives them as they are.

    python examples/regression.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image
from skimage import data
from skimage.filters import threshold_otsu

import tfpipe


def write_csv(directory: Path, pictures: int, size: int = 64) -> Path:
    """Writes crops of a photograph of coins, and covered.csv with the fraction of bright pixels in each."""
    photograph = data.coins()
    bright = photograph > threshold_otsu(photograph)
    random = np.random.default_rng(0)
    rows = []
    for number in range(pictures):
        top, left = random.integers(np.subtract(photograph.shape, size))
        window = np.s_[top : top + size, left : left + size]
        name = f"{number:04}.png"
        Image.fromarray(photograph[window]).save(directory / name)
        rows.append({"filename": name, "covered": bright[window].mean()})
    pd.DataFrame(rows).to_csv(directory / "covered.csv", index=False)
    return directory / "covered.csv"


def main(pictures: int = 400, image_size: int = 32, epochs: int = 15) -> tuple[float, float]:
    """Trains a network; returns its mean absolute error, and the error of always predicting the mean."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        training, validation = tfpipe.image_dataset_from_dataframe(
            write_csv(Path(folder), pictures),
            folder,
            y_col="covered",
            label_mode="raw",
            color_mode="grayscale",
            image_size=image_size,
            batch_size=16,
            antialias=True,
            validation_split=0.25,
            subset="both",
            seed=1,
            augment=tfpipe.Augment(horizontal_flip=True, vertical_flip=True),
            standardize=tfpipe.Standardize(rescale=1 / 255),
        )
        model = keras.Sequential(
            [
                keras.Input([image_size, image_size, 1]),
                keras.layers.Conv2D(16, 3, activation="relu"),
                keras.layers.Conv2D(16, 1, activation="relu"),
                keras.layers.Conv2D(1, 1, activation="sigmoid"),  # for each place: is it covered?
                keras.layers.GlobalAveragePooling2D(),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
        model.fit(training, epochs=epochs, shuffle=False, verbose=2)
        _, error = model.evaluate(validation, verbose=0)
    baseline = float(np.abs(validation.labels - training.labels.mean()).mean())
    print(f"Mean absolute error {error:.3f}; saying the mean every time: {baseline:.3f}")
    return error, baseline


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, a worse result")
    main(**{"pictures": 60, "epochs": 3} if parser.parse_args().quick else {})
