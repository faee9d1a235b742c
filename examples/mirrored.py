"""Several devices of one host: `MirroredStrategy`, with `fit` and with a loop of your own.

Without GPUs, the CPU is used as two logical devices, so that the example runs anywhere.

    python examples/mirrored.py [--quick]
"""

import argparse
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

import tfpipe
from tfpipe.cli import digits


def strategy() -> tf.distribute.Strategy:
    if tf.config.list_physical_devices("GPU"):
        return tf.distribute.MirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def main(epochs: int = 6) -> float:
    """Trains a network on all devices and returns the accuracy of the last epoch."""
    mirrored = strategy()
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        digits.write_folders(digits.read_digits(), Path(folder))
        training = tfpipe.image_dataset_from_directory(
            f"{folder}/train",
            color_mode="grayscale",
            image_size=8,
            batch_size=32 * mirrored.num_replicas_in_sync,  # the global batch
            seed=1,
            standardize=tfpipe.Standardize(rescale=1 / 255),
        )
        with mirrored.scope():
            model = keras.Sequential(
                [
                    keras.Input([8, 8, 1]),
                    keras.layers.Conv2D(32, 3, activation="relu"),
                    keras.layers.Flatten(),
                    keras.layers.Dense(10, activation="softmax"),
                ]
            )
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(training, epochs=epochs, verbose=2, shuffle=False)

        @tf.function
        def count(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            right = tf.argmax(model(images), -1, tf.int32) == labels
            return tf.reduce_sum(tf.cast(right, tf.int32))

        # In a loop of your own, each replica is given its part of each global batch.
        right = sum(
            int(mirrored.reduce("SUM", mirrored.run(count, batch), axis=None))
            for batch in training.distribute(mirrored)
        )
    print(f"{mirrored.num_replicas_in_sync} replicas; right are {right} of {training.samples}")
    return history.history["accuracy"][-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    main(**({"epochs": 2} if parser.parse_args().quick else {}))
