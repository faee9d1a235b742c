"""`tfpipe summary`: what a source holds, from the headers of its files."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from tfpipe.cli import quiet, text

if TYPE_CHECKING:
    from tfpipe.tools.survey import Summary

MOST = 20  # lines of a list


@click.command(
    "summary",
    epilog="""\b
Examples:
  tfpipe summary photos                  a folder of classes
  tfpipe summary labels.csv --x-col path --y-col label --directory photos
  tfpipe summary photos --json           for a script
""",
)
@click.argument("source", metavar="SRC", type=click.Path())
@text.table_options(y_col=True)
@click.option("--json", "as_json", is_flag=True, help="Summary as one JSON object.")
def summary_command(
    source: str, x_col: str, y_col: str, directory: str | None, follow_links: bool, as_json: bool
) -> None:
    """Count classes, sizes, shapes, color modes and formats.

    SRC is a directory with one folder per class, or a .csv or .parquet file. Only the headers of the
    files are read; `tfpipe check` decodes them. The summary also lists files to look at: files that are
    not images, and images whose size or shape is far from the others'.
    """
    with text.plain_messages():
        from tfpipe.sources import listing, table
        from tfpipe.tools import survey

        # TensorFlow is needed for paths with a scheme alone, which a table may name too.
        if table.is_table(source) or listing.scheme(source):
            quiet.import_tensorflow()
        found = survey.survey(
            source, directory=directory, x_col=x_col, y_col=y_col, follow_links=follow_links
        )
    if as_json:
        click.echo(json.dumps(summary_as_dict(found), indent=2))
    else:
        show_summary(found)


def summary_as_dict(found: Summary) -> dict[str, Any]:
    """Returns the summary as plain values."""
    return {**dataclasses.asdict(found), "imbalance": found.imbalance}


def show_summary(found: Summary) -> None:
    """Prints the summary for people."""
    click.secho(text.printable(found.source), bold=True, nl=False)
    click.echo(f": {found.files:,} image files, {megabytes(found.bytes)}")
    if found.classes:
        text.heading(f"{len(found.classes):,} classes")
        largest_first = sorted(found.classes.items(), key=lambda item: -item[1])
        lines = text.bars({text.printable(name): count for name, count in largest_first})
        list_some(lines, "classes")
        if found.imbalance >= 1.5:
            click.echo(f"  The largest has {found.imbalance:.1f} times the images of the smallest.")
    for title, counts in (
        ("Formats", found.formats),
        ("Color modes", found.modes),
        ("Shapes", found.shapes),
    ):
        text.heading(title)
        list_some(text.bars(counts), "more")
    text.heading("Sizes, in pixels")
    for name, (least, middle, most) in (("width", found.widths), ("height", found.heights)):
        click.echo(f"  {name:<7} {least:g} to {most:g}, median {middle:g}")
    if found.suspicious:
        text.heading(f"{len(found.suspicious):,} to look at")
        list_some(
            [f"{text.printable(p.path)}: {text.printable(p.reason)}" for p in found.suspicious],
            "files; --json lists all",
        )


def list_some(lines: list[str], what: str) -> None:
    """Prints the first lines, and how many are left out."""
    for line in lines[:MOST]:
        click.echo(f"  {line}")
    if len(lines) > MOST:
        click.echo(f"  ... {len(lines) - MOST:,} more {what}")


def megabytes(count: int) -> str:
    """Formats a number of bytes with its unit.

    >>> megabytes(1_500_000), megabytes(2048)
    ('1.5 MB', '2.0 kB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
