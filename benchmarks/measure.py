"""Interleaved rounds: in each, every peer runs once, in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence


def available(name: str) -> bool:
    """Whether a peer can run here."""
    return name != "torchvision" or importlib.util.find_spec("torchvision") is not None


def rounds(
    peers: Sequence[str], directory: str, setting: str, count: int
) -> dict[str, list[float]]:
    """Images/s of each peer in each round."""
    rates: dict[str, list[float]] = {name: [] for name in peers if available(name)}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    for number in range(count):
        for name in rates:
            command = [sys.executable, "-m", "benchmarks.peers", name, directory, setting]
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
            rates[name].append(float(done.stdout.split()[-1]))
            print(f"  round {number + 1}/{count}  {name:<14}{rates[name][-1]:8.0f} images/s")
    return rates


def table(rates: dict[str, list[float]], base: str = "classic") -> str:
    """Medians, and the median of the ratios to `base` in the same round, as a Markdown table."""
    lines = [f"| loader | images/s | times {base} |", "|---|---|---|"]
    for name, values in rates.items():
        ratio = statistics.median(v / b for v, b in zip(values, rates[base], strict=True))
        lines.append(f"| {name} | {statistics.median(values):.0f} | {ratio:.2f} |")
    return "\n".join(lines)


def environment() -> str:
    """One line that says what was measured on."""
    import keras
    import tensorflow as tf

    return (
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )
