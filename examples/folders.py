"""From folders to a trained model: one folder per class, as in most tutorials.

The pictures are the digits that ship with tfpipe, written as PNG files.

    python examples/folders.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras

from tfpipe import ImageDataGenerator
from tfpipe.cli import digits


def network(classes: int) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input([8, 8, 1]),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def main(epochs: int = 12) -> float:
    """Trains a network and returns its accuracy on the digits of the validation folder."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        digits.write_folders(digits.read_digits(), Path(folder))
        options = {"target_size": (8, 8), "color_mode": "grayscale", "batch_size": 64}
        augmented = ImageDataGenerator(
            rescale=1 / 255, rotation_range=10, width_shift_range=[0, 1], height_shift_range=[0, 1]
        )
        plain = ImageDataGenerator(rescale=1 / 255)
        training = augmented.flow_from_directory(f"{folder}/train", seed=1, **options)
        validation = plain.flow_from_directory(f"{folder}/validation", shuffle=False, **options)
        model = network(training.num_classes)
        model.fit(training, epochs=epochs, verbose=2, shuffle=False)
        _, accuracy = model.evaluate(validation, verbose=0)
        wrong = [
            name
            for name, row, target in zip(
                validation.filenames,
                model.predict(validation, verbose=0),
                validation.classes,
                strict=True,
            )
            if row.argmax() != target
        ]
    print(f"accuracy {accuracy:.3f}; wrong are {', '.join(wrong[:5]) or 'none'}")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    main(**({"epochs": 3} if parser.parse_args().quick else {}))
