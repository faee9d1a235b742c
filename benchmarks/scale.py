"""What many samples cost: `python -m benchmarks.scale`. Each measurement in a process of its own.

- listing: a tree of 200,000 tiny files in 100 folders, until the data set is there, and its first batch;
- frame: a dataframe of 1,000,000 rows, not validated, until the data set is there, and its memory;
- sample: the cost of a tiny image in data sets of 1,000 to 1,000,000 rows.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import photos

FOLDERS, FILES = 100, 2000
ROWS = 1_000_000
LISTERS = ("classic", "keras", "tfpipe", "tfpipe_function")
COUNTS = (1_000, 10_000, 100_000, 1_000_000)
SIZE = (16, 16)


def list_tree(peer: str, tree: str) -> dict[str, float]:
    """Seconds until a data set of the tree is there, until its first batch, and of listing alone.

    Listing is what the tree takes more than one of a file a folder, both made once before: what a data
    set of any size takes, such as making its graph, is not in it.
    """
    _warm_up()
    make = _listers()[peer]
    start, before = time.perf_counter(), _peak_mb()
    dataset = make(tree)
    ready = time.perf_counter() - start
    next(iter(dataset))
    first = time.perf_counter() - start
    memory = _peak_mb() - before
    small = str(photos.write_tree(Path(tree).parent / f"tree-{FOLDERS}", FOLDERS, 1))
    seconds = []
    for directory in (small, small, tree):
        gc.collect()
        start = time.perf_counter()
        make(directory)
        seconds.append(time.perf_counter() - start)
    listed = seconds[2] - seconds[1]
    return {"listed": listed, "ready": ready, "first": first, "memory": memory}


def _listers() -> dict[str, Any]:
    import keras
    from keras.src.legacy.preprocessing.image import ImageDataGenerator as Classic

    import tfpipe

    options = {"target_size": SIZE, "batch_size": 64}
    new = {"image_size": SIZE, "batch_size": 64}
    return {
        "classic": lambda tree: Classic().flow_from_directory(tree, **options),
        "keras": lambda tree: keras.utils.image_dataset_from_directory(tree, **new),
        "tfpipe": lambda tree: tfpipe.ImageDataGenerator().flow_from_directory(tree, **options),
        "tfpipe_function": lambda tree: tfpipe.image_dataset_from_directory(tree, **new),
    }


def read_frame(peer: str, tree: str) -> dict[str, float]:
    """Seconds until a data set of a million rows is there; memory over that of the frame."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator as Classic

    import tfpipe

    _warm_up()
    frame = _frame(ROWS)
    gc.collect()
    generator = {"classic": Classic, "tfpipe": tfpipe.ImageDataGenerator}[peer]()
    start, before = time.perf_counter(), _peak_mb()
    dataset = generator.flow_from_dataframe(
        frame, tree, target_size=SIZE, validate_filenames=False, batch_size=64
    )
    ready = time.perf_counter() - start
    next(iter(dataset))
    first = time.perf_counter() - start
    return {"ready": ready, "first": first, "memory": _peak_mb() - before}


