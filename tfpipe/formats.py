"""Tables of the formats that can be read, in this environment and in each supported one."""

from __future__ import annotations

import functools
import operator

from tfpipe.codecs.formats import FORMATS, IO, library_of, remedies

# The environments that differ: name, TensorFlow release, with tensorflow-io.
ENVIRONMENTS = (
    ("2.16, 2.17 with tensorflow-io", (2, 17), True),
    ("2.16 to 2.19", (2, 19), False),
    ("2.20", (2, 20), False),
    ("2.21", (2, 21), False),
)


def table() -> list[dict[str, str]]:
    """Returns a row for each format in this environment: format, suffixes, reads, decoder, where.

    >>> table()[0]
    {'format': 'JPEG', 'suffixes': '.jpg .jpeg .jpe .jfif', 'reads': '8 bits',
     'decoder': 'TensorFlow', 'where': 'in the graph'}
    """
    rows = []
    for known in FORMATS:
        reader = library_of(known)
        where = "in the graph" if reader and reader.in_graph else "in Python"
        rows.append(
            {
                "format": known.name,
                "suffixes": " ".join(f".{suffix}" for suffix in known.suffixes),
                "reads": known.note,
                "decoder": reader.name if reader else "none",
                "where": where if reader else remedies(known),
            }
        )
    return rows


def markdown() -> str:
    """Returns the README's table: what decodes each format under each TensorFlow, with all else installed.

    Bold means in the graph.
    """
    head = ["format", "suffixes", "what is read", *(name for name, _, _ in ENVIRONMENTS)]
    rows = [head, ["---"] * len(head)]
    for known in FORMATS:
        cells = []
        for _, release, with_io in ENVIRONMENTS:
            absent = None if with_io else IO
            reader = library_of(known, release, functools.partial(operator.is_not, absent))
            name = reader.name if reader else "-"
            cells.append(f"**{name}**" if reader and reader.in_graph else name)
        suffixes = " ".join(known.suffixes)
        rows.append([known.name, suffixes, known.note, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
