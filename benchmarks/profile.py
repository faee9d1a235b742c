"""Where the time of an image goes: `python -m benchmarks.profile SET DIRECTORY` for one set.

CPU time of the steps of the graph, each on its own, over the files of a set.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.settings import BATCH, SIZE


def steps(directory: str) -> dict[str, float]:
    """CPU milliseconds an image of each step, and of what stands beside them."""
    import simplejpeg
    import tensorflow as tf

    from tfpipe import decode, resize
    from tfpipe.specs import ImageSpec

    paths = sorted(map(str, Path(directory).rglob("*.jpg")))[:200]
    contents = [Path(path).read_bytes() for path in paths]
    images = [tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE") for data in contents[:20]]

    def in_graph(function: Callable[[Any], Any], values: list[Any]) -> float:
        # Tensors: of Python's bytes each would be a graph of its own, whose result is folded into it.
        values = [tf.constant(value) for value in values]
        call = tf.function(function, autograph=False, reduce_retracing=True)
        call(values[0])
        call(values[-1])
        return _cpu_ms(lambda: [call(value) for value in values], len(values))

    dense = tf.random.uniform([BATCH, *SIZE, 3], maxval=255, dtype=tf.int32)
    batch = tf.cast(dense, tf.uint8)
    return {
        "read the file": in_graph(tf.io.read_file, paths),
        "libjpeg-turbo alone (simplejpeg)": _cpu_ms(
            lambda: [simplejpeg.decode_jpeg(data) for data in contents], len(contents)
        ),
        "decode, exact": in_graph(lambda data: decode.decode_jpeg(data, ImageSpec()), contents),
        "resize, nearest": in_graph(lambda image: resize.resize(image, SIZE), images),
        "resize, bilinear": in_graph(lambda image: resize.resize(image, SIZE, "bilinear"), images),
        "batch to float32": in_graph(lambda x: tf.cast(x, tf.float32), [batch] * 8) / BATCH,
    }


def _cpu_ms(work: Callable[[], object], count: int) -> float:
    work()
    before = _cpu_seconds()
    work()
    return (_cpu_seconds() - before) / count * 1000


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def as_markdown(directories: dict[str, str]) -> str:
    """A table of the steps, a column a set."""
    found = {}
    for name, directory in directories.items():
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.profile", name, directory],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=True,
        )
        found[name] = json.loads(done.stdout.splitlines()[-1])
    lines = ["CPU milliseconds an image:", "", "| step | " + " | ".join(found) + " |"]
    lines.append("|---|" + "---|" * len(found))
    for step in next(iter(found.values())):
        values = " | ".join(f"{found[name][step]:.2f}" for name in found)
        lines.append(f"| {step} | {values} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(steps(sys.argv[2])))
