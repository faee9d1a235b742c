"""`tfpipe summary` and `tfpipe preview`, in the process and as processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from tfpipe.cli import cli, preview, text
from tfpipe.tools import survey

pytestmark = pytest.mark.one_profile


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, picture, write):
    """Two classes of 6 + 2 good images, and files to look at."""
    top = tmp_path_factory.mktemp("zoo")
    for number in range(6):
        write(top / "cat" / f"{number}.jpg", picture(40, 60, seed=number))
    write(top / "dog" / "grey.png", picture(60, 40, 1))
    write(top / "dog" / "clear.png", picture(50, 50, 4))
    write(top / "dog" / "lies.png", picture(40, 60), format="JPEG")
    write(top / "dog" / "tiny.png", picture(5, 6))
    write(top / "dog" / "banner.png", picture(40, 400))
    (top / "dog" / "empty.jpg").write_bytes(b"")
    (top / "dog" / "no.jpg").write_bytes(b"no image")
    (top / "dog" / "gone.jpg").symlink_to("nowhere")
    (top / "labels.txt").write_text("cat, dog")
    return top


@pytest.fixture(scope="module")
def run_cli():
    """run_cli(*arguments): the command line as a process, on this very package."""
    import os

    import tfpipe

    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {name: v for name, v in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "tfpipe", *map(str, arguments)],
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, path))},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )

    return run


@pytest.fixture(scope="module")
def found(zoo):
    return survey.survey(zoo)


class TestSurvey:
    def test_counts(self, found):
        assert found.files == 13
        assert found.classes == {"cat": 6, "dog": 7}
        assert found.formats == {"JPEG": 7, "PNG": 4}
        assert found.modes == {"RGB": 9, "L": 1, "RGBA": 1}
        assert found.shapes["landscape 3:2"] == 7
        assert (found.widths, found.heights) == ((6, 60, 400), (5, 40, 60))
        assert found.imbalance == pytest.approx(7 / 6)

    def test_what_is_suspicious(self, found):
        by_name = {(Path(p.path).name, p.kind): p.reason for p in found.suspicious}
        assert set(by_name) == {
            ("gone.jpg", "irregular"),
            ("empty.jpg", "unreadable"),
            ("no.jpg", "unreadable"),
            ("lies.png", "suffix"),
            ("tiny.png", "small"),
            ("banner.png", "ratio"),
        }
        assert by_name["empty.jpg", "unreadable"] == "the file is empty"
        assert "its content is JPEG" in by_name["lies.png", "suffix"]
        assert by_name["banner.png", "ratio"].startswith("400 x 40 pixels")

    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_of_a_table(self, zoo, tmp_path, suffix):
        names = [f"cat/{number}.jpg" for number in range(6)] + ["dog/grey.png", "dog/not there.png"]
        frame = pd.DataFrame({"path": names, "label": ["cat"] * 6 + ["dog"] * 2})
        path = tmp_path / f"labels.{suffix}"
        frame.to_csv(path) if suffix == "csv" else frame.to_parquet(path)
        found = survey.survey(path, directory=zoo, x_col="path", y_col="label")
        assert found.classes == {"cat": 6, "dog": 2}
        assert found.files == 7
        assert [(Path(p.path).name, p.kind) for p in found.suspicious] == [
            ("not there.png", "missing")
        ]

    def test_labels_that_are_lists_or_numbers(self):
        frame = pd.DataFrame({"tags": [["a", "b"], ["b"]], "age": [1.5, 2.5], "id": [3, 3]})
        assert survey.classes_of_table(frame, "tags") == {"a": 1, "b": 2}
        assert survey.classes_of_table(frame, "age") == {}
        assert survey.classes_of_table(frame, "id") == {"3": 2}

    def test_of_an_empty_folder(self, tmp_path):
        found = survey.survey(tmp_path)
        assert (found.files, found.classes, found.suspicious, found.imbalance) == (0, {}, (), 1.0)

    def test_local_files_need_no_tensorflow(self, zoo):
        program = (
            "import sys\n"
            "from tfpipe.tools import survey\n"
            "print(survey.survey(sys.argv[1]).files)\n"
            "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(zoo)],
            cwd=Path(survey.__file__).parents[2],
            capture_output=True,
            text=True,
        )
        assert done.stdout == "13\n[]\n", done.stderr


class TestSummaryCommand:
    def test_as_a_process(self, zoo, run_cli):
        result = run_cli("summary", zoo)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        out = result.stdout
        assert out.startswith(f"{zoo}: 13 image files, "), out
        assert "  dog  7   54 %  ██████████████████████████████\n" in out, out
        assert "  JPEG  7   64 %" in out, out
        assert "  width   6 to 400, median 60\n" in out, out
        assert "6 to look at" in out, out
        assert "tiny.png: 6 x 5 pixels: much smaller than the others, whose median is 40" in out, (
            out
        )

    def test_json(self, zoo):
        result = CliRunner().invoke(cli, ["summary", str(zoo), "--json"])
        assert result.exit_code == 0, result.stderr
        found = json.loads(result.stdout)
        assert found["classes"] == {"cat": 6, "dog": 7}
        assert len(found["suspicious"]) == 6

    def test_what_is_not_there(self, run_cli):
        result = run_cli("summary", "/no/such/folder")
        assert result.returncode == 1
        assert result.stderr == (
            "Error: No such directory: '/no/such/folder'. Expected a folder of images.\n"
        )


class TestPreviewCommand:
    @pytest.mark.slow
    def test_a_grid_of_a_folder(self, zoo, tmp_path, run_cli):
        good = tmp_path / "good"
        good.mkdir()
        (good / "cat").symlink_to(zoo / "cat")
        result = run_cli("preview", good, "-o", tmp_path / "grid.png", "--size", "30x40", "-n", "4")
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        assert result.stdout == f"{tmp_path / 'grid.png'}: {good}\n"
        with Image.open(tmp_path / "grid.png") as image:
            assert image.width > 200
            assert len(np.unique(np.asarray(image.convert("L")))) > 50

    @pytest.mark.slow
    def test_an_augmentation_of_a_table(self, zoo, tmp_path, run_cli):
        frame = pd.DataFrame({"path": ["cat/1.jpg", "cat/2.jpg"], "age": [3.5, 4.5]})
        frame.to_csv(tmp_path / "ages.csv", index=False)
        options = ["--x-col", "path", "--y-col", "age", "--directory", zoo, "--draws", "2"]
        ranges = "rotation_range=20,brightness_range=(0.5,1.5),fill_mode=reflect"
        result = run_cli(
            "preview",
            tmp_path / "ages.csv",
            "-o",
            tmp_path / "a.svg",
            "--augment",
            ranges,
            *options,
        )
        assert result.returncode == 0, result.stderr
        assert "a.svg: random transforms of " in result.stdout
        assert (tmp_path / "a.svg").read_text("utf-8").count("<image") == 3

    def test_wrong_ranges(self, zoo):
        result = CliRunner().invoke(cli, ["preview", str(zoo), "--augment", "rotation_range=-5"])
        assert result.exit_code == 1
        assert result.stderr.endswith(
            "Error: rotation_range must be a number >= 0. Received: rotation_range=-5.\n"
        )

    @pytest.mark.parametrize("value", ["", "20", "rotation_range", "a=b=c", "rotation_range=f()"])
    def test_what_is_no_list_of_ranges(self, value):
        with pytest.raises(Exception, match="must look like rotation_range=20"):
            preview.Ranges().convert(value, None, None)

    @pytest.mark.parametrize("value", ["", "x", "0", "1x2x3", "-1", "12.5"])
    def test_what_is_no_size(self, value):
        with pytest.raises(Exception, match="must be HEIGHTxWIDTH"):
            text.Size().convert(value, None, None)


class TestText:
    def test_bars_of_nothing(self):
        assert text.bars({}) == []
        assert text.bars({"a": 0}) == ["a  0    0 %"]
