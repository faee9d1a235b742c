"""How cheap starting is: `python -m benchmarks.start`, or with `--quick` in about a minute.

One process measures all times. tfpipe, Keras' function and the classic class take turns, after a round that
is not counted, so everything is warm. Memory is measured in processes of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure, photos
from tfpipe.cli import quiet

COUNTS = (200, 1000)  # photographs
CLASSES = ("a", "b")
HEIGHT, WIDTH = 240, 320
SIZE, BATCH = (224, 224), 32
AUGMENTED = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "zoom_range": 0.1,
    "horizontal_flip": True,
}
FLOW = {"rotation_range": 20, "zoom_range": 0.2}
TRANSFORM = FLOW | {"horizontal_flip": True, "width_shift_range": 0.1}
ARRAY_MB = 750
# The growth of memory is read every 50 data sets, from the 100th to the 300th.
READINGS = range(100, 301, 50)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: what is measured.
        ours: what tfpipe takes.
        peer: what `base` takes; None where the target is absolute.
        unit: of the values.
        target: the most that `ours` may be: times the peer, or in units where there is no peer.
        base: name of the peer.
        classic: what the classic class takes, for information.
    """

    name: str
    ours: float
    peer: float | None
    unit: str
    target: float
    base: str = "Keras"
    classic: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.peer is None else self.ours / self.peer

    @property
    def is_reached(self) -> bool:
        return (self.ours if self.ratio is None else self.ratio) <= self.target


@dataclass(frozen=True)
class Case:
    """One peer's part of a comparison.

    Attributes:
        work: what is timed; it is given what `prepare` returned.
        prepare: what comes before it, each time.
        calls: of `work`, in each round.
    """

    work: Callable[[Any], Any]
    prepare: Callable[[], Any] = lambda: None
    calls: int = 1


def medians(cases: dict[str, Case], rounds: int) -> dict[str, float]:
    """Measures each case once per round; returns the median milliseconds of a call."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        if number == 1:  # what is there now is left alone: a collection takes 2 ms instead of 200
            gc.collect()
            gc.freeze()
        for name, case in cases.items():
            prepared = case.prepare()
            gc.collect()
            start = time.perf_counter()
            for _ in range(case.calls):
                kept = case.work(prepared)
            seconds = time.perf_counter() - start
            del prepared, kept  # an iterator's threads end before the next case begins
            if number:  # the first round warms up
                found[name].append(seconds / case.calls * 1000)
    return {name: statistics.median(values) for name, values in found.items()}


# The data sets, and their first batches.


def make_tfpipe(directory: str, **options: Any) -> Any:
    import tfpipe

    return tfpipe.image_dataset_from_directory(
        directory, image_size=SIZE, batch_size=BATCH, verbose=False, **options
    )


def make_keras(directory: str) -> Any:
    import keras

    return keras.utils.image_dataset_from_directory(
        directory, image_size=SIZE, batch_size=BATCH, verbose=False
    )


def make_classic(directory: str, **options: Any) -> Any:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    with contextlib.redirect_stdout(io.StringIO()):
        return ImageDataGenerator(**options).flow_from_directory(
            directory, target_size=SIZE, batch_size=BATCH, class_mode="sparse"
        )


def first_of_loop(dataset: Any) -> Any:
    """Reads the first batch as a loop does; the iterator is returned, so that it ends after the clock."""
    iterator = iter(dataset)
    return iterator, next(iterator)


def first_item(dataset: Any) -> Any:
    return dataset[0]


def first_of_strategy(strategy: Any, dataset: Any) -> Any:
    return first_of_loop(strategy.experimental_distribute_dataset(dataset))


# The measurements. Each gives its rows.


@dataclass(frozen=True)
class Settings:
    """How long to measure, and on which photographs: number of files -> directory."""

    rounds: int
    flows: int
    directories: dict[int, str]


def making(settings: Settings) -> Iterable[Row]:
    """Times the making of a data set."""
    for count, directory in settings.directories.items():
        took = medians(_made(directory), settings.rounds)
        yield _against_keras(f"1 making a data set, {count} files", took, 2)


def loop(settings: Settings) -> Iterable[Row]:
    """Times the loop's first batch of a new data set."""
    for count, directory in settings.directories.items():
        took = medians(_first(directory, first_of_loop), settings.rounds)
        yield _against_keras(f"2 next(iter(ds)), {count} files", took, 2)


