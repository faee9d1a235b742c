"""Interleaved rounds: in each, every peer runs once, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# What a peer needs beside TensorFlow.
_NEEDS = {
    "torchvision": "torchvision",
    "libjpeg_turbo": "simplejpeg",
    "libjpeg_turbo_scaled": "simplejpeg",
}


@dataclass
class Measured:
    """What one peer took in one setting, a value a round."""

    rate: list[float] = field(default_factory=list)  # images/s
    cpu_ms: list[float] = field(default_factory=list)  # of all cores, an image
    peak_mb: list[float] = field(default_factory=list)

    def median(self, name: str) -> float:
        return statistics.median(getattr(self, name))

    def times(self, base: Measured) -> float:
        """The median of the ratios of speed, round by round."""
        return statistics.median(a / b for a, b in zip(self.rate, base.rate, strict=True))


def available(peer: str) -> bool:
    """Whether a peer can run here."""
    return peer not in _NEEDS or importlib.util.find_spec(_NEEDS[peer]) is not None


def one_round(
    peers: Sequence[str],
    setting: str,
    directory: str,
    epochs: int,
    results: dict[str, Measured],
    step: Callable[[str], None],
) -> None:
    """Runs every peer once and appends what it took to `results`; `step` is told who comes next."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for peer in peers:
        step(peer)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.peers"]
        done = subprocess.run(
            [*command, peer, setting, directory, str(epochs)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{peer} failed in {setting}:\n{done.stderr[-2000:]}")
        values = json.loads(done.stdout.splitlines()[-1])
        measured = results.setdefault(peer, Measured())
        for name, value in values.items():
            getattr(measured, name).append(value)


def environment() -> str:
    """One line that says what was measured on."""
    import keras
    import numpy
    import tensorflow as tf

    versions = [f"TensorFlow {tf.__version__}", f"Keras {keras.__version__}"]
    versions += [f"NumPy {numpy.__version__}", f"Python {platform.python_version()}"]
    for name in ("PIL", "torchvision"):
        if importlib.util.find_spec(name):
            versions.append(f"{name} {importlib.import_module(name).__version__}")
    return f"{', '.join(versions)}; {os.cpu_count()} cores, {_processor()}, {platform.system()}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
