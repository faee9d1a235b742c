"""Parts of the site that are made from the package and the README, as MkDocs builds it."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # this package, whichever is installed

from error_messages import cell  # noqa: E402

from tfpipe.cli import cli  # noqa: E402

COMMANDS = "<!-- every command and its options are listed here when the site is built -->"
FORMATS = "<!-- the table of formats in the README is put here when the site is built -->"


def commands(group: click.Group, way: str) -> Iterator[tuple[str, click.Command]]:
    """Yields (name as it is typed, command) of everything in a group that can be run."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{way} {name}")
        else:
            yield f"{way} {name}", command


def section(name: str, command: click.Command) -> str:
    """Makes the section of one command: what it does, its options, examples."""
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    lines = [f"### {name}", "", f"`{usage}`", "", inspect.cleandoc(command.help or ""), ""]
    records = [p.get_help_record(context) for p in command.params if isinstance(p, click.Option)]
    if records:
        lines += ["| option | |", "|---|---|"]
        lines += [f"| `{record[0]}` | {cell(record[1])} |" for record in records if record]
    examples = re.sub(r"^\s*Examples?:\n", "", (command.epilog or "").replace("\b\n", ""))
    if examples:
        lines += ["", "```text", textwrap.dedent(examples).strip("\n"), "```"]
    return "\n".join([*lines, ""])


def all_commands() -> str:
    """Makes a section for each command."""
    return "\n".join(section(name, command) for name, command in commands(cli, "tfpipe"))


def formats() -> str:
    """Reads the README's table of formats, with the text below it."""
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(r"^\| format \|.*?(?=^## )", readme, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError("README.md has no table that begins with '| format |'.")
    return found.group().strip()


def on_page_markdown(text: str, **_: object) -> str:
    """Puts the parts where their marks are; MkDocs calls it for each page."""
    for mark, part in ((COMMANDS, all_commands), (FORMATS, formats)):
        if mark in text:
            text = text.replace(mark, part())
    return text
