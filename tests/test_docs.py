"""The documentation: its code runs, its commands exist, every public name is in it."""

import importlib
import inspect
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

import tfpipe
from tfpipe.builders.options import Options
from tfpipe.cli import cli

pytestmark = pytest.mark.one_profile

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in PAGES}
TEXTS |= {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md")}


def blocks(text, language):
    """The contents of the fenced blocks in one language.

    >>> blocks("```sh\\nls\\n```\\n```python\\n1\\n```", "sh")
    ['ls\\n']
    """
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


WITH_CODE = [name for name in TEXTS if name != "README.md" and blocks(TEXTS[name], "python")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of two classes, ten photographs each, cut from a real one."""
    from skimage import data

    top = tmp_path_factory.mktemp("docs") / "photos"
    rng = np.random.default_rng(0)
    for name, pixels in (("cat", data.chelsea()), ("dog", data.coffee())):
        (top / name).mkdir(parents=True)
        for number in range(10):
            row, column = rng.integers(0, 100, 2)
            cut = Image.fromarray(pixels[row : row + 160, column : column + 200])
            cut.resize((50, 40)).save(top / name / f"{number}.jpg")
    return top


@pytest.fixture
def folder(photos, tmp_path, monkeypatch):
    """A working directory with the photographs in it."""
    shutil.copytree(photos, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def dispatcher():
    """The address of a tf.data service with one worker, in this process."""
    from tfpipe.distribute import service

    server, target = service.start_dispatcher(0, None)
    address = target.removeprefix("grpc://")
    worker, _ = service.start_worker(address, "localhost", 0)
    yield address
    worker._stop()
    server._stop()


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE)
def test_code_of_a_page_runs(page, folder, request):
    """All blocks of a page, one after the other, in one namespace, warnings being errors."""
    code = "\n".join(blocks(TEXTS[page], "python"))
    if "host-1:5000" in code:
        code = code.replace("host-1:5000", request.getfixturevalue("dispatcher"))
    script = folder / (Path(page).stem.replace("-", "_") + ".py")
    script.write_text(code)
    runpy.run_path(str(script), run_name="__main__")


def commands():
    """(page, line) of each tfpipe command in a shell block."""
    for page, text in TEXTS.items():
        for block in blocks(text, "sh"):
            for line in block.splitlines():
                line = line.split("  #")[0].strip()
                if line.startswith("tfpipe "):
                    yield page, line


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_shell_command_is_understood(page, line):
    """Parsed as click would, without running it."""
    command, arguments = cli, shlex.split(line)[1:]
    context = click.Context(cli, info_name="tfpipe")
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, command, arguments = command.resolve_command(context, arguments)
        context = click.Context(command, info_name=name, parent=context)
    if arguments[:1] in (["--help"], ["--version"]):
        return
    command.make_context(context.info_name, list(arguments), parent=context.parent)


PUBLIC = [
    name
    for name in tfpipe.__all__
    if not name.startswith("__") and not inspect.ismodule(getattr(tfpipe, name))
]
# Keras' own functions, which Keras documents.
OF_KERAS = [name for name in PUBLIC if getattr(tfpipe, name).__module__.startswith("keras.")]
PUBLIC = [name for name in PUBLIC if name not in OF_KERAS]


@pytest.mark.parametrize("name", PUBLIC)
class TestPublicNames:
    def test_is_in_the_reference(self, name):
        module = getattr(tfpipe, name).__module__
        reference = "\n".join(text for page, text in TEXTS.items() if "docs/reference" in page)
        assert re.search(rf"^::: {re.escape(module)}\.{name}$", reference, re.MULTILINE)

    def test_has_an_example(self, name):
        thing = getattr(tfpipe, name)
        assert ">>>" in thing.__doc__, f"{name} has no example"


@pytest.mark.parametrize("name", OF_KERAS)
def test_a_function_of_keras_is_on_the_page_of_the_migration(name):
    (text,) = (text for page, text in TEXTS.items() if "migrating/image-data-generator" in page)
    assert f"`{name}`" in text


def test_links_of_the_readme_are_there():
    for page in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", TEXTS[page]):
            assert (ROOT / link).exists(), link


@pytest.fixture
def hook(monkeypatch):
    """A module of scripts/ by its name, as MkDocs loads it."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


def test_every_error_is_in_a_group(hook):
    assert hook("error_messages").ungrouped() == []


class TestErrorMessages:
    def test_errors(self, hook):
        source = "raise ValueError(f'n must be positive. ' f'Received: {n}.')"
        expected = [("ValueError", "n must be positive. Received: ….")]
        assert hook("error_messages").messages(source) == expected

    def test_warnings(self, hook):
        source = (
            "warn(f'{n} files were left out.'); warnings.warn('sort is ignored.', FutureWarning)"
        )
        expected = [
            ("UserWarning", "… files were left out."),
            ("FutureWarning", "sort is ignored."),
        ]
        assert hook("error_messages").warned(source) == expected


def test_every_option_of_a_command_is_explained(hook):
    parts = hook("site_parts")
    names = dict(parts.commands(cli, "tfpipe"))
    assert {"tfpipe check", "tfpipe service worker"} <= set(names)
    for name, command in names.items():
        text = parts.section(name, command)
        options = [p for p in command.params if isinstance(p, click.Option)]
        for option in options:
            assert option.help, f"{name} {option.opts[0]}"
            assert re.search(rf"^\| `.*{option.opts[-1]}\b.*` \| .+ \|$", text, re.MULTILINE)


def test_every_operation_of_rand_augment_is_listed():
    from tfpipe.transforms.rand_augment import OPERATIONS

    assert [name for name in OPERATIONS if name not in tfpipe.Augment.__doc__] == []


def differences(text):
    """The rows of the table of what differs from the classic.

    >>> differences("| here | classic | why |\\n|---|---|---|\\n| a | b | c |\\n\\nd")
    ['| a | b | c |']
    """
    table = r"^\| here \| classic \| why \|\n\|---.*\n((?:\|.*\n)*)"
    return re.search(table, text, re.MULTILINE)[1].splitlines()


def test_readme_and_page_list_the_same_differences():
    readme = differences(TEXTS["README.md"])
    assert len(readme) > 20
    assert differences(TEXTS["docs/migrating/image-data-generator.md"]) == readme


def test_every_command_is_documented():
    text = TEXTS["docs/command-line.md"]
    assert [name for name in cli.commands if f"`tfpipe {name}" not in text] == []


# Members of a base class, which a page shows only where its options list them.
INHERITED = [
    (
        "generator",
        "tfpipe.builders.generator.ImageDataGenerator",
        [
            *("get_random_transform", "apply_transform", "random_transform", "standardize"),
            *("augment", "standardization"),
        ],
    ),
    ("dataset", "tfpipe.dataset.image_dataset.ImageDataset", ["class_weight"]),
]


class TestDocstringsOfTheSite:
    def test_a_doctest_is_an_example(self, hook):
        text = hook("site_docstrings").with_examples("Adds.\n\n>>> 1 + 1\n2\n\nNo more.")
        assert text == "Adds.\n\nExamples:\n    >>> 1 + 1\n    2\n\nNo more."

    def test_each_argument_has_a_row(self, hook):
        text = "Moves.\n\nArgs:\n    x, y: where to,\n        in pixels.\n    z: how high.\n\nReturns:\n"
        rows = "    x: where to, in pixels.\n    y: where to, in pixels.\n    z: how high.\n"
        shown = hook("site_docstrings").one_row_each(text, lambda thing, name: None)
        assert shown == f"Moves.\n\nArgs:\n{rows}\nReturns:\n"

    def test_a_row_that_refers_to_another_thing_says_what_that_says(self, hook):
        said = {("flow", "x"): "an image."}
        text = "Reads.\n\nArgs:\n    x, y: as for `flow`.\n    **more: the arguments of `flow`.\n"
        shown = hook("site_docstrings").one_row_each(
            text, lambda thing, name: said.get((thing, name)), signature=["x", "y", "z"]
        )
        assert hook("site_docstrings").rows(shown) == {
            "x": "an image.",
            "y": "as for `flow`.",
            "z": "the arguments of `flow`.",
        }


class TestRowsOfTheSite:
    HTML = """<h2 id="tfpipe.formats.table" class="doc doc-heading"></h2><p>Text, <code>code</code></p>
        <h2 id="tfpipe.pack" class="doc doc-heading"></h2><div class="doc-signature"></div>
        <table><tr><td><code>datasets</code></td><td><code>int</code></td></tr></table>"""

    def test_an_argument_without_a_row_is_found(self, hook):
        rows = hook("site_rows").rows_of(self.HTML)
        assert rows == {"tfpipe.pack": {"datasets"}}
        lacking = hook("site_rows").lacking(rows)
        assert "tfpipe.pack(encoding)" in lacking
        assert "tfpipe.pack(datasets)" not in lacking

    @pytest.mark.parametrize("text", ["<p>>>> 1 + 1</p>", "<blockquote> = 0</blockquote>"])
    def test_a_doctest_in_the_text_is_found(self, hook, text):
        assert hook("site_rows").doctests_in_text(text)
        assert not hook("site_rows").doctests_in_text("<pre><code>&gt;&gt;&gt; 1</code></pre>")


@pytest.mark.slow
def test_the_site_builds_as_the_readme_says(tmp_path, hook):
    """Without `--quiet`, which keeps MkDocs from counting warnings, so that `strict` always passes."""
    assert "mkdocs serve" in TEXTS["README.md"]
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert not re.search(r"^WARNING +-", result.stderr, re.MULTILINE), result.stderr
    told = re.search(r"(\d+) of the (\d+) arguments in the reference", result.stderr)
    print(told[0])
    assert told[1] == told[2]
    assert int(told[1]) > 350
    rows = {}
    for page in (tmp_path / "reference").rglob("index.html"):
        rows |= hook("site_rows").rows_of(page.read_text("utf-8"))
    for name in PUBLIC:
        thing = getattr(tfpipe, name)
        path = f"{thing.__module__}.{name}"
        assert path in rows or issubclass(thing, tfpipe.ImageDataset), path
        called = inspect.signature(thing).parameters if path in rows else ()
        assert [argument for argument in called if argument not in rows[path]] == [], path
    page = (tmp_path / "troubleshooting" / "index.html").read_text("utf-8")
    listed = set(re.findall(r"<tr>\s*<td>(\w+(?:Error|Exception|Warning))</td>", page))
    assert {"ValueError", "TypeError", "KeyError", "ImportError", "FileNotFoundError"} <= listed
    assert "No such directory: …. Expected a folder of images." in page
    assert page.count("<td>ValueError</td>") > 80
    assert page.count("<td>UserWarning</td>") > 8
    commands = (tmp_path / "command-line" / "index.html").read_text("utf-8")
    assert '<h3 id="tfpipe-service-worker">' in commands
    assert "<code>--encoding [raw|png|jpeg]</code></td>" in commands
    for function in (tfpipe.image_dataset_from_directory, tfpipe.image_dataset_from_dataframe):
        assert set(Options.__annotations__) <= rows[f"{function.__module__}.{function.__name__}"]
    for page, name, inherited in INHERITED:
        reference = (tmp_path / "reference" / page / "index.html").read_text("utf-8")
        assert [m for m in inherited if f'id="{name}.{m}"' not in reference] == []
    formats = (tmp_path / "how-to" / "formats" / "index.html").read_text("utf-8")
    assert "<td>JPEG 2000</td>" in formats