def item(settings: Settings) -> Iterable[Row]:
    """Times `ds[0]` of a new data set, beside the loop's first batch of Keras' one."""
    for count, directory in settings.directories.items():
        took = medians(_first(directory, first_item), settings.rounds)
        yield _against_keras(f"3 ds[0], {count} files", took, 2)


def augmented(settings: Settings) -> Iterable[Row]:
    """Times both with the classic's augmentation, beside Keras' loop without any."""
    import tfpipe

    for count, directory in settings.directories.items():
        for name, read in (("next(iter(ds))", first_of_loop), ("ds[0]", first_item)):
            ours = {"augment": tfpipe.Augment(**AUGMENTED)}
            took = medians(_first(directory, read, ours, AUGMENTED), settings.rounds)
            yield _against_keras(f"4 augmented {name}, {count} files", took, 2.5)


def strategy(settings: Settings) -> Iterable[Row]:
    """Times the first batch under a strategy of one and of two logical CPUs."""
    import tensorflow as tf

    strategies = [tf.distribute.MirroredStrategy(d) for d in (["CPU:0"], ["CPU:0", "CPU:1"])]
    for count, directory in settings.directories.items():
        for of in strategies:
            read = partial(first_of_strategy, of)
            cases = {
                "tfpipe": Case(read, partial(make_tfpipe, directory)),
                "keras": Case(read, partial(make_keras, directory)),
            }
            name = f"5 under a strategy of {of.num_replicas_in_sync}, {count} files"
            yield _against_keras(name, medians(cases, settings.rounds), 2)


def flow(settings: Settings) -> Iterable[Row]:
    """Times new flows of one small image, each with its first batch."""
    images = _photograph(32, 32)[None]
    cases = {
        name: Case(lambda _, generator=generator: next(generator.flow(images)))
        for name, generator in _generators(FLOW).items()
    }
    took = medians(cases, settings.flows)
    name = f"6 next(generator.flow(...)), {settings.flows} new flows"
    yield Row(name, took["tfpipe"], None, "ms", 20, classic=took["classic"])


def transform(settings: Settings) -> Iterable[Row]:
    """Times `random_transform` of one image."""
    image = _photograph(*SIZE)
    cases = {
        name: Case(lambda _, generator=generator: generator.random_transform(image), calls=20)
        for name, generator in _generators(TRANSFORM).items()
    }
    took = medians(cases, settings.rounds)
    yield Row("7 random_transform", took["tfpipe"], took["classic"], "ms", 1, "classic")


def memory(settings: Settings) -> Iterable[Row]:
    """Measures memory: on top of an array, and what each data set leaves behind."""
    took = {peer: _in_process("array", peer) for peer in ("tfpipe", "classic")}
    name = "8 memory on top of an array"
    yield Row(name, took["tfpipe"], ARRAY_MB, "MB", 1.1, "array", took["classic"])
    took = {peer: _in_process("growth", peer) for peer in ("tfpipe", "classic")}
    name = "8 memory that a dropped data set keeps"
    yield Row(name, took["tfpipe"], None, "kB", 20, classic=took["classic"])


MEASUREMENTS: dict[str, Callable[[Settings], Iterable[Row]]] = {
    "making": making,
    "loop": loop,
    "item": item,
    "augmented": augmented,
    "strategy": strategy,
    "flow": flow,
    "transform": transform,
    "memory": memory,
}


def _made(directory: str) -> dict[str, Case]:
    """Returns the cases of making a data set."""
    return {
        "tfpipe": Case(lambda _: make_tfpipe(directory)),
        "keras": Case(lambda _: make_keras(directory)),
        "classic": Case(lambda _: make_classic(directory)),
    }


def _first(
    directory: str,
    read: Callable[[Any], Any],
    ours: dict[str, Any] | None = None,
    classic: dict[str, Any] | None = None,
) -> dict[str, Case]:
    """Returns the cases of the first batch: tfpipe's by `read`, those of the others by their loop."""
    return {
        "tfpipe": Case(read, partial(make_tfpipe, directory, **ours or {})),
        "keras": Case(first_of_loop, partial(make_keras, directory)),
        "classic": Case(first_of_loop, partial(make_classic, directory, **classic or {})),
    }


def _against_keras(name: str, took: dict[str, float], target: float) -> Row:
    return Row(name, took["tfpipe"], took["keras"], "ms", target, classic=took.get("classic"))


def _generators(options: dict[str, Any]) -> dict[str, Any]:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator as Classic

    import tfpipe

    return {"tfpipe": tfpipe.ImageDataGenerator(**options), "classic": Classic(**options)}


