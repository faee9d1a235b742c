"""Shards: the same images and labels as the files, whatever was interrupted or went wrong."""

import io
import json
import os
import queue
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.cli.pack import _datasets
from tfpipe.codecs.spec import DecodeSpec
from tfpipe.fields.image import ImageSpec
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import shards
from tfpipe.sources.shard_index import Index
from tfpipe.sources.source import Records, Stored
from tfpipe.tools import pack_place, pack_process
from tfpipe.tools.pack import PackSpec

pytestmark = pytest.mark.one_profile


def read_all(directory, dtype="uint8"):
    """Every image of some shards in the order of the source, and the source."""
    index, source, split = shards.read_index(str(directory))
    image = ImageSpec(DecodeSpec(index.color_mode), ResizeSpec(index.image_shape[:2]))
    spec = PipelineSpec(image, shuffle=False, dtype=dtype)
    images = tfpipe.ImageDataset(source.with_columns(label=None, weight=None), spec)
    return np.concatenate(list(images)), source, split


def images_of(dataset):
    return np.concatenate([np.asarray(x) for x in dataset.images_only(dtype="uint8")])


@pytest.fixture
def names(tmp_path):
    """names() -> the files in the packed folder."""
    return lambda: sorted(os.listdir(tmp_path / "packed"))


class TestPack:
    @pytest.mark.parametrize("encoding", ["raw", "png"])
    def test_pixels_labels_and_names_are_those_of_the_files(
        self, small_dataset, tmp_path, encoding, names
    ):
        dataset = small_dataset()
        assert (
            tfpipe.pack(dataset, tmp_path / "packed", encoding=encoding, samples_per_shard=5) == 14
        )
        found, source, _ = read_all(tmp_path / "packed")
        np.testing.assert_array_equal(found, images_of(dataset))
        np.testing.assert_array_equal(source.targets, dataset.classes)
        assert list(source.images.names) == dataset.filenames
        assert source.class_names == tuple(dataset.class_names or ())
        assert names() == [
            *(f"0000{i}-of-00003.tfrecord" for i in range(3)),
            "columns.npz",
            "index.json",
        ]

    @pytest.mark.slow
    def test_jpeg_is_close(self, small_dataset, tmp_path):
        dataset = small_dataset(color_mode="grayscale", target_size=(8, 16))
        tfpipe.pack(dataset, tmp_path / "packed", encoding="jpeg", quality=100)
        found, _, _ = read_all(tmp_path / "packed")
        assert np.abs(found.astype(int) - images_of(dataset).astype(int)).max() <= 4

    def test_any_shard_holds_a_mixture(self):
        rows = PackSpec(samples_per_shard=50).rows_of_shards(200, (1, 1, 1))
        assert sorted(np.concatenate(rows).tolist()) == list(range(200))
        assert all(30 < np.mean(part) < 170 for part in rows)

    def test_the_records_are_whole_examples(self, small_dataset, tmp_path):
        dataset = small_dataset(class_mode="sparse")
        source = dataset.source.with_columns(weight=np.arange(14, dtype=np.float32) / 2)
        dataset = tfpipe.ImageDataset(source, dataset.spec)
        tfpipe.pack(dataset, tmp_path / "packed", samples_per_shard=5)
        files = sorted(map(str, (tmp_path / "packed").glob("*.tfrecord")))
        features = {
            "image": tf.io.FixedLenFeature([], tf.string),
            "index": tf.io.FixedLenFeature([], tf.int64),
            "label": tf.io.FixedLenFeature([], tf.int64),
            "weight": tf.io.FixedLenFeature([], tf.float32),
        }
        parsed = [
            tf.io.parse_single_example(record, features)
            for record in tf.data.TFRecordDataset(files)
        ]
        expected = images_of(dataset)
        assert sorted(int(p["index"]) for p in parsed) == list(range(14))
        for one in parsed:
            index = int(one["index"])
            assert one["image"].numpy() == expected[index].tobytes()
            assert int(one["label"]) == dataset.classes[index]
            assert float(one["weight"]) == index / 2

    @pytest.mark.slow
    def test_splits_weights_and_lists_of_labels(self, animals, tmp_path):
        frame = pd.DataFrame(
            {
                "filename": ["cat/0.png", "dog/1.png", "Emu/2.png", "cat/1.png"],
                "class": [["a"], ["b", "c"], ["c"], ["a", "c"]],
                "weight": [1.0, 2.0, 0.5, 4.0],
            }
        )
        generator = tfpipe.ImageDataGenerator(validation_split=0.5)
        options = {"directory": animals, "weight_col": "weight", "target_size": (5, 6)}
        parts = {
            subset: generator.flow_from_dataframe(frame, subset=subset, **options)
            for subset in ("training", "validation")
        }
        tfpipe.pack(parts, f"ram://{tmp_path}", samples_per_shard=3)
        found, source, split = read_all(f"ram://{tmp_path}")
        assert source.targets == [[2], [0, 2], [0], [1, 2]]
        assert source.weights.tolist() == [0.5, 4.0, 1.0, 2.0]
        assert split.tolist() == [0, 0, 1, 1]
        np.testing.assert_array_equal(found, np.concatenate([*map(images_of, parts.values())]))

    @pytest.mark.parametrize(
        ("class_mode", "y_col"),
        [("raw", "name"), ("raw", ["a", "b"]), ("multi_output", ["a", "name"])],
    )
    def test_values_as_targets(self, animals, tmp_path, class_mode, y_col):
        frame = pd.DataFrame(
            {"filename": ["cat/0.png", "dog/1.png"], "name": ["x", "yy"], "a": [1, 2], "b": [3, 4]}
        )
        dataset = tfpipe.ImageDataGenerator().flow_from_dataframe(
            frame, animals, y_col=y_col, class_mode=class_mode, target_size=(5, 6)
        )
        tfpipe.pack(dataset, tmp_path / "packed")
        _, source, _ = read_all(tmp_path / "packed")
        assert type(source.targets) is type(dataset.classes)
        for found, expected in zip(source.targets, dataset.classes, strict=True):
            assert np.array_equal(found, expected)

    def test_progress_counts_to_the_end(self, small_dataset, tmp_path):
        seen = []
        tfpipe.pack(small_dataset(), tmp_path / "packed", progress=lambda *step: seen.append(step))
        assert (seen[0], seen[-1]) == ((0, 14), (14, 14))


