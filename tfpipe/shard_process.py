"""Shards written by several processes: `python -m tfpipe.shard_process` is one of them.

It takes a pickled `Task` from its standard input and says on its standard output, in a line of JSON
each, how many samples each step wrote, or what went wrong. It ends when its input does, so none
outlives who started it. (The module `multiprocessing` would run the user's own script once more.)
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tfpipe.shard_writer import Task


def in_processes(tasks: Sequence[Task]) -> Generator[int, None, None]:
    """`shard_writer.write`, each task in a process of its own.

    Raises:
        ValueError: a process failed; the message is its own.
    """
    steps: queue.Queue[dict[str, Any]] = queue.Queue()
    workers = [_start(task) for task in tasks]
    for worker in workers:
        threading.Thread(target=_listen, args=(worker, steps), daemon=True).start()
    try:
        running = len(workers)
        while running:
            step = steps.get()
            if "error" in step:
                raise ValueError(step["error"])
            running -= "end" in step
            yield step.get("count", 0)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def _start(task: Task) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    worker = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tfpipe.shard_process"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    tell = cast("IO[bytes]", worker.stdin)
    tell.write(pickle.dumps(task))
    tell.flush()  # and it stays open for as long as this process lives
    return worker


def _listen(worker: subprocess.Popen[bytes], steps: queue.Queue[dict[str, Any]]) -> None:
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
    from tfpipe.shard_writer import write

    try:
        for count in write(task):
            print(json.dumps({"count": count}), flush=True)
    except Exception as err:
        print(json.dumps({"error": str(err)}), flush=True)
        return
    print(json.dumps({"end": True}), flush=True)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
