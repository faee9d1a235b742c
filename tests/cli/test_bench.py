"""`tfpipe bench`, as a process, and the clock under it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tfpipe
from tfpipe.cli import speed
from tfpipe.cli.bench import _loaders

pytestmark = pytest.mark.one_profile


def bench(*arguments):
    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # a user's terminal has none
    return subprocess.run(
        [sys.executable, "-m", "tfpipe", "bench", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


class TestCommand:
    @pytest.mark.slow
    def test_measures_all_three_and_prints_json_alone(self, animals):
        done = bench(animals, "--image-size", "8", "--images", "10", "--rounds", "1", "--json")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        found = json.loads(done.stdout)
        assert (found["images"], found["rounds"], found["augment"]) == (10, 1, False)
        assert list(found["rates"]) == ["tfpipe", "classic", "keras"]
        assert all(rate > 0 for rate in found["rates"].values()), found

    @pytest.mark.parametrize(
        ("batch_size", "images", "count", "batches"),
        [(4, 14, 12, 3), (4, 1000, 14, 4), (32, 10, 10, 1), (32, 1000, 14, 1)],
    )
    def test_counts_what_is_read(self, animals, monkeypatch, batch_size, images, count, batches):
        monkeypatch.setattr(speed, "classic_generator", lambda: None)
        read = []
        monkeypatch.setattr(speed, "read_all", lambda part: read.extend(len(x) for x, _ in part))
        loaders, found = _loaders(str(animals), (8, 9), batch_size, images, augment=True)
        loaders["tfpipe"]()
        assert (found, sum(read), len(read)) == (count, count, batches)

    @pytest.mark.parametrize(
        ("arguments", "message", "status"),
        [(["nowhere"], "No such directory: 'nowhere'", 1), ([".", "--rounds", "0"], "x>=1", 2)],
    )
    def test_rejects(self, tmp_path, arguments, message, status):
        done = bench(*arguments)
        assert done.returncode == status, done.stderr
        assert message in done.stderr, done.stderr

    def test_a_folder_without_images(self, tmp_path):
        (tmp_path / "a").mkdir()
        done = bench(tmp_path)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout
        assert "No images found in" in done.stderr


class TestClock:
    def test_loaders_take_turns(self):
        order, steps = [], []
        loaders = {name: lambda name=name: order.append(name) for name in "ab"}
        rates = speed.images_per_second(loaders, 10, 2, lambda: steps.append(1))
        assert order == ["a", "b"] * 3
        assert len(steps) == 6
        assert list(rates) == ["a", "b"]

    def test_the_classic_begins_each_epoch_anew(self, animals, classic):
        flow = speed.classic_batches(classic, str(animals), batch_size=4, shuffle=False)
        speed.read_all_classic(flow, 3)
        speed.read_all_classic(flow, 2)
        assert flow.batch_index == 2
