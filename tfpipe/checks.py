"""The one form of error messages: the argument, what is allowed, what was received, what to do."""

from __future__ import annotations

import difflib
import math
import numbers
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any


def _listing(allowed: Iterable[object]) -> str:
    return ", ".join(repr(value) for value in allowed)


def did_you_mean(value: object, allowed: Iterable[object]) -> str:
    """Returns " Did you mean 'rgb'?", to end a message, if one allowed name is close to `value`, else "".

    >>> did_you_mean("RGB", ["rgb", "rgba", "grayscale"])
    " Did you mean 'rgb'?"
    """
    names = {name.lower(): name for name in allowed if isinstance(name, str)}
    close = difflib.get_close_matches(str(value).lower(), list(names), n=1)
    return f" Did you mean {names[close[0]]!r}?" if close else ""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the line of the user's code that led here: the nearest one outside this package.

    If TensorFlow is the caller, as in its threads, the warning is at the line of this package that warns.
    """
    here = os.path.join(os.path.dirname(__file__), "")  # a neighbor "tfpipe_models" is the user's
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        frame, level = frame.f_back, level + 1
    of_tensorflow = frame.f_globals.get("__name__", "").startswith("tensorflow.")
    warnings.warn(message, category, stacklevel=2 if of_tensorflow else level)


_said: set[str] = set()


def warn_once(message: str) -> None:
    """Warns like `warn`, but of the same thing only once in the process, wherever the user's code is."""
    if message not in _said:
        _said.add(message)
        warn(message)


def check_one_of(name: str, value: Any, allowed: Sequence[object]) -> None:
    """Raises `ValueError` unless `value` is one of `allowed`.

    >>> check_one_of("color_mode", "RGB", ("grayscale", "rgb", "rgba"))
    Traceback (most recent call last):
    ValueError: color_mode must be one of 'grayscale', 'rgb', 'rgba'. \
Received: color_mode='RGB'. Did you mean 'rgb'?
    """
    # Equality alone would let True pass for 1, and an array would have no truth value.
    if not any(type(value) is type(option) and value == option for option in allowed):
        raise ValueError(
            f"{name} must be one of {_listing(allowed)}. Received: {name}={value!r}."
            + did_you_mean(value, allowed)
        )


def check_bool(name: str, value: Any) -> None:
    """Raises `ValueError` unless `value` is a truth value (True, False, 0 or 1)."""
    if not (isinstance(value, numbers.Integral | bool) or _is_numpy_bool(value)) or value not in (
        0,
        1,
    ):
        raise ValueError(f"{name} must be True or False. Received: {name}={value!r}.")


def _is_numpy_bool(value: Any) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_")


def check_int(name: str, value: Any, minimum: int) -> None:
    """Raises `ValueError` unless `value` is a whole number, at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < minimum:
        raise ValueError(f"{name} must be an int >= {minimum}. Received: {name}={value!r}.")


def is_number(value: Any) -> bool:
    """Whether `value` is a finite real number (a truth value is not)."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def is_share(value: Any) -> bool:
    """Whether `value` is a number strictly between 0 and 1."""
    return is_number(value) and 0 < value < 1


def check_number(
    name: str, value: Any, minimum: float = -math.inf, maximum: float = math.inf
) -> None:
    """Raises `ValueError` unless `value` is a finite real number within the bounds."""
    if not is_number(value) or not minimum <= value <= maximum:
        bounds = [f">= {minimum:g}"] if minimum != -math.inf else []
        bounds += [f"<= {maximum:g}"] if maximum != math.inf else []
        allowed = " and ".join(bounds)
        raise ValueError(
            f"{name} must be a number{allowed and ' ' + allowed}. Received: {name}={value!r}."
        )


def check_type(name: str, value: Any, expected: type) -> None:
    """Raises `TypeError` unless `value` is None or of type `expected`.

    >>> check_type("size", "3", int)
    Traceback (most recent call last):
    TypeError: size must be of type int or None. Received: size='3'.
    """
    if value is not None and not isinstance(value, expected):
        raise TypeError(
            f"{name} must be of type {expected.__name__} or None. Received: {name}={value!r}."
        )


def check_names(name: str, value: Any) -> None:
    """Raises `ValueError` if `value` is one str, which would pass for a list of letters.

    >>> check_names("classes", "cat")
    Traceback (most recent call last):
    ValueError: classes must be a list of names. Received: classes='cat'. Pass ['cat'].
    """
    if isinstance(value, str):
        raise ValueError(
            f"{name} must be a list of names. Received: {name}={value!r}. Pass {[value]!r}."
        )


# Pillow's own limit, above which it calls an image a decompression bomb.
MAX_PIXELS = 178_956_970


def check_size(name: str, value: Any) -> tuple[int, int]:
    """Returns (height, width) as ints; raises `ValueError` for anything but two whole numbers >= 1.

    Images of more than `MAX_PIXELS` are refused as well, because they would fill the memory.

    >>> check_size("target_size", [64, 48])
    (64, 48)
    """
    try:
        height, width = value
        check_int(name, height, 1)
        check_int(name, width, 1)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be (height, width), two ints >= 1. Received: {name}={value!r}."
        ) from None
    if int(height) * int(width) > MAX_PIXELS:
        raise ValueError(
            f"{name} must be (height, width) with at most {MAX_PIXELS} pixels. Received: {name}={value!r}."
        )
    return int(height), int(width)


def head(values: Sequence[object], count: int = 5) -> str:
    """Lists the first few values for a message, with the number of values left out.

    >>> head(["a", "b", "c"], 2)
    "'a', 'b', ... (1 more)"
    """
    more = len(values) - count
    return _listing(values[:count]) + (f", ... ({more} more)" if more > 0 else "")
