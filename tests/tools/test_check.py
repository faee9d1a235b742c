"""`tfpipe.check` and `tfpipe check`: every kind of bad file, and no other, is named."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import tfpipe
from tfpipe.cli import check as check_command
from tfpipe.cli import cli
from tfpipe.codecs import formats
from tfpipe.tools.problem import KINDS

pytestmark = pytest.mark.one_profile


@pytest.fixture(scope="module")
def good(tmp_path_factory, picture, write):
    """Ten sound files of four formats in two classes."""
    top = tmp_path_factory.mktemp("good")
    for number in range(8):
        suffix = ("jpg", "png", "bmp", "gif")[number % 4]
        write(top / "ab"[number % 2] / f"{number}.{suffix}", picture(20, 30, seed=number))
    write(top / "a" / "deeper" / "x.JPEG", picture(21, 30), quality=90)
    write(top / "root.png", picture(22, 30))
    (top / "notes.txt").write_text("no image")
    (top / ".hidden.png").write_bytes(b"")
    return top


@pytest.fixture(scope="module")
def bad(good, tmp_path_factory):
    """The same, with one file of every kind of fault."""
    top = tmp_path_factory.mktemp("bad") / "photos"
    shutil.copytree(good, top)
    data = (top / "a" / "0.jpg").read_bytes()
    (top / "a" / "cut.jpg").write_bytes(data[: len(data) // 2])
    (top / "a" / "empty.png").write_bytes(b"")
    (top / "b" / "text.jpg").write_text("no image")
    (top / "b" / "cut.png").write_bytes((top / "root.png").read_bytes()[:200])
    (top / "b" / "lies.png").write_bytes((top / "a" / "deeper" / "x.JPEG").read_bytes())
    (top / "b" / "twin.gif").write_bytes((top / "b" / "3.gif").read_bytes())
    (top / "b" / "hidden.dat").write_bytes((top / "b" / "5.png").read_bytes() + b"\0")
    (top / "b" / "gone.jpg").symlink_to("nowhere")
    os.mkfifo(top / "b" / "fifo.png")
    (top / "a" / os.fsdecode(b"\xff\n.jpg")).write_bytes(b"no image either")
    return top


FOUND = {
    ("cut.jpg", "unreadable"),
    ("empty.png", "unreadable"),
    ("text.jpg", "unreadable"),
    ("cut.png", "unreadable"),
    (os.fsdecode(b"\xff\n.jpg"), "unreadable"),
    ("lies.png", "suffix"),
    ("lies.png", "duplicate"),
    ("hidden.dat", "suffix"),
    ("twin.gif", "duplicate"),
    ("gone.jpg", "irregular"),
    ("fifo.png", "irregular"),
}


def found(report):
    return sorted((Path(problem.path).name, problem.kind) for problem in report.problems)


class TestCheck:
    @pytest.mark.slow
    def test_good_files(self, good):
        report = tfpipe.check(good)
        assert report.problems == ()
        assert (report.sound, report.files, report.others, report.counts) == (True, 10, 1, {})
        assert str(report) == f"{good}: 10 image files, no problems found"

    @pytest.mark.slow
    def test_bad_files(self, bad):
        report = tfpipe.check(bad)
        assert found(report) == sorted(FOUND)
        assert (report.sound, report.files, report.others) == (False, 18, 1)
        assert list(report.counts) == [kind for kind in KINDS if kind in report.counts]
        reasons = {(Path(p.path).name, p.kind): p.reason for p in report.problems}
        assert reasons["empty.png", "unreadable"] == "the file is empty"
        assert "JPEG" in reasons["cut.jpg", "unreadable"]
        assert reasons["lies.png", "suffix"] == (
            "its content is JPEG, named .png: rename it to .jpg"
        )
        x = bad / "a" / "deeper" / "x.JPEG"
        assert reasons["lies.png", "duplicate"] == f"same content as {x}, in another folder"

    def test_a_name_that_is_not_text_is_written_as_one(self, bad, tmp_path):
        report = tfpipe.check(bad)
        report.frame().to_csv(tmp_path / "problems.csv")
        assert "a/\\xff\n.jpg" in (tmp_path / "problems.csv").read_text("utf-8")
        assert "a/\\xff\\n.jpg: " in str(report)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Files with '.tif'")
    def test_a_reason_names_no_object_in_memory(self, tmp_path):
        (tmp_path / "a.tif").write_bytes(b"II*\0 no image")
        (tmp_path / "b.tif").write_bytes(b"no image at all")
        reasons = [problem.reason for problem in tfpipe.check(tmp_path).problems]
        assert len(reasons) == 2
        assert not [reason for reason in reasons if "0x" in reason or "<" in reason], reasons

    def test_kinds_can_be_left_out(self, bad):
        report = tfpipe.check(bad, duplicates=False).without(["unreadable", "suffix"])
        assert found(report) == [("fifo.png", "irregular"), ("gone.jpg", "irregular")]
        with pytest.raises(
            ValueError, match="kind must be one of 'missing'.*Did you mean 'suffix'"
        ):
            report.without(["suffx"])

    @pytest.mark.parametrize("form", ["frame", "csv", "parquet"])
    def test_of_a_table(self, bad, tmp_path, form):
        names = ["a/0.jpg", "a/cut.jpg", "a/4.jpg", "b/fifo.png", "a", "b/no.png", "a/0.jpg", None]
        frame = pd.DataFrame({"path": names}, index=range(5, 13))
        source = frame
        if form != "frame":
            source = tmp_path / f"table.{form}"
            frame.to_csv(source) if form == "csv" else frame.to_parquet(source)
        report = tfpipe.check(source, directory=bad, x_col="path")
        assert found(report) == [
            ("0.jpg", "duplicate"),
            ("a", "irregular"),
            ("cut.jpg", "unreadable"),
            ("fifo.png", "irregular"),
            ("no.png", "missing"),
            ("row 7", "missing"),
        ]
        assert report.files == 3
        assert report.frame()["reason"].str.len().min() > 5

    def test_of_a_column_that_is_not_there(self):
        with pytest.raises(KeyError, match="x_col='filename' is not a column.*'filenames'"):
            tfpipe.check(pd.DataFrame({"filenames": ["a.png"]}))

    def test_of_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="No such directory"):
            tfpipe.check(tmp_path / "nowhere")

    def test_of_nothing(self, tmp_path):
        assert tfpipe.check(tmp_path).sound

    def test_a_format_that_nothing_installed_reads(self, tmp_path, write, monkeypatch):
        write(tmp_path / "1.png")
        write(tmp_path / "2.TIF")
        (tmp_path / "3.png").write_bytes(b"")
        really = formats.library_of
        monkeypatch.setattr(
            formats, "library_of", lambda f: None if f is formats.TIFF else really(f)
        )
        report = tfpipe.check(tmp_path, verbose=False)
        found = {Path(p.path).name: p.reason for p in report.problems if p.kind == "unreadable"}
        assert found == {
            "2.TIF": 'no installed library reads TIFF: pip install "pillow>=10"',
            "3.png": "the file is empty",
        }

    def test_a_file_that_may_not_be_opened(self, good, monkeypatch):
        real = open

        def refuse(path, *arguments, **options):
            if str(path).endswith("2.bmp"):
                raise PermissionError(13, "Permission denied")
            return real(path, *arguments, **options)

        monkeypatch.setattr("builtins.open", refuse)  # root may open everything
        problem = tfpipe.check(good).problems[0]
        assert problem.path.endswith("2.bmp")
        assert problem.reason == "it cannot be opened: Permission denied"


def run(*arguments):
    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {name: v for name, v in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-m", "tfpipe", "check", *map(str, arguments)],
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )


class TestCommand:
    @pytest.mark.slow
    def test_good_files_as_a_process(self, good):
        result = run(good)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        assert result.stdout.startswith("\n10 image files in "), result.stdout
        assert result.stdout.endswith(
            "; 1 other file(s) left alone: 1 .txt.\nNo problems found.\n"
        ), result.stdout

    def test_no_images_are_not_sound(self, tmp_path):
        (tmp_path / "notes.txt").touch()
        result = CliRunner().invoke(cli, ["check", str(tmp_path)])
        assert (result.exit_code, "No images found in" in result.output) == (1, True)
        result = CliRunner().invoke(cli, ["check", str(tmp_path), "--json"])
        assert (result.exit_code, json.loads(result.stdout)["files"]) == (1, 0)

    def test_ignored_problems_are_no_emptiness(self, tmp_path):
        (tmp_path / "m.csv").write_text("filename\nnone.png\n")
        options = ["--x-col", "filename", "--ignore", "missing"]
        assert CliRunner().invoke(cli, ["check", str(tmp_path / "m.csv"), *options]).exit_code == 0

    @pytest.mark.slow
    def test_bad_files_as_a_process(self, bad):
        result = run(bad)
        assert (result.returncode, result.stderr) == (1, ""), result.stderr
        assert "\n5 file(s) cannot be read\n" in result.stdout, result.stdout
        assert f"  {bad}/a/empty.png: the file is empty\n" in result.stdout, result.stdout
        assert f"  {bad}/a/\\xff\\n.jpg: " in result.stdout, result.stdout
        assert result.stdout.endswith("\n10 file(s) have problems.\n"), result.stdout

    def test_json(self, bad):
        result = CliRunner().invoke(cli, ["check", str(bad), "--json", "--ignore", "duplicate"])
        assert result.exit_code == 1
        report = json.loads(result.stdout)
        assert (report["sound"], report["files"], report["counts"]["suffix"]) == (False, 18, 2)
        names = {(Path(p["path"]).name, p["kind"]) for p in report["problems"]}
        assert names == {pair for pair in FOUND if pair[1] != "duplicate"}

    @pytest.mark.slow
    def test_csv(self, bad):
        result = CliRunner().invoke(cli, ["check", str(bad), "--csv"])
        assert result.exit_code == 1
        rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
        assert list(rows[0]) == ["path", "kind", "reason"]
        assert len(rows) == len(FOUND)

    def test_ignoring_all_that_is_wrong_is_success(self, good, tmp_path):
        shutil.copy(good / "root.png", tmp_path / "1.png")
        shutil.copy(good / "root.png", tmp_path / "2.png")
        assert CliRunner().invoke(cli, ["check", str(tmp_path)]).exit_code == 1
        options = ["check", str(tmp_path), "--ignore", "duplicate"]
        assert CliRunner().invoke(cli, options).exit_code == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--json", "--csv"], "--json and --csv exclude each other."),
            (["--ignore", "dup"], "'dup' is not one of"),
        ],
    )
    def test_wrong_usage(self, good, arguments, message):
        result = CliRunner().invoke(cli, ["check", str(good), *arguments])
        assert result.exit_code == 2
        assert message in result.stderr

    def test_its_kinds_are_those_of_the_library(self):
        assert check_command.KINDS == KINDS


class TestSplits:
    """Equal files in two parts of a split are named as such."""

    WORDS = "they are in different parts of the split"

    @pytest.fixture
    def copies(self, tmp_path, picture, write):
        """Three images in each of train and val; of two of them there are copies, one across."""
        top = tmp_path / "copies"
        for number in range(6):
            part = "train" if number < 3 else "val"
            write(top / part / "cat" / f"{number}.png", picture(6, 8, seed=number))
        shutil.copy(top / "train" / "cat" / "0.png", top / "train" / "cat" / "same.png")
        shutil.copy(top / "train" / "cat" / "1.png", top / "val" / "cat" / "same.png")
        return top

    def across(self, *args, **options):
        """The files that are said to be in two parts."""
        report = tfpipe.check(*args, verbose=False, **options)
        assert {problem.kind for problem in report.problems} == {"duplicate"}
        return [p.path for p in report.problems if self.WORDS in p.reason]

    def test_folders(self, copies):
        assert self.across(copies) == []
        assert self.across(copies, splits=True) == [str(copies / "val" / "cat" / "same.png")]

    @pytest.mark.slow
    def test_a_column(self, copies):
        paths = sorted(map(str, copies.rglob("*.png")))
        frame = pd.DataFrame({"filename": paths, "part": [path.split("/")[-3] for path in paths]})
        assert self.across(frame, split_col="part") == [str(copies / "val" / "cat" / "same.png")]
        again = pd.DataFrame({"filename": paths[:1] * 2, "part": ["train", "val"]})
        assert self.across(again, split_col="part") == paths[:1]
        assert self.across(again) == []

    @pytest.mark.parametrize("of_table", [False, True])
    def test_the_split_of_a_function(self, copies, of_table):
        options = {"validation_split": 0.5, "seed": 3}
        source, door = copies, tfpipe.image_dataset_from_directory
        if of_table:
            paths = sorted(map(str, copies.rglob("*.png")))
            source = pd.DataFrame({"filename": paths, "class": "cat"})
            door = tfpipe.image_dataset_from_dataframe
        halves = door(source, subset="both", verbose=False, **options)
        contents = [{Path(p).read_bytes(): p for p in half.source.images.paths} for half in halves]
        shared = set(contents[0]) & set(contents[1])
        found = self.across(source, **options)
        assert len(found) == len(shared) == 1
        assert Path(found[0]).read_bytes() in shared

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"splits": True, "validation_split": 0.2}, "splits and validation_split exclude"),
            ({"split_col": "part"}, "split_col for a table"),
            ({"validation_split": 0.2}, "needs the seed that you train with"),
            ({"validation_split": 2, "seed": 1}, "between 0 and 1"),
        ],
    )
    def test_rejects(self, copies, options, message):
        with pytest.raises(ValueError, match=message):
            tfpipe.check(copies, verbose=False, **options)

    def test_the_command(self, copies):
        result = CliRunner().invoke(cli, ["check", str(copies), "--splits"])
        assert result.exit_code == 1
        assert result.output.count(f"{self.WORDS}: train, val") == 1


class TestLeftAlone:
    """What has another suffix than an image is counted, and a folder without images is named."""

    @pytest.fixture
    def mixed(self, tmp_path, write):
        for name in ("cat/1.png", "dog/2.png"):
            write(tmp_path / name)
        for name in ("cat/1.cr2", "phone/1.raf", "phone/2.raf", "dog/notes", "cat/.hidden.cr2"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("x")
        return tmp_path

    def test_in_the_report(self, mixed):
        report = tfpipe.check(mixed, verbose=False)
        assert report.left_alone == {"raf": 2, "cr2": 1, "": 1}
        assert report.without_images == ("phone",)
        assert report.without(["duplicate"]).left_alone == report.left_alone

    def test_on_the_terminal(self, mixed):
        for command in ("check", "summary"):
            result = CliRunner().invoke(cli, [command, str(mixed)])
            assert "2 .raf, 1 without a suffix, 1 .cr2" in result.output, result.output
            assert "Folders without images: phone." in result.output

    def test_by_both_doors(self, mixed, capsys):
        said = "Left alone 4 file(s) without an image's suffix: 2 .raf, 1 without a suffix, "
        said += "1 .cr2.\n"
        with pytest.warns(
            UserWarning, match=r"1 class\(es\) in .* have no images: 'phone' \(2 .raf\)"
        ):
            tfpipe.ImageDataGenerator().flow_from_directory(mixed)
        assert capsys.readouterr().out.startswith(said)
        with pytest.warns(UserWarning, match="have no images"):
            tfpipe.image_dataset_from_directory(mixed)
        assert capsys.readouterr().out.startswith(said)
        tfpipe.image_dataset_from_directory(mixed, labels=None, verbose=False)
        assert capsys.readouterr().out == ""
