"""Imports TensorFlow without its log on the user's screen."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import click

from tfpipe.cli import interrupt

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow(level: str = "2") -> None:
    """Imports TensorFlow and lets its C++ log through only from level ERROR on, or FATAL for "3".

    Does nothing if TensorFlow is imported already, or if the user chose a log level: the
    environment variable `TF_CPP_MIN_LOG_LEVEL=0` brings everything back.
    """
    if "tensorflow" in sys.modules or LOG_LEVEL in os.environ:
        return
    os.environ[LOG_LEVEL] = level
    # The level alone is not enough. TensorFlow 2.21 logs its oneDNN notice before it reads the
    # level; 2.17 logs three "errors" about CUDA factories on every machine.
    import_silently("tensorflow", _look_for_devices)


def _look_for_devices(tensorflow: Any) -> None:
    """Looks for devices now: at its first use, TensorFlow would, and log errors without a GPU."""
    tensorflow.config.list_physical_devices()


def import_silently(module: str, then: Callable[[Any], object] = lambda module: None) -> None:
    """Imports a module with file descriptor 2 redirected; shows what it wrote if that fails."""
    with tempfile.TemporaryFile() as log:
        stderr = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            then(importlib.import_module(module))
        except Exception:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            log.seek(0)
            click.echo(log.read(), nl=False, err=True)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


@contextlib.contextmanager
def native_silence() -> Iterator[None]:
    """Drops what libraries in C write to file descriptor 2; Python's own stderr still works."""
    sys.stderr.flush()
    kept, before = os.dup(2), sys.stderr
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        if sys.stderr is sys.__stderr__:  # not replaced, by a test or a notebook
            sys.stderr = os.fdopen(kept, "w", 1, encoding=before.encoding, closefd=False)
        with interrupt.written_to(kept):
            yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)
