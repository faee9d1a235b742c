"""Every example, in small: it runs, and what it returns makes sense."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_segmentation(capsys):
    result = load("segmentation").main(crops=4, size=24, width=4, epochs=1)
    assert 0 <= result <= 1
    assert "Intersection over union" in capsys.readouterr().out


def test_the_mask_of_the_coins_is_one():
    photograph, mask = load("segmentation").coins_and_mask()
    assert mask.shape == photograph.shape
    assert set(np.unique(mask)) == {0, 1}
    assert photograph[mask == 1].mean() > photograph[mask == 0].mean() + 50


def test_regression(capsys):
    error, baseline = load("regression").main(pictures=24, image_size=16, epochs=1)
    assert 0 < error < 1
    assert 0 < baseline < 0.5
    assert f"{baseline:.3f}" in capsys.readouterr().out


def test_multi_label():
    assert 0 <= load("multi_label").main(pictures=60, epochs=1) <= 1


def test_folds(capsys):
    accuracies = load("folds").main(crops=1, image_size=16, k=2, epochs=1)
    assert len(accuracies) == 2
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert capsys.readouterr().out.count("24 crops") == 2


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_says_how_it_is_run(path):
    text = path.read_text("utf-8")
    assert re.match(r'""".+\n', text), "begins with what it shows"
    assert f"python examples/{path.name}" in text
    assert "def main(" in text
