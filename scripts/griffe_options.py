"""A Griffe extension: functions with `**options` as they are when they run, with every keyword.

Griffe reads the source, where an option of a door is a line in a list. `tfpipe.keywords.takes` makes the
signature and the docstring from it; this extension puts both on the site.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import griffe

from tfpipe.cli import quiet


class Options(griffe.Extension):
    """Replaces the signature and the docstring of each function that takes `**options`."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        if not any(p.kind is griffe.ParameterKind.var_keyword for p in func.parameters):
            return
        with quiet.native_silence():  # TensorFlow logs as it is imported
            owner: Any = importlib.import_module(func.module.path)
        for name in func.path.removeprefix(f"{func.module.path}.").split("."):
            owner = getattr(owner, name, None)
        if not hasattr(owner, "__signature__") or func.docstring is None:
            return
        shown = inspect.signature(owner).parameters
        func.docstring.value = inspect.cleandoc(owner.__doc__)
        known = {parameter.name: parameter for parameter in func.parameters}
        func.parameters = griffe.Parameters(
            *(known[name] if name in known else _parameter(shown[name]) for name in shown)
        )


def _parameter(parameter: inspect.Parameter) -> griffe.Parameter:
    has_default = parameter.default is not parameter.empty
    return griffe.Parameter(
        parameter.name,
        annotation=str(parameter.annotation),
        kind=griffe.ParameterKind.keyword_only,
        default=repr(parameter.default) if has_default else None,
    )