class TestGoingOn:
    def test_finished_shards_are_kept(self, small_dataset, tmp_path, names):
        dataset, packed = small_dataset(), tmp_path / "packed"

        def stop(done, total):
            if done >= 10:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tfpipe.pack(dataset, packed, samples_per_shard=5, progress=stop)
        assert "index.json" not in names()
        kept = packed / "00000-of-00003.tfrecord"
        before = kept.stat().st_mtime_ns
        seen = []
        tfpipe.pack(dataset, packed, samples_per_shard=5, progress=lambda *step: seen.append(step))
        assert seen[0][0] >= 5
        assert kept.stat().st_mtime_ns == before
        np.testing.assert_array_equal(read_all(packed)[0], images_of(dataset))
        assert not [name for name in names() if "partial" in name or "places" in name], names()

    def test_what_is_there_already_is_not_written_again(self, small_dataset, tmp_path):
        packed = tmp_path / "packed"
        tfpipe.pack(small_dataset(), packed)
        before = (packed / "index.json").stat().st_mtime_ns
        assert tfpipe.pack(small_dataset(seed=8), packed) == 14
        assert (packed / "index.json").stat().st_mtime_ns == before

    @pytest.mark.parametrize(
        ("changed", "options"),
        [({"target_size": (5, 5)}, {}), ({}, {"encoding": "png"}), ({"classes": ["cat"]}, {})],
    )
    def test_another_job_in_the_same_folder_is_an_error(
        self, small_dataset, tmp_path, changed, options
    ):
        tfpipe.pack(small_dataset(), tmp_path / "packed")
        with pytest.raises(ValueError, match="of other images, labels or settings"):
            tfpipe.pack(small_dataset(**changed), tmp_path / "packed", **options)

    def test_another_folder_of_the_same_names_is_another_job(self, tmp_path, write, picture):
        for number, folder in enumerate("ab"):
            write(tmp_path / folder / "cat" / "1.png", picture(5, 6, seed=number))
        a, b = (
            tfpipe.ImageDataGenerator().flow_from_directory(tmp_path / folder) for folder in "ab"
        )
        tfpipe.pack(a, tmp_path / "packed")
        with pytest.raises(ValueError, match="of other images, labels or settings"):
            tfpipe.pack(b, tmp_path / "packed")
        write(tmp_path / "a" / "cat" / "1.png", picture(5, 7, seed=2))
        with pytest.raises(ValueError, match="of other images, labels or settings"):
            tfpipe.pack(a, tmp_path / "packed")

    @pytest.mark.slow
    def test_processes_that_are_killed_leave_nothing_that_is_wrong(
        self, tmp_path, write, picture, names
    ):
        for number in range(60):
            write(tmp_path / "photos" / "a" / f"{number}.png", picture(90, 80, seed=number))
        script = (
            "import sys, tfpipe\n"
            "flow = tfpipe.ImageDataGenerator().flow_from_directory(sys.argv[1])\n"
            "tfpipe.pack(flow, sys.argv[2], samples_per_shard=3, processes=2)\n"
        )
        command = [sys.executable, "-c", script, str(tmp_path / "photos"), str(tmp_path / "packed")]
        packed = tmp_path / "packed"
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and not list(packed.glob("*3-*.tfrecord")):
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        flow = tfpipe.ImageDataGenerator().flow_from_directory(tmp_path / "photos")
        assert tfpipe.pack(flow, packed, samples_per_shard=3) == 60  # while its processes still end
        np.testing.assert_array_equal(read_all(packed)[0], images_of(flow))
        assert len(names()) == 20 + 2, names()


