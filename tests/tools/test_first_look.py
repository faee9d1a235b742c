"""What commands can tell without TensorFlow: wrong paths, wrong columns, packed sets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tfpipe
from tfpipe.tools import first_look

pytestmark = pytest.mark.one_profile


@pytest.fixture(scope="module")
def place(tmp_path_factory, write):
    """A working directory with photos/, packed/, empty/, notes.txt, labels.csv and labels.parquet."""
    top = tmp_path_factory.mktemp("place")
    for name in ("cat/1", "cat/2", "dog/1"):
        write(top / "photos" / f"{name}.png")
    photos = tfpipe.image_dataset_from_directory(top / "photos", image_size=(4, 6), verbose=False)
    tfpipe.pack(photos, top / "packed", verbose=False)
    (top / "empty" / "deep").mkdir(parents=True)
    (top / "notes.txt").write_text("no image")
    frame = pd.DataFrame({"path": ["cat/1.png"], "kind": ["cat"]})
    frame.to_csv(top / "labels.csv", index=False)
    frame.to_parquet(top / "labels.parquet")
    return top


# Arguments, the exit status, and what is said.
WITHOUT_TENSORFLOW = [
    ("formats --help", 0, "tfpipe formats --json"),
    ("summary packed", 0, "packed: packed images, 3 images, 4x6 rgb, raw"),
    ("summary empty", 1, "No images found in 'empty'"),
    ("summary labels.csv --x-col path --y-col kind --directory photos", 0, "1 image files"),
    ("summary nope", 1, "No such directory: 'nope'"),
    ("check nope", 1, "No such directory: 'nope'"),
    ("check notes.txt", 1, "Not a directory: 'notes.txt'"),
    ("check packed", 1, "'packed' holds packed images (3 images"),
    ("check labels.csv", 1, "x_col='filename' is not a column of the dataframe"),
    ("check labels.parquet --x-col pth", 1, "Did you mean 'path'?"),
    ("check labels.csv --x-col path --directory nope", 1, "where the relative paths of"),
    ("preview nope", 1, "No such directory: 'nope'"),
    ("preview empty", 1, "No images found in 'empty'"),
    ("preview photos -o nope/grid.png", 1, "No such directory: 'nope'. The picture"),
    ("preview photos -o grid.foo", 1, "The suffix of the picture must be one of"),
    ("preview photos --augment rotation=20", 1, "Did you mean 'rotation_range'?"),
    ("preview photos --augment rotation_range=-1", 1, "rotation_range must be"),
    ("pack nope there", 1, "No such directory: 'nope'"),
    ("pack photos photos", 1, "The shards cannot go to 'photos', which is inside 'photos'"),
    ("pack photos photos/new/packed", 1, "Choose a folder beside it."),
    ("pack photos notes.txt", 1, "Not a directory: 'notes.txt'"),
    ("pack photos there --masks nope", 1, "No such directory: 'nope'"),
    ("pack photos there --labels", 2, "--labels needs --masks or --mask-col"),
    ("pack labels.csv there --x-col path", 1, "y_col='class' is not a column"),
    ("bench nope", 1, "No such directory: 'nope'"),
]


@pytest.mark.slow
def test_wrong_paths_and_options_never_import_tensorflow(place):
    """All in one process, whose TensorFlow cannot be imported."""
    script = """if True:
        import json, sys
        sys.modules["tensorflow"] = None
        from click.testing import CliRunner
        from tfpipe.cli import cli
        for line in sys.stdin.read().splitlines():
            result = CliRunner().invoke(cli, line.split())
            print(json.dumps([result.exit_code, result.output]))
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join(line for line, _, _ in WITHOUT_TENSORFLOW),
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(tfpipe.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for (line, status, expected), (code, output) in zip(WITHOUT_TENSORFLOW, answers, strict=True):
        assert code == status, (line, output)
        assert expected in output, (line, output)
    assert not (place / "there").exists()


class TestPackedSet:
    def test_says_what_it_is(self, place, monkeypatch):
        monkeypatch.chdir(place)
        found = first_look.packed_set("packed")
        assert (found.images, found.size, found.classes) == (3, (4, 6), ["cat", "dog"])
        assert found.splits == {"all": 3}
        assert str(found) == "3 images, 4x6 rgb, raw; 1 shard(s); 2 classes"
        assert found.remedy == "Read it with tfpipe.image_dataset_from_shards('packed')."

    @pytest.mark.parametrize("name", ["photos", "empty", "nope", "notes.txt", "gs://bucket/packed"])
    def test_others_are_none(self, place, name):
        assert first_look.packed_set(name if "://" in name else str(place / name)) is None

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"fields": {}}', "\0"])
    def test_of_another_index(self, tmp_path, text):
        (tmp_path / "index.json").write_text(text)
        np.savez(tmp_path / "columns.npz", split=[0])
        assert first_look.packed_set(str(tmp_path)) is None


class TestCheckSource:
    def test_what_is_there(self, place):
        first_look.check_source(str(place / "photos"))
        first_look.check_source(str(place / "empty"), needs_images=False)
        first_look.check_source("gs://bucket/photos")
        for suffix in ("csv", "parquet"):
            columns = {"x_col": "path", "y_col": None, "mask_col": ["kind"]}
            first_look.check_source(str(place / f"labels.{suffix}"), str(place), columns)
        first_look.check_destination(str(place / "photos"), str(place / "photos2"))
        first_look.check_destination(str(place / "labels.csv"), str(place / "shards"))
