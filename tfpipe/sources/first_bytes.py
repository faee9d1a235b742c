"""Looks at how files begin, so that a graph need not be ready for formats that none of them has."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from tfpipe.codecs.formats import HEAD_BYTES, Format, of_content
from tfpipe.sources import listing

# A look takes 10 microseconds on a local disk that is awake. To trace the decoders of all formats takes
# half a second; a look that may take as long is not worth it.
_MOST_FILES = 10_000
_MOST_SECONDS = 0.2


def formats_seen(paths: Sequence[str], refused: Iterable[str] = ()) -> frozenset[Format] | None:
    """Returns the formats of some files, judging by their first bytes.

    Args:
        paths: of the files.
        refused: the paths that must not be opened.

    Returns:
        None if they are not all known: a file is remote, cannot be opened or has no known format, or there
        are too many to look at, or this process is a worker of a cluster.

    >>> formats_seen(["no such file"]) is None, formats_seen([])
    (True, frozenset())
    """
    # A worker of a cluster opens the files of its own samples only.
    is_worker = "TF_CONFIG" in os.environ
    if is_worker or len(paths) > _MOST_FILES or not set(paths).isdisjoint(refused):
        return None
    end = time.monotonic() + _MOST_SECONDS
    seen = set()
    for path in paths:
        if listing.scheme(path) or time.monotonic() > end:
            return None
        try:
            with open(os.fsencode(path), "rb", buffering=0) as file:
                known = of_content(file.read(HEAD_BYTES))
        except OSError:
            return None
        if known is None:
            return None
        seen.add(known)
    return frozenset(seen)
