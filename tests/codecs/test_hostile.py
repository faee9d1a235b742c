"""Nothing that a file holds crashes, hangs or fills the memory of the process that reads it."""

import json
import os
import re
import select
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import hostile
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import tfpipe
from tfpipe.codecs import formats
from tfpipe.fields import image
from tfpipe.sources import listing


class Child:
    """A process that decodes what it is asked to."""

    def __init__(self, log):
        self.log = log
        root = Path(tfpipe.__file__).parent.parent
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, hostile.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"},
            )

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], 600)
        line = self.process.stdout.readline() if ready else ""
        log = Path(self.log).read_text(errors="replace")[-2000:]
        assert line, f"no answer to {request}; exit status {self.process.poll()}: {log}"
        return json.loads(line)


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    child = Child(tmp_path_factory.mktemp("child") / "log")
    yield child
    child.process.kill()
    child.process.communicate()


@pytest.fixture(scope="module")
def names():
    """Of the damaged files, in the order in which the child decodes them."""
    files = hostile.sound()
    return [*hostile.damaged(files), *hostile.oversized(files)]


@pytest.mark.slow
def test_every_damage_to_every_format(child, names):
    answer = child.ask(every=True)
    assert answer["seconds"] < 10
    assert answer["MiB"] < 2048
    words = dict(zip(names, answer["words"], strict=True))
    assert all(words[name] == "the file is empty" for name in names if name.startswith("empty."))
    short = [name for name in names if name.startswith(("10.", "50."))]
    # The first frame of the GIF ends before the half of the file.
    assert [name for name in short if words[name] is None] == ["50.gif"]
    large = [name for name in names if name.startswith(("big.", "screen.", "frame."))]
    assert [name for name in large if words[name] is None] == []
    sizes = ["big.jpg", "big.png", "big.bmp", "screen.gif", "big.webp", "big.tif", "big.dcm"]
    for name in sizes:
        assert "60000 x 60000" in words[name] or "exceeds limit" in words[name], words[name]


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_random_damage(child, seed):
    """60 times 50 files: random bytes, and random changes to real files of each format."""
    answer = child.ask(seed=seed, count=50)
    assert len(answer["words"]) == 50
    assert answer["seconds"] < 10
    assert answer["MiB"] < 2048


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """200 sound files, the grey of each and its label being its number."""
    top = tmp_path_factory.mktemp("good")
    for number in range(200):
        Image.fromarray(np.full([4, 4], number, np.uint8)).save(top / f"{number:03}.png")
    return top


