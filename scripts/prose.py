"""Checks the English of pages, docstrings, comments and messages: the wordings that the house replaces.

    python scripts/prose.py [PATH...]

Without a path it checks the files of `GREEN`. Code is never looked at: not the fenced blocks of a page, not
what stands between backticks, not doctests, not names. A wording that must stay needs a reason, on its own
line, on the last line of its paragraph or docstring, or alone on a line above a table or paragraph:
`# prose: keep, <the reason>` in Python, `<!-- prose: keep, <the reason> -->` in Markdown.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from bisect import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

# The files that are clean already. Add a package here once its last finding is gone.
GREEN = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/**/*.md",
    "examples/*.py",
    "scripts/*.py",
    "tfpipe/**/*.py",
)
# Files that GREEN covers and that are still to be rewritten.
LATER: tuple[str, ...] = ()

_UNIT = (
    "(?:batch|byte|call|channel|class|column|core|data set|epoch|file|fold|folder|host|image|iterator|loop"
    "|mask|minute|photograph|pixel|process|record|replica|request|row|sample|scan|second|shard|size|split"
    "|step|thread|worker)"
)
# Words that stand before "a class" in an ordinary sentence.
_JOINING = (
    "about|and|as|at|by|does|for|from|has|in|is|of|on|or|than|that|times|to|was|with|without|where"
)
_NOUN_NEXT = rf"(?!(?:{_JOINING})\b)"
_MANY = r"(?:two|three|four|several|many|few|\d[\d.,]*)"


class Rule(NamedTuple):
    """A wording and its replacement.

    Attributes:
        pattern: matches the wording in one paragraph, whose line breaks are spaces.
        write: what to write instead.
        why: what is wrong with the wording.
    """

    pattern: str
    write: str
    why: str


# prose: keep, the wordings themselves
RULES = {
    "per": Rule(
        rf"(?i)\b(?:one|an?) (?:{_NOUN_NEXT}[\w-]+ )?{_NOUN_NEXT}[\w-]*[^\Ws] an? {_UNIT}\b"
        rf"|\b{_MANY} (?:[\w-]+ )?{_NOUN_NEXT}(?:[\w-]+s|[kMG]B) an? {_UNIT}\b"
        rf"|\b(?:bits|bytes|columns|images|labels|rows|seconds|CPU time) an? {_UNIT}\b"
        rf"|\b(?:once|twice) an? {_UNIT}\b(?= *(?:[.,:;()|]|$))|\bas many an? {_UNIT}\b",
        "per",
        "two nouns beside each other are read twice",
    ),
    "of which": Rule(
        r"(?i)\bof wh(?:ich|ose)\b",
        "two sentences, or 'whose'",
        "the reader has to turn the sentence round",
    ),
    "had": Rule(
        r"\b(?:is|are|be|was|were|been) had\b|, had by\b|\bhad in hand\b",
        "read, get, obtain, hold",
        "'to be had' is out of date",
    ),
    "is no": Rule(
        r"(?<!here )\b(?:is|are|was|were) no (?!longer|more|less|better|worse|different|need|reason|way)\w+"
        r"|(?<!here )\b(?:is|are|was|were) none\b(?= of\b|[.,:;])",
        "is not a, are not",
        "'is no image' is a translation",
    ),
    "there is none": Rule(
        r"\bwhere there (?:is|are) none\b|\bthat there (?:is|are) not\b",
        "if there is no ...",
        "'none' makes the reader look back for the noun",
    ),
    "split": Rule(
        r"(?i)\bclass shares?\b|\bkeeps? (?:the )?shares?\b|\bshares? or groups\b"
        r"|\b(?:training|validation) share\b",
        "split, fraction, class proportions",
        "the field says 'split', and 'proportion' for what a stratified split keeps",
    ),
    "disk": Rule(r"(?i)\bdiscs?\b", "disk", "American spelling"),
    "spelling": Rule(
        r"(?i)(?<![\w.])(?:(?:multi|un|re|dis)?colour|grey|(?:re)?cent(?:re|red|ring)\b|neighbour|favour"
        r"|behaviour|honour|licence|fibre|metres?\b|artefact|model(?:led|ling)|(?:un)?label(?:led|ling)"
        r"|signalled|travelled|whilst\b|amongst\b|learnt\b|spelt\b|judgement|analys(?:e|ed|es|ing)\b"
        r"|(?:category|custom|de?serial|discret|equal|final|general|initial|local|memor|maxim|minim|normal"
        r"|optim|organ|parallel|penal|poster|quant|random|raster|real|recogn|regular|serial|special|standard"
        r"|summar|synchron|token|util|vector|visual)is(?:e|ed|er|ers|es|ing|ation|ations|able)\b)\w*",
        "American spelling: color, gray, center, neighbor, labeled, -ize",
        "the code's own names are spelled so",
    ),
    "weight": Rule(
        r"(?i)\bweigh(?:s|ed|ing)?\b",
        "weight, has weight 1",
        "the field's word, as verb and as noun",
    ),
    "oversample": Rule(
        r"(?i)\brepeat(?:s|ed|ing)? (?:of )?the rare\b|\brare classes are repeated\b"
        r"|\bleaves? out of the common\b",
        "oversample, undersample",
        "the field's words",
    ),
    "bug": Rule(r"(?i)(?<!segmentation )(?<!page )\bfaults?\b", "bug", "the field's word"),
    "no problems": Rule(
        r"(?i)\ball is (?:sound|well)\b|\b(?:is|are) sound\b|\ball sound\b(?! *\))|\bsound files?\b"
        r"|\bnothing is wrong\b",
        "No problems found; has no problems",
        "what a check prints, in everybody's words",
    ),
    "fix": Rule(r"(?i)\bmend(?:s|ed|ing)?\b", "fix, repair", "software is fixed"),
    "compute": Rule(
        r"(?i)\breckon(?:s|ed|ing)?\b", "compute, count", "'reckon' means 'suppose' to many"
    ),
    "number of times": Rule(
        r"(?i)\bhow often\b|\bas often as\b",
        "how many times, as many times as",
        "'how often' asks for a frequency",
    ),
    "that of": Rule(
        r"\b[Tt]hat of\b|\b[Tt]hose (?:of them )?that\b",
        "the noun once more",
        "the reader has to look back for it",
    ),
    "in work": Rule(r"\bin work\b", "in progress, at once", "a translation"),
    "is said": Rule(
        r"\b(?:is|are) said\b|\bsays? it\b(?! all)",
        "name who says what: 'a warning says ...'",
        "the sentence hides who says it",
    ),
    "so many": Rule(
        r"\bevery so many\b|\bby so many\b|\bthen so many\b|\bfor so long\b",
        "every N, by N, for that long",
        "'so many' promises a 'that'",
    ),
    "100,000": Rule(r"(?i)\ban? hundred thousand\b", "100,000", "figures are read at a glance"),
    "percent": Rule(r"\d %", "29%, without a space", "American typography"),
    "forever": Rule(
        r"\bfor ever\b|\bwithout end\b",
        "forever, endlessly, with no limit",
        "American spelling; 'without end' is solemn",
    ),
    "continue": Rule(
        r"(?i)\bgo(?:es)? on\b(?= (?:for|from|where|with|without)\b| *[.|,;]|$)",
        "continue, resume",
        "shorter, and it cannot mean 'happen'",
    ),
    "so far": Rule(r"\buntil now\b", "so far", "'until now' says that it ends now"),
    "silently": Rule(r"\bin silence\b", "silently", "programs fail silently"),
    "again": Rule(r"\banew\b", "again", "out of date"),
    "except": Rule(r"(?i)\bbut for\b", "except", "'but for' also means 'if it were not for'"),
    "requested": Rule(
        r"\b(?:is|are|was|were) asked for\b",
        "requested, that you ask for",
        "a preposition at the end of a passive is read twice",
    ),
    "suffix": Rule(
        r"(?i)\b(?:PNG|TIFF|PDF|BMP|DICOM|content|file|format|others?) behind\b"
        r"|\bbehind (?:a|an|another|the|its|an image's) (?:\w+ )?suffix\b|\bbehind a scheme\b",
        "with the suffix, with a scheme",
        "a file is not behind its name",
    ),
    "inside": Rule(r"(?i)\binside of\b", "inside", "the 'of' says nothing"),
    "your own": Rule(r"(?i)\bone's own\b", "your own", "the reader is 'you'"),
    "inverted": Rule(
        r"(?:^|(?<=[.!?:;] ))(?:Of (?!course\b)|(?:Listed|Kept|Refused|Wrong|Written) (?:is|are)\b)"
        r"|(?<=; )of (?:an?|the|those)\b",
        "the subject first",
        "an inverted sentence is read twice",
    ),
    "because": Rule(
        r": (?:it|they|that|this) (?:would|could|makes|repeats|decides)\b",
        "because, since, or two sentences",
        "a colon announces a list or an explanation, not a reason",
    ),
}


class Finding(NamedTuple):
    """A wording that was found.

    Attributes:
        line: where it begins.
        found: the wording.
        write: what to write instead.
        end: the last line of the paragraph, docstring or message, where it may be said that it stays.
    """

    line: int
    found: str
    write: str
    end: int

    def __str__(self) -> str:
        return f"{self.line}: {self.found!r} -> {self.write}"


@dataclass(frozen=True)
class Passage:
    """A paragraph of prose.

    Attributes:
        line: the number of its first line.
        lines: the lines, without what marks them as prose.
        end: the last line of what it is part of.
    """

    line: int
    lines: tuple[str, ...]
    end: int

    def findings(self) -> Iterator[Finding]:
        """Yields the wordings in it.

        >>> print(*Passage(7, ("One folder", "a class."), 8).findings())
        7: 'One folder a class' -> per (two nouns beside each other are read twice)
        """
        parts = [" ".join(line.split()) for line in self.lines]
        starts = list(accumulate((len(part) + 1 for part in parts), initial=0))
        # Code becomes as many dots, so that places stay what they are, and no rule sees a word.
        text = re.sub(r"(`+)(?!`).+?\1", lambda code: "…" * len(code.group()), " ".join(parts))
        for rule in RULES.values():
            for match in re.finditer(rule.pattern, text):
                line = self.line + bisect(starts, match.start()) - 1
                yield Finding(line, match.group().strip(), f"{rule.write} ({rule.why})", self.end)


def of_markdown(source: str) -> Iterator[Passage]:
    """Yields the paragraphs, list items, headings and table rows of a page."""
    source = re.sub("<!--.*?-->", _line_ends, source, flags=re.DOTALL)
    source = re.sub(r"</?[a-z][^>\n]*>|(?<=\])\([^)\s]*\)", "", source)  # tags, targets of links
    held: list[str] = []
    fence = ""
    for number, line in enumerate([*source.splitlines(), ""], 1):
        marks = re.match(r"\s*(```+|~~~+)", line)
        begins = re.match(r"#|\s*\||\s*([-*]|\d+\.) ", line)
        if held and (fence or marks or begins or not line.strip()):
            yield Passage(number - len(held), tuple(held), number - 1)
            held = []
        if marks and (not fence or line.strip() == fence):
            fence = "" if fence else marks[1]
        elif not fence and line.strip():
            held.append(re.sub(r"^\s*(?:#+|[-*]|\d+\.) ", "", line))


def of_python(source: str) -> Iterator[Passage]:
    """Yields the paragraphs of the comments, docstrings and messages of a module."""
    yield from _comments(source)
    for node in _strings(ast.parse(source)):
        text = ast.get_source_segment(source, node) or ""
        # A message in several literals is one, whose parts are on lines of their own.
        text = re.sub(r"[\"']\s*(#.*)?\n\s*[rRfF]*[\"']", _line_ends, text)
        if isinstance(node, ast.JoinedStr):
            for _ in range(2):  # a value, and the width in its format
                text = re.sub(r"\{[^{}]*\}", lambda value: "…" + _line_ends(value), text)
        text = re.sub(r"^[rRbBfFuU]*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$", "", text)
        text = re.sub(r"\\[nb]", "  ", text)
        if re.search(r"[A-Za-z]{2}[,;:]? [a-z]{2}", text):
            yield from _paragraphs(node.lineno, text, node.end_lineno or node.lineno)


def _comments(source: str) -> Iterator[Passage]:
    held: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        number, begins_line = token.start[0], not token.line[: token.start[1]].strip()
        if held and not (begins_line and number == last + 1):
            yield Passage(last - len(held) + 1, tuple(held), last)
            held = []
        held.append(re.sub(r"prose: keep.*", "", token.string.lstrip("#")))
        last = number
    if held:
        yield Passage(last - len(held) + 1, tuple(held), last)


def _strings(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Yields each literal text, and each f-string as one."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        if isinstance(getattr(node, "value", ""), str):
            yield node
    else:
        for child in ast.iter_child_nodes(node):
            yield from _strings(child)


def _paragraphs(line: int, text: str, end: int) -> Iterator[Passage]:
    held: list[str] = []
    in_doctest = False
    for number, part in enumerate([*text.split("\n"), ""], line):
        in_doctest = part.lstrip().startswith(">>>") or (in_doctest and bool(part.strip()))
        begins = re.match(r"\s*[\w, *`]+: ", part)  # an argument, or "Returns: "
        if held and (begins or in_doctest or not part.strip()):
            yield Passage(number - len(held), tuple(held), end)
            held = []
        if part.strip() and not in_doctest:
            held.append(part)


def _line_ends(match: re.Match[str]) -> str:
    return "\n" * match.group().count("\n")


# How the docstring of a function begins, and how it does not: a noun in -s, by what comes after it.
_VERB = re.compile(r"(?!(?:Always|Class|Its|This|Unless)\b)[A-Z][a-z]*s\b|Whether\b")
_NOUN = re.compile(r"(?!Consists|Warns)[A-Z][a-z]+s (?:of|that|which|in|with|and)\b")
# How the help of an option begins that is not a noun phrase.
_NO_PHRASE = re.compile(
    r"(?:Of|To|As|At|By|For|From|In|With|Where|Which|How|What|When"
    r"|Add|Do|Go|Keep|Leave|List|Make|Pack|Print|Read|Set|Show|Use|Write)\b"
)
_A_VERB = "a verb and its object: 'Reads the bytes of one image.'"
_A_PHRASE = "a noun phrase: 'Color mode to decode to.'"


def openings(source: str) -> Iterator[Finding]:
    r"""Yields the docstrings and helps that do not begin as they should.

    The docstring of a public function begins with a verb, or with "Whether"; the help of an option is a noun
    phrase. Properties are nouns, and the docstring of a command is its help: both may begin as they like.

    >>> print(*openings("def size(path):\n    '''The size of a file.'''"))
    2: 'The size' -> a verb and its object: 'Reads the bytes of one image.'
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            begins_well = text and _VERB.match(text) and not _NOUN.match(text)
            if text and not begins_well and not node.name.startswith("_") and not _is_apart(node):
                yield _opening(node.body[0], text, _A_VERB)
        elif isinstance(node, ast.Call):
            for value in (keyword.value for keyword in node.keywords if keyword.arg == "help"):
                text = getattr(value, "value", None)
                if isinstance(text, str) and _NO_PHRASE.match(text):
                    yield _opening(value, text, _A_PHRASE)


