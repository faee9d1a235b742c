"""How many samples are in work at once, and on which threads."""

from __future__ import annotations

import os
from dataclasses import dataclass

AUTOTUNE = -1  # tf.data's number for it


@dataclass(frozen=True)
class Parallelism:
    """How many samples are in work at once, and on which threads.

    Attributes:
        calls: samples in work at once; AUTOTUNE: as many as the host that runs the graph has
            cores.
        threads: of a pool that the data set has to itself, more than the samples in work; None:
            tf.data's, as many as that host's cores. Of those, one that waits, for a disc or for
            another thread, leaves a core idle. But where none waits, operations go from thread to
            thread where there are more than cores, which takes a tenth more time.
    """

    calls: int
    threads: int | None = None


def default_parallel_calls() -> int:
    """One more than the cores this process may use: who is done finds the next sample waiting."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) + 1


def on_this_host(asked: int | None, threads_wait: bool) -> Parallelism:
    """What is best in this process.

    Args:
        asked: for samples in work at once; None: as many as this host does well.
        threads_wait: whether a thread waits in every sample, however many there are.

    >>> on_this_host(1, threads_wait=False)
    Parallelism(calls=1, threads=None)
    """
    default = default_parallel_calls()
    calls = asked or default
    if threads_wait or calls > default:  # more than tf.data has: whatever is added has them too
        return Parallelism(calls, max(calls, default) + 1)
    return Parallelism(calls)


def on_any_host(asked: int | None) -> Parallelism:
    """What is best where the number of cores is not known.

    >>> on_any_host(None).calls == AUTOTUNE
    True
    """
    return Parallelism(AUTOTUNE) if asked is None else Parallelism(asked, asked + 1)
