"""docs/reliability.md: each promise names a test, and each of these tests exists."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_profile

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)*)`", PAGE)))


def test_each_row_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "| test |" not in line]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize("name", NAMED)
def test_it_exists(name):
    path, *within = name.split("::")
    body = ast.parse((ROOT / path).read_text()).body
    for part in within:
        (node,) = [n for n in body if getattr(n, "name", None) == part]
        body = getattr(node, "body", [])
    tests = [n for n in ast.walk(ast.Module(body, [])) if isinstance(n, ast.FunctionDef)]
    assert any(test.name.startswith("test_") for test in tests)