def _photograph(height: int, width: int) -> np.ndarray:
    """Returns one photograph, float32 [height, width, 3]."""
    return np.asarray(next(photos.cuts(1, height, width)), np.float32)


# What is measured in a process of its own.


def array(peer: str) -> float:
    """Returns the megabytes of peak memory that a flow of a large array, and two batches, add to it."""
    generator = _generators({})[peer]

    def read(images: np.ndarray) -> None:
        batches = generator.flow(images)
        next(batches)
        next(batches)

    read(np.zeros([2 * BATCH, *SIZE, 3], np.float32))  # imports and threads are not counted
    images = np.full([ARRAY_MB * 10**6 // (SIZE[0] * SIZE[1] * 3 * 4), *SIZE, 3], 0.5, np.float32)
    gc.collect()
    before = _status_kb("VmHWM")
    read(images)
    return (_status_kb("VmHWM") - before) * 1024 / 1e6


def growth(peer: str) -> float:
    """Returns the kilobytes by which memory grows with each augmented data set, made and dropped."""
    generator = _generators({"rotation_range": 20})[peer]
    images = np.zeros([4, 32, 32, 3], np.float32)
    next(iter(generator.flow(images)))
    gc.collect()
    gc.freeze()  # the libraries' objects; what a data set leaves behind is still collected
    found = []
    for number in range(1, READINGS[-1] + 1):
        next(iter(generator.flow(images)))
        gc.collect()
        if number in READINGS:
            found.append(_status_kb("VmRSS"))
    # The allocator gives 25 MB back once, at some point: the median leaves that step out.
    return statistics.median(np.diff(found)) / READINGS.step


PROCESSES = {"array": array, "growth": growth}


def _status_kb(name: str) -> int:
    """Reads a value of /proc/self/status; on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _in_process(what: str, peer: str) -> float:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.start", what, peer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{what}: {peer} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


# What it reads, and what it prints.


def write_photographs(directory: Path, count: int) -> Path:
    """Writes `count` small JPEG files into two class folders; kept where they are there."""
    done = directory.with_suffix(".done")
    if done.exists():
        return directory
    for folder in CLASSES:
        (directory / folder).mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(photos.cuts(count, HEIGHT, WIDTH)):
        image.save(directory / CLASSES[number % len(CLASSES)] / f"{number:05}.jpg", quality=90)
    done.touch()
    return directory


HEADER = ("| | tfpipe | against | ratio | at most | | classic |", "|---" * 7 + "|")


def as_line(row: Row) -> str:
    """Formats a row as one line of the table."""
    peer = "" if row.peer is None else f"{row.base} {row.peer:.1f} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    most = f"{row.target:g} {row.unit if row.ratio is None else 'x'}"
    verdict = "reached" if row.is_reached else "**missed**"
    classic = "" if row.classic is None else f"{row.classic:.1f} {row.unit}"
    cells = (row.name, f"{row.ours:.1f} {row.unit}", peer, ratio, most, verdict, classic)
    return f"| {' | '.join(cells)} |"


def _chosen(only: Sequence[str] | None) -> list[str]:
    names = list(MEASUREMENTS)
    wanted = [names[int(name) - 1] if name.isdecimal() else name for name in only or names]
    return [name for name in names if name in wanted]


def main() -> None:
    numbers = map(str, range(1, len(MEASUREMENTS) + 1))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--rounds", type=int, help="default: 11; with --quick 3")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*MEASUREMENTS, *numbers],
        metavar="NAME",
        help=f"some of the measurements, by name or number: {', '.join(MEASUREMENTS)}",
    )
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data")
    arguments = parser.parse_args()
    _start_tensorflow()
    settings = Settings(
        rounds=arguments.rounds or (3 if arguments.quick else 11),
        flows=20 if arguments.quick else 100,
        directories={
            count: str(write_photographs(arguments.data / f"start-{count}", count))
            for count in COUNTS
        },
    )
    print(measure.environment(), *HEADER, sep="\n", flush=True)
    for name in _chosen(arguments.only):
        for row in MEASUREMENTS[name](settings):
            print(as_line(row), flush=True)


def _start_tensorflow() -> None:
    """Starts TensorFlow with two logical CPUs, which the strategies need from the start, and no log."""
    quiet.import_tensorflow("3")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in PROCESSES:
        with contextlib.redirect_stdout(io.StringIO()):
            found = PROCESSES[sys.argv[1]](*sys.argv[2:])
        print(json.dumps(found))
    else:
        main()
