"""The rooms of the house: which module may import which, where the graph is built, what is documented."""

import ast
import graphlib
import inspect
from pathlib import Path

import pytest

import tfpipe

ROOT = Path(tfpipe.__file__).parent

# Low to high. A module may import its own layer, or a lower one.
LAYERS = [
    ["_version", "checks", "progress", "reporting"],
    [
        "affine",
        "matrix",
        "spline",
        "image",
        "colour",
        "rand_augment",
        "ranges",
        "resize",
        "tf_resize",
        "jpeg_scaled",
        "cell",
        "order",
        "graph",
        "skipping",
        "derived",
        "splits",
        "lost_workers",
        "parallelism",
    ],
    [
        "color",
        "columns",
        "formats",
        "headers",
        "bmp",
        "bmp_rle",
        "gif",
        "jxl",
        "tfio",
        "webp",
        "orientation",
        "pillow_decode",
        "dicom",
        "listing",
        "augment",
        "transforms",
        "standardize",
        "statistics",
        "sources",
        "shards",
        "gaps",
        "masks",
    ],
    [
        "balance",
        "weights",
        "cache",
        "labels",
        "mix",
        "frames",
        "saving",
        "numpy_ops",
        "python_decode",
    ],
    ["inventory"],
    ["survey"],
    ["specs"],
    ["memory"],
    ["decode"],
    ["failure"],
    ["readers", "plotting", "layers"],
    ["stages", "service"],
    ["pipeline"],
    ["places", "distribution"],
    ["batches"],
    ["dataset"],
    ["shard_writer"],
    ["shard_process"],
    ["packing"],
    ["resume"],
    ["inspection", "generator_checks", "functional_checks", "delivery"],
    ["functional_spec"],
    ["generator", "functional"],
    ["crossval"],
    ["functional_shards"],
    ["__init__"],
    ["cli.*", "__main__"],
]
GRAPH_BUILDERS = ("pipeline", "dataset", "distribution", "service", "derived", "graph")


def module_name(path):
    """tfpipe/cli/demo.py -> cli.demo; tfpipe/cli/__init__.py -> cli; tfpipe/__init__.py -> __init__."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


SOURCES = {module_name(path): path.read_text("utf-8") for path in sorted(ROOT.rglob("*.py"))}


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


def layer(module):
    for number, names in enumerate(LAYERS):
        if module in names or f"{module.split('.')[0]}.*" in names:
            return number
    raise AssertionError(f"{module} has no layer: give it one")


class TestImports:
    @pytest.mark.parametrize("module", SOURCES)
    def test_none_goes_up(self, module):
        up = [name for name in imports(SOURCES[module], SOURCES) if layer(name) > layer(module)]
        assert up == []

    def test_there_is_no_cycle(self):
        edges = {module: imports(source, SOURCES) for module, source in SOURCES.items()}
        # The command line's package imports its commands, whose siblings import from the package.
        edges["cli"] = set()
        graphlib.TopologicalSorter(edges).prepare()

    def test_the_layers_name_only_what_there_is(self):
        named = {name for names in LAYERS for name in names} - {"cli.*"}
        assert named <= set(SOURCES)

    @pytest.mark.parametrize(
        ("line", "expected"),
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
    def test_the_reader(self, line, expected):
        assert imports(line, {"order": ""}) == expected


def graph_building(source):
    """The lines that make or extend a tf.data graph: what `Dataset`'s own methods are called on."""
    makers = {"from_tensors", "from_tensor_slices", "from_generator", "flat_map", "interleave"}
    lines = []
    for node in ast.walk(ast.parse(source)):
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
    """One place builds the graph, so that one place has to be read to know it."""

    @pytest.mark.parametrize("module", [m for m in SOURCES if m not in GRAPH_BUILDERS])
    def test_no_other_module_builds_it(self, module):
        assert graph_building(SOURCES[module]) == []

    def test_the_reader_finds_it_where_it_is(self):
        assert len(graph_building(SOURCES["pipeline"])) > 5
        assert graph_building("tf.data.Dataset.range(3)") != []
        assert graph_building("samples.map(f, num_parallel_calls=2)") != []


class TestPublicNames:
    @pytest.mark.parametrize("name", [n for n in tfpipe.__all__ if not n.startswith("__")])
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
