"""Several targets of one image: which texture is it, how bright was the light, and where is it brightest?

python examples/multi_task.py [--quick]
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


def write_table(directory: Path, crops: int, size: int = 64) -> pd.DataFrame:
    """Writes crops of photographs of textures, and masks of their bright half; returns the table of them."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(crops):
        texture = TEXTURES[number % len(TEXTURES)]
        photograph = getattr(data, texture)()
        top, left = random.integers(np.subtract(photograph.shape, size))
        crop = photograph[top : top + size, left : left + size]
        light = random.uniform(0.4, 1)
        name, mask = f"{number:04}.png", f"{number:04}-mask.png"
        Image.fromarray((crop * light).astype(np.uint8)).save(directory / name)
        Image.fromarray((crop > np.median(crop)).astype(np.uint8)).save(directory / mask)
        rows.append((name, mask, texture, light))
    return pd.DataFrame(rows, columns=["filename", "mask", "texture", "light"])


def network(image_size: int, textures: int) -> keras.Model:
    """Returns a model with an output of each name that y has."""
    image = keras.Input((image_size, image_size, 1))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(
        image,
        {
            "texture": keras.layers.Dense(textures, "softmax", name="texture")(pooled),
            "light": keras.layers.Dense(1, name="light")(pooled),
            "bright": keras.layers.Conv2D(1, 1, activation="sigmoid", name="bright")(x),
        },
    )


def main(crops: int = 300, image_size: int = 32, epochs: int = 15) -> dict[str, float]:
    """Trains the network; returns its metrics on the crops that it has not seen, by name."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        training, validation = tfpipe.image_dataset_from_dataframe(
            write_table(Path(folder), crops).rename(columns={"mask": "bright"}),
            folder,
            y_col={"texture": "texture", "light": "light"},
            mask_col=["bright"],
            color_mode="grayscale",
            image_size=image_size,
            validation_split=0.25,
            subset="both",
            stratify=True,
            class_output="texture",
            seed=1,
            augment=tfpipe.Augment(horizontal_flip=True, vertical_flip=True),  # the mask follows
            standardize=tfpipe.Standardize(rescale=1 / 255),
        )
        model = network(image_size, len(training.class_names["texture"]))
        model.compile(
            keras.optimizers.Adam(0.003),
            {
                "texture": "sparse_categorical_crossentropy",
                "light": "mse",
                "bright": "binary_crossentropy",
            },
            metrics={"texture": "accuracy", "light": "mae", "bright": "binary_accuracy"},
        )
        model.fit(training, epochs=epochs, shuffle=False, verbose=2)
        metrics = model.evaluate(validation, verbose=0, return_dict=True)
    print(", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return metrics


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, a worse result")
    main(**{"crops": 24, "epochs": 1} if parser.parse_args().quick else {})
