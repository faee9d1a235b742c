"""Transfer learning on real photographs: a backbone trained on one question answers another.

Nothing is downloaded: the backbone is trained here, on crops of four photographs, and then frozen. With a
backbone from `keras.applications` the second half is the same; its `preprocess_input` goes into
`standardize=tfpipe.Standardize(preprocessing_function=preprocess_input)`, without `rescale`. Crops overlap,
so the accuracy shows only that the parts fit together.

    python examples/transfer.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from skimage import data

import tfpipe

FIRST = ("brick", "grass", "coins", "camera")
SECOND = ("gravel", "moon", "page")


def write_crops(directory: Path, names: tuple[str, ...], crops: int, size: int = 96) -> Path:
    """Writes one folder per photograph, with random crops of it."""
    random = np.random.default_rng(0)
    for name in names:
        photograph = getattr(data, name)()
        (directory / name).mkdir(parents=True)
        for number in range(crops):
            top, left = (int(random.integers(n - size + 1)) for n in photograph.shape[:2])
            crop = photograph[top : top + size, left : left + size]
            Image.fromarray(crop).convert("RGB").save(directory / name / f"{number}.jpg")
    return directory


def datasets(directory: Path, image_size: int) -> list[tfpipe.ImageDataset]:
    return tfpipe.image_dataset_from_directory(
        directory,
        image_size=image_size,
        validation_split=0.25,
        subset="both",
        stratify=True,
        seed=1,
        augment=tfpipe.Augment(rotation_range=15, horizontal_flip=True, fill_mode="reflect"),
        standardize=tfpipe.Standardize(rescale=1 / 255),
    )


def backbone(image_size: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input([image_size, image_size, 3]),
            keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
            keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
            keras.layers.Conv2D(64, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def with_head(body: keras.Model, classes: int) -> keras.Model:
    model = keras.Sequential([body, keras.layers.Dense(classes, activation="softmax")])
    optimizer = keras.optimizers.Adam(0.003)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(crops: int = 80, image_size: int = 64, epochs: int = 12) -> float:
    """Trains a new head on the frozen backbone; returns its accuracy on photographs new to the latter."""
    keras.utils.set_random_seed(1)
    body = backbone(image_size)
    with tempfile.TemporaryDirectory() as folder:
        training, validation = datasets(write_crops(Path(folder, "1"), FIRST, crops), image_size)
        first = with_head(body, len(FIRST))
        first.fit(training, validation_data=validation, epochs=epochs, verbose=2, shuffle=False)

        body.trainable = False
        training, validation = datasets(write_crops(Path(folder, "2"), SECOND, crops), image_size)
        second = with_head(body, len(SECOND))
        second.fit(training, epochs=epochs, verbose=2, shuffle=False)
        _, accuracy = second.evaluate(validation, verbose=0)
    print(f"accuracy of the new head: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer crops and epochs")
    quick = {"crops": 24, "image_size": 32, "epochs": 6}
    main(**(quick if parser.parse_args().quick else {}))
