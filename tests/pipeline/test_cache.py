"""Decoded images that are kept: the second epoch reads no file, and is the same as without a cache."""

import ast
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tfpipe import ImageDataGenerator, ImageDataset
from tfpipe.codecs import formats
from tfpipe.pipeline.bad_files import ErrorPolicy
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

    @pytest.mark.slow
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

    def test_a_service_is_refused(self, folder):
        with pytest.raises(ValueError, match="needs cache=None"):
            flow(folder, cache="memory").distribute(service="grpc://localhost:1")


def inverted(contents):
    """Two bytes among the values."""
    return contents[:-20] + bytes(255 - byte for byte in contents[-20:-18]) + contents[-18:]


def words_of(caught):
    return [str(warning.message) for warning in caught if "cache=" in str(warning.message)]


class TestFaultyFlows:
    """A cache that cannot be trusted, read or written loses no image; a warning says so once."""

    @pytest.fixture(params=["raise", "skip"])
    def policy(self, request):
        return ErrorPolicy(request.param)

    def test_what_is_damaged_or_deleted_between_epochs(self, folder, tmp_path, policy):
        plain, cached = flow(folder), flow(folder, cache=str(tmp_path / "cache"), errors=policy)
        assert as_bytes(cached) == as_bytes(plain)
        files = sorted((tmp_path / "cache").rglob("*.raw"))
        assert len(files) == 14
        sound = [file.read_bytes() for file in files]
        files[2].unlink()
        files[5].write_bytes(inverted(sound[5]))
        with pytest.warns(UserWarning, match="cannot be used") as caught:
            assert as_bytes(cached) == as_bytes(plain)
        assert len(words_of(caught)) == 1
        assert [file.read_bytes() for file in files] == sound
        shutil.rmtree(tmp_path / "cache")
        assert as_bytes(cached) == as_bytes(plain)
        assert [file.read_bytes() for file in files] == sound
        assert not policy.skips or cached.skipped == []

    def test_no_room_for_files(self, folder, tmp_path, policy):
        plain, cached = flow(folder), flow(folder, cache=str(tmp_path / "cache"), errors=policy)
        (top,) = (tmp_path / "cache").iterdir()
        top.rmdir()
        top.write_bytes(b"")  # where the folders should be made
        with pytest.warns(UserWarning, match="cannot keep all images") as caught:
            assert as_bytes(cached) == as_bytes(plain)
        assert len(words_of(caught)) == 1
        assert as_bytes(cached) == as_bytes(plain)
        assert not policy.skips or cached.skipped == []

    @pytest.mark.slow
    def test_a_full_disk(self, folder, tmp_path):
        """No file may be longer than 100 bytes, which is as if there were no more room."""
        script = f"""
import resource, sys, warnings
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
import tfpipe
total = 0
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    dataset = tfpipe.image_dataset_from_directory(
        {str(folder)!r}, image_size=(6, 8), cache={str(tmp_path / "cache")!r}, verbose=False
    )
    for _ in range(2):
        total += sum(len(labels) for _, labels in dataset)
words = [str(warning.message) for warning in caught if "cache=" in str(warning.message)]
sys.stdout.write(repr((total, words)))
"""
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        total, words = ast.literal_eval(run.stdout)
        assert total == 28
        assert len(words) == 1
        assert "cannot keep all images" in words[0]
        assert "File too large" in words[0]


# What may happen to a file of a cache: what is done to its bytes, and what the warning says of it.
DAMAGES = {
    "two inverted bytes": (inverted, "its checksum is wrong"),
    "a byte of the mask": (lambda contents: contents[:-1] + b"1", "its checksum is wrong"),
    "a damaged header": (lambda contents: b"x" + contents[1:], "its header is damaged, or names"),
    "zeros": (lambda contents: bytes(len(contents)), "its header is damaged, or names"),
    "a part": (lambda contents: contents[:50], "it has 50 bytes instead of 112"),
    "nothing": (lambda contents: b"", "it has 0 bytes instead of 112"),
    "an older version": (
        lambda contents: contents.replace(b"tfpipe 2", b"tfpipe 1"),
        "its header is damaged, or names another image or version",
    ),
}


