"""Importing TensorFlow without its log on the user's screen."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile

import click

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow() -> None:
    """Imports TensorFlow and lets its C++ log through only from level ERROR on.

    Does nothing where TensorFlow is there already, or where the user chose a log level: the
    environment variable `TF_CPP_MIN_LOG_LEVEL=0` brings everything back.
    """
    if "tensorflow" in sys.modules or LOG_LEVEL in os.environ:
        return
    os.environ[LOG_LEVEL] = "2"
    # The level alone is not enough. TensorFlow 2.21 logs its oneDNN notice before it reads the
    # level; 2.17 logs three "errors" about CUDA factories on every machine.
    import_silently("tensorflow")


def import_silently(module: str) -> None:
    """Imports a module with file descriptor 2 turned away; shows what it wrote if that fails."""
    with tempfile.TemporaryFile() as log:
        stderr = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            importlib.import_module(module)
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
