"""Keyword options that are written once: their defaults and sentences come from fields of specifications.

    class Options(TypedDict, total=False):
        max_pixels: int | None

    @takes(Options, DecodeSpec)
    def read(path: str, **options: Unpack[Options]) -> tf.Tensor: ...

`read` now has `max_pixels=178956970` in its signature, and thus in `help()`, in a notebook's Shift-Tab and on
the reference page. Its docstring has the sentence that `DecodeSpec` has for that field. An unknown keyword is
an error that names the keyword that was meant.
"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple, TypeVar

from tfpipe.checks import did_you_mean

_Thing = TypeVar("_Thing", bound=Callable[..., Any])

_WIDTH = 108


class _Unchanged:
    """The default of an option that stays as it is where it is not given."""

    def __repr__(self) -> str:
        return "<unchanged>"


UNCHANGED = _Unchanged()


class Keyword(NamedTuple):
    """One keyword option.

    Attributes:
        spec: the specification that has a field of this name.
        default: the default of the field.
        annotation: the type, as in the list of options.
        sentence: what the documentation of the field says.
    """

    spec: type
    default: Any
    annotation: Any
    sentence: str


def sentences(spec: type) -> dict[str, str]:
    """Returns what a docstring says about each attribute.

    >>> class Spec:
    ...     '''A specification.
    ...
    ...     Attributes:
    ...         size: in pixels,
    ...             at least 1.
    ...     '''
    >>> sentences(Spec)
    {'size': 'in pixels, at least 1.'}
    """
    text = inspect.cleandoc(spec.__doc__ or "").partition("Attributes:\n")[2]
    block = textwrap.dedent(re.split(r"\n\s*\n", text)[0])
    found = re.findall(r"^(\w+): (.*(?:\n .*)*)", block, re.MULTILINE)
    return {name: re.sub(r"\s*\n\s*", " ", words).strip() for name, words in found}


def keywords(options: Any, *specs: type) -> dict[str, Keyword]:
    """Returns the keywords of a `TypedDict`, in its order, each with the field that it belongs to.

    Raises:
        TypeError: a keyword is a field of no specification, or of two, or it has no sentence.
    """
    homes: dict[str, list[tuple[type, Field[Any]]]] = {}
    for spec in specs:
        for field in fields(spec):
            homes.setdefault(field.name, []).append((spec, field))
    found = {}
    for name, annotation in options.__annotations__.items():
        if len(homes.get(name, ())) != 1:
            raise TypeError(f"{name} must be a field of one of {[s.__name__ for s in specs]}.")
        [(spec, field)] = homes[name]
        if name not in sentences(spec):
            raise TypeError(f"{spec.__name__} must say what {name} is, under 'Attributes:'.")
        annotation = getattr(annotation, "__forward_arg__", annotation)
        found[name] = Keyword(spec, _default(field), annotation, sentences(spec)[name])
    return found


def with_keywords(function: Callable[..., Any], added: Iterable[inspect.Parameter]) -> None:
    """Shows further keywords in the signature of a function, in place of its `**options`.

    Args:
        function: the function, whose own parameters stay first.
        added: the keywords; the function's own are left out.
    """
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    names = {p.name for p in own}
    more = [p.replace(kind=p.KEYWORD_ONLY) for p in added if p.name not in names]
    shown: Any = function
    shown.__signature__ = signature.replace(parameters=[*own, *more])


def routed(options: Mapping[str, Any], *specs: type) -> dict[type, dict[str, Any]]:
    """Returns, for each specification, the options that are fields of it."""
    names = {spec: {field.name for field in fields(spec)} for spec in specs}
    return {
        spec: {name: value for name, value in options.items() if name in names[spec]}
        for spec in specs
    }


def _default(field: Field[Any]) -> Any:
    """Returns the default of a field; None, "the usual one", if each call makes an object of its own."""
    return None if field.default is MISSING else field.default


def takes(
    options: Any,
    *specs: type,
    defaults: Mapping[str, Any] | None = None,
    also: Sequence[str] = (),
    synonyms: Mapping[str, str] | None = None,
    as_given: bool = False,
) -> Callable[[_Thing], _Thing]:
    """Gives a function the keywords of a `TypedDict`: in its signature, its docstring and its calls.

    Args:
        options: the `TypedDict`. The function has `**options: Unpack[options]`.
        specs: the specifications that have the fields.
        defaults: defaults of this function that differ from those of the fields.
        also: further keywords that are passed on if they are given, but shown nowhere.
        synonyms: what other libraries call an argument, where the spelling alone does not lead to ours.
        as_given: whether to pass on only the keywords that were given; the signature then shows
            `<unchanged>`.

    Returns:
        A decorator. The function is called with every keyword, with its default if it was not given.
    """
    known = keywords(options, *specs)
    usual = {name: keyword.default for name, keyword in known.items()} | dict(defaults or {})

    def decorate(function: _Thing) -> _Thing:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        added = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=UNCHANGED if as_given else usual[name],
                annotation=keyword.annotation,
            )
            for name, keyword in known.items()
        ]
        names = [p.name for p in (*own, *added) if p.name != "self"]

        @functools.wraps(function)
        def call(*args: Any, **given: Any) -> Any:
            unknown = [name for name in given if name not in also]
            check_known(function.__name__, unknown, names, synonyms)
            return function(*args, **given) if as_given else function(*args, **{**usual, **given})

        call.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        call.__doc__ = with_arguments(
            function.__doc__ or "", {name: keyword.sentence for name, keyword in known.items()}
        )
        return call  # type: ignore[return-value]

    return decorate


def with_arguments(docstring: str, rows: Mapping[str, str]) -> str:
    r"""Returns a docstring with further rows at the end of its "Args:", or with an "Args:" of its own.

    >>> with_arguments("Reads.\n\n    Args:\n        path: where.\n", {"size": "how large."})
    'Reads.\n\n    Args:\n        path: where.\n        size: how large.\n'
    """
    if "Args:\n" not in docstring:
        docstring = re.sub(
            r"^( *)(?=(Returns|Raises):$)", r"\1Args:\n\n\1", docstring, count=1, flags=re.M
        )
    found = re.search(
        r"^( *)Args:\n(?:(?:\1 +.*)?\n)*?(?=\n\1\S|\1\S|\s*\Z)", docstring, re.MULTILINE
    )
    if found is None:
        raise ValueError(f"The docstring has no 'Args:'. Received: {docstring[:60]!r}.")
    indent = found.group(1) + "    "
    text = "\n".join(
        textwrap.fill(
            f"{name}: {words}",
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent + "    ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        for name, words in rows.items()
    )
    return f"{docstring[: found.end()].rstrip()}\n{text}\n{docstring[found.end() :]}"


def check_known(
    function: str,
    given: Iterable[str],
    names: Sequence[str],
    synonyms: Mapping[str, str] | None = None,
) -> None:
    """Raises `TypeError` for a keyword that is not known, and names the one that was meant.

    >>> check_known("f", ["batchsize"], ["batch_size", "seed"])
    Traceback (most recent call last):
    TypeError: f() got an unexpected keyword argument 'batchsize'. Did you mean 'batch_size'?
    """
    for name in given:
        if name not in names:
            synonym = (synonyms or {}).get(name)
            meant = f" Did you mean {synonym!r}?" if synonym in names else did_you_mean(name, names)
            raise TypeError(
                f"{function}() got an unexpected keyword argument {name!r}."
                + (meant or f" Allowed: {', '.join(names)}.")
            )


def suggests(thing: _Thing) -> _Thing:
    """Makes the error for a misspelled keyword of a function or a constructor name what was meant.

    >>> @suggests
    ... def double(number):
    ...     return 2 * number
    >>> double(numbr=2)
    Traceback (most recent call last):
    TypeError: double() got an unexpected keyword argument 'numbr'. Did you mean 'number'?
    """
    # Any, because mypy does not let the constructor of a class be read or set.
    changed: Any = thing
    function = changed.__init__ if isinstance(thing, type) else changed
    parameters = inspect.signature(function).parameters
    names = [name for name in parameters if name != "self"]

    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        if given.keys() - parameters.keys():
            check_known(changed.__name__, given, names)
        return function(*args, **given)

    if not isinstance(thing, type):
        return call  # type: ignore[return-value]
    changed.__init__ = call
    return thing
