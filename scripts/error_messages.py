"""Lists every error message of the package, from its source; MkDocs calls it while it builds the site."""

from __future__ import annotations

import ast
from pathlib import Path

MARK = "<!-- every message of the package is listed here when the site is built -->"
PACKAGE = Path(__file__).parent.parent / "tfpipe"

# Where a message comes from, and why it is raised; modules that are not named come last.
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
        ("functional", "functional_checks", "delivery", "functional_shards", "masks", "weights"),
    ),
    "Directories and files": (
        "What should be read is not there, or not of the kind expected.",
        ("listing", "sources", "formats", "decode", "readers", "saving", "cache"),
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
    "The data set": (
        "A batch, a place or a use that this data set does not have.",
        ("dataset", "subscript", "derived", "resume", "stages", "service", "pipeline"),
    ),
}


def messages(source: str) -> list[tuple[str, str]]:
    """(type, message) of each error that some source raises; what is filled in later is shown as ….

    >>> messages("raise ValueError(f'n must be positive. ' f'Received: {n}.')")
    [('ValueError', 'n must be positive. Received: ….')]
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        text = _text(node.exc.args[0]) if node.exc.args else ""
        if len(text.replace("…", "").strip()) > 12:
            found.append((ast.unparse(node.exc.func), text))
    return found


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "…"


def markdown() -> str:
    """A section for each group, with a table of its messages."""
    left = {path.stem: path for path in sorted(PACKAGE.glob("*.py"))}
    groups = dict(GROUPS)
    named = {module for _, modules in GROUPS.values() for module in modules}
    groups["Others"] = ("", tuple(module for module in left if module not in named))
    lines = []
    for title, (why, modules) in groups.items():
        rows = [
            row
            for name in modules
            if name in left
            for row in messages(left[name].read_text("utf-8"))
        ]
        if rows:
            lines += [f"### {title}", "", why, "", "| error | message |", "|---|---|"]
            lines += [f"| {kind} | {_cell(text)} |" for kind, text in dict.fromkeys(rows)] + [""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    for sign in ("\\", "|", "`", "*", "_", "<", "["):
        text = text.replace(sign, f"&#{ord(sign)};")
    return " ".join(text.split())


def on_page_markdown(text: str, **_: object) -> str:
    """MkDocs' hook: puts the list where the mark is."""
    return text.replace(MARK, markdown()) if MARK in text else text
