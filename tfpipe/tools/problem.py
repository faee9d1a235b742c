"""What can be wrong with a file: the kinds of problem that `check` and `survey` report.

Free of TensorFlow, so that the command line can name the kinds without importing it.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("missing", "irregular", "unreadable", "suffix", "duplicate")


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file.

    Attributes:
        path: of the file.
        kind: "missing" (no such file), "irregular" (a FIFO, device, folder or dangling link),
            "unreadable" (it cannot be decoded), "suffix" (its content is of another format than its
            name says) or "duplicate" (its content is that of an earlier file).
        reason: in words.

    >>> Problem("cat/1.jpg", "unreadable", "the file is empty").kind
    'unreadable'
    """

    path: str
    kind: str
    reason: str
