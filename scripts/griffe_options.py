"""A Griffe extension: functions and classes as they are when they run, each argument with its row.

Griffe reads the source, where an option of a door is a line in a list. `tfpipe.keywords.takes` makes the
signature and the docstring from it; this extension puts both on the site. Rows that describe several
arguments become one row each, and doctests become examples.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))  # griffe loads this file by its path

from site_docstrings import one_row_each, rows, with_examples

from tfpipe.cli import quiet


class Options(griffe.Extension):
    """Replaces signatures with `**options` by those of the running functions, and all docstrings."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        homes = _homes(func)
        running = getattr(homes[0], func.name, None)
        if any(p.kind is griffe.ParameterKind.var_keyword for p in func.parameters) and hasattr(
            running, "__signature__"
        ):
            shown = inspect.signature(running).parameters
            known = {parameter.name: parameter for parameter in func.parameters}
            func.parameters = griffe.Parameters(
                *(_parameter(shown[name], known.get(name)) for name in shown)
            )
            if func.docstring is not None:
                func.docstring.value = inspect.cleandoc(running.__doc__)
        if func.docstring is not None:
            func.docstring.value = _rewritten(func.docstring.value, homes, running)

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        homes = _homes(cls)
        running = getattr(homes[0], cls.name, None)
        if cls.docstring is not None and running is not None:
            cls.docstring.value = _rewritten(cls.docstring.value, homes, running)

    def on_attribute(self, *, attr: griffe.Attribute, **_: Any) -> None:
        if attr.docstring is not None:
            attr.docstring.value = with_examples(attr.docstring.value)


def _homes(thing: griffe.Object) -> tuple[Any, ...]:
    """Returns where a name in a docstring may be from: the class around it, its module, the package."""
    with quiet.native_silence():  # TensorFlow logs as it is imported
        module: Any = importlib.import_module(thing.module.path)
        package: Any = importlib.import_module("tfpipe")
    owner = module
    for name in thing.path.removeprefix(f"{module.__name__}.").split(".")[:-1]:
        owner = getattr(owner, name, None)
    return owner, module, package


def _rewritten(docstring: str, homes: tuple[Any, ...], running: Any) -> str:
    return with_examples(_with_rows(docstring, homes, running))


def _with_rows(docstring: str, homes: tuple[Any, ...], running: Any) -> str:
    """Gives each argument and each attribute its row."""
    sentence = functools.partial(_sentence, homes)
    called = running.__init__ if isinstance(running, type) else running
    shown = inspect.signature(called).parameters if callable(called) else {}
    text = one_row_each(docstring, sentence, "Args", [name for name in shown if name != "self"])
    return one_row_each(text, sentence, "Attributes")


def _sentence(homes: tuple[Any, ...], thing: str, argument: str) -> str | None:
    """Returns what the docstring of another thing says about one of its arguments, or None."""
    name = thing.removeprefix("tfpipe.")
    known = homes if name == thing else homes[-1:]
    found = next((getattr(home, name) for home in known if hasattr(home, name)), None)
    docstring = inspect.cleandoc(getattr(found, "__doc__", None) or "")
    docstring = _with_rows(docstring, homes, found)
    return {**rows(docstring, "Attributes"), **rows(docstring)}.get(argument)


def _parameter(shown: inspect.Parameter, known: griffe.Parameter | None) -> griffe.Parameter:
    """Returns a parameter as it is when it runs; with the type that Griffe can link, if it knows one."""
    default = None if shown.default is shown.empty else repr(shown.default).strip("<>")
    if known is not None:
        if isinstance(shown.default, str):  # the text, not the name of a constant
            known.default = default
        return known
    return griffe.Parameter(
        shown.name,
        annotation=str(shown.annotation),
        kind=griffe.ParameterKind.keyword_only,
        default=default,
    )