def make_irregular(path, kind):
    """What is no regular file, at a path."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        target = {"dangling": "nothing", "loop": path.name, "zero": "/dev/zero"}[kind]
        path.symlink_to(target)


IRREGULAR = ("fifo", "folder", "dangling", "loop", "zero")


def read_in_python(suffix):
    """Whether Pillow or pydicom reads a format under every release of TensorFlow."""
    return not any(library.in_graph for library in formats.of_suffix(suffix).readers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "suffix",
    [
        pytest.param(suffix, marks=[pytest.mark.one_profile] * read_in_python(suffix))
        for suffix in hostile.sound()
    ],
)
def test_one_bad_file_among_200(suffix, good, tmp_path):
    """Policy "raise" names it; "skip" gives the 200 others with their labels, and reports it alone."""
    files = hostile.sound()
    contents = hostile.damaged(files) | hostile.oversized(files)
    names = [name for name in contents if name.endswith(f".{suffix}")]
    names += [f"{kind}.{suffix}" for kind in IRREGULAR]
    readable = []
    for name in names:
        path = tmp_path / name
        if name in contents:
            path.write_bytes(contents[name])
        else:
            make_irregular(path, name.partition(".")[0])
        paths = [str(good / f"{number:03}.png") for number in range(200)]
        frame = pd.DataFrame({"filename": paths, "class": np.arange(200.0)})
        frame = pd.concat(
            [frame[:100], pd.DataFrame({"filename": [str(path)], "class": [-1.0]}), frame[100:]]
        )
        options = {
            "target_size": (4, 4),
            "color_mode": "grayscale",
            "class_mode": "raw",
            "validate_filenames": False,
            "seed": 1,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flow = tfpipe.ImageDataGenerator().flow_from_dataframe(
                frame, on_error="skip", **options
            )
            batches = [(x.numpy(), y.numpy()) for x, y in flow.take(-1)]
            images, labels = map(np.concatenate, zip(*batches, strict=True))
            if not flow.skipped:
                assert sorted(labels) == [-1, *range(200)]
                readable.append(name)
                continue
            assert [found for found, _ in flow.skipped] == [str(path)]
            assert sorted(labels) == list(range(200))
            np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
            flow = tfpipe.ImageDataGenerator().flow_from_dataframe(frame, **options)
            with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(str(path))):
                list(flow.take(-1))
    # Some changed bits, the last bytes, frames behind the first and the suffix need not matter.
    rest = [
        n for n in readable if not n.startswith(("flipped", "really-", "99.", "90.", "frames."))
    ]
    assert rest == (["50.gif"] if suffix == "gif" else [])


@pytest.fixture(scope="module")
def irregular(tmp_path_factory, picture):
    """A class folder of two sound files and of everything that is no regular file."""
    top = tmp_path_factory.mktemp("irregular")
    folder = top / "a"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(picture(9, 13, seed=number)).save(folder / f"{number}.jpg")
    os.mkfifo(folder / "fifo.jpg")
    (folder / "dangling.jpg").symlink_to("nothing")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "device.png").symlink_to("/dev/null")
    (folder / "full.png").symlink_to("/dev/full")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.jpg"))
    return top


BAD = ["fifo.jpg", "dangling.jpg", "loop.jpg", "zero.jpg", "device.png", "full.png", "socket.jpg"]
OPTIONS = {"target_size": (6, 8), "class_mode": None, "shuffle": False}


class TestIrregular:
    def test_directory(self, irregular):
        with pytest.warns(UserWarning, match="cannot be read as files") as caught:
            flow = tfpipe.ImageDataGenerator().flow_from_directory(irregular, **OPTIONS)
        assert flow.filenames == ["a/0.jpg", "a/1.jpg"]
        assert len(flow[0]) == 2
        (said,) = [str(w.message) for w in caught]
        assert "Left out 7 file(s)" in said
        assert "'dangling.jpg'" in said

    def test_validated_dataframe(self, irregular, tmp_path):
        (irregular / "folder.jpg").mkdir(exist_ok=True)
        names = ["a/0.jpg", *(f"a/{name}" for name in BAD), "folder.jpg", "a/1.jpg"]
        frame = pd.DataFrame({"filename": names})
        with pytest.warns(UserWarning, match="Found 8 invalid image filename"):
            flow = tfpipe.ImageDataGenerator().flow_from_dataframe(frame, irregular, **OPTIONS)
        assert flow.filenames == ["a/0.jpg", "a/1.jpg"]

    @pytest.mark.parametrize("bad", ["fifo.jpg", "dangling.jpg", "loop.jpg", "zero.jpg"])
    def test_not_validated_dataframe_names_it(self, irregular, bad):
        frame = pd.DataFrame({"filename": ["a/0.jpg", f"a/{bad}", "a/1.jpg"]})
        flow = tfpipe.ImageDataGenerator().flow_from_dataframe(
            frame, irregular, validate_filenames=False, **OPTIONS
        )
        words = {"fifo.jpg": "a FIFO", "zero.jpg": "a device"}.get(bad, "it is a link")
        with pytest.raises(tf.errors.OpError, match=f"{bad}': .*{words}"):
            list(flow.take(-1))

    @pytest.mark.slow
    def test_skipped(self, irregular):
        (irregular / "folder.jpg").mkdir(exist_ok=True)
        bad = [f"a/{name}" for name in BAD] + ["folder.jpg"]
        frame = pd.DataFrame({"filename": ["a/0.jpg", *bad, "a/1.jpg"]})
        flow = tfpipe.ImageDataGenerator().flow_from_dataframe(
            frame, irregular, validate_filenames=False, on_error="skip", **OPTIONS
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images = np.concatenate([batch.numpy() for batch in flow.take(-1)])
        assert len(images) == 2
        assert {Path(path).name for path, _ in flow.skipped} == {*BAD, "folder.jpg"}

    def test_explained(self, irregular):
        (irregular / "folder.jpg").mkdir(exist_ok=True)
        for name in BAD:
            assert image.explain(irregular / "a" / name) == listing.refusal(
                str(irregular / "a" / name)
            )
        assert image.explain(irregular / "folder.jpg") == "it is a folder, not a regular file"
        assert image.explain(irregular / "none.jpg") == "there is no such file"
        assert image.explain(irregular / "a/0.jpg") is None


@pytest.mark.slow
def test_names(tmp_path, picture):
    """Not UTF-8, with a newline, of 255 bytes."""
    folder = os.fsencode(tmp_path / "a")
    os.mkdir(folder)
    names = [b"\xff\xfe.png", b"two\nlines.png", b"n" * 251 + b".png", b"' \".png"]
    for number, name in enumerate(names):
        Image.fromarray(picture(6, 8, seed=number)).save(tmp_path / "x.png")
        os.rename(tmp_path / "x.png", os.path.join(folder, name))
    flow = tfpipe.ImageDataGenerator().flow_from_directory(tmp_path, **OPTIONS)
    images = dict(zip(map(os.fsencode, flow.filenames), flow[0], strict=True))
    for number, name in enumerate(names):
        np.testing.assert_array_equal(images[b"a/" + name], picture(6, 8, seed=number))
    # The strings of pandas 3 are Arrow's, which hold nothing but UTF-8; objects hold any name.
    frame = pd.DataFrame({"filename": pd.Series(flow.filenames, dtype=object)})
    again = tfpipe.ImageDataGenerator().flow_from_dataframe(frame, tmp_path, **OPTIONS)
    np.testing.assert_array_equal(again[0], flow[0])
