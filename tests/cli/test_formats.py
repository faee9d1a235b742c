"""`tfpipe formats` prints the table of the installed environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import tfpipe
from tfpipe.cli import cli

pytestmark = pytest.mark.one_profile


def test_as_a_process():
    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, "-m", "tfpipe", "formats"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("With TensorFlow 2.")
    assert lines[1].startswith("Kernels: ")
    assert [line.split("  ")[0] for line in lines[3:]] == [
        row["format"] for row in tfpipe.formats.table()
    ]


def test_json():
    result = CliRunner().invoke(cli, ["formats", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == tfpipe.formats.table()
