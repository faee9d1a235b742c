"""Where the time of an image goes: `python -m benchmarks.profile SET DIRECTORY` for one set.

CPU time of the steps of the graph, over the files of a set: of each what it adds to those before it.
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

from benchmarks.settings import AUGMENTED, BATCH, SIZE


def steps(directory: str) -> dict[str, float]:
    """CPU milliseconds an image of each step, and of what stands beside them."""
    import simplejpeg
    import tensorflow as tf

    import tfpipe
    from tfpipe import seeds
    from tfpipe.codecs import decode
    from tfpipe.codecs.spec import DecodeSpec
    from tfpipe.graph import mapped
    from tfpipe.ops import kernels
    from tfpipe.transforms import draws, motion

    paths = sorted(map(str, Path(directory).rglob("*.jpg")))[:300]
    contents = [Path(path).read_bytes() for path in paths]

    def chain(*parts: Callable[[Any], Any]) -> float:
        """The parts one after the other, as a data set calls them."""

        def result(value: Any) -> Any:
            for part in parts:
                value = part(value)
            first = tf.reshape(value, [-1])[:1]  # what only asks for the shape is not computed
            return (
                tf.strings.length(first) if first.dtype == tf.string else tf.cast(first, tf.int32)
            )

        every = mapped(tf.data.Dataset.from_tensor_slices(paths).repeat(3), result, 2)
        return _cpu_ms(lambda: list(every.batch(BATCH)), 3 * len(paths))

    def decoded(data: Any) -> Any:
        return decode.decode_jpeg(data, DecodeSpec())

    def nearest(image: Any) -> Any:
        return used.resize(image, SIZE)

    def bilinear(image: Any) -> Any:
        return used.resize(image, SIZE, "bilinear")

    def drawn(image: Any) -> dict[str, Any]:
        key = seeds.stream_key(tf.cast(image[0, 0, 0], tf.int64), "augment")
        return draws.draw(ranges, key, *SIZE)

    def only_drawn(image: Any) -> Any:
        params = [value for value in drawn(image).values() if tf.is_tensor(value)]
        return tf.stack([tf.cast(value, tf.float32) for value in params])

    def warped(image: Any) -> Any:
        return motion.apply(image, drawn(image), ranges, kernels=used)

    read = tf.io.read_file
    used = kernels.chosen("auto")
    moves = {name: value for name, value in AUGMENTED.items() if name != "rescale"}
    ranges = tfpipe.Augment(**moves)
    call = chain()
    with_read, with_decoder = chain(read), chain(read, decoded)
    alone = _cpu_ms(
        lambda: sum(simplejpeg.decode_jpeg(data).size for data in contents), len(contents)
    )
    with_nearest = chain(read, decoded, nearest)
    with_draws = chain(read, decoded, nearest, only_drawn)
    batch = tf.zeros([BATCH, *SIZE, 3], tf.uint8)
    cast = _cpu_ms(lambda: [tf.cast(batch, tf.float32) for _ in range(20)], 20 * BATCH)
    return {
        "one call of the function": call,
        "read the file": with_read - call,
        "decode, exact": with_decoder - with_read,
        "libjpeg-turbo alone (simplejpeg)": alone,
        "resize, nearest": with_nearest - with_decoder,
        "resize, bilinear": chain(read, decoded, bilinear) - with_decoder,
        "parameters of the augmentation": with_draws - with_nearest,
        "warp of the augmentation": chain(read, decoded, nearest, warped) - with_draws,
        "batch to float32": cast,
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
