"""Threads and memory: how many samples are prepared at once, and the budget of the buffers."""

from __future__ import annotations

import os
from dataclasses import dataclass

import tensorflow as tf

from tfpipe.pipeline.cache import MEMORY, Specs, sample_bytes
from tfpipe.pipeline.spec import PipelineSpec

AUTOTUNE = -1  # tf.data's number for it

# Batches besides those of `prefetch`: one being filled, two being finished, one in use.
_UNDER_WAY = 4


@dataclass(frozen=True)
class Parallelism:
    """How many samples are prepared at once, and on which threads.

    Attributes:
        calls: samples prepared at once; AUTOTUNE: as many as the host that runs the graph has cores.
        threads: size of a pool that the data set has to itself, more than the samples prepared at once;
            None: tf.data's pool, with as many threads as that host has cores. If one of those waits, for a
            disk or for another thread, it leaves a core idle. But if none waits, having more threads than
            cores makes operations move from thread to thread, which takes a tenth more time.
    """

    calls: int
    threads: int | None = None


def default_parallel_calls() -> int:
    """Returns one more than the cores this process may use, so that a free core finds a sample waiting."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) + 1


def on_this_host(asked: int | None, threads_wait: bool) -> Parallelism:
    """Returns the best settings for this process.

    Args:
        asked: the number of samples to prepare at once; None: as many as suit this host.
        threads_wait: whether each sample makes a thread wait, however many threads there are.

    >>> on_this_host(1, threads_wait=False)
    Parallelism(calls=1, threads=None)
    """
    default = default_parallel_calls()
    calls = asked or default
    if threads_wait or calls > default:  # more than tf.data has; later stages use them too
        return Parallelism(calls, max(calls, default) + 1)
    return Parallelism(calls)


def on_any_host(asked: int | None) -> Parallelism:
    """Returns the best settings if the number of cores is not known.

    >>> on_any_host(None).calls == AUTOTUNE
    True
    """
    return Parallelism(AUTOTUNE) if asked is None else Parallelism(asked, asked + 1)


def held_bytes(spec: PipelineSpec, loaded: Specs, n: int) -> dict[str, int]:
    """Returns the most bytes that a data set of `n` samples holds, by what holds them.

    Args:
        spec: what is done to the samples.
        loaded: shapes and dtypes of one loaded sample.
        n: samples that a cache in memory would keep.

    Images that are not resized yet are not counted: up to `num_parallel_calls` times the largest.

    >>> spec = PipelineSpec(batch_size=32, prefetch=2, num_parallel_calls=3, cache="memory")
    >>> held_bytes(spec, {"image": tf.TensorSpec([10, 10, 3], tf.uint8)}, 1000)
    {'batches': 230400, 'samples': 7200, 'cache': 300000}
    """
    values = sum(image.shape.num_elements() for image in loaded.values())
    width = max(tf.as_dtype(spec.dtype).size, tf.as_dtype(spec.compute_dtype).size)
    in_work = spec.num_parallel_calls or default_parallel_calls()
    return {
        "batches": (spec.prefetch + _UNDER_WAY) * spec.together * values * width,
        # One being loaded, one being saved or in the user's function.
        "samples": 2 * in_work * values * width,
        "cache": n * sample_bytes(loaded) if spec.cache == MEMORY else 0,
    }


def check_budget(spec: PipelineSpec, loaded: Specs, n: int) -> None:
    """Raises `ValueError` if a data set may hold more than `spec.ram_budget`."""
    if spec.ram_budget is None:
        return
    held = held_bytes(spec, loaded, n)
    if sum(held.values()) > spec.ram_budget:
        parts = ", ".join(f"{name} {size:,}" for name, size in held.items())
        remedy = "cache=DIRECTORY instead of 'memory', or " if held["cache"] else ""
        raise ValueError(
            f"ram_budget={spec.ram_budget:,} bytes is less than this data set may hold, "
            f"{sum(held.values()):,}: {parts}. Choose {remedy}a smaller batch_size, prefetch, "
            "num_parallel_calls or image size."
        )
