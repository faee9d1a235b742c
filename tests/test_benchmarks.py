"""The benchmarks: every name of tfpipe that they use exists, also in functions that no test runs."""

import ast
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_profile

TOP = Path(__file__).parents[1]
FILES = sorted((TOP / "benchmarks").glob("*.py"))


def names_of_tfpipe(source):
    """Lists (module, name) of each import from tfpipe, wherever it stands, and of each `module.name` used.

    >>> names_of_tfpipe("from tfpipe.pipeline import order\\norder.shuffled")
    [('tfpipe.pipeline', 'order'), ('tfpipe.pipeline.order', 'shuffled')]
    """
    nodes = list(ast.walk(ast.parse(source)))
    found, modules = [], {}
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found.append((node.module, alias.name))
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in modules:
            found.append((modules[ast.unparse(node.value)], node.attr))
    return [(module, name) for module, name in found if module.partition(".")[0] == "tfpipe"]


def exists(module, name):
    """Whether `from module import name` would work; attributes of functions and classes count too."""
    try:
        value = pkgutil.resolve_name(module)
    except (ImportError, AttributeError):
        return False
    try:
        return hasattr(value, name) or bool(importlib.import_module(f"{module}.{name}"))
    except ImportError:
        return False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_names_exist(path):
    names = names_of_tfpipe(path.read_text("utf-8"))
    assert not [f"{module}.{name}" for module, name in names if not exists(module, name)]


def test_a_name_that_is_gone_is_found():
    names = names_of_tfpipe("from tfpipe import seeds as order\norder.shuffled\norder.fold_in")
    assert [name for module, name in names if not exists(module, name)] == ["shuffled"]


@pytest.mark.slow
def test_a_loop_of_the_classics_spelling_is_over_whole_epochs(animals):
    """A `for` loop over the flow itself would never end."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers", "tfpipe", "small", str(animals), "2"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=TOP,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["rate"] > 0
