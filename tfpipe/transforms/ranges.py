"""Checks the arguments of `Augment` and brings them to one form. Each error names the argument."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfpipe.checks import check_number, is_number

# The most that RandAugment takes.
MAX_OPERATIONS = 4
MAX_MAGNITUDE = 10.0


def shift_range(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        elements = tuple(value)
        if elements and all(is_number(element) for element in elements):
            return elements
    elif is_number(value) and value >= 0:
        return value
    raise ValueError(
        f"{name} must be a float >= 0 (a fraction below 1, else pixels), an int >= 0 (pixels), or a "
        f"sequence of numbers. Received: {name}={value!r}."
    )


def zoom_range(value: Any) -> tuple[float, float]:
    pair = (1 - value, 1 + value) if is_number(value) else value
    is_pair = isinstance(pair, list | tuple | np.ndarray) and len(pair) == 2
    if not is_pair or not all(map(is_number, pair)):
        raise ValueError(
            "`zoom_range` should be a float or a tuple or list of two floats. "
            f"Received: zoom_range={value!r}."
        )
    if min(pair) <= 0:
        raise ValueError(
            "zoom_range must stay above 0: a float below 1, or a pair of scales > 0. "
            f"Received: zoom_range={value!r}."
        )
    return float(pair[0]), float(pair[1])


def factors(name: str, value: Any) -> tuple[float, float] | None:
    """Returns a pair of factors >= 0, or None.

    >>> factors("contrast_range", [0.5, 1.5])
    (0.5, 1.5)
    """
    if value is None:
        return None
    if not _is_pair(value):
        # The classic's own words.
        raise ValueError(
            f"`{name}` should be tuple or list of two floats. Received: {name}={value!r}."
        )
    if min(value) < 0:
        raise ValueError(f"{name} must be two factors >= 0. Received: {name}={value!r}.")
    return float(value[0]), float(value[1])


def ascending(name: str, value: Any, maximum: float = math.inf) -> tuple[float, float]:
    """Returns a pair (lowest, highest) of numbers above 0, at most `maximum`.

    >>> ascending("crop_scale", (0.08, 1), maximum=1)
    (0.08, 1.0)
    """
    if not _is_pair(value) or not 0 < value[0] <= value[1] <= maximum:
        bound = "" if maximum == math.inf else f" <= {maximum:g}"
        raise ValueError(
            f"{name} must be a pair of numbers, 0 < lowest <= highest{bound}. "
            f"Received: {name}={value!r}."
        )
    return float(value[0]), float(value[1])


def operations(name: str, value: Any) -> tuple[int, float] | None:
    """Returns (number of operations, their magnitude), or None.

    >>> operations("rand_augment", [2, 9])
    (2, 9.0)
    """
    if value is None:
        return None
    if not _is_pair(value) or int(value[0]) != value[0] or not 1 <= value[0] <= MAX_OPERATIONS:
        raise ValueError(
            f"{name} must be a pair (1 to {MAX_OPERATIONS} operations, magnitude 0 to "
            f"{MAX_MAGNITUDE:g}), or None. Received: {name}={value!r}. Pass (2, 9), for example."
        )
    check_number(f"The magnitude of {name}", value[1], 0, MAX_MAGNITUDE)
    return int(value[0]), float(value[1])


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))
