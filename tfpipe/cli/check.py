"""`tfpipe check`: finds the files of a source that do not decode, or have other problems."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from tfpipe.cli import quiet, text
from tfpipe.console import printable
from tfpipe.tools.problem import KINDS

if TYPE_CHECKING:
    from tfpipe import CheckReport

TITLES = {
    "missing": "file(s) cannot be found",
    "irregular": "path(s) are not regular files",
    "unreadable": "file(s) cannot be read",
    "suffix": "file(s) have another format than their names say",
    "duplicate": "file(s) have the same content as another file",
}


@click.command(
    "check",
    epilog="""\b
Examples:
  tfpipe check photos                      every file below ./photos
  tfpipe check labels.csv --x-col path     every file that a table names
  tfpipe check photos --splits             name equal files in photos/train and photos/val
  tfpipe check photos --validation-split 0.2 --seed 1   the same for a split by tfpipe
  tfpipe check photos --ignore duplicate   without the search for equal files
  tfpipe check photos --json | jq '.problems[].path'
""",
)
@click.argument("source", metavar="SRC", type=click.Path())
@text.table_options()
@click.option(
    "--color-mode",
    type=click.Choice(["grayscale", "rgb", "rgba"]),
    default="rgb",
    show_default=True,
    help="Color mode to decode to.",
)
@click.option("--splits", is_flag=True, help="One part of a split per folder in SRC.")
@click.option("--split-col", help="Column with the name of the part of each row (tables only).")
@click.option(
    "--validation-split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="FRACTION",
    help="Fraction for validation, as given to the functions.",
)
@click.option("--seed", type=click.IntRange(0), help="Seed of that split.")
@click.option(
    "--ignore",
    multiple=True,
    type=click.Choice(KINDS),
    help="Kind of problem to ignore; may be given more than once.",
)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Problems as CSV: path, kind, reason.")
@click.option("--quiet", "-q", "is_quiet", is_flag=True, help="No progress bar.")
def check_command(
    source: str,
    x_col: str,
    directory: str | None,
    follow_links: bool,
    color_mode: str,
    splits: bool,
    split_col: str | None,
    validation_split: float | None,
    seed: int | None,
    ignore: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
    is_quiet: bool,
) -> None:
    """Decode every image as a training epoch would, and list the bad files.

    SRC is a directory, or a .csv or .parquet file. Files are read and decoded in parallel, and nothing is
    changed. The list names the files that are missing, that cannot be read and why, that have another
    format than their names say, and that have the same content as another file; if you name a split, also
    which of these are in two of its parts.

    The exit status is 0 if no problems are found, 1 if there are problems or no images, 2 for wrong usage.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")
    with text.plain_messages():
        from tfpipe.tools import first_look

        first_look.check_source(source, directory, {"x_col": x_col}, needs_images=False)
    quiet.import_tensorflow("3")  # its decoders log errors, which the report lists
    # libjpeg writes about some damaged files to stderr, without their names; the report has them.
    with quiet.native_silence(), text.plain_messages():
        import tfpipe

        report = tfpipe.check(
            source,
            directory=directory,
            x_col=x_col,
            color_mode=color_mode,
            follow_links=follow_links,
            splits=splits,
            split_col=split_col,
            validation_split=validation_split,
            seed=seed,
            duplicates="duplicate" not in ignore,
            verbose=not is_quiet,
        )
    empty = not report.files and not report.problems
    report = report.without(ignore)
    if as_json:
        click.echo(json.dumps(report_as_dict(report), indent=2))
    elif as_csv:
        table = report.frame()
        if sys.stdout.isatty():  # a script is given the names as they are
            table = table.map(printable)
        click.echo(table.to_csv(index=False), nl=False)
    elif not empty:
        show_report(report)
    if empty:
        raise click.ClickException(f"No images found in {source!r}.")
    if not report.sound:
        raise click.exceptions.Exit(1)


def report_as_dict(report: CheckReport) -> dict[str, Any]:
    """Returns the report as plain values, starting with what a script needs first."""
    return {"sound": report.sound, "counts": report.counts, **dataclasses.asdict(report)}


def show_report(report: CheckReport) -> None:
    """Prints the report for people."""
    from tfpipe.sources.listing import suffixes_in_words

    for kind, count in report.counts.items():
        text.heading(f"{count:,} {TITLES[kind]}")
        for problem in report.problems:
            if problem.kind == kind:
                click.echo(f"  {printable(problem.path)}: {printable(problem.reason)}")
    rate = report.files / report.seconds if report.seconds else 0
    click.echo(
        f"\n{report.files:,} image files in {report.seconds:.1f} s, {rate:,.0f} per second",
        nl=False,
    )
    listed = f": {suffixes_in_words(report.left_alone)}" if report.left_alone else ""
    click.echo(f"; {report.others:,} other file(s) left alone{listed}." if report.others else ".")
    if report.without_images:
        click.echo(f"Folders without images: {printable(', '.join(report.without_images))}.")
    if report.sound:
        click.secho("No problems found.", fg="green")
    else:
        bad = len({problem.path for problem in report.problems})
        click.secho(f"{bad:,} file(s) have problems.", fg="red")
