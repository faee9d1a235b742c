"""Two workers, here two processes: `MultiWorkerMirroredStrategy` with a loop of your own.

Each worker reads and decodes only its part of each global batch. On real hosts, start the same program on
each with its own TF_CONFIG. (Keras 3's `fit` fails under this strategy: keras issue 20585.)

    python examples/two_workers.py [--quick]
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def work(folder: str, epochs: int) -> None:
    """Trains on one worker. The strategy comes before anything else of TensorFlow."""
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    import tfpipe

    training = tfpipe.image_dataset_from_directory(
        f"{folder}/train",
        color_mode="grayscale",
        image_size=8,
        batch_size=64,  # of all workers together
        seed=1,  # the same on every worker
        standardize=tfpipe.Standardize(rescale=1 / 255),
        verbose=False,
    )
    with strategy.scope():
        weights = tf.Variable(tf.zeros([64, 10]))
        bias = tf.Variable(tf.zeros([10]))

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        pixels = tf.reshape(images, [-1, 64])
        with tf.GradientTape() as tape:
            logits = pixels @ weights + bias
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses) / training.batch_size
        replica = tf.distribute.get_replica_context()
        gradients = tape.gradient(loss, [weights, bias])
        for variable, gradient in zip([weights, bias], gradients, strict=True):
            total = replica.all_reduce(tf.distribute.ReduceOp.SUM, gradient)
            variable.assign_sub(0.5 * total)
        right = tf.argmax(logits, -1, tf.int32) == labels
        return tf.reduce_sum(tf.cast(right, tf.int32))

    for epoch in range(epochs):
        right = 0
        for batch in training.distribute(strategy):
            right += int(strategy.reduce("SUM", strategy.run(step, batch), axis=None))
        if strategy.cluster_resolver.task_id == 0:
            print(f"epoch {epoch}: accuracy {right / training.samples:.3f}", flush=True)


def main(epochs: int = 5) -> None:
    """Writes the digits and starts two workers on them."""
    from tfpipe.cli import digits

    workers = [f"localhost:{free_port()}" for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        digits.write_folders(digits.read_digits(), Path(folder))
        processes = []
        for index in range(len(workers)):
            config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            command = [sys.executable, __file__, "--work", folder, "--epochs", str(epochs)]
            environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
            processes.append(subprocess.Popen(command, env=environment))
        statuses = [process.wait() for process in processes]
        if any(statuses):
            raise SystemExit("a worker failed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--work", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.epochs)
    else:
        main(2 if arguments.quick else arguments.epochs)
