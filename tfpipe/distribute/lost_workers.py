"""Workers of a tf.data service that are gone for good: an epoch ends without them.

tf.data's dispatcher never gives a worker up. It keeps the worker's tasks for the day it comes back, and no
epoch ends while one of its tasks is open. So `Watch`, beside the dispatcher, asks each worker whether it is
there. If a worker has been silent for too long, `Watch` reports its tasks as completed, in the worker's
place. The rest of the epoch goes to the other workers, because batches are dealt out as workers ask for
them; the batches that the lost worker was preparing are missing from that epoch.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc

from tfpipe.distribute.wire import CHANNEL, Message, call


def unheard(last_heard: Mapping[str, float], now: float, patience: float) -> set[str]:
    """Returns the workers that have not been heard from for more than `patience` seconds.

    >>> sorted(unheard({"a:1": 10.0, "b:1": 17.0, "c:1": 1.0}, now=20.0, patience=5.0))
    ['a:1', 'c:1']
    """
    return {address for address, heard in last_heard.items() if now - heard > patience}


def may_end(present: Iterable[str], ended: Iterable[str]) -> bool:
    """Whether a lost worker's part in an epoch may be ended.

    Args:
        present: the workers that answer.
        ended: the workers whose part in this epoch has been ended. A worker that comes back after that takes
            no part in this epoch any more.

    Returns:
        False if no worker would be left to do the rest, so that the epoch waits instead of ending in the
        middle.

    >>> may_end({"a:1"}, ended=set()), may_end({"a:1"}, ended={"a:1", "b:1"}), may_end((), ())
    (True, False, False)
    """
    return bool(set(present) - set(ended))


class Watch:
    """A context manager that watches the workers of a dispatcher, in its own thread.

    Args:
        dispatcher: its address, "host:port".
        patience: seconds without an answer after which a worker is taken for lost.
        say: called with each line about a worker that is lost or back.
    """

    def __init__(self, dispatcher: str, patience: float, say: Callable[[str], object]) -> None:
        self._patience = patience
        self._say = say
        self._dispatcher = grpc.insecure_channel(dispatcher, options=CHANNEL)
        self._workers: dict[str, grpc.Channel] = {}
        self._questions: dict[str, grpc.Future] = {}
        self._last_heard: dict[str, float] = {}
        self._lost: set[str] = set()
        self._ended: defaultdict[int, set[str]] = defaultdict(set)  # iteration: addresses
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lost-workers", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the thread and closes all connections; a second call does nothing."""
        self._stop.set()
        self._thread.join()
        for channel in (self._dispatcher, *self._workers.values()):
            channel.close()

    def _run(self) -> None:
        while not self._stop.wait(min(1.0, self._patience / 4)):
            # A dispatcher that is too busy to answer is asked again.
            with contextlib.suppress(grpc.RpcError):
                self._look()

    def _look(self) -> None:
        known = call(self._dispatcher, "Dispatcher", "GetWorkers", "GetWorkersResponse").result()
        addresses = {worker.address for worker in known.workers}
        for address in addresses:
            self._ask(address)
        lost = unheard(self._last_heard, time.monotonic(), self._patience)
        for address in sorted(lost - self._lost):
            self._say(
                f"Worker {address} has not answered for {self._patience:g} s; epochs end without it."
            )
        for address in sorted(self._lost - lost):
            self._say(f"Worker {address} answers again.")
        self._lost = lost
        for address in sorted(lost):
            self._end_tasks(address, present=addresses - lost)

    def _ask(self, address: str) -> None:
        """Asks a worker for a sign of life, unless its last answer is still due."""
        if address not in self._workers:
            self._workers[address] = grpc.insecure_channel(address, options=CHANNEL)
            self._last_heard[address] = time.monotonic()
        if address in self._questions and not self._questions[address].done():
            return

        def heard(question: Any) -> None:
            if question.code() == grpc.StatusCode.OK:
                self._last_heard[address] = time.monotonic()

        # It may take all the time there is, since a slow answer is an answer too.
        question = call(
            self._workers[address], "Worker", "GetWorkerTasks", "Empty", timeout=self._patience
        )
        self._questions[address] = question
        question.add_done_callback(heard)

    def _end_tasks(self, address: str, present: set[str]) -> None:
        """Ends the tasks that the dispatcher keeps for a lost worker, epoch by epoch."""
        heartbeat = Message["WorkerHeartbeatRequest"](worker_address=address)
        kept = call(
            self._dispatcher, "Dispatcher", "WorkerHeartbeat", "WorkerHeartbeatResponse", heartbeat
        ).result()
        update = Message["WorkerUpdateRequest"](worker_address=address)
        for task in kept.new_tasks:
            ended = self._ended[task.iteration_id]
            if may_end(present, ended):
                ended.add(address)
                update.updates.add(task_id=task.task_id, completed=True)
        if update.updates:
            call(self._dispatcher, "Dispatcher", "WorkerUpdate", "Empty", update).result()
