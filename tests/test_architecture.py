"""The rooms of the house: which module may import which, where the graph is built, what is documented."""

import ast
import graphlib
import inspect
import re
from pathlib import Path

import pytest

import tfpipe

pytestmark = pytest.mark.one_profile

ROOT = Path(tfpipe.__file__).parent

# The drawing in CONTRIBUTING.md and docs/how-it-works.md, from the ground up: packages and modules. A module
# may import from its own package, or from a lower line; those of the ground may import each other.
GROUND = ("_version", "checks", "console", "graph", "installed", "keywords", "seeds")
LINES = (
    ("ground",),
    ("ops",),
    ("codecs", "transforms"),
    ("sources",),
    ("fields",),
    ("pipeline", "plotting", "layers", "formats"),
    ("distribute",),
    ("dataset",),
    ("builders", "tools"),
    ("__init__",),
    ("cli",),
    ("__main__",),
)
GRAPH_BUILDERS = (
    "graph",
    "pipeline",  # the package
    "distribute.service",
    "distribute.strategy",
    "dataset.methods",  # those of tf.data, kept on what they return
)
MOST_LINES = 460
MOST_MODULES_ON_TOP = 12
# Names that two modules define on purpose, and why.
TWICE = {
    "Augment": "tfpipe.Augment holds the ranges, tfpipe.layers.Augment is a Keras layer of the same name",
}


def module_name(path):
    """tfpipe/cli/demo.py -> cli.demo; tfpipe/cli/__init__.py -> cli; tfpipe/__init__.py -> __init__."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


SOURCES = {module_name(path): path.read_text("utf-8") for path in sorted(ROOT.rglob("*.py"))}


def room(module):
    """The package or top module that a module is in, or the ground.

    >>> room("ops.warp"), room("plotting"), room("seeds")
    ('ops', 'plotting', 'ground')
    """
    name = module.partition(".")[0]
    return "ground" if name in GROUND else name


def imports(source, modules):
    """The modules of the package that some source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            # `from tfpipe import order` is the module, `from tfpipe.order import shuffled` too.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, *rest = name.split(".")
            if top == "tfpipe":
                whole, parent = ".".join(rest), ".".join(rest[:-1])
                found.add(whole if whole in modules else parent or "__init__")
    return found


def line(module):
    for number, names in enumerate(LINES):
        if room(module) in names:
            return number
    raise AssertionError(f"{module} is in no room of the drawing")


def drawing(text):
    """The lines of the drawing on a page, from the top down: the text block that begins with `__main__`.

    >>> drawing("a\\n```text\\n__main__\\ncli    tools\\n```\\n```text\\nb\\n```")
    [('__main__',), ('cli', 'tools')]
    """
    (block,) = re.findall(r"^```text\n(__main__\n.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [tuple(line.split()) for line in block.splitlines()]


def top_names(source):
    """The names that a module defines, not those that it imports.

    >>> sorted(top_names("import a\\nB = 1\\ndef c(): pass\\nd: int = 2"))
    ['B', 'c', 'd']
    """
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)}
    return {name for name in names if not name.startswith("__")}


class TestRooms:
    @pytest.mark.parametrize("module", SOURCES)
    def test_imports_go_down(self, module):
        others = [m for m in imports(SOURCES[module], SOURCES) if room(m) != room(module)]
        assert [m for m in others if line(m) >= line(module)] == []

    def test_there_is_no_cycle(self):
        edges = {module: imports(source, SOURCES) for module, source in SOURCES.items()}
        # The command line's package imports its commands, whose siblings import from the package.
        edges["cli"] = set()
        graphlib.TopologicalSorter(edges).prepare()

    def test_the_drawing_names_what_there_is(self):
        drawn = {name for names in LINES for name in names} | set(GROUND)
        assert drawn - {"ground"} == {module.partition(".")[0] for module in SOURCES}

    @pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how-it-works.md"])
    def test_the_documents_draw_the_same(self, page):
        expected = [GROUND if names == ("ground",) else names for names in reversed(LINES)]
        assert drawing((ROOT.parent / page).read_text("utf-8")) == expected

    def test_few_modules_stand_on_top(self):
        assert len(list(ROOT.glob("*.py"))) <= MOST_MODULES_ON_TOP

    @pytest.mark.parametrize("module", SOURCES)
    def test_a_module_can_be_read_in_one_go(self, module):
        assert len(SOURCES[module].splitlines()) <= MOST_LINES

    def test_one_name_for_one_thing(self):
        homes = {}
        for module, source in SOURCES.items():
            for name in top_names(source):
                homes.setdefault(name, []).append(module)
        twice = {name: modules for name, modules in homes.items() if len(modules) > 1}
        assert {name: modules for name, modules in twice.items() if name not in TWICE} == {}
        assert set(TWICE) <= set(twice)

    @pytest.mark.parametrize("package", [p.parent.name for p in ROOT.glob("*/__init__.py")])
    def test_a_package_says_what_it_is_for_and_exports_nothing(self, package):
        assert len(ast.get_docstring(ast.parse(SOURCES[package])).splitlines()) > 2
        assert package == "cli" or len(ast.parse(SOURCES[package]).body) == 1

    def test_tests_stand_in_the_rooms_of_what_they_test(self):
        folders = {p.parent.name for p in Path(__file__).parent.glob("*/test_*.py")}
        assert folders == {p.parent.name for p in ROOT.glob("*/__init__.py")}

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("from tfpipe import order", {"order"}),
            ("from tfpipe.order import fold_in", {"order"}),
            ("import tfpipe.order", {"order"}),
            ("def f():\n    from tfpipe import order as o", {"order"}),
            ("from tfpipe import Augment", {"__init__"}),
            ("import tfpipe", {"__init__"}),
            ("import numpy", set()),
        ],
    )
    def test_the_reader(self, source, expected):
        assert imports(source, {"order": ""}) == expected


