"""Every example, in small: it runs, and what it returns makes sense."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.one_profile

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_segmentation(capsys):
    result = load("segmentation").main(crops=4, size=24, width=4, epochs=1)
    assert 0 <= result <= 1
    assert "Intersection over union" in capsys.readouterr().out


def test_the_mask_of_the_coins_is_one():
    photograph, mask = load("segmentation").coins_and_mask()
    assert mask.shape == photograph.shape
    assert set(np.unique(mask)) == {0, 1}
    assert photograph[mask == 1].mean() > photograph[mask == 0].mean() + 50


@pytest.mark.slow
def test_regression(capsys):
    error, baseline = load("regression").main(pictures=24, image_size=16, epochs=1)
    assert 0 < error < 1
    assert 0 < baseline < 0.5
    assert f"{baseline:.3f}" in capsys.readouterr().out


@pytest.mark.slow
def test_image_and_table():
    assert 0 < load("image_and_table").main(pictures=24, image_size=16, epochs=1) < 1


@pytest.mark.slow
def test_siamese():
    assert 0 <= load("siamese").main(crops=4, pairs=24, image_size=16, epochs=1) <= 1


@pytest.mark.slow
def test_multi_task():
    metrics = load("multi_task").main(crops=24, image_size=16, epochs=1)
    assert {"texture_accuracy", "light_mae", "bright_binary_accuracy"} <= set(metrics)


@pytest.mark.slow
def test_multi_label():
    assert 0 <= load("multi_label").main(pictures=60, epochs=1) <= 1


@pytest.mark.slow
def test_folds(capsys):
    accuracies = load("folds").main(crops=1, image_size=16, k=2, epochs=1)
    assert len(accuracies) == 2
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert capsys.readouterr().out.count("24 crops") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["folders", "dataframe"])
def test_of_the_article(name, capsys):
    assert 0.1 < load(name).main(epochs=1) <= 1
    assert "accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_transfer():
    assert 0 <= load("transfer").main(crops=8, image_size=32, epochs=1) <= 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Files with '.dcm' are decoded:UserWarning")
def test_medical():
    assert 0 <= load("medical").main(patients=8, image_size=32, epochs=1) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mirrored", "two_workers", "service"])
def test_in_processes_of_its_own(name, tmp_path):
    """What sets up devices, or starts other processes, runs as a user would start it."""
    search = [str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", "--quick"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "accuracy" in result.stdout, result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_readme_names_each():
    text = (EXAMPLES.parent / "README.md").read_text("utf-8")
    names = [path.name for path in EXAMPLES.glob("*.py")]
    assert [name for name in names if f"examples/{name}" not in text] == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_says_how_it_is_run(path):
    text = path.read_text("utf-8")
    assert re.match(r'""".+\n', text), "begins with what it shows"
    assert f"python examples/{path.name}" in text
    assert "def main(" in text
