"""From a dataframe to a trained model: another question about the same files, is the digit odd?

The dataframe has a column of paths, one of labels and one of weights, which make an odd digit count
twice. The folders play no part.

    python examples/dataframe.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras

from tfpipe import ImageDataGenerator
from tfpipe.cli import digits


def network() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input([8, 8, 1]),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def main(epochs: int = 12) -> float:
    """Trains a network and returns its accuracy on the rows that are held back."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        names = digits.write_folders(digits.read_digits(), Path(folder))
        frame = digits.parity_frame(names).sample(frac=1, random_state=1)
        frame["weight"] = frame["class"].map({"even": 1.0, "odd": 2.0})
        generator = ImageDataGenerator(rescale=1 / 255, validation_split=0.2)
        options = {
            "dataframe": frame,
            "directory": folder,
            "target_size": (8, 8),
            "color_mode": "grayscale",
            "class_mode": "binary",
            "batch_size": 64,
        }
        training = generator.flow_from_dataframe(
            subset="training", weight_col="weight", seed=1, **options
        )
        validation = generator.flow_from_dataframe(subset="validation", shuffle=False, **options)
        model = network()
        model.fit(training, epochs=epochs, verbose=2, shuffle=False)
        _, accuracy = model.evaluate(validation, verbose=0)
    print(f"accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    main(**({"epochs": 3} if parser.parse_args().quick else {}))
