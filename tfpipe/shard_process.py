"""Shards written by several processes: `python -m tfpipe.shard_process` is one of them.

It takes a pickled `Task` from its standard input and says on its standard output, in a line of JSON
each, what each step wrote and left out, or what went wrong. It ends when its input does, so none
outlives who started it. (The module `multiprocessing` would run the user's own script once more.)
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from typing import IO, Any, cast

from tfpipe.shard_writer import Step, Task, write


def in_processes(tasks: Sequence[Task]) -> Generator[Step, None, None]:
    """`shard_writer.write`, each task in a process of its own; none outlives the generator.

    Raises:
        ValueError: a process failed; the message is its own.
    """
    steps: queue.Queue[dict[str, Any]] = queue.Queue()
    workers: list[subprocess.Popen[bytes]] = []
    threads: list[threading.Thread] = []
    try:
        for task in tasks:
            workers.append(_start())
            # A task may be larger than the pipe holds: it is read once TensorFlow was imported.
            arguments = (workers[-1], pickle.dumps(task), steps)
            threads.append(threading.Thread(target=_attend, args=arguments, daemon=True))
            threads[-1].start()
        running = len(workers)
        while running:
            step = steps.get()
            if "error" in step:
                raise ValueError(step["error"])
            running -= "end" in step
            yield Step(step.get("count", 0), tuple(step.get("lost", ())))
    finally:
        for worker in workers:
            worker.kill()
        for thread in threads:
            thread.join()
        for worker in workers:
            with contextlib.suppress(BrokenPipeError):  # it was killed before it read its task
                cast("IO[bytes]", worker.stdin).close()
            cast("IO[bytes]", worker.stdout).close()
            worker.wait()


def _start() -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tfpipe.shard_process"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _attend(
    worker: subprocess.Popen[bytes], task: bytes, steps: queue.Queue[dict[str, Any]]
) -> None:
    """Gives a process its task and hands on what it says, until it ends."""
    tell = cast("IO[bytes]", worker.stdin)
    with contextlib.suppress(BrokenPipeError):  # it ended: that is said below
        tell.write(task)
        tell.flush()  # and it stays open for as long as this process lives
    ended = False
    for line in cast("IO[bytes]", worker.stdout):
        step = json.loads(line)
        ended = "end" in step or "error" in step
        steps.put(step)
    if not ended:
        status = worker.wait()
        steps.put({"error": f"A process that wrote shards ended early, with status {status}."})


def main() -> None:
    """Takes a task, writes its shards, says how it goes."""
    task = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_input, daemon=True).start()

    try:
        for step in write(task):
            print(json.dumps({"count": step.count, "lost": step.lost}), flush=True)
    except Exception as err:
        print(json.dumps({"error": str(err)}), flush=True)
        return
    print(json.dumps({"end": True}), flush=True)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
