"""Checks the built reference: every argument of everything on its pages has a row, every doctest is code."""

from __future__ import annotations

import importlib
import inspect
import logging
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

log = logging.getLogger(
    "mkdocs.hooks.site_rows"
)  # below "mkdocs", so that --strict counts its warnings


class _Page(HTMLParser):
    """Collects what follows each heading of a page: the first cells of its rows, and its text outside code.

    Attributes:
        rows: the names that have a row, by the path of what is documented.
        called: the paths whose signature is shown.
        text: the text outside code.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, set[str]] = {}
        self.called: set[str] = set()
        self.text = ""
        self._thing = ""
        self._cell = -1  # the number of the cell in a row of arguments or attributes
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of_tag = dict(attrs)
        if "doc-heading" in (of_tag.get("class") or "") and of_tag.get("id"):
            self._thing = of_tag["id"] or ""
            self.rows.setdefault(self._thing, set())
        if "doc-signature" in (of_tag.get("class") or ""):
            self.called.add(self._thing)
        if tag == "tr":
            self._cell = -1
        if tag == "td":
            self._cell += 1
        if tag in ("code", "pre"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and tag == self._open[-1]:
            self._open.pop()
        if tag == "tr":
            self._cell = -1

    def handle_data(self, data: str) -> None:
        if not self._open:
            self.text += data
        elif self._cell == 0 and self._thing and data.strip():
            self.rows[self._thing].add(data.strip())


def rows_of(html: str) -> dict[str, set[str]]:
    """Returns the names that have a row, for each thing that a page shows how to call, by its path."""
    page = _Page()
    page.feed(html)
    return {path: names for path, names in page.rows.items() if path in page.called}


def doctests_in_text(html: str) -> int:
    """Counts the lines of doctests that a page shows as text, not as code."""
    page = _Page()
    page.feed(html)
    return page.text.count(">>>") + html.count("<blockquote>")


def arguments_of(path: str) -> list[str]:
    """Returns the arguments that something takes when it is called; [] for what cannot be called."""
    thing = _thing(path)
    if not callable(thing):
        return []
    if isinstance(thing, type):
        thing = thing.__init__
    parameters = inspect.signature(thing).parameters.values()
    return [p.name for p in parameters if p.name != "self" and not p.name.startswith("_")]


def _thing(path: str) -> Any:
    """Imports what a path such as `package.module.Class.method` means."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            thing = inspect.getattr_static(thing, name) if name != "__init__" else thing
        return getattr(thing, "__func__", thing)
    raise ValueError(f"There is no {path!r}.")


def lacking(rows: dict[str, set[str]]) -> list[str]:
    """Lists the arguments without a row, each with the path of what takes it."""
    return [
        f"{path}({name})"
        for path, names in rows.items()
        for name in arguments_of(path)
        if name not in names and f"**{name}" not in names and f"*{name}" not in names
    ]


def on_post_build(config: Any, **_: object) -> None:
    """Says how many arguments have a row, and warns of each that has none; MkDocs calls it."""
    count = lacks = 0
    for page in sorted(Path(config["site_dir"], "reference").rglob("index.html")):
        html = page.read_text("utf-8")
        rows = rows_of(html)
        missing = lacking(rows)
        count += sum(len(arguments_of(path)) for path in rows)
        lacks += len(missing)
        name = page.parent.name
        for argument in missing:
            log.warning(
                f"reference/{name}.md: {argument} has no row; say what it is under 'Args:'."
            )
        if doctests_in_text(html):
            log.warning(f"reference/{name}.md: a doctest is not shown as code.")
    log.info(f"{count - lacks} of the {count} arguments in the reference have a row of their own.")
