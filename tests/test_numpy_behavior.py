"""Every number is the same after TensorFlow's switch to NumPy behavior, whenever it is called."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

SCRIPT = Path(__file__).parent / "numpy_behavior.py"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """results(switch, when, quick): what a process of its own read."""
    known = {}

    def run(switch, when="before", *, quick):
        if (switch, when, quick) not in known:
            path = tmp_path_factory.mktemp("results") / "results.pickle"
            arguments = [path, switch, when, *["--quick"] * quick]
            environment = os.environ | {"PYTHONPATH": str(SCRIPT.parent.parent)}
            done = subprocess.run(
                [sys.executable, SCRIPT, *map(str, arguments)],
                env=environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr[-3000:]
            known[switch, when, quick] = pickle.loads(path.read_bytes())
        return known[switch, when, quick]

    return run


def differences(one, other, place):
    """Lists the places where two results are not the same, bit for bit."""
    if type(one) is not type(other):
        return [f"{place}: {other!r}"]
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        parts = [(one[name], other[name], f"{place}.{name}") for name in one]
    elif isinstance(one, list | tuple):
        if len(one) != len(other):
            return [f"{place}: {len(other)} of {len(one)}"]
        parts = [(*pair, f"{place}[{i}]") for i, pair in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape
        same = same and (one.tolist() if one.dtype == object else one.tobytes()) == (
            other.tolist() if one.dtype == object else other.tobytes()
        )
        return [] if same else [f"{place}: {other.dtype} {other.shape}"]
    else:
        return [] if one == other else [f"{place}: {other!r}"]
    return [line for part in parts for line in differences(*part)]


def check(results, switch, when, *, quick):
    plain = results("never", quick=quick)
    assert [name for name, value in plain.items() if isinstance(value, str)] == []  # errors
    switched = results(switch, when, quick=quick)
    assert differences(plain, switched, "") == []


@pytest.mark.slow
def test_at_a_glance(results):
    check(results, "legacy", "before", quick=True)


@pytest.mark.slow
@pytest.mark.one_profile
@pytest.mark.parametrize(("switch", "when"), [("prefer_float32", "after"), ("off", "before")])
def test_at_a_glance_by_other_switches(results, switch, when):
    check(results, switch, when, quick=True)


@pytest.mark.slow
def test_everything_is_the_same(results):
    check(results, "legacy", "before", quick=False)


REFUSED = """
import sys
import numpy as np, tensorflow as tf, tfpipe
make = tfpipe.ImageDataGenerator().flow
dataset = make(np.zeros([3, 4, 5, 1]))
tf.experimental.numpy.experimental_enable_numpy_behavior(dtype_conversion_mode=sys.argv[1])
for function in (lambda: make(np.zeros([3, 4, 5, 1])), lambda: dataset.take(1)):
    try:
        function()
    except RuntimeError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["safe", "all"])
def test_modes_in_which_tensorflow_fails_are_refused(mode):
    run = [sys.executable, "-W", "ignore", "-c", REFUSED, mode]
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parent.parent)}
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    message = "dtype_conversion_mode of TensorFlow's NumPy behavior must be 'legacy'"
    assert [line[: len(message)] for line in done.stdout.splitlines()] == [message] * 2, done.stderr


class TestDifferences:
    def test_are_found(self):
        value = {"a": [np.zeros(2, np.float32), "x"], "b": (1, np.array([b"y"], object))}
        assert differences(value, value, "") == []
        other = {"a": [np.zeros(2), "x"], "b": (2, np.array([b"z"], object))}
        assert len(differences(value, other, "")) == 3


def test_the_switch_is_not_called_here():
    """A process that had called it would prove nothing."""
    with pytest.raises((TypeError, tf.errors.InvalidArgumentError)):
        tf.constant(1) + tf.constant(1.0)
