"""What the commands share: sources, messages and bars of text."""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from tfpipe.console import printable

# What the library raises for input that cannot be used; its message says what to do.
_USER_ERRORS = (OSError, ValueError, TypeError, KeyError, ImportError)


class Size(click.ParamType):
    """`224x160` as (224, 160), `224` as (224, 224).

    >>> Size().convert("48x64", None, None), Size().convert("32", None, None)
    ((48, 64), (32, 32))
    """

    name = "HEIGHTxWIDTH"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        if len(parts) > 2 or not all(part.isdigit() and int(part) for part in parts):
            self.fail(
                f"must be HEIGHTxWIDTH in pixels or one number, such as 224x160 or 224. "
                f"Received: {value!r}.",
                param,
                ctx,
            )
        return int(parts[0]), int(parts[-1])


def table_options(y_col: bool = False) -> Callable[[Any], Any]:
    """Returns a decorator that adds the options of commands that read a directory or a table."""
    options = [
        click.option(
            "--x-col",
            default="filename",
            show_default=True,
            metavar="COLUMN",
            help="Column with the image paths (tables only).",
        ),
        click.option(
            "--directory",
            type=click.Path(file_okay=False),
            help="Folder where relative paths start (tables only).",
        ),
        click.option("--follow-links", is_flag=True, help="Images in linked folders, too."),
    ]
    if y_col:
        labels = click.option(
            "--y-col",
            default="class",
            show_default=True,
            metavar="COLUMN",
            help="Column with the labels (tables only).",
        )
        options.insert(1, labels)

    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@contextlib.contextmanager
def plain_messages(about_files: str = "") -> Iterator[None]:
    """Shows errors of the library as one line without a traceback, its warnings as one line each.

    Args:
        about_files: what to do about a file that cannot be read, after the error that names it.
    """

    def say(message: Warning | str, *_: object, **__: object) -> None:
        click.secho(f"Warning: {_printable_lines(str(message))}", fg="yellow", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings(
            "always", category=UserWarning, module=r"tfpipe|runpy|click|__main__"
        )
        warnings.showwarning = say  # restored by catch_warnings
        try:
            yield
        except _USER_ERRORS as err:
            # str(KeyError("a")) is "'a'", with quotes.
            message = err.args[0] if isinstance(err, KeyError) and err.args else err
            raise click.ClickException(_with_remedy(str(message), about_files)) from err
        except Exception as err:
            message = _of_tensorflow(err)
            if not message:
                raise
            raise click.ClickException(_with_remedy(message, about_files)) from err


def _with_remedy(message: str, about_files: str) -> str:
    names_a_file = message.startswith("Cannot read the image file")
    return _printable_lines(
        f"{message}. {about_files}" if names_a_file and about_files else message
    )


def _printable_lines(message: str) -> str:
    """Escapes what cannot be shown in a message, line by line."""
    return "\n".join(printable(line) for line in message.split("\n"))


def _of_tensorflow(err: Exception) -> str:
    """Returns what an error of TensorFlow's runtime tells a user; "" for any other error."""
    # Importing it takes seconds; if nothing has needed it, the error cannot be its own.
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(err, tensorflow.errors.OpError):
        return ""
    from tfpipe.pipeline import bad_files

    # The names of nodes and their places in the graph mean nothing to a user.
    plain = re.sub(r"\{\{.*?\}\}\s*", "", str(err.message)).partition("\n")[0]
    return bad_files.sentence_in(str(err.message)) or plain or type(err).__name__


def bars(counts: Mapping[str, int], width: int = 30) -> list[str]:
    r"""Returns a line for each name: the name, its count, its percentage, and a bar.

    >>> print("\n".join(bars({"cat": 30, "dog": 15}, width=4)))
    cat  30   67 %  ████
    dog  15   33 %  ██
    """
    names = max(map(len, counts), default=0)
    digits = max((len(f"{count:,}") for count in counts.values()), default=0)
    largest, total = max(counts.values(), default=0) or 1, sum(counts.values()) or 1
    block = "█" if _can_print("█") else "#"
    return [
        f"{name:<{names}}  {count:>{digits},}  {count / total:>4.0%}".replace("%", " %")
        + f"  {block * round(count / largest * width)}".rstrip()
        for name, count in counts.items()
    ]


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def heading(text: str) -> None:
    click.secho(f"\n{text}", bold=True)