class TestAtOnce:
    """Two packs into one directory: an error or a complete set, never a mixture."""

    def test_the_second_one_is_an_error(self, small_dataset, tmp_path, names):
        packed, told = tmp_path / "packed", []

        def again(done, total):
            for options in ({}, {"color_mode": "grayscale"}):
                with pytest.raises(ValueError, match="of other images|is packing into") as error:
                    tfpipe.pack(small_dataset(**options), packed, samples_per_shard=5)
                told.append(str(error.value))

        tfpipe.pack(small_dataset(), packed, samples_per_shard=5, progress=again)
        assert any("Another process is packing into" in message for message in told)
        np.testing.assert_array_equal(read_all(packed)[0], images_of(small_dataset()))
        assert len(names()) == 3 + 2

    def test_a_finished_set_needs_no_turn(self, small_dataset, tmp_path):
        packed, other = tmp_path / "packed", tmp_path / "other"
        tfpipe.pack(small_dataset(), packed)
        counts = []

        def again(done, total):
            counts.append(tfpipe.pack(small_dataset(), packed))

        with pack_place.alone_in(str(packed)):
            tfpipe.pack(small_dataset(), other, progress=again)
        assert set(counts) == {14}

    def race(self, ours, theirs, folder):
        """Packs a data set where there are no locks; another pack begins and ends in the middle of it."""

        def meanwhile(done, total):
            if not tf.io.gfile.exists(f"{folder}/index.json") and done >= 5:
                tf.io.gfile.remove(f"{folder}/job.json")  # it looked before the first one wrote it
                tfpipe.pack(theirs, folder, samples_per_shard=5)

        return tfpipe.pack(ours, folder, samples_per_shard=5, progress=meanwhile)

    def test_of_one_job_without_locks(self, small_dataset, tmp_path):
        folder = f"ram://{tmp_path}"
        assert self.race(small_dataset(), small_dataset(), folder) == 14
        np.testing.assert_array_equal(read_all(folder)[0], images_of(small_dataset()))

    def test_of_two_jobs_without_locks(self, small_dataset, tmp_path):
        folder = f"ram://{tmp_path}"
        with pytest.raises(ValueError, match="of other images, labels or settings"):
            self.race(small_dataset(), small_dataset(interpolation="bilinear"), folder)
        with pytest.raises(tf.errors.OpError, match="another record is there|cannot be read"):
            read_all(folder)

    def test_shards_of_which_nothing_is_known_are_written_again(self, small_dataset, tmp_path):
        packed = tmp_path / "packed"
        tfpipe.pack(small_dataset(), packed, samples_per_shard=5)
        (packed / "index.json").unlink()
        other = small_dataset(interpolation="bilinear")
        assert tfpipe.pack(other, packed, samples_per_shard=5) == 14
        np.testing.assert_array_equal(read_all(packed)[0], images_of(other))

    def test_a_shard_that_was_cut_is_written_again(self, small_dataset, tmp_path):
        packed = tmp_path / "packed"

        def stop(done, total):
            if done >= 10:
                with open(packed / "00000-of-00003.tfrecord", "r+b") as file:
                    file.truncate(100)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tfpipe.pack(small_dataset(), packed, samples_per_shard=5, progress=stop)
        tfpipe.pack(small_dataset(), packed, samples_per_shard=5)
        np.testing.assert_array_equal(read_all(packed)[0], images_of(small_dataset()))


