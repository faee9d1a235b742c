"""Docstrings as the site shows them: one row per argument, examples as code."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable

_NAMES = r"\**\w+(?:,\s+\**\w+)*"


def with_examples(docstring: str) -> str:
    """Puts each doctest under a heading "Examples:", which a site shows as code."""
    blocks = re.split(r"\n\n", docstring)
    for place, block in enumerate(blocks):
        if block.startswith(">>>"):
            blocks[place] = "Examples:\n" + textwrap.indent(block, "    ")
    return "\n\n".join(blocks)


def rows(docstring: str, heading: str = "Args") -> dict[str, str]:
    """Returns what a docstring says about each of its arguments, by name."""
    return {name: words for names, words in _entries(docstring, heading) for name in names}


def one_row_each(
    docstring: str,
    sentence: Callable[[str, str], str | None],
    heading: str = "Args",
    signature: Iterable[str] = (),
) -> str:
    """Gives each argument a row of its own, where a docstring describes several in one.

    Args:
        docstring: without indentation, as `inspect.cleandoc` returns it.
        sentence: returns what the docstring of a thing (the first argument) says about one of its
            arguments (the second), or None. It is asked where a row only refers to that thing.
        heading: of the rows: "Args" or "Attributes".
        signature: all arguments; a row such as `**ranges` stands for all arguments without one.
    """
    found = _section(docstring, heading)
    if found is None:
        return docstring
    known = rows(docstring, heading)
    lines = []
    for names, words in _entries(docstring, heading):
        if names[0].startswith("**"):
            names = [name for name in signature if name not in known] or names
        thing = re.search(r"(?:as for|see|arguments of) `([\w.]+)`", words)
        for name in names:
            said = sentence(thing[1], name) if thing and len(names) > 1 else None
            lines.append(f"    {name}: {said or words}\n")
    return docstring[: found.start(1)] + "".join(lines) + docstring[found.end(1) :]


def _section(docstring: str, heading: str) -> re.Match[str] | None:
    """Finds the indented lines below a heading."""
    return re.search(rf"^{heading}:\n((?:[ ]+.*(?:\n|\Z))+)", docstring, re.MULTILINE)


def _entries(docstring: str, heading: str) -> list[tuple[list[str], str]]:
    """Lists (names, words) of each row below a heading."""
    found = _section(docstring, heading)
    text = textwrap.dedent(found[1]) if found else ""
    pattern = rf"^({_NAMES}): (.*(?:\n .*)*)"
    return [
        (re.split(r",\s+", names), re.sub(r"\s*\n\s*", " ", words).strip())
        for names, words in re.findall(pattern, text, re.MULTILINE)
    ]
