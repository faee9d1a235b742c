"""Ends the process on Ctrl-C, from a thread of its own.

Python raises KeyboardInterrupt in the main thread, wherever that is. Raised inside `fit`, while
TensorFlow's threads run, it corrupts the heap now and then: about one interrupted run in ten died of
SIGABRT instead of ending. So the signal is blocked in every thread, one thread waits for it, cleans
up, and ends the process without unwinding the others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

STATUS = 130  # what a shell reports for a process that Ctrl-C ended: 128 + SIGINT

_clean_ups: list[Callable[[], object]] = []
_under_way = threading.Event()
_stderr = 2


def listen() -> None:
    """Ends the process on SIGINT from now on: clean-ups, "Interrupted." on stderr, status 130.

    Call it before TensorFlow is imported, because only threads that are started later inherit the
    blocked signal; so do child processes. A SIGINT that is ignored, as in a shell's background job,
    stays so. Without POSIX signals this does nothing, and KeyboardInterrupt is raised as usual.
    """
    if not hasattr(signal, "pthread_sigmask") or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_end_on_signal, name="interrupt", daemon=True).start()


def _end_on_signal() -> None:
    signal.sigwait({signal.SIGINT})
    _under_way.set()
    for clean_up in reversed(_clean_ups.copy()):
        with contextlib.suppress(Exception):  # nobody is left to handle it
            clean_up()
    say_interrupted()
    os._exit(STATUS)


def say_interrupted() -> None:
    """Tells the user that the process was interrupted."""
    with contextlib.suppress(OSError, ValueError):  # the reader of a pipe may be gone
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(_stderr, b"\nInterrupted.\n")


@contextlib.contextmanager
def written_to(descriptor: int) -> Iterator[None]:
    """Makes `say_interrupted` write to another file descriptor than 2 inside the block."""
    global _stderr
    before, _stderr = _stderr, descriptor
    try:
        yield
    finally:
        _stderr = before


@contextlib.contextmanager
def cleaned_up(clean_up: Callable[[], object]) -> Iterator[None]:
    """Calls `clean_up` when the block ends, and when Ctrl-C ends the process inside it."""
    _clean_ups.append(clean_up)
    try:
        yield
    finally:
        give_way()
        _clean_ups.remove(clean_up)
        clean_up()


def give_way() -> None:
    """Waits for the end of the process if Ctrl-C was pressed.

    The main thread, whose files are being removed, would report errors of its own.
    """
    if _under_way.is_set():
        threading.Event().wait()
