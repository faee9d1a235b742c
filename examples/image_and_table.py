"""An image and a table: how much of a picture is covered by coins, if each camera sees it in its own light?

The table has a column of numbers and a column of categories beside the file names; the model reads all three.

    python examples/image_and_table.py [--quick]
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

CAMERAS = {"bright": 1.0, "dim": 0.6, "dark": 0.3}


def write_table(directory: Path, pictures: int, size: int = 64) -> pd.DataFrame:
    """Writes crops of a photograph of coins, as three cameras see it; returns the table of them."""
    photograph = data.coins()
    covered = photograph > threshold_otsu(photograph)
    random = np.random.default_rng(0)
    rows = []
    for number in range(pictures):
        top, left = random.integers(np.subtract(photograph.shape, size))
        window = np.s_[top : top + size, left : left + size]
        camera, exposure = random.choice(list(CAMERAS)), random.uniform(0.5, 1)
        pixels = photograph[window] * (CAMERAS[camera] * exposure)
        name = f"{number:04}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(directory / name)
        rows.append((name, camera, exposure, covered[window].mean()))
    table = pd.DataFrame(rows, columns=["filename", "camera", "exposure", "covered"])
    return table.astype({"camera": "category"})


def network(image_size: int, cameras: int) -> keras.Model:
    """Returns a functional model whose inputs have the names of the data set's."""
    image = keras.Input((image_size, image_size, 1), name="image")
    exposure = keras.Input((), name="exposure")
    camera = keras.Input((), name="camera", dtype="int32")
    light = keras.layers.Concatenate()(
        [keras.layers.Embedding(cameras, 4)(camera), keras.layers.Reshape((1,))(exposure)]
    )
    gain = keras.layers.Dense(1, "softplus")(keras.layers.Dense(16, "relu")(light))
    lit = keras.layers.Multiply()([image, keras.layers.Reshape((1, 1, 1))(gain)])
    x = keras.layers.Conv2D(16, 3, activation="relu")(lit)
    x = keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
    covered = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model({"image": image, "exposure": exposure, "camera": camera}, covered)


def main(pictures: int = 600, image_size: int = 32, epochs: int = 15) -> float:
    """Trains the network; returns its mean absolute error."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        training, validation = tfpipe.image_dataset_from_dataframe(
            write_table(Path(folder), pictures),
            folder,
            y_col="covered",
            label_mode="raw",
            feature_cols=["exposure", "camera"],
            color_mode="grayscale",
            image_size=image_size,
            antialias=True,
            validation_split=0.25,
            subset="both",
            seed=1,
            standardize=tfpipe.Standardize(rescale=1 / 255),
        )
        model = network(image_size, len(training.vocabularies["camera"]))
        model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
        model.fit(training, epochs=epochs, shuffle=False, verbose=2)
        _, error = model.evaluate(validation, verbose=0)
    print(f"Mean absolute error {error:.3f}")
    return error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, a worse result")
    main(**{"pictures": 60, "epochs": 2} if parser.parse_args().quick else {})