class TestFaultyFiles:
    SPECS = {
        "image": tf.TensorSpec([2, 3, 4], tf.uint8),
        "mask": tf.TensorSpec([2, 3, 1], tf.int32),
    }

    def open(self, directory):
        def load(index):
            self.loaded.append(int(index))
            generator = np.random.default_rng(int(index))
            values = generator.integers(0, 100, [2, 3, 5])
            image, mask = tf.constant(values[..., :4], tf.uint8), values[..., 4:]
            return {"image": image, "mask": tf.constant(mask, tf.int32)}

        cached = in_directory(load, self.SPECS, str(directory), "numbers")

        def get(index):
            record = cached(tf.constant(index, tf.int64))
            expected = np.random.default_rng(index).integers(0, 100, [2, 3, 5])
            np.testing.assert_array_equal(record["image"], expected[..., :4])
            np.testing.assert_array_equal(record["mask"], expected[..., 4:])

        return get

    @pytest.fixture(autouse=True)
    def _loaded(self):
        self.loaded = []

    @pytest.fixture
    def files(self, tmp_path):
        """The files of the samples 0 to 3."""
        get = self.open(tmp_path)
        for index in range(4):
            get(index)
        self.loaded.clear()
        return sorted(tmp_path.rglob("*.raw"))

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_file_is_made_anew(self, tmp_path, files, damage):
        change, reason = DAMAGES[damage]
        sound = [file.read_bytes() for file in files]
        for number in (1, 2):
            files[number].write_bytes(change(sound[number]))
        get = self.open(tmp_path)
        with pytest.warns(UserWarning, match=reason) as caught:
            [get(index) for index in range(4)]
        assert self.loaded == [1, 2]
        assert len(words_of(caught)) == 1
        assert [file.read_bytes() for file in files] == sound

    def test_two_files_that_changed_places_are_made_anew(self, tmp_path, files):
        contents = [file.read_bytes() for file in files]
        files[0].write_bytes(contents[1])
        files[1].write_bytes(contents[0])
        with pytest.warns(UserWarning, match="names another image"):
            self.open(tmp_path)(1)
        assert files[1].read_bytes() == contents[1]

    @pytest.mark.parametrize("name", ["plain", "a[1]*?"])
    def test_what_was_deleted_after_it_was_read_is_made_anew(self, tmp_path, name):
        get = self.open(tmp_path / name)
        get(1200)
        get(1200)
        assert self.loaded == [1200]
        (file,) = (tmp_path / name).rglob("1/1200.raw")
        file.unlink()
        with pytest.warns(UserWarning, match="it cannot be read: .*[Nn]o such file"):
            get(1200)
        get(1200)
        assert self.loaded == [1200, 1200]

    def test_what_was_not_there_yet_is_no_fault(self, tmp_path, files):
        files[1].unlink()
        get = self.open(tmp_path)
        get(1)
        get(4)
        assert self.loaded == [1, 4]

    def test_what_else_lies_there_is_left_alone(self, tmp_path, files):
        leftovers = [files[0].parent / "foo.raw", files[0].parents[1] / ".DS_Store"]
        for path in leftovers:
            path.write_bytes(b"leftover")
        self.open(tmp_path)(0)
        assert self.loaded == []
        assert all(path.read_bytes() == b"leftover" for path in leftovers)

    def test_what_is_no_file_is_named(self, tmp_path, files):
        files[1].unlink()
        files[1].mkdir()
        get = self.open(tmp_path)
        with pytest.warns(UserWarning, match="1.raw': it cannot be read: .*directory") as caught:
            get(1)
        get(1)
        assert self.loaded == [1, 1]
        assert len(words_of(caught)) == 1

    def test_no_room(self, tmp_path):
        get = self.open(tmp_path)
        (top,) = tmp_path.iterdir()
        top.rmdir()
        top.write_bytes(b"")
        with pytest.warns(UserWarning, match="could not be written is .*0/3.raw': .*irectory"):
            get(3)
        get(3)
        top.unlink()
        get(3)
        get(3)
        assert self.loaded == [3, 3, 3]


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
