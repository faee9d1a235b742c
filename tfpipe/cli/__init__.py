"""The command line: `tfpipe`, or `python -m tfpipe`.

Each command is a module of its own, added to the group below. A command module imports TensorFlow
inside the command, through `tfpipe.cli.quiet`, so that `tfpipe --help` answers at once.
"""

from __future__ import annotations

import os
from typing import Any

import click

from tfpipe import __version__
from tfpipe.cli import interrupt
from tfpipe.cli.bench import bench_command
from tfpipe.cli.check import check_command
from tfpipe.cli.demo import demo_command
from tfpipe.cli.formats import formats_command
from tfpipe.cli.pack import pack_command
from tfpipe.cli.preview import preview_command
from tfpipe.cli.service import service_command
from tfpipe.cli.summary import summary_command


class Commands(click.Group):
    """A group whose commands all end cleanly on Ctrl-C, with the status that scripts test for."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Reached only if `interrupt.listen` could do nothing. Click would say "Aborted!" and exit
            # with 1, like any failure; Python's own way out can crash in TensorFlow's threads.
            interrupt.say_interrupted()
            os._exit(interrupt.STATUS)
        finally:
            interrupt.give_way()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  tfpipe demo               train a small network on scanned digits, in about a minute
  tfpipe summary photos     what a folder holds: classes, sizes, formats
  tfpipe check photos       which files cannot be read, and why
  tfpipe preview photos     a picture of a batch, preview.png
  tfpipe pack photos packed  decoded and resized once, for fast epochs
  tfpipe bench photos       images per second, beside the classic generator and Keras
  tfpipe service --help     prepare batches in other processes or on other hosts
\b
Completion of commands and options, here for bash (zsh and fish likewise), in ~/.bashrc:
  eval "$(_TFPIPE_COMPLETE=bash_source tfpipe)"
""",
)
@click.version_option(__version__, prog_name="tfpipe")
def cli() -> None:
    """Image files, dataframes and arrays as one tf.data graph."""


for command in (
    demo_command,
    summary_command,
    preview_command,
    check_command,
    formats_command,
    pack_command,
    bench_command,
    service_command,
):
    cli.add_command(command)


def main() -> None:
    """Runs the command line: the console script."""
    interrupt.listen()
    cli(prog_name="tfpipe")
