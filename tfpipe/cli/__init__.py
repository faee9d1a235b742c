"""The command line: `tfpipe`, or `python -m tfpipe`.

Each command is a module of its own, added to the group below. A command module imports TensorFlow
inside the command, through `tfpipe.cli.quiet`, so that `tfpipe --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from tfpipe import __version__
from tfpipe.cli.demo import demo as demo_command
from tfpipe.cli.service import service as service_command

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended: 128 + SIGINT


class Commands(click.Group):
    """A group whose commands all end cleanly on Ctrl-C, with the status that scripts test for."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Click itself would say "Aborted!" and exit with 1, like any failure.
            click.echo("\nInterrupted.", err=True)
            ctx.exit(INTERRUPTED)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  tfpipe demo               train a small network on scanned digits, in about a minute
  tfpipe service --help     prepare batches on other processes or hosts
""",
)
@click.version_option(__version__, prog_name="tfpipe")
def cli() -> None:
    """Image files, dataframes and arrays as one tf.data graph."""


cli.add_command(demo_command)
cli.add_command(service_command)


def main() -> None:
    """The console script."""
    try:
        cli(prog_name="tfpipe")
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        # All is unwound and cleaned up. TensorFlow's threads, stopped anywhere, can still crash
        # Python's own way out ("corrupted double-linked list").
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
