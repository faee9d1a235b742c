"""The options of the doors: visible everywhere, written in two places, and named when they are misspelled."""

import ast
import doctest
import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

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
    lists = {"builders/options.py", "dataset/tuning.py"}  # the second: `tuned` too
    assert len(set(places) - {"fields/mask.py"}) == 2
    assert len(lists.intersection(places)) == 1
    arguments = [
        path.stem
        for path in (PACKAGE / "builders").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.arg) and node.arg == option
    ]
    # Folds, checks and the choice of a kernel take one of them by itself.
    assert set(arguments) <= {"folds", "split_and_build", "options", "keras_checks"}


def public_functions():
    """Every public function and constructor, and every method of ours of a public class, by its name."""
    found = {}
    for name in (*tfpipe.__all__, "layers.Augment"):
        thing = tfpipe.layers.Augment if "." in name else getattr(tfpipe, name)
        if inspect.ismodule(thing) or isinstance(thing, str):
            continue
        if thing.__module__.startswith("keras."):  # Keras' own
            continue
        found[name] = thing
        for method, value in inspect.getmembers(thing, inspect.isfunction):
            ours = inspect.unwrap(value).__module__.startswith("tfpipe.")
            if isinstance(thing, type) and ours and not method.startswith("_"):
                found[f"{name}.{method}"] = value
    return found


# What users do not call with keywords: Keras and tf.data do, with their own names.
NOT_CALLED = {
    "ResumableFit.on_",
    "layers.Augment.",
    "CheckReport",
    "Problem",
}


def for_tfpipe_alone(name):
    """Whether it makes a data set or reads its places, which no user does."""
    owner, _, method = name.partition(".")
    cls = getattr(tfpipe, owner, None)
    is_data_set = isinstance(cls, type) and issubclass(cls, tfpipe.ImageDataset)
    return is_data_set and method in ("", "images_only", "seek_position", "position_after")


def misspelled():
    for name, function in public_functions().items():
        names = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.name != "self" and p.kind is not p.VAR_KEYWORD and p.kind is not p.VAR_POSITIONAL
        ]
        long = [parameter for parameter in names if len(parameter) > 4]
        if (
            long
            and not for_tfpipe_alone(name)
            and not any(name.startswith(other) for other in NOT_CALLED)
        ):
            yield name, long[-1]


class TestMisspelled:
    @pytest.mark.parametrize(("name", "parameter"), list(misspelled()))
    def test_says_what_was_meant(self, name, parameter):
        function = public_functions()[name]
        with pytest.raises(TypeError, match=rf"Did you mean '{parameter}'\?"):
            function(**{f"{parameter}x": 1}) if isinstance(function, type) else function(
                None, **{f"{parameter}x": 1}
            )

    @pytest.mark.parametrize(
        ("name", "given", "meant"),
        [
            ("ImageDataGenerator", "rotation", "rotation_range"),
            ("Augment", "rotation", "rotation_range"),
            ("layers.Augment", "rotation", "rotation_range"),
            ("image_dataset_from_directory", "batchsize", "batch_size"),
            ("image_dataset_from_directory", "img_size", "image_size"),
            ("image_dataset_from_dataframe", "target_size", "image_size"),
            ("image_dataset_from_dataframe", "class_mode", "label_mode"),
            ("ImageDataGenerator.flow_from_directory", "image_size", "target_size"),
            ("folds", "n_splits", "k"),
        ],
    )
    def test_words_that_others_use(self, name, given, meant):
        function = public_functions()[name]
        arguments = [] if isinstance(function, type) else [pd.DataFrame()]
        with pytest.raises(TypeError, match=rf"'{given}'. Did you mean '{meant}'\?"):
            function(*arguments, **{given: 1})

    def test_folds_and_the_layer_show_every_keyword(self):
        of_folds = inspect.signature(tfpipe.folds).parameters
        assert {"k", "image_size", "augment", "cache", "x_col"} <= of_folds.keys()
        assert of_folds.keys().isdisjoint({"dataframe", "validation_split", "subset", "options"})
        of_layer = inspect.signature(tfpipe.layers.Augment).parameters
        assert of_layer["rotation_range"].default == 0
        assert of_layer.keys().isdisjoint({"mixup_alpha", "ranges"})
        with pytest.raises(TypeError, match="Did you mean 'source'"):
            tfpipe.folds("photos", dataframe=1)


class TestNone:
    @pytest.mark.parametrize("option", ["drop_remainder", "include_paths", "deterministic"])
    def test_is_no_flag(self, animals, option):
        with pytest.raises(ValueError, match=f"{option} must be True"):
            tfpipe.image_dataset_from_directory(animals, verbose=False, **{option: None})

    def test_is_the_default_where_the_list_says_so(self, animals, small_dataset):
        given = dict.fromkeys(["augment", "standardize", "prefetch", "num_parallel_calls"])
        dataset = tfpipe.image_dataset_from_directory(animals, seed=1, verbose=False, **given)
        plain = tfpipe.image_dataset_from_directory(animals, seed=1, verbose=False)
        assert dataset.spec.prefetch == plain.spec.prefetch == 2
        assert dataset.spec.augment == tfpipe.Augment()
        assert small_dataset().tuned(prefetch=3).tuned(prefetch=None).spec.prefetch == 2


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
    flow = "tfpipe.dataset.iterators.DirectoryIterator"
    revealed = [
        line.partition("is ")[2].strip('"')
        for line in done.stdout.splitlines()
        if "note: Rev" in line
    ]
    assert revealed == [one, f"list[{one}]", one, flow]
    assert "script.py:7: error: No overload variant" in done.stdout
