"""Lists every error and warning of the package, from its source; MkDocs calls it as it builds the site."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

MARK = "<!-- every message of the package is listed here when the site is built -->"
PACKAGE = Path(__file__).parent.parent / "tfpipe"

# Where an error comes from, and why it is raised. A test fails where a module with errors is in none.
GROUPS = {
    "Arguments of any kind": (
        "An argument is not what is allowed. The message says what is, what came, and what to do.",
        ("checks", "specs", "order", "columns"),
    ),
    "Transforms and standardisation": (
        "A range, or a function of yours, cannot be used on images of this shape.",
        (
            "augment",
            "ranges",
            "affine",
            "mix",
            "layers",
            "standardize",
            "statistics",
            "numpy_ops",
            "plotting",
        ),
    ),
    "ImageDataGenerator": (
        "A `flow...` method was given data that do not go together; many are the classic's own.",
        ("generator", "generator_checks"),
    ),
    "image_dataset_from_...": (
        "The function was given arguments that do not go together; many are Keras' own.",
        (
            "functional",
            "functional_checks",
            "functional_spec",
            "delivery",
            "functional_shards",
            "masks",
            "weights",
        ),
    ),
    "Directories and files": (
        "What should be read is not there, or not of the kind expected.",
        (
            "listing",
            "sources",
            "formats",
            "decode",
            "readers",
            "pillow_decode",
            "dicom",
            "tfio",
            "saving",
            "cache",
        ),
    ),
    "Dataframes": (
        "A column is missing, or holds what labels, paths or weights cannot be.",
        ("frames", "labels", "balance"),
    ),
    "Splits and folds": (
        "There are too few samples, classes or groups for the split that is asked for.",
        ("splits", "crossval"),
    ),
    "Bad files": (
        "Too much is bad, or the policy does not go with the rest.",
        ("skipping", "gaps"),
    ),
    "Packing and shards": (
        "Data sets that cannot be packed together, or a directory that does not hold what is asked for.",
        ("packing", "shards", "shard_process", "shard_writer"),
    ),
    "The data set": (
        "A batch, a place, a memory budget or a use that this data set cannot have.",
        (
            "dataset",
            "batches",
            "derived",
            "resume",
            "stages",
            "memory",
            "distribution",
            "service",
            "pipeline",
        ),
    ),
}
WARNINGS = "Nothing stops: something was left out, is slow, or is not what was asked for."

# How messages begin that only a fault in tfpipe itself, or a misspelled import, can bring about.
_INTERNAL = (
    "write_index needs Records",
    "file_loader needs files",
    "array_loader needs images",
    "Only image files are packed",
    "module … has no attribute",
)


def messages(source: str) -> list[tuple[str, str]]:
    """(type, message) of each error that some source raises; what is filled in later is shown as ….

    >>> messages("raise ValueError(f'n must be positive. ' f'Received: {n}.')")
    [('ValueError', 'n must be positive. Received: ….')]
    """
    return _worded(
        (ast.unparse(node.exc.func), node.exc)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    )


def warned(source: str) -> list[tuple[str, str]]:
    """(type, message) of each warning that some source gives.

    >>> warned("warn(f'{n} files were left out.'); warnings.warn('sort is ignored.', DeprecationWarning)")
    [('UserWarning', '… files were left out.'), ('DeprecationWarning', 'sort is ignored.')]
    """
    return _worded(
        (ast.unparse(node.args[1]) if len(node.args) > 1 else "UserWarning", node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("warn", "warnings.warn")
    )


def _worded(calls: Iterable[tuple[str, ast.Call]]) -> list[tuple[str, str]]:
    """Those with a text of their own, not with that of another error."""
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
    """The source of each module of the package, by its name."""
    return {path.stem: path.read_text("utf-8") for path in sorted(PACKAGE.glob("*.py"))}


def ungrouped() -> list[str]:
    """The modules that raise errors and are in no group, and the names in a group that are no modules."""
    known = sources()
    grouped = {module for _, modules in GROUPS.values() for module in modules}
    return sorted(
        {name for name in known if messages(known[name])} - grouped | grouped - set(known)
    )


def markdown() -> str:
    """A section for each group, with a table of its messages, and one for warnings."""
    known = sources()
    lines = []
    for title, (why, modules) in GROUPS.items():
        lines += _section(title, why, [row for name in modules for row in messages(known[name])])
    rows = [row for source in known.values() for row in warned(source)]
    return "\n".join(lines + _section("Warnings", WARNINGS, rows))


def _section(title: str, why: str, rows: list[tuple[str, str]]) -> list[str]:
    lines = [f"### {title}", "", why, "", "| type | message |", "|---|---|"]
    return lines + [f"| {kind} | {cell(text)} |" for kind, text in dict.fromkeys(rows)] + [""]


def cell(text: str) -> str:
    """A text as it is, as the cell of a table."""
    for sign in ("\\", "|", "`", "*", "_", "<", "["):
        text = text.replace(sign, f"&#{ord(sign)};")
    return " ".join(text.split())


def on_page_markdown(text: str, **_: object) -> str:
    """MkDocs' hook: puts the list where the mark is."""
    return text.replace(MARK, markdown()) if MARK in text else text
