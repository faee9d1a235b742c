"""`tfpipe summary`: what a source holds, from the headers of its files."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from tfpipe.cli import quiet, text
from tfpipe.console import printable

if TYPE_CHECKING:
    from tfpipe.tools.first_look import Packed
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

    SRC is a directory with one folder per class, a .csv or .parquet file, or what `tfpipe pack` wrote. Only
    the headers of the files are read; `tfpipe check` decodes them. The summary also lists files to look at:
    files that are not images, and images whose size or shape is far from the others'.

    The exit status is 0 if there are images, 1 if there are none, 2 for wrong usage.
    """
    with text.plain_messages():
        from tfpipe.tools import first_look, survey

        packed = first_look.packed_set(source)
        if packed is not None:
            show_packed(packed, as_json)
            return
        first_look.check_source(source, directory, {"x_col": x_col})
        if _has_schemes(source, directory, x_col):
            quiet.import_tensorflow()
        found = survey.survey(
            source, directory=directory, x_col=x_col, y_col=y_col, follow_links=follow_links
        )
    if as_json:
        click.echo(json.dumps(summary_as_dict(found), indent=2))
    else:
        show_summary(found)
    if not found.files:
        raise click.ClickException(f"No images found in {printable(repr(source))}.")


def _has_schemes(source: str, directory: str | None, x_col: str) -> bool:
    """Whether a path has a scheme, such as gs://; only then TensorFlow is needed."""
    from tfpipe.sources import listing, table

    if listing.scheme(source) or listing.scheme(directory or ""):
        return True
    if not table.is_table(source):
        return False
    paths = table.read_frame(source, [x_col])[x_col].tolist()
    return any("://" in path for path in paths if isinstance(path, str))


def show_packed(packed: Packed, as_json: bool) -> None:
    """Prints what a folder of packed images holds, and how to read it."""
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(packed), indent=2))
        return
    click.secho(printable(packed.directory), bold=True, nl=False)
    click.echo(f": packed images, {printable(str(packed))}.")
    click.echo(f"Classes: {printable(', '.join(packed.classes) or 'none')}")
    click.echo(printable(packed.remedy))


def summary_as_dict(found: Summary) -> dict[str, Any]:
    """Returns the summary as plain values."""
    return {**dataclasses.asdict(found), "imbalance": found.imbalance}


def show_summary(found: Summary) -> None:
    """Prints the summary for people."""
    from tfpipe.sources.listing import suffixes_in_words

    click.secho(printable(found.source), bold=True, nl=False)
    click.echo(f": {found.files:,} image files, {megabytes(found.bytes)}")
    if found.left_alone:
        click.echo(
            f"Left alone, as their suffix is not an image's: {suffixes_in_words(found.left_alone)}."
        )
    without = [name for name, count in found.classes.items() if not count]
    if without:
        click.echo(f"Folders without images: {printable(', '.join(without))}.")
    if found.classes:
        text.heading(f"{len(found.classes):,} classes")
        largest_first = sorted(found.classes.items(), key=lambda item: -item[1])
        lines = text.bars({printable(name): count for name, count in largest_first})
        list_some(lines, "classes")
        if found.imbalance >= 1.5:
            click.echo(f"  The largest has {found.imbalance:.1f} times the images of the smallest.")
    for title, counts in (
        ("Formats", found.formats),
        ("Color modes", found.modes),
        ("Shapes", found.shapes),
    ):
        if counts:
            text.heading(title)
            list_some(text.bars(counts), "more")
    if found.formats:
        text.heading("Sizes, in pixels")
        for name, (least, middle, most) in (("width", found.widths), ("height", found.heights)):
            click.echo(f"  {name:<7} {least:g} to {most:g}, median {middle:g}")
    if found.suspicious:
        text.heading(f"{len(found.suspicious):,} to look at")
        list_some(
            [f"{printable(p.path)}: {printable(p.reason)}" for p in found.suspicious],
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