class TestProcesses:
    @pytest.mark.slow
    def test_several_write_the_same_as_one(self, small_dataset, tmp_path):
        dataset = small_dataset()
        for processes in (1, 2):
            tfpipe.pack(
                dataset, tmp_path / str(processes), samples_per_shard=4, processes=processes
            )
        for one in (tmp_path / "1").glob("*.tfrecord"):
            assert one.read_bytes() == (tmp_path / "2" / one.name).read_bytes()
        assert json.loads((tmp_path / "1" / "index.json").read_text()) == json.loads(
            (tmp_path / "2" / "index.json").read_text()
        )

    @pytest.fixture
    def at_start(self, tmp_path, monkeypatch):
        """at_start(code): it runs when one of the processes begins."""

        def write(code):
            guarded = (
                f"import os, sys\nif 'tfpipe.tools.pack_process' in sys.orig_argv:\n    {code}\n"
            )
            (tmp_path / "sitecustomize.py").write_text(guarded)
            monkeypatch.syspath_prepend(tmp_path)

        return write

    @pytest.mark.slow
    def test_what_a_library_prints_is_no_step(self, small_dataset, tmp_path, at_start):
        at_start("print('hello', flush=True)")
        count = tfpipe.pack(small_dataset(), tmp_path / "packed", samples_per_shard=7, processes=2)
        assert count == 14

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("sys.stderr.write('No module x\\n'); os._exit(3)", "with status 3.*: No module x"),
            ("os.kill(os.getpid(), 9)", "by SIGKILL. It may .*fewer `processes`"),
        ],
    )
    def test_an_early_end_is_explained(self, small_dataset, tmp_path, at_start, code, message):
        at_start(code)
        with pytest.raises(ValueError, match=f"ended early, {message}"):
            tfpipe.pack(small_dataset(), tmp_path / "packed", samples_per_shard=7, processes=2)

    def test_what_cannot_be_understood_is_an_error(self):
        process = subprocess.Popen(["true"], stdin=subprocess.PIPE)
        worker = pack_process._Worker(process, io.BytesIO(b"no JSON\n"), io.BytesIO())
        steps = queue.Queue()
        pack_process._attend(worker, b"", steps)
        worker.close()
        assert "sent a bad report: JSONDecodeError" in steps.get_nowait()["error"]


class TestCommand:
    def test_splits_behind_a_scheme(self, animals):
        for name in ("test", "train"):
            for path in sorted(animals.glob("cat/*.png")):
                folder = f"ram:///splits/{name}/cat"
                tf.io.gfile.makedirs(folder)
                tf.io.gfile.copy(str(path), f"{folder}/{path.name}", overwrite=True)
        options = {
            "splits": True, "validation_split": None, "image_size": (6, 8), "color_mode": "rgb",
            "interpolation": "bilinear", "crop": False, "on_error": "raise", "seed": 0,
            "follow_links": False,
        }  # fmt: skip
        found = _datasets("ram:///splits", options)
        assert {name: len(part.filenames) for name, part in found.items()} == dict.fromkeys(
            ["test", "train"], len(list(animals.glob("cat/*.png")))
        )


