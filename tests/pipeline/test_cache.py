"""Decoded images that are kept: the second epoch reads no file, and is the same as without a cache."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tfpipe import ImageDataGenerator, ImageDataset
from tfpipe.codecs import formats
from tfpipe.pipeline.cache import check_cache, description_of_files, in_directory, in_memory


@pytest.fixture
def folder(tmp_path, animals):
    shutil.copytree(animals, tmp_path / "animals")
    return tmp_path / "animals"


def flow(folder, **changes):
    generator = ImageDataGenerator(rotation_range=20)
    dataset = generator.flow_from_directory(folder, target_size=(6, 8), batch_size=4, seed=5)
    return ImageDataset(dataset.source, replace(dataset.spec, **changes))


def as_bytes(dataset):
    return [(x.numpy().tobytes(), y.numpy().tobytes()) for x, y in dataset]


class TestDatasets:
    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["memory", "directory"])
    def test_epochs_are_those_without_a_cache_and_files_are_read_once(self, folder, kind, tmp_path):
        plain = flow(folder)
        expected = [as_bytes(plain) for _ in range(2)]
        cached = flow(folder, cache="memory" if kind == "memory" else str(tmp_path / "cache"))
        assert as_bytes(cached) == expected[0]
        shutil.rmtree(folder)
        assert as_bytes(cached) == expected[1]

    @pytest.mark.slow
    def test_a_directory_serves_other_processes(self, folder, tmp_path):
        expected = as_bytes(flow(folder))
        list(flow(folder, cache=str(tmp_path / "cache")))
        another = flow(folder, cache=str(tmp_path / "cache"))
        for path in folder.rglob("*.png"):
            path.write_bytes(b"no more")
        assert as_bytes(another) == expected

    @pytest.mark.slow
    def test_a_changed_file_is_not_served_from_a_directory(self, folder, tmp_path, write, picture):
        list(flow(folder, cache=str(tmp_path / "cache")))
        write(folder / "cat" / "0.png", picture(9, 14, seed=77))
        assert as_bytes(flow(folder, cache=str(tmp_path / "cache"))) == as_bytes(flow(folder))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "other"), [("__version__", "9.9"), ("library_of", lambda known: formats.PILLOW)]
    )
    def test_what_another_reader_read_is_not_served(
        self, folder, tmp_path, monkeypatch, name, other
    ):
        list(flow(folder, cache=str(tmp_path / "cache")))
        before = formats.description_of_libraries(frozenset({"png"}))
        with monkeypatch.context() as patch:
            patch.setattr(formats, name, other)
            described = formats.description_of_libraries(frozenset({"png"}))
        assert described != before
        monkeypatch.setattr(formats, "description_of_libraries", lambda suffixes: described)
        list(flow(folder, cache=str(tmp_path / "cache")))
        assert len(list((tmp_path / "cache").iterdir())) == 2

    def test_a_part_of_a_file_is_made_anew(self, folder, tmp_path):
        list(flow(folder, cache=str(tmp_path / "cache")))
        kept = sorted((tmp_path / "cache").rglob("*.raw"))
        assert len(kept) == 14
        kept[3].write_bytes(kept[3].read_bytes()[:50])
        assert as_bytes(flow(folder, cache=str(tmp_path / "cache"))) == as_bytes(flow(folder))

    def test_a_bad_file_is_an_error_each_time(self, folder):
        (folder / "cat" / "0.png").write_bytes(b"")
        dataset = flow(folder, cache="memory")
        for _ in range(2):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"cat/0\.png"):
                list(dataset)

    def test_a_directory_that_cannot_be_is_refused(self, folder, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(ValueError, match="cache must be .*that can be written to"):
            flow(folder, cache=str(tmp_path / "file" / "cache"))

    def test_what_cannot_be_kept_is_not_called_damaged(self, folder, tmp_path):
        dataset = flow(folder, cache=str(tmp_path / "cache"))
        (top,) = (tmp_path / "cache").iterdir()
        top.rmdir()
        top.write_bytes(b"")
        with pytest.raises(tf.errors.InvalidArgumentError, match="it can be read, but not kept"):
            list(dataset)

    def test_a_service_is_refused(self, folder):
        with pytest.raises(ValueError, match="needs cache=None"):
            flow(folder, cache="memory").distribute(service="grpc://localhost:1")


class TestLoads:
    SPECS = {
        "image": tf.TensorSpec([2, 3, 1], tf.float32),
        "mask": tf.TensorSpec([2, 3, 1], tf.int32),
    }

    @pytest.mark.parametrize("kind", ["memory", "directory"])
    def test_pixels_of_several_dtypes(self, kind, tmp_path):
        calls = tf.Variable(0)

        def load(index):
            calls.assign_add(1)
            image = tf.fill([2, 3, 1], tf.cast(index, tf.float32) + 0.25)
            return {"image": image, "mask": tf.fill([2, 3, 1], -tf.cast(index, tf.int32))}

        if kind == "memory":
            cached = in_memory(load, self.SPECS, 4)
        else:
            cached = in_directory(load, self.SPECS, str(tmp_path), "numbers")
        for _ in range(2):
            for index in (0, 3):
                sample = cached(tf.constant(index, tf.int64))
                image, mask = (
                    index + np.full([2, 3, 1], 0.25, "float32"),
                    np.full([2, 3, 1], -index),
                )
                np.testing.assert_array_equal(sample["image"], image)
                np.testing.assert_array_equal(sample["mask"], mask)
        assert int(calls) == 2

    def test_more_than_the_memory_is_refused(self):
        with pytest.raises(ValueError, match=r"cache='memory' would take .* GiB, but this machine"):
            in_memory(lambda index: {}, self.SPECS, 10**12)

    @pytest.mark.parametrize("cache", [True, "", 3])
    def test_rejects(self, cache):
        with pytest.raises(ValueError, match="cache must be None, 'memory' or the path"):
            check_cache(cache)

    def test_a_description_knows_of_changes(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(b"1")
        before = description_of_files([str(path)])
        assert description_of_files([str(path)]) == before
        path.write_bytes(b"12")
        assert description_of_files([str(path)]) != before
        assert description_of_files([str(path), "nothing/there"]) != description_of_files(
            [str(path)]
        )
