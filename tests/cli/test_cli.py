"""The command line as its users meet it: a process, its output and its exit status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tfpipe
from tfpipe.cli import quiet

pytestmark = pytest.mark.one_profile


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m tfpipe`, on this very package, whether it is installed or not."""
    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-m", "tfpipe", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        timeout=120,
    )


class TestProcess:
    def test_help_lists_the_commands_and_an_example(self):
        result = run_cli("--help")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("Usage: tfpipe [OPTIONS] COMMAND"), result.stdout
        assert "Examples:\n    tfpipe demo" in result.stdout, result.stdout
        assert "  demo     Train small networks on 1,797 scanned digits." in result.stdout

    def test_help_of_the_demo(self):
        result = run_cli("demo", "--help")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("Usage: tfpipe demo [OPTIONS]"), result.stdout
        for expected in ("--directory", "--epochs", "--seed", "tfpipe demo --directory digits"):
            assert expected in result.stdout, result.stdout

    def test_version(self):
        result = run_cli("--version")
        assert (result.returncode, result.stdout) == (0, f"tfpipe, version {tfpipe.__version__}\n")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["dmeo"], "No such command 'dmeo'."),
            (["demo", "--epochs", "0"], "0 is not in the range x>=1"),
            (["demo", "--seed", "-1"], "-1 is not in the range"),
            (["demo", "--directory", __file__], "is a file"),
        ],
    )
    def test_rejects_wrong_usage_with_status_2(self, arguments, message):
        result = run_cli(*arguments)
        assert result.returncode == 2, result.stderr
        assert message in result.stderr, result.stderr

    @pytest.mark.slow
    def test_a_damaged_file_is_one_sentence(self, tmp_path, write):
        write(tmp_path / "q" / "a" / "1.png")
        (tmp_path / "q" / "a" / "2.png").write_bytes(b"no image")
        output = ["-o", str(tmp_path / "grid.png")]
        for arguments in (
            ["pack", str(tmp_path / "q"), str(tmp_path / "p")],
            ["preview", str(tmp_path / "q"), *output],
        ):
            result = run_cli(*arguments)
            assert result.returncode == 1, result.stderr
            assert "Error: Cannot read the image file '" in result.stderr, result.stderr
            assert "Traceback" not in result.stderr, result.stderr
            assert "node" not in result.stderr, result.stderr


class TestQuiet:
    def test_import_hides_what_a_module_writes(self, tmp_path, monkeypatch, capfd):
        self._module(tmp_path, monkeypatch, "noisy", "os.write(2, b'noise')")
        quiet.import_silently("noisy")
        os.write(2, b"afterwards")
        assert capfd.readouterr().err == "afterwards"

    def test_a_failed_import_shows_it(self, tmp_path, monkeypatch, capfd):
        self._module(tmp_path, monkeypatch, "broken", "os.write(2, b'reason'); raise OSError('no')")
        with pytest.raises(OSError, match="no"):
            quiet.import_silently("broken")
        assert capfd.readouterr().err == "reason"

    def test_leaves_a_log_level_of_the_user_alone(self, monkeypatch):
        monkeypatch.setenv(quiet.LOG_LEVEL, "0")
        monkeypatch.setattr(quiet, "import_silently", lambda module: pytest.fail("hidden"))
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
        quiet.import_tensorflow()
        assert os.environ[quiet.LOG_LEVEL] == "0"

    @staticmethod
    def _module(tmp_path, monkeypatch, name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(f"import os\n{code}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["summary", "photos"], ["summary", "--json", "photos"], ["formats"]]
)
def test_commands_that_need_no_tensorflow_do_not_import_it(arguments, tmp_path, write):
    write(tmp_path / "photos" / "cat" / "1.png")
    script = "import sys; sys.modules['tensorflow'] = None; from tfpipe.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path(tfpipe.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
