"""What is shown on the terminal: progress bars, and the lines that say what was found.

One bar for every step that takes its time: `with console.bar("Checking", 1200) as advance`. tqdm draws it on
stderr, so that what a script reads on stdout stays clean, and only after a second, so that quick steps draw
nothing. Where stderr is not a terminal, or inside `console.shown(False)`, there is none.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from tqdm import tqdm

_DELAY = 1.0  # seconds of work before anything is drawn

_wanted: ContextVar[bool] = ContextVar("tfpipe_progress", default=True)

Advance = Callable[[int], object]


@contextlib.contextmanager
def shown(verbose: bool) -> Iterator[None]:
    """Draws the bars inside the block, or none of them; `False` of an outer block holds.

    >>> with shown(False), bar("Reading", 3) as advance:
    ...     _ = advance(3)  # draws nothing, even in a terminal
    """
    token = _wanted.set(_wanted.get() and bool(verbose))
    try:
        yield
    finally:
        _wanted.reset(token)


@contextlib.contextmanager
def bar(label: str, total: int | None = None) -> Iterator[Advance]:
    """Gives the block a function that moves a progress bar on by a number of steps.

    Args:
        label: what is being done.
        total: the number of steps; None where nobody knows it yet, which shows a count that is wiped at the
            end.
    """
    with tqdm(
        desc=label,
        total=total,
        file=sys.stderr,
        disable=not (_wanted.get() and _is_terminal()),
        delay=_DELAY,
        leave=total is not None,
        dynamic_ncols=True,
    ) as progress:
        yield progress.update


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # replaced by something else, or closed
        return False


def printable(text: str) -> str:
    r"""Escapes what cannot be shown in a path or a name: bytes that are not UTF-8, and control characters.

    A name may hold the escape sequences of a terminal, which would move its cursor or change its title.

    >>> printable("a\nb\udcff\x1b[2J.png")
    'a\\nb\\xff\\x1b[2J.png'
    """
    shown = "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else repr(c)[1:-1] for c in text
    )
    return shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def say(message: str) -> None:
    """Prints a line, unless `keras.config.disable_interactive_logging()` or `shown(False)` was called."""
    keras = sys.modules.get("keras")
    if _wanted.get() and (keras is None or keras.config.is_interactive_logging_enabled()):
        print(message)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Says nothing inside the block; Keras does not, either."""
    import keras

    was_enabled = keras.config.is_interactive_logging_enabled()
    keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        if was_enabled:
            keras.config.enable_interactive_logging()
