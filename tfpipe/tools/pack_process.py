"""Shards written by several processes: `python -m tfpipe.tools.pack_process FD` is one of them.

It takes a pickled `Task` from its standard input. Into the pipe FD it writes one line of JSON per step: what
the step wrote and left out, or what went wrong. (It does not use its standard output, where any library may
print.) It ends when its input does, so it does not outlive the process that started it. (The module
`multiprocessing` would run the user's own script once more.)
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from tfpipe.tools.pack_writer import Step, Task, write

_TAIL = 4096  # bytes at the end of what a process printed, whose last line is quoted


@dataclass(frozen=True, eq=False)
class _Worker:
    """A process that writes shards.

    Attributes:
        process: the process.
        steps: what it reports of its work, one line per step.
        printed: a temporary file with what the process or its libraries printed.
    """

    process: subprocess.Popen[bytes]
    steps: IO[bytes]
    printed: IO[bytes]

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it was killed before it read its task
            cast("IO[bytes]", self.process.stdin).close()
        self.steps.close()
        self.printed.close()
        self.process.wait()


def in_processes(tasks: Sequence[Task]) -> Generator[Step, None, None]:
    """Runs `pack_writer.write` for each task in its own process; no process outlives the generator.

    Raises:
        ValueError: a process failed; the message comes from it.
    """
    steps: queue.Queue[dict[str, Any]] = queue.Queue()
    workers: list[_Worker] = []
    threads: list[threading.Thread] = []
    try:
        for task in tasks:
            workers.append(_start())
            # A task may be larger than the pipe holds, and is read only once TensorFlow is imported.
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
            worker.process.kill()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.close()


def _start() -> _Worker:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    ours, its = os.pipe()
    printed = tempfile.TemporaryFile()  # noqa: SIM115  closed with its worker
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tfpipe.tools.pack_process", str(its)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=printed,
        stderr=printed,
        pass_fds=[its],
    )
    os.close(its)  # so that reading ends when the process does
    return _Worker(process, os.fdopen(ours, "rb"), printed)


def _attend(worker: _Worker, task: bytes, steps: queue.Queue[dict[str, Any]]) -> None:
    """Gives a process its task and passes on what it reports, until it ends."""
    try:
        tell = cast("IO[bytes]", worker.process.stdin)
        with contextlib.suppress(BrokenPipeError):  # it ended: reported below
            tell.write(task)
            tell.flush()  # and it stays open for as long as this process lives
        ended = False
        for line in worker.steps:
            step = json.loads(line)
            ended = "end" in step or "error" in step
            steps.put(step)
        if not ended:
            steps.put({"error": _early_end(worker)})
    except Exception as err:  # else whoever waits for the next step would wait forever
        steps.put({"error": f"A process that writes shards sent a bad report: {err!r}."})


def _early_end(worker: _Worker) -> str:
    """Returns why a process ended without a report, as far as that is known from outside."""
    status = worker.process.wait()
    length = worker.printed.seek(0, os.SEEK_END)
    worker.printed.seek(max(0, length - _TAIL))
    lines = worker.printed.read().decode(errors="replace").strip().splitlines()
    how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
    memory = " It may have run out of memory: use fewer `processes`." if status == -9 else ""
    last = f" The last line it printed: {lines[-1].strip()}" if lines else ""
    return f"A process that wrote shards ended early, {how}.{memory}{last}"


def work() -> None:
    """Takes a task, writes its shards, and reports each step."""
    with os.fdopen(int(sys.argv[1]), "w") as steps:

        def say(**step: Any) -> None:
            print(json.dumps(step), file=steps, flush=True)

        task = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_end_with_input, daemon=True).start()
        try:
            for step in write(task):
                say(count=step.count, lost=step.lost)
        except Exception as err:
            say(error=str(err))
            return
        say(end=True)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    work()
