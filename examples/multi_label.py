"""Multi-label: which digits are in the picture?

Each picture shows two scanned digits. The column of labels holds strings such as "3|7", and
`label_mode="multi_label"` turns each into a row of zeros and ones.

    python examples/multi_label.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

import tfpipe


def write_pictures(directory: Path, pictures: int) -> pd.DataFrame:
    """Writes 8 x 16 pictures of two digits side by side; returns a frame with the digits in each."""
    digits = load_digits()
    random = np.random.default_rng(0)
    rows = []
    for number in range(pictures):
        two = random.integers(len(digits.images), size=2)
        image = np.hstack(digits.images[two]) * (255 / 16)
        Image.fromarray(image.astype(np.uint8)).save(directory / f"{number}.png")
        tags = "|".join(map(str, sorted(set(digits.target[two]))))
        rows.append({"filename": f"{number}.png", "digits": tags})
    return pd.DataFrame(rows)


def main(pictures: int = 3000, epochs: int = 15) -> float:
    """Trains a network and returns its recall if it names as many digits as there are."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        training, validation = tfpipe.image_dataset_from_dataframe(
            write_pictures(Path(folder), pictures),
            folder,
            y_col="digits",
            label_mode="multi_label",
            separator="|",
            color_mode="grayscale",
            image_size=(8, 16),
            validation_split=0.2,
            subset="both",
            seed=1,
            augment=tfpipe.Augment(width_shift_range=[0, 1], height_shift_range=[0, 1]),
            standardize=tfpipe.Standardize(rescale=1 / 255),
            cache="memory",
        )
        model = keras.Sequential(
            [
                keras.Input([8, 16, 1]),
                keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
                keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
                keras.layers.MaxPooling2D(2),
                keras.layers.Conv2D(128, 3, activation="relu"),
                keras.layers.GlobalMaxPooling2D(),
                keras.layers.Dense(training.num_classes, activation="sigmoid"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")
        model.fit(training, epochs=epochs, shuffle=False, verbose=2)
        truth = np.concatenate([y for _, y in validation])
        order = np.argsort(-model.predict(validation, verbose=0), axis=1)
    found = [truth[row, order[row, : int(truth[row].sum())]].mean() for row in range(len(truth))]
    print(f"Digits found in pictures not seen in training: {np.mean(found):.1%}")
    return float(np.mean(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, a worse result")
    main(**{"pictures": 300, "epochs": 3} if parser.parse_args().quick else {})
