"""Medical images: DICOM files and a CSV with the patient of each scan, and whether it shows a finding.

The scans are made here from one that comes with pydicom: each patient has the same anatomy, moved and
scaled, and a finding is a small bright disk. The rescale slope and the window of each file are applied when
it is read. The scan that comes with pydicom has no window, so one is written.

    python examples/medical.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pydicom
from pydicom.data import get_testdata_file

import tfpipe


def write_study(directory: Path, patients: int, scans: int = 4) -> Path:
    """Writes `scans` DICOM files per patient, and returns the path of study.csv, which lists them."""
    random = np.random.default_rng(0)
    original = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    # In Hounsfield units. Without it all 16 bits would become 0..255, and the body eight levels of gray.
    original.WindowCenter, original.WindowWidth = 1000, 4000
    anatomy = original.pixel_array
    rows, columns = np.mgrid[: anatomy.shape[0], : anatomy.shape[1]]
    table = []
    for patient in range(patients):
        body = np.roll(anatomy, random.integers(-6, 7, 2), (0, 1)) * random.uniform(0.9, 1.1)
        for scan in range(scans):
            pixels, finding = body + random.normal(0, 20, body.shape), scan % 2
            if finding:
                row, column = random.integers(40, 90, 2)
                pixels[(rows - row) ** 2 + (columns - column) ** 2 < 49] += 1500
            original.PixelData = np.clip(pixels, 0, 4095).astype(np.int16).tobytes()
            name = f"{patient:03}-{scan}.dcm"
            original.save_as(directory / name)
            label = "finding" if finding else "none"
            table.append({"filename": name, "patient": patient, "label": label})
    pd.DataFrame(table).to_csv(directory / "study.csv", index=False)
    return directory / "study.csv"


def network(image_size: int) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input([image_size, image_size, 1]),
            keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["accuracy"])
    return model


def main(patients: int = 60, image_size: int = 64, epochs: int = 25) -> float:
    """Trains a network and returns its accuracy on patients that it has not seen."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        training, validation = tfpipe.image_dataset_from_dataframe(
            write_study(Path(folder), patients),
            folder,
            y_col="label",
            class_names=["none", "finding"],
            label_mode="binary",
            color_mode="grayscale",
            image_size=image_size,
            validation_split=0.25,
            subset="both",
            groups="patient",  # all scans of a patient are on one side
            seed=1,
            augment=tfpipe.Augment(rotation_range=10, horizontal_flip=True),
            standardize=tfpipe.Standardize(rescale=1 / 255),
            cache="memory",  # pydicom decodes in Python: once is enough
        )
        model = network(image_size)
        model.fit(training, epochs=epochs, verbose=2, shuffle=False)
        _, accuracy = model.evaluate(validation, verbose=0)
    print(f"accuracy on unseen patients: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer patients and epochs")
    main(**({"patients": 8, "image_size": 32, "epochs": 2} if parser.parse_args().quick else {}))
