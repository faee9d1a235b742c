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
    "tfpipe/ops/native/__init__.py",
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


def has_compiler():
    return shutil.which("cc") is not None


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

    def test_wheel_holds_the_kernels_for_every_python(self, built):
        (wheel,) = built.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        assert wheel.name.split("-")[2:4] == ["py3", "none"]
        assert has_compiler() == ("tfpipe/ops/native/libtfpipe_kernels.so" in names)
        assert has_compiler() != wheel.name.endswith("-any.whl")

    def test_without_a_compiler_the_wheel_is_one_for_every_platform(self, built, tmp_path):
        (sdist,) = built.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path, filter="data")
        (source,) = tmp_path.iterdir()
        environment = {**os.environ, "CC": "no-compiler", "PATH": os.path.dirname(sys.executable)}
        run("-m", "build", "--wheel", "--outdir", tmp_path / "dist", source, env=environment)
        (wheel,) = (tmp_path / "dist").glob("*.whl")
        assert wheel.name.endswith("-py3-none-any.whl")
        run("-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site", wheel)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        out = run("-m", "tfpipe", "formats", cwd=tmp_path, env=environment)
        assert "Kernels: TensorFlow's operations (no C compiler" in out

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
        kernels = run("-m", "tfpipe", "formats", cwd=tmp_path, env=environment)
        assert ("Kernels: in C" in kernels) == has_compiler()
        assert out.startswith(str(tmp_path / "site")), out
        shown = run("-m", "tfpipe", "--version", cwd=tmp_path, env=environment)
        assert shown == f"tfpipe, version {tfpipe.__version__}\n"


def test_messages_name_what_the_extras_install():
    """So that `pip install` works without an index that has this package."""
    import configparser

    from tfpipe import installed

    parser = configparser.ConfigParser()
    parser.read(Path(__file__).parent.parent / "setup.cfg")
    for extra, libraries in installed._EXTRAS.items():
        assert tuple(parser["options.extras_require"][extra].split()) == libraries, extra
