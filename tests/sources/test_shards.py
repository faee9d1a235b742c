"""Shards that are not what was packed: an error that names the shard, never other pixels, never a hang."""

import io
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.sources.npz import read_arrays

pytestmark = pytest.mark.one_profile

# The lengths of records differ a little, so that another shard may have none at the same byte.
OTHER = "(another record is there|the record cannot be read)"
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
    def refused(self, folder, name, message=OTHER):
        dataset = read(folder)
        for loop in (lambda: list(dataset), lambda: [dataset[i] for i in range(len(dataset))]):
            with pytest.raises(tf.errors.OpError, match=f"{name} at byte .*{message}"):
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
        self.refused(packed, SHARD.format(0), "another record is there")

    def test_left_out_if_bad_samples_are(self, packed, made):
        shutil.copy(shard(made(1), 2), shard(packed, 2))
        dataset = read(packed, on_error="skip")
        with pytest.warns(UserWarning, match=rf"Left out 4 .*00002-of.*{OTHER}"):
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


def change_index(folder, **changes):
    path = folder / "index.json"
    found = json.loads(path.read_text())
    found = {name: value for name, value in (found | changes).items() if value is not ...}
    path.write_text(json.dumps(found))


def change_columns(folder, **changes):
    with np.load(folder / "columns.npz") as columns:
        found = dict(columns) | changes
    found = {name: value for name, value in found.items() if value is not ...}
    np.savez(folder / "columns.npz", **found)


def image(**changes):
    whole = {"encoding": "raw", "dtype": "uint8", "shape": [6, 8, 3]} | changes
    return {"fields": {"image": whole}}


def mask(**changes):
    whole = {"encoding": "raw", "dtype": "int32", "shape": [6, 8, 1]} | changes
    return {"fields": {**image()["fields"], "mask": whole}}


class TestIndex:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (image(shape=[100_000, 100_000, 3]), "at most .* pixels. Received: 100000 x 100000"),
            (image(shape=[6, 8]), r"must be \(height, width, 3\)"),
            (image(shape=[6, -8, 3]), r"must be \(height, width, 3\)"),
            (image(shape=[6.0, 8, 3]), r"must be \(height, width, 3\)"),
            (image(shape=7), "is not an index"),
            (image(encoding="webp"), "encoding must be one of"),
            (image(dtype="float64"), "dtype must be one of"),
            (mask(shape=[7, 8, 1]), "the size of their images"),
            (mask(encoding="jpeg"), "encoding must be one of"),
            (mask(dtype="float32", encoding="png"), "encoding must be one of"),
            ({"fields": mask()["fields"] | {"other": {}}}, "is not an index"),
            ({"fields": {}}, "must be an image and its masks"),
            ({"color_mode": "rgba"}, r"must be \(height, width, 4\)"),
            (
                {"shards": ["../a.tfrecord"]},
                "files in the same directory. Received: '../a.tfrecord'",
            ),
            ({"shards": ["/a.tfrecord"]}, "files in the same directory"),
            ({"shards": ["ram://a"]}, "files in the same directory"),
            ({"shards": ["a", "a"]}, "distinct names"),
            ({"splits": [["all"]]}, "distinct names"),
            ({"targets": ["shard"]}, "names of columns"),
            ({"fingerprint": 1}, "fingerprint must be a str"),
            ({"more": 1}, "is not an index"),
            ({"splits": ...}, "is not an index"),
            ({"version": 1}, "version 1 of the format, .*reads 2. Pack again"),
            ({"version": ...}, "version None of the format, .*Pack again"),
        ],
        ids=str,
    )
    def test_rejects(self, packed, changes, message):
        change_index(packed, **changes)
        with pytest.raises(ValueError, match=message) as error:
            read(packed)
        assert "index.json" in str(error.value)

    @pytest.mark.parametrize("contents", ["[]", "3", "[" * 100_000, '{"version": 2}'], ids=len)
    def test_rejects_what_is_no_index(self, packed, contents):
        (packed / "index.json").write_text(contents)
        with pytest.raises(ValueError, match=r"index\.json' "):
            read(packed)

    @pytest.mark.parametrize("name", ["index.json", "columns.npz"])
    def test_rejects_a_fifo(self, packed, name):
        (packed / name).unlink()
        os.mkfifo(packed / name)
        with pytest.raises(FileNotFoundError, match=f"{name}': it is a FIFO"):
            read(packed)

    @pytest.mark.parametrize("name", ["index.json", "columns.npz"])
    def test_rejects_that_of_another_set(self, packed, made, name):
        shutil.copy(made(1) / name, packed / name)
        with pytest.raises(
            ValueError, match="columns.npz' is damaged: it belongs to another index"
        ):
            read(packed)


