"""The prose check: each rule finds its wording, code is not looked at, and the green files are clean."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_profile

SCRIPT = Path(__file__).parent.parent / "scripts" / "prose.py"


def load():
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["prose"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


prose = load()

# For each rule: a wording that it finds, and the same sentence without it.
EXAMPLES = {
    "per": [
        ("The directory has one folder a class.", "The directory has one folder per class."),
        ("An image a file is slow.", "One image per file is slow."),
        ("It is traced once a process.", "It is traced once per process."),
        ("They take 0.60 MB an image.", "They take 0.60 MB per image."),
        ("Depth of 16 bits a sample.", "Depth of 16 bits per sample."),
    ],
    "of which": [
        ("It takes 4.9 ms, of which decoding takes 4.4.", "It takes 4.9 ms; decoding takes 4.4."),
    ],
    "had": [("How the bytes of one image are had.", "How the bytes of one image are read.")],
    "is no": [
        ("Names that start with a dot are no images.", "Such names are not images."),
        ("The error is none of its own.", "The error comes from elsewhere."),
    ],
    "there is none": [("None where there is none.", "None if there is no mask.")],
    "split": [
        ("Splits that keep class shares.", "Splits that keep the class proportions."),
        ("The validation share is 0.2.", "The validation split is 0.2."),
    ],
    "disk": [("The disc is full.", "The disk is full.")],
    "spelling": [
        ("The colour of a neighbour.", "The color of a neighbor."),
        ("Standardised and centred.", "Standardized and centered."),
        ("Grey values of a labelled frame.", "Gray values of a labeled frame."),
    ],
    "weight": [("Weigh the samples.", "Weight the samples.")],
    "oversample": [("Rare classes are repeated.", "Rare classes are oversampled.")],
    "bug": [("Keras 3 swapped them, a fault.", "Keras 3 swapped them, a bug.")],
    "no problems": [("Status 0 if all is sound.", "Status 0 if no problems are found.")],
    "fix": [("Mend the link.", "Fix the link.")],
    "compute": [("It is reckoned from all steps.", "It is computed from all steps.")],
    "number of times": [
        ("How often an image may be halved.", "How many times an image may be halved."),
    ],
    "that of": [
        ("The error, and that of the mean.", "The error, and the error of the mean."),
        ("The samples are those that were packed.", "The samples are the packed ones."),
    ],
    "in work": [("Samples in work at once.", "Samples prepared at once.")],
    "is said": [("Python decodes it, which is said once.", "A warning says so once.")],
    "so many": [("Saves every so many batches.", "Saves every `save_freq` batches.")],
    "100,000": [("It lists a hundred thousand files.", "It lists 100,000 files.")],
    "percent": [("99 % within 3.", "99% within 3.")],
    "forever": [("It waits for ever.", "It waits forever, for every batch.")],
    "continue": [("The worker goes on where it was.", "The worker continues where it was.")],
    "so far": [("The files left out until now.", "The files left out so far.")],
    "silently": [("Nothing is lost in silence.", "Nothing is lost silently.")],
    "again": [("The file is written anew.", "The file is written again.")],
    "except": [("All extras but for one.", "All extras except one.")],
    "requested": [("The size that is asked for.", "The requested size.")],
    "suffix": [("A PNG behind another suffix.", "A PNG file with another suffix.")],
    "inside": [("Inside of a model.", "Inside a model.")],
    "your own": [("A loop of one's own.", "A loop of your own.")],
    "inverted": [
        ("Of a GIF file it is the logical screen.", "For a GIF file it is the logical screen."),
        ("It is a copy; of a batch each image is one.", "It is a copy, also in a batch."),
    ],
    "because": [
        ("They are refused: they would hang it.", "They are refused because they would hang it."),
    ],
}

PAIRS = [(rule, *pair) for rule, pairs in EXAMPLES.items() for pair in pairs]

ORDINARY = [
    "Class 1 is a class without a sample, and a file of a batch.",
    "Once a batch is full, it is delivered, and an image or a mask is an element.",
    "There is no such file, and it is no longer there.",
    "TensorFlow uses the parameters of a segmentation fault.",
    "For every class there is a folder; of course, a folder may be empty.",
    "The order is a function of the seed: equal seeds give equal bytes.",
    "Raises the error that names the file.",
]


def found(sentence):
    """(rule, wording) of what is found in a sentence."""
    passage = prose.Passage(1, (sentence,), 1)
    names = {f"{rule.write} ({rule.why})": name for name, rule in prose.RULES.items()}
    return [(names[finding.write], finding.found) for finding in passage.findings()]


class TestRules:
    def test_each_has_an_example(self):
        assert list(EXAMPLES) == list(prose.RULES)

    @pytest.mark.parametrize(("rule", "example", "corrected"), PAIRS)
    def test_finds_its_example_and_passes_the_correction(self, rule, example, corrected):
        assert rule in [name for name, _ in found(example)]
        assert found(corrected) == []

    @pytest.mark.parametrize("sentence", ORDINARY)
    def test_passes_ordinary_sentences(self, sentence):
        assert found(sentence) == []


class TestMarkdown:
    def lines(self, text):
        return [(finding.line, finding.found) for finding in prose.findings(text, markdown=True)]

    def test_finds_a_wording_over_two_lines_where_it_begins(self):
        assert self.lines("# A page\n\nEach has one\nfolder a class.\n") == [
            (3, "one folder a class")
        ]

    def test_skips_code(self):
        text = "`colour`\n\n```python\ncolour = 1  # grey\n```\n\n~~~\ngrey\n```\ngrey\n~~~\n"
        assert self.lines(text) == []

    def test_sees_what_follows_code(self):
        assert self.lines("```\ngrey\n```\nThe disc is full.\n") == [(4, "disc")]

    def test_rows_and_items_are_paragraphs_of_their_own(self):
        assert self.lines("| one folder |\n| a class |\n\n- one folder\n- a class\n") == []
        assert self.lines("| x | a disc |\n|---|---|\n| anew | y |\n") == [(1, "disc"), (3, "anew")]

    def test_skips_targets_of_links_and_comments(self):
        assert self.lines("[See](how-to/colour.md). <!-- grey\ngrey --> [disc](x)\n") == [
            (2, "disc")
        ]

    def test_keeps_what_has_a_reason(self):
        assert self.lines('"Colour" <!-- prose: keep, a quotation -->\n') == []
        assert self.lines("| colour | <!-- prose: keep, a quotation --> |\n") == []
        assert self.lines("Colour <!-- prose: keep -->\n") == [(1, "prose: keep")]

    def test_keeps_the_table_below_a_reason(self):
        text = "<!-- prose: keep, made elsewhere -->\n\n| grey |\n|---|\n| disc |\n\nanew\n"
        assert self.lines(text) == [(7, "anew")]

    def test_finds_what_is_kept_for_nothing(self):
        assert self.lines("Color <!-- prose: keep, a quotation -->\n") == [(1, "prose: keep")]


class TestPython:
    def lines(self, text):
        return [(finding.line, finding.found) for finding in prose.findings(text, markdown=False)]

    def test_reads_docstrings_comments_and_messages(self):
        text = (
            '"""The colour.\n\nIt is grey."""\n'
            "x = 1  # a disc\n"
            "# One folder\n"
            "# a class.\n"
            "raise ValueError(\n"
            '    f"{x:{x}} images are in "\n'
            '    f"work, {x} anew."\n'
            ")\n"
        )
        assert self.lines(text) == [
            (1, "colour"),
            (3, "grey"),
            (4, "disc"),
            (5, "One folder a class"),
            (8, "in work"),
            (9, "anew"),
        ]

    def test_skips_names_doctests_and_short_texts(self):
        text = (
            "def grey(colour='grey'):\n"
            '    """Reads `colour`.\n\n    >>> grey("the disc is full")\n    The disc is full.\n    """\n'
        )
        assert self.lines(text) == []

    def test_arguments_are_paragraphs_of_their_own(self):
        text = '"""Reads.\n\nArgs:\n    one: one folder\n    two: a class of it.\n"""\n'
        assert self.lines(text) == []

    def test_keeps_what_has_a_reason(self):
        assert self.lines('"""The colour.\n\nText.\n"""  # prose: keep, as Keras says it\n') == []
        assert self.lines("warn('the colour is')  # prose: keep, the classic's own words\n") == []
        assert self.lines("# colour  prose: keep\n") == [(1, "prose: keep")]


class TestOpenings:
    def begins(self, code):
        return [finding.found for finding in prose.openings(code)]

    @pytest.mark.parametrize("text", ["Reads a file.", "Whether it is.", "Warns of it.", "Is it."])
    def test_passes_a_verb(self, text):
        assert self.begins(f"def f():\n    '''{text}'''") == []

    @pytest.mark.parametrize(
        "text", ["The size of it.", "Batches of images.", "This reads.", "`x`."]
    )
    def test_finds_a_noun(self, text):
        assert self.begins(f"def f():\n    '''{text}'''") == [" ".join(text.split()[:2])]

    @pytest.mark.parametrize("name", ["property", "functools.cached_property", "click.command()"])
    def test_passes_properties_and_commands(self, name):
        assert self.begins(f"@{name}\ndef f(self):\n    '''The size.'''") == []

    def test_passes_private_functions_classes_and_modules(self):
        code = "'''The module.'''\nclass A:\n    '''The class.'''\ndef _f():\n    '''The size.'''"
        assert self.begins(code) == []

    def test_help_is_a_noun_phrase(self):
        assert self.begins("option('--mode', help='Color mode to decode to.')") == []
        assert self.begins("option('--mode', help='To which images are converted.')") == [
            "To which"
        ]


def run(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


class TestProcess:
    def test_names_file_line_and_what_to_write(self, tmp_path):
        (tmp_path / "page.md").write_text("# Title\n\nThe disc is full.\n", "utf-8")
        (tmp_path / "module.py").write_text('"""The color."""\n', "utf-8")
        result = run(tmp_path)
        expected = f"{tmp_path / 'page.md'}:3: 'disc' -> disk (American spelling)\n"
        assert (result.returncode, result.stdout, result.stderr) == (1, expected, "")

    def test_is_silent_where_nothing_is_found(self, tmp_path):
        (tmp_path / "page.md").write_text("The disk is full.\n", "utf-8")
        result = run(tmp_path / "page.md")
        assert (result.returncode, result.stdout) == (0, "")

    @pytest.mark.slow
    def test_the_green_files_are_clean(self):
        result = run()
        assert result.returncode == 0, result.stdout + result.stderr

    def test_the_green_files_are_there(self):
        names = [path.relative_to(SCRIPT.parent.parent).as_posix() for path in prose.files([])]
        assert {"README.md", "docs/index.md", "docs/how-to/masks.md"} <= set(names)
        assert not set(prose.LATER) & set(names)
        assert any(name.startswith("examples/") for name in names)