class TestErrors:
    @pytest.mark.slow
    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_bad_file_is_named(self, tmp_path, write, processes):
        for number in range(4):
            write(tmp_path / "photos" / "a" / f"{number}.png")
        (tmp_path / "photos" / "a" / "2.png").write_bytes(b"no image")
        flow = tfpipe.ImageDataGenerator().flow_from_directory(tmp_path / "photos")
        with pytest.raises(
            ValueError, match="^Cannot read the image file .*a/2.png': its content"
        ) as e:
            tfpipe.pack(flow, tmp_path / "packed", samples_per_shard=2, processes=processes)
        assert "node" not in str(e.value)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Left out")
    def test_the_limit_counts_all_shards(self, tmp_path, write):
        for number in range(8):
            write(tmp_path / "photos" / "a" / f"{number}.png")
        for rows in PackSpec(samples_per_shard=4).rows_of_shards(8, (1, 1, 1)):
            (tmp_path / "photos" / "a" / f"{rows[0]}.png").write_bytes(b"no image")
        photos = tfpipe.image_dataset_from_directory(
            tmp_path / "photos", on_error="skip", max_errors=1, verbose=False
        )

        def stop(done, total):
            if done >= 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tfpipe.pack(photos, tmp_path / "packed", samples_per_shard=4, progress=stop)
        for folder, processes in (("packed", 1), ("other", 2)):  # one goes on where it stopped
            with pytest.raises(ValueError, match="2 files cannot be used, more than max_errors"):
                tfpipe.pack(photos, tmp_path / folder, samples_per_shard=4, processes=processes)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Left out")
    def test_a_bad_file_can_be_skipped_the_second_time(self, tmp_path, write):
        for number in range(6):
            write(tmp_path / "photos" / "a" / f"{number}.png")
        bad = tmp_path / "photos" / "a" / "3.png"
        bad.write_bytes(b"no image")

        def photos(on_error):
            return tfpipe.image_dataset_from_directory(
                tmp_path / "photos", on_error=on_error, verbose=False
            )

        with pytest.raises(ValueError, match=r"3\.png"):
            tfpipe.pack(photos("raise"), tmp_path / "packed", samples_per_shard=1)
        finished = {
            path: path.stat().st_mtime_ns for path in (tmp_path / "packed").glob("*.tfrecord")
        }
        assert tfpipe.pack(photos("skip"), tmp_path / "packed", samples_per_shard=1) == 5
        for path, written in finished.items():
            assert path.stat().st_mtime_ns == written
        assert tfpipe.pack(photos("skip"), tmp_path / "packed", samples_per_shard=1) == 5
        with pytest.raises(ValueError, match=r"without 1 file.*3\.png.*Received: on_error='raise'"):
            tfpipe.pack(photos("raise"), tmp_path / "packed", samples_per_shard=1)

    @pytest.mark.parametrize("destination", ["photos", "photos/a/packed"])
    def test_rejects_a_place_among_the_images(self, destination, tmp_path, write):
        write(tmp_path / "photos" / "a" / "1.png")
        photos = tfpipe.image_dataset_from_directory(tmp_path / "photos", verbose=False)
        with pytest.raises(ValueError, match=r"inside '.*photos': a folder there is a class"):
            tfpipe.pack(photos, tmp_path / destination)
        frame = pd.DataFrame({"filename": ["photos/a/1.png"], "class": ["a"]})
        named = tfpipe.image_dataset_from_dataframe(frame, tmp_path, verbose=False)
        assert tfpipe.pack(named, tmp_path / "packed") == 1

    def test_rejects_what_is_no_data_set_of_files(self, tmp_path):
        arrays = tfpipe.ImageDataGenerator().flow(np.zeros([2, 3, 4, 3]))
        with pytest.raises(TypeError, match="an ImageDataset of image files"):
            tfpipe.pack(arrays, tmp_path)

    def test_rejects_splits_that_treat_bad_files_differently(self, animals, tmp_path):
        parts = {
            on_error: tfpipe.image_dataset_from_directory(animals, verbose=False, on_error=on_error)
            for on_error in ("raise", "skip")
        }
        with pytest.raises(ValueError, match="the same with files that cannot be used"):
            tfpipe.pack(parts, tmp_path)

    def test_rejects_no_data_sets(self, tmp_path):
        with pytest.raises(ValueError, match=r"a dict of at least one. Received: datasets=\{\}"):
            tfpipe.pack({}, tmp_path)

    def test_rejects_splits_that_differ(self, small_dataset, tmp_path):
        parts = {"training": small_dataset(), "test": small_dataset(target_size=(5, 5))}
        with pytest.raises(ValueError, match="must have the same classes, decode and resize"):
            tfpipe.pack(parts, tmp_path)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"encoding": "webp"}, "encoding must be one of 'raw', 'png', 'jpeg'"),
            ({"quality": 101}, "quality must be an int, 1 to 100"),
            ({"samples_per_shard": 0}, "samples_per_shard must be an int >= 1"),
            ({"processes": 0}, "processes must be an int >= 1"),
        ],
    )
    def test_rejects_wrong_settings(self, small_dataset, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            tfpipe.pack(small_dataset(), tmp_path, **options)

    def test_jpeg_has_no_alpha(self, small_dataset, tmp_path):
        with pytest.raises(ValueError, match="has no alpha"):
            tfpipe.pack(small_dataset(color_mode="rgba"), tmp_path, encoding="jpeg")

    def test_rejects_images_that_could_not_be_read(self, small_dataset, tmp_path):
        with pytest.raises(ValueError, match="at most .* pixels. Received: .*20000, 20000"):
            tfpipe.pack(small_dataset(target_size=(20_000, 20_000)), tmp_path / "packed")
        assert not (tmp_path / "packed").exists()

    def test_rejects_objects(self, small_dataset, tmp_path):
        dataset = small_dataset()
        source = dataset.source.with_columns(weight=np.array([1.0, None] * 7, object))
        stored = Stored("raw", "uint8", (1, 1, 3))
        records = Records([], *np.zeros([3, 14], int), np.zeros([14, 3], int), [b""] * 14, stored)
        index = Index({"image": stored}, "rgb", (), ("all",), (), None, "")
        with pytest.raises(ValueError, match=r"numbers or text. Received .*: \['weights'\]"):
            shards.write_index(
                str(tmp_path), index, source.with_columns(image=records), np.zeros(14)
            )

    def test_the_columns_are_no_more_than_there_are(self, small_dataset, tmp_path):
        tfpipe.pack(small_dataset(), tmp_path)
        with np.load(tmp_path / "columns.npz") as columns:
            assert "allow_pickle" not in columns.files

    def test_rejects_no_images(self, animals, tmp_path):
        (tmp_path / "empty" / "cat").mkdir(parents=True)
        empty = tfpipe.ImageDataGenerator().flow_from_directory(tmp_path / "empty")
        with pytest.raises(ValueError, match="datasets must hold images. Received: none in 'all'"):
            tfpipe.pack(empty, tmp_path / "packed")

    def test_a_damaged_index(self, small_dataset, tmp_path):
        tfpipe.pack(small_dataset(), tmp_path)
        (tmp_path / "index.json").write_bytes(b'{"encoding": "r')
        with pytest.raises(ValueError, match="index.json' is damaged: .*pack again"):
            shards.read_index(str(tmp_path))
        with pytest.raises(ValueError, match="index.json' is damaged: .*pack again"):
            tfpipe.pack(small_dataset(), tmp_path)

    def test_reading_where_nothing_is(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nothing was packed there"):
            shards.read_index(str(tmp_path))