class TestColumns:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"shard": np.zeros(13, np.int32)}, "13 values"),
            ({"shard": np.full(14, 3)}, "'shard' has values outside 0 to 2"),
            ({"shard": ...}, "there is no column 'shard'"),
            ({"shard": np.zeros(14)}, "'shard' is float64"),
            ({"split": np.ones(14, int)}, "'split' has values outside 0 to 0"),
            ({"offset": np.full(14, -1)}, "'offset' has values outside"),
            ({"length": np.full(14, 2**40)}, "'length' has values outside"),
            ({"header": np.zeros([14, 2], int)}, "the headers are"),
            ({"names": np.zeros(3, np.uint8)}, "'names_lengths' has values outside|other lengths"),
            ({"target0": np.full(14, 3, np.int32)}, "'labels' has values outside 0 to 2"),
            ({"target0": np.full(14, -1, np.int32)}, "'labels' has values outside 0 to 2"),
            ({"target0": np.zeros(15, np.int32)}, "'target0' has shape"),
            ({"target0": ...}, "there is no column 'target0'"),
            ({"one_target": np.zeros(2)}, "'one_target'"),
            ({"weights": np.zeros([14, 2])}, "the weights are"),
            ({"groups": np.zeros(3)}, "'groups' has shape"),
            ({"groups": np.array(["a", 1] * 7, object)}, "dtype object"),
        ],
        ids=str,
    )
    def test_rejects(self, packed, changes, message):
        change_columns(packed, **changes)
        with pytest.raises(ValueError, match=rf"columns\.npz' is damaged: .*{message}"):
            read(packed)

    def test_rejects_lists_of_labels_that_are_no_classes(self, packed):
        change_index(packed, targets=[])
        change_columns(packed, ids=np.full(14, 2), id_counts=np.ones(14, int))
        assert read(packed)[0][1].shape == (4, 3)
        for ids, counts in ((np.full(14, 3), np.ones(14, int)), (np.zeros(14), np.full(14, 2))):
            change_columns(packed, ids=ids, id_counts=counts)
            with pytest.raises(ValueError, match=r"columns\.npz' is damaged: 'id"):
                read(packed)

    def test_rejects_what_is_no_zip(self, packed):
        (packed / "columns.npz").write_bytes(b"PK no zip")
        with pytest.raises(ValueError, match=r"columns\.npz' is damaged: .*pack again"):
            read(packed)


def members(**contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def npy(shape, data=b"", dtype="<i8"):
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


class TestArrays:
    def test_values(self):
        arrays = {
            "a": np.arange(6).reshape(2, 3),
            "b": np.asfortranarray(np.eye(3)),
            "c": np.array("é"),
        }
        file = io.BytesIO()
        np.savez(file, **arrays, d=np.zeros([0, 2]))
        found = read_arrays(file.getvalue())
        for name, values in arrays.items():
            np.testing.assert_array_equal(found[name], values)
        assert found["d"].shape == (0, 2)

    @pytest.mark.parametrize(
        "contents",
        [
            members(a=npy((2**24,), bytes(2**27))),  # a bomb
            members(a=npy((2**40,))),
            members(a=npy((2**40, 2**40))),
            members(a=npy((-1,), bytes(8))),
            members(a=npy((1,), bytes(8), "|O")),
            members(a=npy((1,), bytes(16))),
            members(a=b"no array"),
            members(a=b""),
            b"",
        ],
        ids=["bomb", "large", "larger", "negative", "objects", "longer", "other", "empty", "none"],
    )
    def test_rejects(self, contents):
        with pytest.raises(ValueError, match=r"\w"):
            read_arrays(contents)
