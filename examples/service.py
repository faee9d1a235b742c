"""Other processes, or hosts, prepare the batches: a tf.data service.

Here the command line starts a dispatcher and two workers on this machine. On real hosts, run those
commands there, and give this program the dispatcher's address.

    python examples/service.py [--quick]
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras

import tfpipe
from tfpipe.cli import digits


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[str]:
    """Runs a process of `tfpipe service` until the block ends; yields the address that it prints."""
    command = [sys.executable, "-m", "tfpipe", "service", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


def main(epochs: int = 5) -> float:
    """Trains a network on batches from the service and returns the accuracy of the last epoch."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        digits.write_folders(digits.read_digits(), Path(folder))
        with contextlib.ExitStack() as processes:
            address = processes.enter_context(running("dispatcher"))
            for _ in range(2):
                processes.enter_context(running("worker", "--dispatcher", address))
            training = tfpipe.image_dataset_from_directory(
                f"{folder}/train",
                color_mode="grayscale",
                image_size=8,
                seed=1,
                augment=tfpipe.Augment(rotation_range=10),
                standardize=tfpipe.Standardize(rescale=1 / 255),
            )
            remote = training.distribute(service=address, manifest=f"{folder}/manifest")
            model = keras.Sequential(
                [
                    keras.Input([8, 8, 1]),
                    keras.layers.Conv2D(32, 3, activation="relu"),
                    keras.layers.Flatten(),
                    keras.layers.Dense(10, activation="softmax"),
                ]
            )
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            history = model.fit(remote, epochs=epochs, verbose=2, shuffle=False)
    return history.history["accuracy"][-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    main(**({"epochs": 2} if parser.parse_args().quick else {}))
