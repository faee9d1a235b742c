"""The README's Python examples run as they stand, and its shell commands exist."""

import os
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.one_profile

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_examples():
    assert len(EXAMPLES) >= 2
    assert len([line for line in EXAMPLES[0].splitlines() if line]) == 10


def test_no_placeholder_is_left():
    assert not re.search(r"\b[A-Z]+_[A-Z]+\b", re.sub(r"```.*?```", "", README, flags=re.DOTALL))


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_runs(number, photos):
    script = photos / "example.py"
    script.write_text(EXAMPLES[number])
    runpy.run_path(str(script))


def test_test_command_is_a_script_of_the_repository():
    assert re.search(r"```sh\nscripts/check\n```", README)
    assert os.access(ROOT / "scripts" / "check", os.X_OK)
