"""Segmentation: which pixels of a photograph are coins?

Images and masks are two folders with the same file names. The augmentation moves both alike; the masks
keep their whole numbers. Crops of one part of the photograph overlap, so each part is a group: no part
is in both training and validation.

    python examples/segmentation.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from scipy.ndimage import binary_fill_holes
from skimage import data
from skimage.filters import sobel
from skimage.segmentation import watershed

import tfpipe


def coins_and_mask() -> tuple[np.ndarray, np.ndarray]:
    """Returns the photograph of coins that ships with scikit-image, and a mask that is 1 on a coin."""
    photograph = data.coins()
    markers = np.select([photograph > 150, photograph < 30], [2, 1])
    coins = binary_fill_holes(watershed(sobel(photograph), markers) == 2)
    return photograph, coins.astype(np.uint8)


def write_crops(directory: Path, crops: int, size: int, parts: int = 6) -> None:
    """Writes images/ and masks/ with `crops` squares of `size` pixels from each part of the photograph."""
    photograph, mask = coins_and_mask()
    palette = [230, 230, 230, 200, 120, 0]  # masks with a palette keep the indices 0 and 1
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (directory / folder).mkdir(parents=True)
    for part, columns in enumerate(np.array_split(np.arange(photograph.shape[1]), parts)):
        for number in range(crops):
            top = random.integers(photograph.shape[0] - size)
            left = random.integers(columns[0], columns[-1] + 2 - size)
            window = np.s_[top : top + size, left : left + size]
            name = f"part{part}_{number:03}.png"
            Image.fromarray(photograph[window]).save(directory / "images" / name)
            indexed = Image.fromarray(mask[window], "P")
            indexed.putpalette(palette)
            indexed.save(directory / "masks" / name)


def unet(size: int, width: int) -> keras.Model:
    """Builds a small network in the shape of a U: down, across, up."""

    def convolve(x, filters):
        return keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)

    inputs = keras.Input([size, size, 1])
    fine = convolve(inputs, width)
    coarse = convolve(keras.layers.MaxPooling2D(2)(fine), 2 * width)
    deep = convolve(keras.layers.MaxPooling2D(2)(coarse), 4 * width)
    x = convolve(
        keras.layers.Concatenate()([keras.layers.UpSampling2D(2)(deep), coarse]), 2 * width
    )
    x = convolve(keras.layers.Concatenate()([keras.layers.UpSampling2D(2)(x), fine]), width)
    return keras.Model(inputs, keras.layers.Conv2D(2, 1, activation="softmax")(x))


def main(crops: int = 100, size: int = 48, width: int = 12, epochs: int = 12) -> float:
    """Trains on crops of five parts of the photograph; returns the IoU of the coins on the sixth."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        write_crops(Path(folder), crops, size)
        training, validation = tfpipe.image_dataset_from_directory(
            Path(folder) / "images",
            masks=Path(folder) / "masks",
            color_mode="grayscale",
            image_size=size,
            batch_size=16,
            validation_split=1 / 6,
            subset="both",
            seed=1,
            groups=lambda path: Path(path).name.split("_")[0],
            augment=tfpipe.Augment(rotation_range=30, horizontal_flip=True, vertical_flip=True),
            standardize=tfpipe.Standardize(rescale=1 / 255),
        )
        model = unet(size, width)
        iou = keras.metrics.IoU(2, [1], sparse_y_pred=False, name="iou")
        model.compile("adam", "sparse_categorical_crossentropy", metrics=[iou])
        model.fit(training, epochs=epochs, shuffle=False, verbose=2)
        _, result = model.evaluate(validation, verbose=0)
    print(f"Intersection over union of the coins, on a part not seen in training: {result:.3f}")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, a worse result")
    main(**{"crops": 12, "epochs": 2} if parser.parse_args().quick else {})
