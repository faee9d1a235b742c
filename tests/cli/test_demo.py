"""`tfpipe demo`: its steps one by one, and the whole of it as a process."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from sklearn.datasets import load_digits

import tfpipe
from tfpipe.cli import cli, demo, digits, quiet, speed

pytestmark = pytest.mark.one_profile


def environment(temporary: Path) -> dict[str, str]:
    """Of a process that finds this very package, and puts its temporary files where we can look."""
    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    # Without the log level that these tests run under: the demo is to be quiet by itself.
    inherited = {name: value for name, value in os.environ.items() if name != quiet.LOG_LEVEL}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "TMPDIR": str(temporary),
    }


class TestDigits:
    def test_equals_the_peer_value_for_value(self):
        data, peer = digits.read_digits(), load_digits()
        assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.uint8)
        assert data.images.shape == (1797, 8, 8)
        np.testing.assert_array_equal(data.images, peer.images)
        np.testing.assert_array_equal(data.labels, peer.target)

    def test_counts_of_the_classes(self):
        counts = np.bincount(digits.read_digits().labels)
        assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]

    def test_source_and_licence_are_named_beside_it(self):
        text = Path(tfpipe.__file__).with_name("data").joinpath("README.md").read_text("utf-8")
        for expected in ("Alpaydin", "Kaynak", "CC BY 4.0", "scikit-learn", "savez_compressed"):
            assert expected in text, expected


class TestSplit:
    def test_every_class_gives_one_in_five_rounded_up(self):
        labels = digits.read_digits().labels
        held_back = digits.is_validation(labels)
        for label in range(10):
            of_class = held_back[labels == label]
            assert of_class.sum() == -(-len(of_class) // 5), label

    def test_names_are_unique_and_in_the_order_of_the_digits(self):
        labels = digits.read_digits().labels
        names = [Path(name) for name in digits.file_names(labels)]
        assert [int(name.stem) for name in names] == list(range(1797))
        assert [int(name.parent.name) for name in names] == labels.tolist()
        assert {name.parts[0] for name in names} == {"train", "validation"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with all digits, and their names."""
    directory = tmp_path_factory.mktemp("digits")
    return directory, digits.write_folders(digits.read_digits(), directory)


class TestWriteFolders:
    def test_files_are_those_named_and_no_others(self, written):
        directory, names = written
        found = [path.relative_to(directory).as_posix() for path in directory.rglob("*.png")]
        assert sorted(found) == sorted(names)

    def test_pixels(self, written):
        directory, names = written
        images = digits.as_grey(digits.read_digits().images)
        for number in (0, 1, 900, 1796):
            image = tf.io.decode_png((directory / names[number]).read_bytes()).numpy()
            np.testing.assert_array_equal(image, images[number, :, :, None], names[number])

    def test_train_and_validation_share_no_digit(self, written):
        directory, _ = written
        train, validation = (
            {int(path.stem) for path in (directory / part).rglob("*.png")}
            for part in ("train", "validation")
        )
        assert (len(train), len(validation)) == (1433, 364)
        assert not train & validation
        assert train | validation == set(range(1797))

    def test_writing_again_is_fine(self, written):
        directory, names = written
        assert digits.strangers(directory, names) == []

    def test_files_of_somebody_else_are_found(self, written, tmp_path):
        (tmp_path / "train" / "cat").mkdir(parents=True)
        (tmp_path / "train" / "cat" / "tom.png").write_bytes(b"")
        assert digits.strangers(tmp_path, written[1]) == ["train/cat/tom.png"]
        with pytest.raises(click.ClickException, match=r"such as train/cat/tom\.png\."):
            demo.write_images(tmp_path)
        assert not (tmp_path / "validation").exists()


class TestParityFrame:
    def test_values(self):
        frame = digits.parity_frame(["train/7/0001.png", "validation/0/0002.png"])
        assert frame.to_dict("list") == {
            "filename": ["train/7/0001.png", "validation/0/0002.png"],
            "class": ["odd", "even"],
        }


class TestSpeed:
    def test_one_epoch_warms_up_and_the_others_take_turns(self):
        calls = []
        rates = speed.images_per_second(
            {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 100, rounds=3
        )
        assert "".join(calls) == "ab" * 4
        assert all(rate > 0 for rate in rates.values()), rates

    def test_without_pillow_the_classic_is_left_out(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "PIL", None)
        monkeypatch.delitem(sys.modules, "PIL.Image", raising=False)
        assert speed.classic_generator() is None


class TestStatus:
    @pytest.mark.parametrize(("accuracy", "status"), [(0.949, 1), (0.95, 0)])
    def test_depends_on_the_accuracy(self, accuracy, status, monkeypatch):
        monkeypatch.setattr(demo, "run", lambda root, epochs, seed: accuracy)
        result = CliRunner().invoke(cli, ["demo"])
        assert result.exit_code == status, result.output
        assert ("the validation accuracy, 0.949, is below 0.95" in result.output) == (status == 1)

    def test_the_temporary_folder_goes_and_the_users_stays(self, tmp_path, monkeypatch):
        seen = []

        def run(root: Path, epochs: int, seed: int) -> float:
            root.mkdir(exist_ok=True)
            seen.append(root)
            return 1.0

        monkeypatch.setattr(demo, "run", run)
        assert CliRunner().invoke(cli, ["demo"]).exit_code == 0
        chosen = tmp_path / "new"
        assert CliRunner().invoke(cli, ["demo", "--directory", str(chosen)]).exit_code == 0
        assert [root.exists() for root in seen] == [False, True]


class TestProcess:
    @pytest.mark.slow
    def test_whole_demo(self, tmp_path):
        result = subprocess.run(
            [sys.executable, "-m", "tfpipe", "demo"],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
        )
        output = result.stdout
        assert result.returncode == 0, output + result.stderr
        indices = {str(digit): digit for digit in range(10)}
        assert f"class indices:  {indices}\n" in output, output
        assert "class indices:  {'even': 0, 'odd': 1}\n" in output, output
        assert "Found 1433 images belonging to 10 classes.\n" in output, output
        ten, parity = map(float, re.findall(r"^validation accuracy: (\d\.\d+)$", output, re.M))
        assert ten >= 0.95, output
        assert parity >= 0.9, output
        for name in ("tfpipe", "classic"):
            assert re.search(rf"^{name}: +[\d,]+ images/s$", output, re.M), output
        assert re.search(r"^ratio: +\d+\.\d+$", output, re.M), output
        assert not list(tmp_path.glob("tfpipe-demo-*"))

    @pytest.mark.slow
    @pytest.mark.skipif(os.name == "nt", reason="SIGINT to one process is POSIX's")
    def test_interrupt_ends_it_cleanly(self, tmp_path):
        process = subprocess.Popen(
            [sys.executable, "-m", "tfpipe", "demo", "--epochs", "1000"],
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # A background job of a shell ignores SIGINT, and its children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        with process:
            for line in process.stdout:
                if line.startswith("Epoch 2/"):
                    break
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert errors.endswith("\nInterrupted.\n"), errors
        assert "Traceback" not in errors, errors
        assert not list(tmp_path.glob("tfpipe-demo-*"))
