"""What is printed, unless the user has turned printing off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


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
