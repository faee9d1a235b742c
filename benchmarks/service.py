"""Images/s with 0, 1 and 2 tf.data service workers on this machine: `python -m benchmarks.service`.

The workers share this machine's cores with the trainer, so what is measured is what the service costs, not
what it gains. From these costs, and those of the parts, follows a model on paper of 100 workers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import measure
from benchmarks.photos import write_set

SIZE, BATCH = (224, 224), 32


class Server(NamedTuple):
    """A `tfpipe service` process, and the address it says it has."""

    process: subprocess.Popen[str]
    address: str

    def cpu_seconds(self) -> float:
        """What it has used until now; on Linux."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(*arguments: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "tfpipe", "service", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Server(process, (process.stdout.readline() if process.stdout else "").split()[-1])
    finally:
        process.terminate()
        process.wait(60)


def epoch_seconds(dataset: Any) -> float:
    start = time.perf_counter()
    for _ in dataset:
        pass
    return time.perf_counter() - start


def rates(directory: str, rounds: int) -> dict[int, list[float]]:
    """Images/s of whole epochs by the number of workers, the rounds interleaved."""
    from tfpipe import ImageDataGenerator

    local = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        directory, target_size=SIZE, batch_size=BATCH, seed=1
    )
    with ExitStack() as stack:
        services: dict[int, Any] = {0: local.take(-1)}  # a loop over `local` itself never ends
        for count in (1, 2):
            address = stack.enter_context(server("dispatcher")).address
            for _ in range(count):
                stack.enter_context(server("worker", "--dispatcher", address))
            services[count] = local.distribute(service=address)
        for dataset in services.values():
            epoch_seconds(dataset)
        result: dict[int, list[float]] = {count: [] for count in services}
        for _ in range(rounds):
            for count, dataset in services.items():
                result[count].append(local.samples / epoch_seconds(dataset))
    return result


def dispatcher_milliseconds(directory: str, epochs: int = 10) -> float:
    """CPU time of the dispatcher for each batch, of tiny images: many batches a second."""
    from tfpipe import ImageDataGenerator

    local = ImageDataGenerator().flow_from_directory(
        directory, target_size=(8, 8), batch_size=1, seed=1
    )
    with server("dispatcher") as dispatcher, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(server("worker", "--dispatcher", dispatcher.address))
        remote = local.distribute(service=dispatcher.address)
        epoch_seconds(remote)
        before = dispatcher.cpu_seconds()
        for _ in range(epochs):
            epoch_seconds(remote)
        return (dispatcher.cpu_seconds() - before) / (epochs * len(local)) * 1000


def order_microseconds(n: int = 10_000_000, chunk: int = 256, chunks: int = 2000) -> float:
    """Microseconds of computing which sample stands at a position, of n samples, chunk by chunk."""
    import tensorflow as tf

    from tfpipe.pipeline import order

    positions = tf.data.Dataset.range(0, chunk * chunks, chunk).map(
        lambda start: order.shuffled(tf.range(start, start + chunk), n, 7, tf.constant(3, tf.int64))
    )
    return epoch_seconds(positions) / (chunk * chunks) * 1e6


def manifest(n: int = 1_000_000) -> tuple[float, float]:
    """Megabytes of the file of n paths, and seconds until a worker has read it."""
    import tensorflow as tf

    from tfpipe.sources.columns import in_file

    paths = np.array(
        [b"photographs/train/n%04d/%09d.jpg" % (i % 1000, i) for i in range(n)], object
    )
    with tempfile.TemporaryDirectory() as directory:
        column = in_file(paths, directory)
        size = sum(path.stat().st_size for path in Path(directory).iterdir())
        start = time.perf_counter()
        column(tf.constant([0], tf.int64))
        return size / 1e6, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000, help="files in the set")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        photos = write_set(Path(directory) / "photos", "small", arguments.images, lambda: None)
        found = rates(str(photos), arguments.rounds)
        busy = dispatcher_milliseconds(str(photos))
    print(measure.environment())
    print("| workers | images/s | of local |\n|---|---|---|")
    for count, values in found.items():
        ratio = statistics.median(v / b for v, b in zip(values, found[0], strict=True))
        print(f"| {count} | {statistics.median(values):.0f} | {ratio:.2f} |")
    print(f"dispatcher: {busy:.2f} ms of CPU time a batch, and nothing of its pixels")
    megabytes, seconds = manifest()
    batch = BATCH * SIZE[0] * SIZE[1] * 3 * 4 / 1e6
    print(f"order: {order_microseconds():.2f} microseconds a sample of 10 million")
    print(f"manifest: {megabytes:.0f} MB and {seconds:.1f} s to read, a million paths")
    print(f"network: {batch:.1f} MB a batch of {BATCH} float32 images, {batch / 4:.1f} as uint8")


if __name__ == "__main__":
    main()
