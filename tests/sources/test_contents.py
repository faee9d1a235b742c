"""Which images have equal contents, and what is read to know it."""

import numpy as np
import pytest

import tfpipe
from tfpipe.sources import contents
from tfpipe.sources.contents import content_ids
from tfpipe.sources.source import Arrays, Files

pytestmark = pytest.mark.one_profile


class TestFiles:
    def test_only_files_of_equal_size_are_read(self, tmp_path, monkeypatch):
        written = {"a": b"one", "b": b"two", "c": b"longer", "d": b"one", "e": b"", "f": b""}
        for name, content in written.items():
            (tmp_path / name).write_bytes(content)
        read = []
        digest = contents.digest_of
        monkeypatch.setattr(
            contents, "digest_of", lambda path: read.append(path[-1]) or digest(path)
        )
        ids = content_ids(Files(str(tmp_path), [*written, "gone", "c"])).tolist()
        assert sorted(read) == ["a", "b", "d"]
        assert ids == [0, 1, 2, 0, 3, 4, 5, 2]

    def test_what_must_not_be_opened_is_not(self, tmp_path):
        for name in "ab":
            (tmp_path / name).write_bytes(b"one")
        files = Files(str(tmp_path), ["a", "b"], {"b": "it is a FIFO"})
        assert content_ids(files).tolist() == [0, 1]


def test_arrays():
    images = np.arange(24).reshape(3, 2, 2, 2)[[0, 1, 0, 2]]
    assert content_ids(Arrays(images)).tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("encoding", ["raw", "png"])
def test_records(tmp_path, write, picture, encoding):
    for number, seed in enumerate([1, 2, 1, 3]):
        write(tmp_path / f"photos/{number}.png", picture(6, 8, seed=seed))
    options = {"labels": None, "image_size": (6, 8), "verbose": False, "shuffle": False}
    dataset = tfpipe.image_dataset_from_directory(tmp_path / "photos", **options)
    tfpipe.pack(dataset, tmp_path / "packed", encoding=encoding, samples_per_shard=2)
    packed = tfpipe.image_dataset_from_shards(tmp_path / "packed", shuffle=False, verbose=False)
    names = packed.source.images.names
    ids = content_ids(packed.source.images)
    assert {(a, b) for a in names for b in names if ids[names.index(a)] == ids[names.index(b)]} == {
        *((name, name) for name in names),
        ("0.png", "2.png"),
        ("2.png", "0.png"),
    }
