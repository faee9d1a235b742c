"""Do two crops show the same texture? A siamese network, on pairs that a table lists.

python examples/siamese.py [--quick]
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

TEXTURES = ("brick", "grass", "gravel")


def write_pairs(directory: Path, crops: int, pairs: int, size: int = 64) -> pd.DataFrame:
    """Writes crops of photographs of textures; returns a table of pairs, half of them of one texture."""
    random = np.random.default_rng(0)
    names = {texture: [] for texture in TEXTURES}
    for texture in TEXTURES:
        photograph = getattr(data, texture)()
        for number in range(crops):
            top, left = random.integers(np.subtract(photograph.shape, size))
            name = f"{texture}{number}.png"
            Image.fromarray(photograph[top : top + size, left : left + size]).save(directory / name)
            names[texture].append(name)
    rows = []
    for number in range(pairs):
        same = number % 2 == 0
        one, other = random.choice(TEXTURES, 2, replace=False)
        other = one if same else other
        rows.append((random.choice(names[one]), random.choice(names[other]), float(same)))
    return pd.DataFrame(rows, columns=["left", "right", "same"])


def contrastive_loss(same, distance):
    """Pulls equal ones together, and others apart up to a distance of 1 (Hadsell et al. 2006)."""
    apart = keras.ops.square(keras.ops.maximum(1 - distance, 0))
    return same * keras.ops.square(distance) + (1 - same) * apart


def siamese(image_size: int) -> keras.Model:
    """Returns the distance of two images as one network sees them."""
    encoder = keras.Sequential(
        [
            keras.Input([image_size, image_size, 1]),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(8),
        ]
    )
    left = keras.Input([image_size, image_size, 1], name="left")
    right = keras.Input([image_size, image_size, 1], name="right")
    difference = keras.layers.Subtract()([encoder(left), encoder(right)])
    distance = keras.layers.Lambda(
        lambda d: keras.ops.sqrt(keras.ops.sum(d * d, -1, keepdims=True) + 1e-9), output_shape=(1,)
    )(difference)
    return keras.Model({"left": left, "right": right}, distance)


def main(crops: int = 60, pairs: int = 600, image_size: int = 32, epochs: int = 10) -> float:
    """Trains the network; returns how many of the pairs that it has not seen it gets right, 0..1."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        training, validation = tfpipe.image_dataset_from_dataframe(
            write_pairs(Path(folder), crops, pairs),
            folder,
            x_col={"left": "left", "right": "right"},
            y_col="same",
            label_mode="raw",
            color_mode="grayscale",
            image_size=image_size,
            antialias=True,
            validation_split=0.25,
            subset="both",
            seed=1,
            augment=tfpipe.Augment(horizontal_flip=True, vertical_flip=True),
            shared_augment=False,  # each image of a pair is turned on its own
            standardize=tfpipe.Standardize(rescale=1 / 255),
        )
        model = siamese(image_size)
        model.compile(keras.optimizers.Adam(0.003), contrastive_loss)
        model.fit(training, epochs=epochs, shuffle=False, verbose=2)
        same = np.concatenate([y for _, y in validation])
        distance = model.predict(validation, verbose=0)[:, 0]
    right = float(((distance < 0.5) == (same == 1)).mean())
    print(f"{right:.0%} of the pairs are told right.")
    return right


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, a worse result")
    main(**{"crops": 8, "pairs": 64, "epochs": 2} if parser.parse_args().quick else {})
