"""What can be wrong with a file: what `check` reports; `survey` also reports "small" and "ratio".

This module does not import TensorFlow, so that the command line can name the kinds without importing it.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("missing", "irregular", "unreadable", "suffix", "duplicate")


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file.

    Attributes:
        path: the path of the file.
        kind: "missing" (no such file), "irregular" (a FIFO, device, folder or dangling link),
            "unreadable" (it cannot be decoded), "suffix" (its content has another format than its
            name says) or "duplicate" (it has the same content as an earlier file).
        reason: the reason, in words.

    >>> Problem("cat/1.jpg", "unreadable", "the file is empty").kind
    'unreadable'
    """

    path: str
    kind: str
    reason: str