ANNOTATIONS = ("annotation", "returns")


def graph_building(source):
    """The lines that make or extend a tf.data graph: what `Dataset`'s own methods are called on.

    An annotation makes nothing.

    >>> graph_building("def f(d: tf.data.Dataset) -> tf.data.Dataset:\\n    return tf.data.Dataset.range(3)")
    [2, 2]
    """
    makers = {"from_tensors", "from_tensor_slices", "from_generator", "flat_map", "interleave"}
    lines = []
    tree = ast.parse(source)
    parts = [getattr(node, name, None) for node in ast.walk(tree) for name in ANNOTATIONS]
    annotations = {node for part in parts if part for node in ast.walk(part)}
    for node in ast.walk(tree):
        if node in annotations:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "tfpipe.graph":
            tools = {"mapped", "filtered", "flat_mapped", "scanned", "unbatched"}
            if tools & {alias.name for alias in node.names}:
                lines.append(node.lineno)
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            # A pandas column has a method `map` too, but none with `num_parallel_calls`.
            if node.attr in makers or owner.endswith("data.Dataset") or owner == "tf.data":
                lines.append(node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            keywords = {keyword.arg for keyword in node.keywords}
            if node.func.attr == "map" and "num_parallel_calls" in keywords:
                lines.append(node.lineno)
    return lines


class TestGraph:
    """One package builds the graph, and few modules extend it, so that few have to be read to know it."""

    @pytest.mark.parametrize(
        "module",
        [m for m in SOURCES if not {m, m.partition(".")[0]} & set(GRAPH_BUILDERS)],
    )
    def test_no_other_module_builds_it(self, module):
        assert graph_building(SOURCES[module]) == []

    @pytest.mark.parametrize("name", GRAPH_BUILDERS)
    def test_these_build_it(self, name):
        within = [m for m in SOURCES if m == name or m.startswith(f"{name}.")]
        assert any(graph_building(SOURCES[module]) for module in within)

    def test_the_reader_finds_it_where_it_is(self):
        assert len(graph_building(SOURCES["pipeline.pipeline"])) > 5
        assert graph_building("tf.data.Dataset.range(3)") != []
        assert graph_building("def f(d: tf.data.Dataset) -> tf.data.Dataset: ...") == []
        assert graph_building("samples.map(f, num_parallel_calls=2)") != []


def of_keras(name):
    """Whether a public name is one of Keras' own functions, which Keras documents."""
    return getattr(getattr(tfpipe, name), "__module__", "").startswith("keras.")


class TestPublicNames:
    @pytest.mark.parametrize(
        "name", [n for n in tfpipe.__all__ if not n.startswith("__") and not of_keras(n)]
    )
    def test_has_a_docstring(self, name):
        thing = getattr(tfpipe, name)
        # A dataclass without one would be given its signature.
        assert len(thing.__doc__ or "") > len(f"{name}()") + 40
        assert not thing.__doc__.startswith(f"{name}(")

    @pytest.mark.parametrize(
        "name", [n for n in tfpipe.__all__ if isinstance(getattr(tfpipe, n), type)]
    )
    def test_so_have_its_own_methods(self, name):
        thing = getattr(tfpipe, name)
        bare = [
            method
            for method, value in vars(thing).items()
            if not method.startswith("_")
            and callable(value)
            and not inspect.getdoc(getattr(thing, method))  # a callback's are its parent's
        ]
        assert bare == []

    def test_what_is_listed_is_there(self):
        assert sorted(set(tfpipe.__all__)) == sorted(tfpipe.__all__)
        assert all(hasattr(tfpipe, name) for name in tfpipe.__all__)
