"""What is shown on the terminal: progress bars, and the lines that say what was found."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import click
import keras

_DELAY = 1.0  # seconds of work before anything is drawn
_INTERVAL = 0.1  # seconds between two drawings of a count

_wanted: ContextVar[bool] = ContextVar("tfpipe_progress", default=True)

Advance = Callable[[int], None]


@contextlib.contextmanager
def shown(verbose: bool) -> Iterator[None]:
    """Whether bars inside the block are drawn; `False` of an outer block holds.

    >>> with shown(False), bar("Reading", 3) as advance:
    ...     advance(3)  # draws nothing, even in a terminal
    """
    token = _wanted.set(_wanted.get() and bool(verbose))
    try:
        yield
    finally:
        _wanted.reset(token)


@contextlib.contextmanager
def bar(label: str, total: int | None = None) -> Iterator[Advance]:
    """Gives the block a function that moves a progress bar on by so many steps.

    Args:
        label: what is being done.
        total: how many steps there are; None where nobody knows yet, which shows a count instead.
    """
    if not _wanted.get() or not _is_terminal():
        yield lambda steps: None
        return
    progress = _Count(label) if total is None else _Bar(label, total)
    try:
        yield progress.advance
    finally:
        progress.close()


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # replaced by something else, or closed
        return False


class _Bar:
    """click's bar, drawn once the work has taken a second."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._start = time.time()  # click reckons in it
        self._bar: Any = None

    def advance(self, steps: int) -> None:
        self._done += steps
        if self._bar is not None:
            self._bar.update(steps)
        elif time.time() - self._start > _DELAY:
            self._bar = click.progressbar(
                length=self._total, label=self._label, file=sys.stderr, show_pos=True
            )
            self._bar.start = self._start  # so that the remaining time is reckoned from all steps
            self._bar.__enter__()
            self._bar.update(self._done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)


class _Count:
    """A count on one line, which is wiped at the end."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._done = 0
        self._next = time.monotonic() + _DELAY
        self._width = 0

    def advance(self, steps: int) -> None:
        self._done += steps
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _INTERVAL
        self._write(f"{self._label}: {self._done:,} ...")

    def close(self) -> None:
        if self._width:
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text:<{self._width}}" + ("" if text else "\r"))
        sys.stderr.flush()
        self._width = len(text)


def say(message: str) -> None:
    """Prints unless `keras.config.disable_interactive_logging()` was called."""
    if keras.config.is_interactive_logging_enabled():
        print(message)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Nothing is said inside the block, nor by Keras."""
    was_enabled = keras.config.is_interactive_logging_enabled()
    keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        if was_enabled:
            keras.config.enable_interactive_logging()
