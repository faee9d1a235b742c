"""The wheel and the sdist: they build, hold what they should, and install without the repository."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import tfpipe

pytestmark = pytest.mark.one_profile

ROOT = Path(__file__).parent.parent
# One module of each package, so that a package that is left out is noticed by name.
ONE_OF_EACH = {
    "tfpipe/keywords.py",
    "tfpipe/builders/generator.py",
    "tfpipe/cli/pack.py",
    "tfpipe/codecs/decode.py",
    "tfpipe/dataset/image_dataset.py",
    "tfpipe/distribute/strategy.py",
    "tfpipe/fields/image.py",
    "tfpipe/ops/resize.py",
    "tfpipe/pipeline/pipeline.py",
    "tfpipe/sources/source.py",
    "tfpipe/tools/check.py",
    "tfpipe/transforms/augment.py",
}
BUILT_FROM = ("tfpipe", "setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def run(*command, **options):
    result = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=300, **options
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the sdist, and the wheel that was built from it."""
    top = tmp_path_factory.mktemp("package")
    source = top / "source"  # a build writes into its source
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    run("-m", "build", "--outdir", top / "dist", source)
    return top / "dist"


@pytest.mark.slow
class TestPackage:
    def test_twine_finds_no_fault(self, built):
        out = run("-m", "twine", "check", "--strict", *built.iterdir())
        assert out.count("PASSED") == 2, out

    def test_wheel_holds_every_module_and_the_types(self, built):
        (wheel,) = built.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tfpipe").rglob("*.py")}
        assert modules <= set(names)
        assert modules >= ONE_OF_EACH
        assert {Path(name).parent for name in ONE_OF_EACH} == {
            Path(name).parent for name in modules
        }
        assert {"tfpipe/py.typed", "tfpipe/__init__.pyi"} <= set(names)
        assert {"tfpipe/data/digits.npz", "tfpipe/data/README.md"} <= set(names)
        assert [name for name in names if name.startswith(("tests", "docs", "examples"))] == []

    def test_sdist_holds_the_licence(self, built):
        (sdist,) = built.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            names = archive.getnames()
        assert any(name.endswith("/LICENSE") for name in names)

    def test_wheel_runs_where_it_is_installed(self, built, tmp_path):
        (wheel,) = built.glob("*.whl")
        run("-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site", wheel)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        script = "import tfpipe; print(tfpipe.__file__); tfpipe.ImageDataGenerator()"
        out = run("-c", script, cwd=tmp_path, env=environment)
        assert out.startswith(str(tmp_path / "site")), out
        shown = run("-m", "tfpipe", "--version", cwd=tmp_path, env=environment)
        assert shown == f"tfpipe, version {tfpipe.__version__}\n"