def _opening(node: ast.expr | ast.stmt, text: str, write: str) -> Finding:
    return Finding(node.lineno, " ".join(text.split()[:2]), write, node.end_lineno or node.lineno)


def _is_apart(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a property, or a command of click's."""
    names = [ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list]
    return any(name.endswith(("property", ".setter", ".command", ".group")) for name in names)


_KEEP = re.compile(r"prose: keep(?:, (?P<reason>\w.+?))?\s*(?:-->.*)?$")
_BARE = "a reason after the comma: 'prose: keep, <the reason>'"
_UNUSED = "nothing: no wording here would have to change"


def findings(source: str, *, markdown: bool) -> list[Finding]:
    """Returns what is found in a whole file, in the order of its lines, and what is kept for no reason."""
    passages = of_markdown(source) if markdown else of_python(source)
    found = [finding for passage in passages for finding in passage.findings()]
    found += [] if markdown else openings(source)
    lines = source.splitlines()
    covered = _covered(lines)
    left = [finding for finding in found if not covered.keys() & {finding.line, finding.end}]
    needed = {covered.get(line) for finding in found for line in (finding.line, finding.end)}
    for number in set(covered.values()):
        match = _KEEP.search(lines[number - 1])
        if match and not (match["reason"] and number in needed):
            write = _UNUSED if match["reason"] else _BARE
            left.append(Finding(number, "prose: keep", write, number))
    return sorted(left)


def _covered(lines: list[str]) -> dict[int, int]:
    """Maps each line whose wording stays to the line that says so."""
    covered = {}
    for number, line in enumerate(lines, 1):
        match = _KEEP.search(line)
        if match:
            covered[number] = number
            if not line[: match.start()].strip(" #<!-"):  # alone on its line
                below = number + 1 + (lines[number : number + 1] == [""])
                while below <= len(lines) and lines[below - 1].strip():
                    covered[below] = number
                    below += 1
    return covered


def files(paths: Iterable[str]) -> list[Path]:
    """Returns the files to check: those given, all below a directory, or by default the green ones."""
    given = [Path(path) for path in paths]
    if not given:
        given = [path for pattern in GREEN for path in ROOT.glob(pattern)]
        given = [path for path in given if path.relative_to(ROOT).as_posix() not in LATER]
    below = [path.rglob("*") if path.is_dir() else [path] for path in given]
    return sorted({path for paths in below for path in paths if path.suffix in (".md", ".py")})


def main(paths: list[str]) -> int:
    """Prints what is found in some files; returns 1 if there is anything, else 0."""
    count = 0
    for path in files(paths):
        shown = path.resolve().relative_to(ROOT) if path.resolve().is_relative_to(ROOT) else path
        source = path.read_text("utf-8")
        for finding in findings(source, markdown=path.suffix == ".md"):
            print(f"{shown}:{finding}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
