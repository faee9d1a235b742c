"""What is printed, unless the user has turned printing off."""

from __future__ import annotations

import keras


def say(message: str) -> None:
    """Prints unless `keras.config.disable_interactive_logging()` was called."""
    if keras.config.is_interactive_logging_enabled():
        print(message)
