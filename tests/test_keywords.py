"""Keywords that are written once: signature, docstring and errors follow from a field."""

import inspect
from dataclasses import dataclass, field
from typing import TypedDict

import pytest

from tfpipe.keywords import (
    UNCHANGED,
    check_known,
    keywords,
    routed,
    sentences,
    suggests,
    takes,
    with_arguments,
)

pytestmark = pytest.mark.one_profile


@dataclass(frozen=True)
class Crop:
    """How an image is cropped.

    Attributes:
        top: first row,
            counted from 0.
        height: rows that are kept.
    """

    top: int = 0
    height: int = 7


@dataclass(frozen=True)
class Color:
    """How an image is colored.

    Attributes:
        names: of the channels.
    """

    names: list = field(default_factory=list)
    secret: int = 1


class Options(TypedDict, total=False):
    height: int
    top: int


class Unknown(TypedDict):
    width: int


class Undocumented(TypedDict):
    secret: int


@takes(Options, Crop, Color, defaults={"height": 9})
def read(path, *, fast=False, **options):
    """Reads an image.

    Args:
        path: of a file.
        fast: whether to hurry.

    Returns:
        what was given.
    """
    return path, fast, options


class TestTakes:
    def test_signature_shows_every_keyword_with_its_default(self):
        assert str(inspect.signature(read)) == (
            "(path, *, fast=False, height: int = 9, top: int = 0)"
        )

    def test_docstring_has_their_sentences_in_the_order_of_the_list(self):
        assert (
            "        fast: whether to hurry.\n        height: rows that are kept.\n"
            "        top: first row, counted from 0.\n\n    Returns:" in read.__doc__
        )

    def test_the_function_is_given_all_of_them(self):
        assert read("x", top=3) == ("x", False, {"height": 9, "top": 3})

    def test_as_given_hands_on_what_was_given_alone(self):
        @takes(Options, Crop, as_given=True)
        def change(**options):
            """Changes.

            Raises:
                ValueError: never.
            """
            return options

        assert change(top=1) == {"top": 1}
        assert inspect.signature(change).parameters["top"].default is UNCHANGED
        assert "Args:\n                height: rows that are kept." in change.__doc__
        assert change.__doc__.index("Args:") < change.__doc__.index("Raises:")

    def test_also_is_handed_on_and_not_shown(self):
        @takes(Options, Crop, also=("old",))
        def call(**options):
            """Calls.

            Args:
                nothing: at all.
            """
            return options

        assert call(old=1) == {"height": 7, "top": 0, "old": 1}
        assert "old" not in inspect.signature(call).parameters

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                "hight",
                r"read\(\) got an unexpected keyword argument 'hight'. Did you mean 'height'\?",
            ),
            ("zzz", "'zzz'. Allowed: path, fast, height, top."),
        ],
    )
    def test_rejects_a_misspelled_one(self, given, message):
        with pytest.raises(TypeError, match=message):
            read("x", **{given: 1})

    def test_rejects_a_list_that_no_specification_stands_behind(self):
        with pytest.raises(TypeError, match="width must be a field of one of"):
            keywords(Unknown, Crop, Color)
        with pytest.raises(TypeError, match="height must be a field of one of"):
            keywords(Options, Crop, Crop)
        with pytest.raises(TypeError, match="Color must say what secret is"):
            keywords(Undocumented, Color)


class TestParts:
    def test_sentences(self):
        assert sentences(Crop) == {
            "top": "first row, counted from 0.",
            "height": "rows that are kept.",
        }
        assert sentences(int) == {}

    def test_routed(self):
        assert routed({"top": 1, "names": []}, Crop, Color) == {
            Crop: {"top": 1},
            Color: {"names": []},
        }

    def test_arguments_at_the_end_of_a_docstring(self):
        assert with_arguments("A.\n\n    Args:\n        a: one.\n", {"b": "two."}) == (
            "A.\n\n    Args:\n        a: one.\n        b: two.\n"
        )
        with pytest.raises(ValueError, match="no 'Args:'"):
            with_arguments("A.", {"b": "two."})

    @pytest.mark.parametrize(
        ("given", "names", "meant"),
        [
            ("batchsize", ["batch_size"], "batch_size"),
            ("n_splits", ["k"], "k"),
            ("img_size", ["image_size"], "image_size"),
        ],
    )
    def test_what_was_meant(self, given, names, meant):
        with pytest.raises(TypeError, match=rf"Did you mean '{meant}'\?"):
            check_known("f", [given], names, {"n_splits": "k"})

    def test_self_is_not_offered(self):
        class Door:
            @takes(Options, Crop)
            def open(self, **options):
                """Opens.

                Args:
                    nothing: at all.
                """

        with pytest.raises(TypeError, match="'zzz'. Allowed: height, top."):
            Door().open(zzz=1)

    def test_suggests_keeps_the_signature(self):
        @suggests
        @dataclass(frozen=True)
        class Point:
            row: int
            column: int = 2

        assert str(inspect.signature(Point)) in (
            "(row: int, column: int = 2) -> None",
            "(row: 'int', column: 'int' = 2) -> None",
        )
        assert Point(1) == Point(row=1, column=2)
        with pytest.raises(TypeError, match=r"Point\(\) got .* 'colum'. Did you mean 'column'\?"):
            Point(1, colum=2)
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            Point()
