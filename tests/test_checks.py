"""The form of the error messages."""

import re
from fractions import Fraction

import numpy as np
import pytest

from tfpipe import checks

pytestmark = pytest.mark.one_profile


def message_of(check, *args, **options):
    with pytest.raises(ValueError, match="Received") as caught:
        check(*args, **options)
    return str(caught.value)


class TestOneOf:
    def test_accepts(self):
        checks.check_one_of("mode", "b", ("a", "b", None))
        checks.check_one_of("mode", None, ("a", "b", None))

    def test_message(self):
        text = message_of(checks.check_one_of, "mode", "Blu", ("blue", "red", None))
        assert text == (
            "mode must be one of 'blue', 'red', None. Received: mode='Blu'. Did you mean 'blue'?"
        )

    @pytest.mark.parametrize("value", [True, 1.0, np.array([1, 2]), [1], "zzz"])
    def test_rejects_what_only_looks_equal(self, value):
        text = message_of(checks.check_one_of, "n", value, (1, 2))
        assert text == f"n must be one of 1, 2. Received: n={value!r}."


class TestBool:
    @pytest.mark.parametrize("value", [True, False, 0, 1, np.True_, np.bool_(0), np.int64(1)])
    def test_accepts(self, value):
        checks.check_bool("flag", value)

    @pytest.mark.parametrize("value", [2, -1, 1.0, "yes", None, [True], np.array([True, False])])
    def test_rejects(self, value):
        text = message_of(checks.check_bool, "flag", value)
        assert text == f"flag must be True or False. Received: flag={value!r}."


class TestInt:
    @pytest.mark.parametrize("value", [1, 7, np.int32(3), 10**30])
    def test_accepts(self, value):
        checks.check_int("size", value, 1)

    @pytest.mark.parametrize("value", [0, -3, 1.0, True, "2", None, np.float32(2)])
    def test_rejects(self, value):
        text = message_of(checks.check_int, "size", value, 1)
        assert text == f"size must be an int >= 1. Received: size={value!r}."


class TestNumber:
    @pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.25), np.int8(1), Fraction(1, 3)])
    def test_accepts(self, value):
        checks.check_number("share", value, 0, 1)

    @pytest.mark.parametrize(
        "value", [-0.1, 1.1, float("nan"), float("inf"), True, "0.5", None, 1j, np.array(0.5)]
    )
    def test_rejects(self, value):
        text = message_of(checks.check_number, "share", value, 0, 1)
        assert text == f"share must be a number >= 0 and <= 1. Received: share={value!r}."

    def test_names_only_the_bounds_there_are(self):
        assert "a number. " in message_of(checks.check_number, "x", "a")
        assert "a number >= 2. " in message_of(checks.check_number, "x", 1, 2)
        assert "a number <= 0.5. " in message_of(checks.check_number, "x", 1, maximum=0.5)


class TestSize:
    @pytest.mark.parametrize("value", [(4, 6), [4, 6], np.array([4, 6])])
    def test_values(self, value):
        assert checks.check_size("size", value) == (4, 6)
        assert [type(v) for v in checks.check_size("size", value)] == [int, int]

    @pytest.mark.parametrize("value", [4, (4,), (4, 6, 3), (4, 0), (4.0, 6), "46", None, (True, 6)])
    def test_rejects(self, value):
        text = message_of(checks.check_size, "size", value)
        assert text == f"size must be (height, width), two ints >= 1. Received: size={value!r}."


class TestWords:
    def test_did_you_mean(self):
        assert checks.did_you_mean("grey_scale", ["rgb", "grayscale"]) == (
            " Did you mean 'grayscale'?"
        )
        assert checks.did_you_mean("xyz", ["rgb", "grayscale"]) == ""
        assert checks.did_you_mean(3, ["rgb", None, 3]) == ""

    def test_head(self):
        assert checks.head(["a"]) == "'a'"
        assert checks.head([]) == ""
        assert checks.head(list(range(7))) == "0, 1, 2, 3, 4, ... (2 more)"

    def test_names(self):
        checks.check_names("classes", ["a"])
        checks.check_names("classes", None)
        with pytest.raises(ValueError, match=re.escape("Received: classes='ab'. Pass ['ab'].")):
            checks.check_names("classes", "ab")


class TestWarn:
    def test_a_neighbour_of_like_name_is_the_user_s(self):
        neighbour = f"{checks.__file__.removesuffix('/checks.py')}_models/train.py"
        code = compile("warn('look')", neighbour, "exec")
        with pytest.warns(UserWarning, match="look") as caught:
            exec(code, {"warn": checks.warn})
        assert caught[0].filename == neighbour
