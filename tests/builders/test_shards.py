"""Packed images through the function that reads them, and the command that packs them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfpipe

pytestmark = pytest.mark.one_profile

OPTIONS = {"image_size": (6, 8), "seed": 5, "batch_size": 4, "verbose": False}


@pytest.fixture(scope="module")
def files(animals):
    """files(**options): the animals, from their files."""

    def make(**options):
        options = OPTIONS | {"decoding": "exact", "antialias": True} | options
        return tfpipe.image_dataset_from_directory(animals, **options)

    return make


@pytest.fixture(scope="module")
def packed(files, tmp_path_factory):
    """The animals in three shards, training and validation."""
    folder = tmp_path_factory.mktemp("packed")
    parts = files(validation_split=0.3, subset="both")
    tfpipe.pack(
        dict(zip(["training", "validation"], parts, strict=True)), folder, samples_per_shard=5
    )
    return folder


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """The animals in three shards, without splits."""
    folder = tmp_path_factory.mktemp("whole")
    tfpipe.pack(files(), folder, samples_per_shard=5)
    return folder


def shards(folder, **options):
    options = {"seed": 5, "batch_size": 4, "verbose": False} | options
    return tfpipe.image_dataset_from_shards(folder, **options)


def assert_equal_batches(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
            np.testing.assert_array_equal(a, b)


class TestReading:
    @pytest.mark.slow
    def test_packed_weights_go_with_the_labels(self, animals, files, tmp_path):
        weights = {"Emu": 3.0, "cat": 1.0, "dog": 2.0}
        tfpipe.pack(files(class_weights=weights), tmp_path)
        assert len(shards(tmp_path)[0]) == 3
        assert isinstance(shards(tmp_path, label_mode=None)[0], np.ndarray)
        with pytest.raises(ValueError, match=r"class_weights needs labels.*'balanced'"):
            shards(tmp_path, label_mode=None, class_weights="balanced")

    @pytest.mark.slow
    def test_epochs_are_those_of_the_files(self, whole, files):
        ours, theirs = shards(whole, dtype="uint8"), files(dtype="uint8")
        for _ in range(2):
            assert_equal_batches(ours, theirs)
        assert ours.class_names == theirs.class_names == ["Emu", "cat", "dog"]
        assert ours.filenames == theirs.filenames

    def test_augmented_and_resumed_as_the_files(self, whole, files):
        options = {
            "augment": tfpipe.Augment(rotation_range=30, horizontal_flip=True),
            "dtype": "uint8",
            "label_mode": "categorical",
        }
        ours, theirs = shards(whole, **options), files(**options)
        assert_equal_batches(ours.starting_at(3, 2), theirs.starting_at(3, 2))

    def test_splits(self, packed, files):
        for name, expected in zip(
            ["training", "validation"], files(validation_split=0.3, subset="both"), strict=True
        ):
            found = shards(packed, split=name, shuffle=False)
            assert found.filenames == expected.filenames
            assert found.classes.tolist() == expected.classes.tolist()
        assert shards(packed).samples == 14

    def test_groups_are_kept_and_split_whole(self, animals, tmp_path):
        parts = tfpipe.image_dataset_from_directory(
            animals,
            **OPTIONS,
            validation_split=0.3,
            subset="both",
            groups=lambda path: int(Path(path).stem) // 2,
        )
        tfpipe.pack(dict(zip(["training", "validation"], parts, strict=True)), tmp_path / "packed")
        found = shards(tmp_path / "packed", shuffle=False)
        assert found.groups.tolist() == [*parts[0].groups, *parts[1].groups]
        training, validation = shards(tmp_path / "packed", validation_split=0.3, subset="both")
        assert set(training.groups).isdisjoint(validation.groups)

    def test_groups_by_the_names_that_were_packed(self, whole):
        training, validation = shards(
            whole, groups=os.path.basename, validation_split=0.3, subset="both"
        )
        assert training.samples + validation.samples == 14
        assert not set(training.groups) & set(validation.groups)
        assert validation.groups.tolist() == [os.path.basename(n) for n in validation.filenames]

    def test_another_size_and_colour(self, whole):
        images, _ = next(iter(shards(whole, image_size=(3, 5), color_mode="grayscale")))
        assert images.shape == (4, 3, 5, 1)

    def test_hosts_share_the_files(self, whole):
        names = [set(shards(whole, host=(i, 2)).filenames) for i in range(2)]
        assert [len(part) for part in names] == [9, 5]
        assert names[0] | names[1] == set(shards(whole).filenames)

    @pytest.mark.slow
    @pytest.mark.parametrize("processes", [1, 2])
    def test_files_that_cannot_be_used_are_left_out(self, tmp_path, write, processes):
        for number in range(5):
            write(tmp_path / "photos" / "a" / f"{number}.png")
        (tmp_path / "photos" / "a" / "1.png").write_bytes(b"no image")
        photos = tfpipe.image_dataset_from_directory(
            tmp_path / "photos", **OPTIONS, on_error="skip"
        )
        with pytest.warns(UserWarning, match=r"Left out 1 file.*1\.png"):
            count = tfpipe.pack(
                photos, tmp_path / "packed", samples_per_shard=2, processes=processes
            )
        assert count == 4
        found = shards(tmp_path / "packed")
        assert found.filenames == [f"a/{number}.png" for number in (0, 2, 3, 4)]
        assert sum(len(y) for _, y in found) == 4

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"split": "test"}, "split must be one of None, 'training', 'validation'"),
            ({"label_mode": "multi_label"}, "label_mode must be one of"),
            ({"host": (2, 2)}, "i < k"),
            ({"host": (0, 9)}, "at most the number of shards, 3"),
            ({"host": 1}, r"host must be \(i, k\)"),
        ],
    )
    def test_rejects_what_was_not_packed(self, packed, options, message):
        with pytest.raises(ValueError, match=message):
            shards(packed, **options)


class TestSharding:
    def test_as_the_file_sharded_source_of_tf_data(self, whole):
        """The way of the README for readers other than tfpipe."""
        files = sorted(map(str, Path(whole).glob("*.tfrecord")))
        features = {
            "image": tf.io.FixedLenFeature([], tf.string),
            "index": tf.io.FixedLenFeature([], tf.int64),
        }
        seen = []
        for worker in range(2):
            records = tf.data.TFRecordDataset(files[worker::2])
            seen += [int(tf.io.parse_single_example(r, features)["index"]) for r in records]
        assert sorted(seen) == list(range(14))


def tfpipe_pack(*arguments):
    path = [str(Path(tfpipe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # a user's terminal has none
    return subprocess.run(
        [sys.executable, "-m", "tfpipe", "pack", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


class TestCommand:
    @pytest.mark.slow
    def test_packs_a_folder_of_splits(self, animals, tmp_path):
        (tmp_path / "photos").mkdir()
        for name in ("train", "test"):
            (tmp_path / "photos" / name).symlink_to(animals)
        done = tfpipe_pack(
            tmp_path / "photos", tmp_path / "packed", "--splits", "--image-size", "6x8",
            "--encoding", "png", "--processes", "2", "--samples-per-shard", "10",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("28 images are in "), done.stdout
        assert done.stderr == ""
        found = shards(tmp_path / "packed", split="test", shuffle=False)
        assert (found.samples, found.image_shape) == (14, (6, 8, 3))

    @pytest.mark.slow
    def test_says_what_it_leaves_out(self, tmp_path, write, picture):
        for number in range(3):
            write(tmp_path / "photos" / "a" / f"{number}.png", picture(4, 5, seed=number))
        (tmp_path / "photos" / "a" / "bad.png").write_bytes(b"no image")
        done = tfpipe_pack(
            tmp_path / "photos", tmp_path / "packed", "--image-size", "4", "--on-error", "skip"
        )
        assert done.returncode == 0, done.stderr
        assert "Warning: Left out 1 file(s)" in done.stderr
        assert "bad.png" in done.stderr

    @pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes only UTF-8 names")
    def test_a_class_whose_name_is_not_utf8(self, tmp_path, write, picture):
        name = os.fsdecode(b"\xe9cl")
        for number in range(3):
            write(tmp_path / "photos" / name / f"{number}.png", picture(4, 5, seed=number))
        photos = tfpipe.image_dataset_from_directory(
            tmp_path / "photos", image_size=4, verbose=False
        )
        tfpipe.pack(photos, tmp_path / "packed", verbose=False)
        found = tfpipe.image_dataset_from_shards(tmp_path / "packed", verbose=False)
        assert found.class_names == photos.class_names == [name]

    @pytest.mark.slow
    def test_splits_that_are_none(self, tmp_path):
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "1.png").write_bytes(b"")  # in no folder
        done = tfpipe_pack(tmp_path / "photos", tmp_path / "packed", "--splits")
        assert done.returncode == 1
        assert "SRC must hold one folder per split. Found none in" in done.stderr, done.stderr

    @pytest.mark.parametrize(
        ("arguments", "message", "status"),
        [
            (["--image-size", "6x"], "must be HEIGHTxWIDTH in pixels", 2),
            (["--splits", "--validation-split", "0.2"], "exclude each other", 2),
            ([], "No such directory", 1),
        ],
    )
    def test_rejects(self, tmp_path, arguments, message, status):
        done = tfpipe_pack(tmp_path / "none", tmp_path / "packed", *arguments)
        assert done.returncode == status, done.stderr
        assert message in done.stderr, done.stderr
