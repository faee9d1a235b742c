"""Shards that are not what was packed: an error that names the shard, never other pixels, never a hang."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfpipe

pytestmark = pytest.mark.one_profile

SHARD = "{:05}-of-00003.tfrecord"


@pytest.fixture(scope="module")
def made(animals, tmp_path_factory):
    """made(seed) -> a folder of three shards; other seeds: other images under the same names."""
    folders = {}

    def make(number=0):
        if number not in folders:
            dataset = tfpipe.image_dataset_from_directory(
                animals, image_size=(6, 8), verbose=False, pad_to_aspect_ratio=bool(number)
            )
            folders[number] = tmp_path_factory.mktemp("made")
            tfpipe.pack(dataset, folders[number], samples_per_shard=5)
        return folders[number]

    return make


@pytest.fixture
def packed(made, tmp_path):
    """A folder of three shards that a test may change."""
    return shutil.copytree(made(), tmp_path / "packed")


def read(folder, **options):
    options = {"shuffle": False, "verbose": False, "batch_size": 4} | options
    return tfpipe.image_dataset_from_shards(folder, **options)


def shard(folder, number):
    return folder / SHARD.format(number)


def swap(one, other):
    one.rename(one.with_suffix(".old"))
    other.rename(one)
    one.with_suffix(".old").rename(other)


class TestOtherRecords:
    def refused(self, folder, name):
        dataset = read(folder)
        for loop in (lambda: list(dataset), lambda: [dataset[i] for i in range(len(dataset))]):
            with pytest.raises(
                tf.errors.OpError, match=f"{name} at byte .*another record is there"
            ):
                loop()

    def test_two_shards_that_changed_places(self, packed):
        swap(shard(packed, 0), shard(packed, 1))
        self.refused(packed, r"0000[01]-of-00003\.tfrecord")

    def test_a_shard_of_another_set(self, packed, made):
        shutil.copy(shard(made(1), 2), shard(packed, 2))
        self.refused(packed, SHARD.format(2))

    def test_two_records_that_changed_places(self, packed):
        path = str(shard(packed, 0))
        records = [record.numpy() for record in tf.data.TFRecordDataset(path)]
        lengths = list(map(len, records))
        one, other = next((i, j) for i in range(5) for j in range(i) if lengths[i] == lengths[j])
        records[one], records[other] = records[other], records[one]
        with tf.io.TFRecordWriter(path) as writer:
            for record in records:
                writer.write(record)
        self.refused(packed, SHARD.format(0))

    def test_left_out_if_bad_samples_are(self, packed, made):
        shutil.copy(shard(made(1), 2), shard(packed, 2))
        dataset = read(packed, on_error="skip")
        with pytest.warns(UserWarning, match=r"Left out 4 .*00002-of.*another record is there"):
            assert sum(len(y) for _, y in dataset) == 10
        whole = read(made())
        names = {path.partition(": ")[2] for path, _ in dataset.skipped}
        lost = np.flatnonzero(whole.source.images.shard == 2)
        assert names == {whole.filenames[i] for i in lost}


class TestMissingShards:
    def test_before_it_is_opened(self, packed):
        shard(packed, 1).unlink()
        with pytest.raises(FileNotFoundError, match=r"1 of the 3 shards: .*00001-of.*no such file"):
            read(packed)
        remote = f"ram://{packed}"
        tf.io.gfile.makedirs(remote)
        for name in os.listdir(packed):
            tf.io.gfile.copy(str(packed / name), f"{remote}/{name}")
        with pytest.raises(FileNotFoundError, match=r"1 of the 3 shards: .*00001-of.*no such file"):
            read(remote)
        assert len(read(packed, host=(0, 3)).filenames) == 5  # another host has the others

    @pytest.mark.parametrize("kind", ["gone", "fifo", "folder"])
    def test_left_out_if_bad_samples_are(self, packed, kind):
        shard(packed, 1).unlink()
        if kind != "gone":
            (os.mkfifo if kind == "fifo" else os.mkdir)(shard(packed, 1))
            with pytest.raises(FileNotFoundError, match="not a regular file"):
                read(packed)
        dataset = read(packed, on_error="skip")
        with pytest.warns(UserWarning, match=r"Left out 5 .*00001-of"):
            assert sum(len(y) for _, y in dataset) == 9
        assert len(dataset.skipped) == 5

    @pytest.mark.parametrize("kind", ["gone", "empty"])
    def test_while_it_is_open(self, packed, kind):
        strict, lenient = read(packed), read(packed, on_error="skip")
        shard(packed, 1).unlink()
        if kind == "empty":
            shard(packed, 1).touch()
        with pytest.raises(
            tf.errors.OpError, match=r"00001-of.* at byte .*: the shard cannot be opened"
        ):
            list(strict)
        with pytest.warns(UserWarning, match=r"Left out 5 .*00001-of.*the shard cannot be opened"):
            assert sum(len(y) for _, y in lenient) == 9

    def test_cut_short(self, packed):
        with open(shard(packed, 1), "r+b") as file:
            file.truncate(os.path.getsize(shard(packed, 1)) - 100)
        with pytest.raises(tf.errors.OpError, match=r"00001-of.*the record cannot be read"):
            list(read(packed))
