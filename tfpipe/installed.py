"""Finds out which libraries are installed, and which release of TensorFlow; no other module looks."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any, TypeAlias

Release: TypeAlias = tuple[int, int]  # of TensorFlow: 2.17.1 is (2, 17)

FIRST_RELEASE, LAST_RELEASE = (2, 16), (2, 21)  # the releases that tfpipe supports
# The ops of tensorflow-io's last release are built for TensorFlow 2.16 and 2.17. Later versions of TensorFlow
# import it, with warnings, and fail on use.
LAST_RELEASE_WITH_IO = (2, 17)

_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly")


def tensorflow_version() -> str:
    """Returns TensorFlow's version, such as "2.17.1", without importing TensorFlow for it.

    Raises:
        ImportError: TensorFlow is not installed.
    """
    loaded = getattr(sys.modules.get("tensorflow"), "__version__", None)
    if loaded is not None:
        return str(loaded)
    for name in _DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return str(importlib.import_module("tensorflow").__version__)


def tensorflow_release() -> Release:
    """Returns TensorFlow's release.

    >>> FIRST_RELEASE <= tensorflow_release()
    True
    """
    major, minor = tensorflow_version().split(".")[:2]
    return int(major), int(minor)


def has_module(name: str) -> bool:
    """Tells whether a module can be imported, without importing it.

    >>> has_module("math"), has_module("no_such_module")
    (True, False)
    """
    return importlib.util.find_spec(name) is not None


def kernels_library() -> Path | None:
    """Returns the library of kernels in C; None if there was no C compiler at the installation."""
    folder = Path(__file__).parent / "ops" / "native"
    return next(iter(sorted(folder.glob("libtfpipe_kernels.*"))), None)


def tensorflow_io() -> Any:
    """Loads tensorflow-io, with its ops and file systems; returns None if it is missing or does not work."""
    if tensorflow_release() > LAST_RELEASE_WITH_IO or not has_module("tensorflow_io"):
        return None
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("tensorflow_io")
    return None


# What each extra of setup.cfg installs. Messages name the libraries, because `tfpipe[plot]` can be installed
# only where the package itself can be downloaded.
_EXTRAS = {
    "io": ("tensorflow-io==0.37.1", "tensorflow>=2.16,<2.18"),
    "pillow": ("pillow>=10",),
    "jxl": ("pillow>=10", "pillow-jxl-plugin>=1.3"),
    "heif": ("pillow>=10", "pillow-heif>=0.22"),
    "dicom": ("pydicom>=3", "pylibjpeg>=2", "pylibjpeg-libjpeg>=2", "pylibjpeg-openjpeg>=2"),
    "folds": ("scikit-learn>=1.4",),
    "plot": ("matplotlib>=3.8",),
}


def pip_install(extra: str) -> str:
    """Returns the command that installs what an extra of this package consists of.

    >>> pip_install("plot")
    'pip install "matplotlib>=3.8"'
    """
    return " ".join(["pip install", *(f'"{library}"' for library in _EXTRAS[extra])])


def require_pillow(what: str) -> None:
    """Raises `ImportError` with the remedy if Pillow is not installed; `what` begins the message."""
    if not has_module("PIL"):
        raise ImportError(f"{what} Pillow, which is not installed: pip install pillow.")


def require_matplotlib(what: str) -> None:
    """Raises `ImportError` with the remedy if matplotlib, which draws the pictures, is not installed."""
    if not has_module("matplotlib"):
        raise ImportError(f"{what} matplotlib, which is not installed: {pip_install('plot')}.")
