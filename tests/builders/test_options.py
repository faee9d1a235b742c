"""The options of the doors: visible everywhere, written in two places, and named when they are misspelled."""

import ast
import doctest
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tfpipe
from tfpipe.builders.options import SPECS, FileOptions, Options, ShardOptions
from tfpipe.keywords import keywords

pytestmark = pytest.mark.one_profile

PACKAGE = Path(tfpipe.__file__).parent
GENERATOR = tfpipe.ImageDataGenerator
DOORS = {
    "image_dataset_from_directory": Options,
    "image_dataset_from_dataframe": Options,
    "image_dataset_from_shards": ShardOptions,
    "ImageDataGenerator.flow_from_directory": FileOptions,
    "ImageDataGenerator.flow_from_dataframe": FileOptions,
}
# Functions that a decorator wraps, whose doctests pytest does not find.
WRAPPED = [
    tfpipe.image_dataset_from_directory,
    tfpipe.image_dataset_from_dataframe,
    tfpipe.image_dataset_from_shards,
    tfpipe.check,
    tfpipe.pack,
    tfpipe.plot_augmentation,
    tfpipe.ImageDataset.tuned,
]


def function_of(name):
    owner, _, method = name.rpartition(".")
    return getattr(getattr(tfpipe, owner), method) if owner else getattr(tfpipe, name)


@pytest.mark.parametrize("door", DOORS)
class TestEveryOption:
    def test_is_in_the_signature_and_the_docstring(self, door):
        function, known = function_of(door), keywords(DOORS[door], *SPECS)
        parameters = inspect.signature(function).parameters
        rows = " ".join(function.__doc__.split())
        for name, keyword in known.items():
            assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
            assert f" {name}: {keyword.sentence}" in rows
        assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def test_has_the_default_of_its_field(self, door):
        known = keywords(DOORS[door], *SPECS)
        parameters = inspect.signature(function_of(door)).parameters
        differ = {n for n, keyword in known.items() if parameters[n].default != keyword.default}
        assert differ == ({"decoding"} if "decoding" in known else set())


@pytest.mark.parametrize(
    "option", ["fill_value", "max_pixels", "antialias", "ram_budget", "max_errors", "stratify"]
)
def test_an_option_is_written_in_two_places(option):
    """As a field of a specification, and in one list of the doors; `tuned` is a door of its own."""
    places = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == option
    ]
    assert len(set(places) - {"dataset/image_dataset.py", "fields/mask.py"}) == 2
    assert "builders/options.py" in places
    arguments = [
        path.stem
        for path in (PACKAGE / "builders").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.arg) and node.arg == option
    ]
    # Folds, checks and the choice of a kernel take one of them by itself.
    assert set(arguments) <= {"folds", "split_and_build", "options", "keras_checks"}


def calls():
    frame = pd.DataFrame({"filename": [], "class": []})
    images = np.zeros([4, 6, 8, 3])
    dataset = GENERATOR().flow(images, np.arange(4))
    return {
        "directory": (tfpipe.image_dataset_from_directory, ["x"], "batchsize", "batch_size"),
        "dataframe": (tfpipe.image_dataset_from_dataframe, [frame], "img_size", "image_size"),
        "shards": (tfpipe.image_dataset_from_shards, ["x"], "hosts", "host"),
        "folds": (tfpipe.folds, [frame], "n_splits", "k"),
        "generator": (GENERATOR, [], "rotation", "rotation_range"),
        "flow": (GENERATOR().flow, [images], "batchsize", "batch_size"),
        "flow_from_directory": (
            GENERATOR().flow_from_directory,
            ["x"],
            "image_size",
            "target_size",
        ),
        "flow_from_dataframe": (GENERATOR().flow_from_dataframe, [frame], "xcol", "x_col"),
        "Augment": (tfpipe.Augment, [], "rotation", "rotation_range"),
        "layers.Augment": (tfpipe.layers.Augment, [], "rotation", "rotation_range"),
        "Standardize": (tfpipe.Standardize, [], "rescaling", "rescale"),
        "ResumableFit": (tfpipe.ResumableFit, [dataset], "save_frequency", "save_freq"),
        "check": (tfpipe.check, ["x"], "colour_mode", "color_mode"),
        "pack": (tfpipe.pack, [dataset, "x"], "qualty", "quality"),
        "plot_augmentation": (tfpipe.plot_augmentation, ["x"], "augmentation", "augment"),
        "show": (dataset.show, [], "standardize", "standardized"),
        "tuned": (dataset.tuned, [], "num_parallel", "num_parallel_calls"),
        "distribute": (dataset.distribute, [], "services", "service"),
    }


class TestMisspelled:
    @pytest.mark.parametrize("name", list(calls()))
    def test_says_what_was_meant(self, name):
        function, arguments, given, meant = calls()[name]
        with pytest.raises(TypeError, match=rf"'{given}'. Did you mean '{meant}'\?"):
            function(*arguments, **{given: 1})


@pytest.mark.parametrize("function", WRAPPED, ids=lambda function: function.__name__)
def test_example_of_a_docstring(function):
    inner = inspect.unwrap(function)
    found = doctest.DocTestFinder().find(function, inner.__name__, globs=dict(inner.__globals__))
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in found:
        runner.run(test)
    assert (runner.failures, runner.tries > 0) == (0, bool(">>>" in function.__doc__))


class TestTuned:
    def test_none_turns_the_cache_off(self, small_dataset):
        kept = small_dataset().tuned(cache="memory", prefetch=3)
        assert kept.tuned(prefetch=1).spec.cache == "memory"
        assert kept.tuned(cache=None).spec.cache is None
        assert kept.tuned(cache=None).spec.prefetch == 3


@pytest.mark.slow
def test_types_as_an_editor_sees_them(tmp_path):
    """mypy, as any checker, knows what the doors give."""
    script = """
        import tfpipe
        reveal_type(tfpipe.image_dataset_from_directory("x"))
        reveal_type(tfpipe.image_dataset_from_directory("x", subset="both", seed=1))
        reveal_type(tfpipe.image_dataset_from_dataframe("x.csv", subset="training", cache="memory"))
        reveal_type(tfpipe.ImageDataGenerator().flow_from_directory("x"))
        tfpipe.image_dataset_from_directory("x", antialias="much")
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    rest = ["--cache-dir", tmp_path / "cache", tmp_path / "script.py"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", PACKAGE.parent / "pyproject.toml", *rest],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=False,
    )
    one = "tfpipe.dataset.image_dataset.ImageDataset"
    revealed = [
        line.partition("is ")[2].strip('"')
        for line in done.stdout.splitlines()
        if "note: Rev" in line
    ]
    assert revealed == [one, f"list[{one}]", one, one]
    assert 'Argument "antialias"' in done.stdout
