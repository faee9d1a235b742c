"""`tfpipe formats`: what reads each image format in the installed environment."""

from __future__ import annotations

import json
import os

import click

from tfpipe.cli import text


@click.command(
    "formats",
    epilog="""\b
Examples:
  tfpipe formats           a table
  tfpipe formats --json    for a script
""",
)
@click.option("--json", "as_json", is_flag=True, help="Table as a JSON list of objects.")
def formats_command(as_json: bool) -> None:
    """Print which decoder reads each format in your installation.

    Formats decoded in the graph run in parallel threads and on tf.data service workers; formats decoded in
    Python hold Python's lock. Among the formats of the graph, the content of a file decides, not its
    suffix; a file that is read in Python needs a suffix of its own format.
    """
    with text.plain_messages():
        from tfpipe import formats as known
        from tfpipe.installed import kernels_library, tensorflow_version

        rows = known.table()
        built = kernels_library() is not None
        asked = os.environ.get("TFPIPE_KERNELS") or "auto"
        kernels = "TensorFlow's operations" if asked == "tensorflow" or not built else "in C"
        remark = "" if built else " (no C compiler built others when tfpipe was installed)"
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.secho(f"With TensorFlow {tensorflow_version()}", bold=True)
    click.echo(f"Kernels: {kernels}{remark}")
    for line in aligned([{name: name for name in rows[0]}, *rows]):
        click.echo(line)


def aligned(rows: list[dict[str, str]]) -> list[str]:
    """Formats rows as lines, with their cells below each other.

    >>> aligned([{"format": "JPEG", "reads": "8 bits"}, {"format": "GIF", "reads": "all"}])
    ['JPEG  8 bits', 'GIF   all']
    """
    widths = {name: max(len(row[name]) for row in rows) for name in rows[0]}
    return ["  ".join(f"{row[n]:<{width}}" for n, width in widths.items()).rstrip() for row in rows]
