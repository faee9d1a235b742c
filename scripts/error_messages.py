"""Lists every error and warning of the package, from its source; MkDocs calls it as it builds the site."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

MARK = "<!-- every message of the package is listed here when the site is built -->"
PACKAGE = Path(__file__).parent.parent / "tfpipe"

# Where an error comes from, and why it is raised: packages of tfpipe, or modules that tell another story than
# the rest of their package. A test fails where a module with errors is in none.
GROUPS = {
    "Arguments of any kind": (
        "An argument is not what is allowed. The message says what is, what came, and what to do.",
        (
            "checks",
            "keywords",
            "seeds",
            "console",
            "installed",
            "ops",
            "codecs.spec",
            "pipeline.spec",
        ),
    ),
    "Transforms and standardization": (
        "A range, or a function of yours, cannot be used on images of this shape.",
        ("transforms", "layers", "plotting", "pipeline.stages"),
    ),
    "ImageDataGenerator": (
        "A `flow...` method was given data that do not go together; many are the classic's own.",
        ("builders.generator", "builders.classic_checks"),
    ),
    "image_dataset_from_...": (
        "The function was given arguments that do not go together; many are Keras' own.",
        ("builders", "fields"),
    ),
    "Directories and files": (
        "What should be read is not there, or not of the kind expected.",
        ("sources", "codecs", "pipeline.saving", "pipeline.cache"),
    ),
    "Dataframes": (
        "A column is missing, or holds what labels, paths or weights cannot be.",
        ("sources.table", "sources.dataframe", "sources.class_weights"),
    ),
    "Splits and folds": (
        "There are too few samples, classes or groups for the requested split.",
        ("sources.splits", "sources.together", "builders.folds"),
    ),
    "Bad files": (
        "Too much is bad, or the policy does not go with the rest.",
        ("pipeline.bad_files", "tools.parts"),
    ),
    "Packing and shards": (
        "Data sets that cannot be packed together, or a directory that does not hold what you ask for.",
        ("tools", "sources.shard_index", "sources.shards", "sources.npz", "fields.packed"),
    ),
    "The data set": (
        "A batch, a place, a memory budget or a use that this data set cannot have.",
        ("dataset", "distribute", "pipeline", "graph"),
    ),
}
WARNINGS = "Nothing stops: something was left out, is slow, or is not what you asked for."

# How messages begin that only a bug in tfpipe itself can bring about.
_INTERNAL = (
    "write_index needs Records",
    "file_loader needs files",
    "array_loader needs images",
    "Only image files are packed",
    "… must be a field of one of",
    "… must say what",
    "The docstring has no 'Args:'",
)


def messages(source: str) -> list[tuple[str, str]]:
    """Returns (type, message) of each error that some source raises; … stands for what is filled in later.

    >>> messages("raise ValueError(f'n must be positive. ' f'Received: {n}.')")
    [('ValueError', 'n must be positive. Received: ….')]
    """
    return _worded(
        (ast.unparse(node.exc.func), node.exc)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    )


def warned(source: str) -> list[tuple[str, str]]:
    """Returns (type, message) of each warning that some source gives.

    >>> warned("warn(f'{n} files were left out.'); warnings.warn('sort is ignored.', DeprecationWarning)")
    [('UserWarning', '… files were left out.'), ('DeprecationWarning', 'sort is ignored.')]
    """
    return _worded(
        (ast.unparse(node.args[1]) if len(node.args) > 1 else "UserWarning", node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("warn", "warnings.warn")
    )


def _worded(calls: Iterable[tuple[str, ast.Call]]) -> list[tuple[str, str]]:
    """Leaves out the calls without a text of their own: they pass on another error's."""
    texts = [(kind, re.sub("…+", "…", _text(call.args[0]))) for kind, call in calls if call.args]
    return [
        (kind, text)
        for kind, text in texts
        if len(text.replace("…", "").strip()) > 12 and not text.startswith(_INTERNAL)
    ]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "…"


def sources() -> dict[str, str]:
    """Reads the source of each module of the package, except the command line, by its name."""
    paths = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "cli")
    names = [
        path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".") for path in paths
    ]
    return {name: path.read_text("utf-8") for name, path in zip(names, paths, strict=True)}


def group_of(module: str) -> str | None:
    """Returns the group that names a module, or else its package.

    >>> group_of("sources.splits"), group_of("sources.readers"), group_of("elsewhere")
    ('Splits and folds', 'Directories and files', None)
    """
    for name in (module, module.partition(".")[0]):
        for title, (_, names) in GROUPS.items():
            if name in names:
                return title
    return None


def ungrouped() -> list[str]:
    """Returns the modules that raise errors and are in no group, and the grouped names without a module."""
    known = sources()
    there = set(known) | {name.partition(".")[0] for name in known}
    grouped = {name for _, names in GROUPS.values() for name in names}
    return sorted({n for n in known if messages(known[n]) and not group_of(n)} | (grouped - there))


def markdown() -> str:
    """Makes a section for each group, with a table of its messages, and one for warnings."""
    known = sources()
    lines = []
    for title, (why, _) in GROUPS.items():
        rows = [row for name in known if group_of(name) == title for row in messages(known[name])]
        lines += _section(title, why, rows)
    rows = [row for source in known.values() for row in warned(source)]
    return "\n".join(lines + _section("Warnings", WARNINGS, rows))


def _section(title: str, why: str, rows: list[tuple[str, str]]) -> list[str]:
    lines = [f"### {title}", "", why, "", "| type | message |", "|---|---|"]
    return lines + [f"| {kind} | {cell(text)} |" for kind, text in dict.fromkeys(rows)] + [""]


def cell(text: str) -> str:
    """Escapes a text for the cell of a table."""
    for sign in ("\\", "|", "`", "*", "_", "<", "["):
        text = text.replace(sign, f"&#{ord(sign)};")
    return " ".join(text.split())


def on_page_markdown(text: str, **_: object) -> str:
    """Puts the list where the mark is; MkDocs calls it for each page."""
    return text.replace(MARK, markdown()) if MARK in text else text