def cost_of_a_sample(count: str, tree: str) -> dict[str, float]:
    """CPU milliseconds for each of 20,000 shuffled samples, of a data set of `count` rows."""
    import tfpipe

    dataset = tfpipe.ImageDataGenerator().flow_from_dataframe(
        _frame(int(count)), tree, target_size=SIZE, validate_filenames=False, batch_size=64, seed=1
    )

    def read(batches: int) -> None:
        while batches > 0:
            for number, _ in enumerate(dataset.take(-1), 1):
                if number == batches:
                    break
            batches -= number

    read(20)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before = usage.ru_utime + usage.ru_stime
    read(20_000 // 64)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_ms": (usage.ru_utime + usage.ru_stime - before) / 20_000 * 1000}


def _frame(rows: int) -> Any:
    import numpy as np
    import pandas as pd

    number = np.random.default_rng(0).permutation(rows) % (FOLDERS * FILES)
    folder, file = number // FILES, number % FILES
    names = [f"class_{a:03}/image_{b:06}.jpg" for a, b in zip(folder, file, strict=True)]
    return pd.DataFrame({"filename": names, "class": [name[:9] for name in names]})


def _warm_up() -> None:
    """What any use of these libraries imports and starts is not counted."""
    import numpy as np
    import scipy.ndimage  # noqa: F401

    from tfpipe import ImageDataGenerator

    next(iter(ImageDataGenerator().flow(np.zeros([2, 4, 4, 3]))))


def _peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


MEASUREMENTS = {"listing": list_tree, "frame": read_frame, "sample": cost_of_a_sample}
PLAN = {
    "listing": LISTERS,
    "frame": ("classic", "tfpipe"),
    "sample": tuple(map(str, COUNTS)),
}


def measure(data: Path, rounds: int = 3) -> dict[str, dict[str, dict[str, float]]]:
    """Medians of all measurements: what -> which -> name -> value."""
    tree = photos.write_tree(data / f"tree-{FOLDERS * FILES}", FOLDERS, FILES)
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for number in range(rounds):
        for what, peers in PLAN.items():
            for peer in peers:
                print(f"  round {number + 1}/{rounds}  {what}: {peer}", file=sys.stderr)
                command = [sys.executable, "-W", "ignore", "-m", "benchmarks.scale"]
                done = subprocess.run(
                    [*command, what, peer, str(tree)],
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    raise RuntimeError(f"{what}: {peer} failed:\n{done.stderr[-2000:]}")
                for name, value in json.loads(done.stdout.splitlines()[-1]).items():
                    of_peer = results.setdefault(what, {}).setdefault(peer, {})
                    of_peer.setdefault(name, []).append(value)
    return {
        what: {
            peer: {name: statistics.median(values) for name, values in of_peer.items()}
            for peer, of_peer in peers.items()
        }
        for what, peers in results.items()
    }


def as_markdown(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """The tables of RESULTS.md, with the targets."""
    lines = []
    for what, title in (
        ("listing", f"A tree of {FOLDERS * FILES:,} files in {FOLDERS} folders"),
        ("frame", f"A dataframe of {ROWS:,} rows, `validate_filenames=False`"),
    ):
        columns = {
            "listed": "listing alone, s",
            "ready": "ready, s",
            "first": "first batch, s",
            "memory": "memory on top, MB",
        }
        shown = [name for name in columns if name in next(iter(results[what].values()))]
        lines += [f"{title}:", "", f"| loader | {' | '.join(columns[name] for name in shown)} |"]
        lines.append("|---" * (len(shown) + 1) + "|")
        for peer, values in results[what].items():
            cells = [f"{values[name]:.{0 if name == 'memory' else 2}f}" for name in shown]
            lines.append(f"| {peer} | {' | '.join(cells)} |")
        lines.append("")
    lines += ["The CPU time of a 16x16 image, in data sets of so many rows:", ""]
    costs = {int(count): values["cpu_ms"] for count, values in results["sample"].items()}
    lines.append("| " + " | ".join(f"{count:,}" for count in costs) + " |")
    lines.append("|" + "---|" * len(costs))
    lines.append("| " + " | ".join(f"{cost:.3f} ms" for cost in costs.values()) + " |")
    lines += ["", *_targets(results)]
    return "\n".join(lines)


def _targets(results: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    listing, frame = results["listing"], results["frame"]["tfpipe"]
    costs = [values["cpu_ms"] for values in results["sample"].values()]
    ours = max(listing["tfpipe"]["listed"], listing["tfpipe_function"]["listed"])
    first = max(listing["tfpipe"]["first"], listing["tfpipe_function"]["first"])
    rows = [
        ("listing against the classic", 0.5, ours / listing["classic"]["listed"], ""),
        ("listing against Keras' function", 0.5, ours / listing["keras"]["listed"], ""),
        ("first batch of the tree", 2.0, first, " s"),
        ("the frame is ready", 3.0, frame["ready"], " s"),
        ("memory over the frame", 500.0, frame["memory"], " MB"),
        ("cost of a sample, the most against the least", 1.1, max(costs) / min(costs), ""),
    ]
    lines = ["| target | at most | reached | |", "|---|---|---|---|"]
    for name, most, value, unit in rows:
        verdict = "reached" if value <= most else "**missed**"
        lines.append(f"| {name} | {most:g}{unit} | {value:.2f}{unit} | {verdict} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data")
    arguments = parser.parse_args()
    print(as_markdown(measure(arguments.data, arguments.rounds)))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in MEASUREMENTS:
        with contextlib.redirect_stdout(io.StringIO()):
            found = MEASUREMENTS[sys.argv[1]](*sys.argv[2:])
        print(json.dumps(found))
    else:
        main()
