"""What a run is: what counts, what does not, and how a difference is told."""

import shutil

import keras
import numpy as np
import pandas as pd
import pytest

import tfpipe
from tfpipe.dataset import fingerprint
from tfpipe.ops.kernels import why_not_native

pytestmark = pytest.mark.one_profile

OPTIONS = {"image_size": (4, 5), "batch_size": 4, "seed": 1, "verbose": False}


@pytest.fixture
def photos(tmp_path, animals):
    return shutil.copytree(animals, tmp_path / "photos")


def of(dataset):
    return {"data": fingerprint.of_data(dataset.source, dataset.spec)}


def photos_with(folder, **options):
    return tfpipe.image_dataset_from_directory(folder, **(OPTIONS | options))


def changes(one, other):
    return [change.text for change in fingerprint.changes_between(of(one), of(other))]


class TestOfFiles:
    @pytest.mark.skipif(why_not_native() is not None, reason=f"no kernels: {why_not_native()}")
    def test_the_kernels_in_use_are_a_difference(self, photos):
        native, pure = (photos_with(photos, kernels=name) for name in ("auto", "tensorflow"))
        assert changes(native, pure) == ["kernels: native -> tensorflow"]

    def test_threads_buffers_caches_and_the_folder_are_no_difference(self, photos, tmp_path):
        shutil.copytree(photos, tmp_path / "mounted" / "elsewhere")
        other = photos_with(
            tmp_path / "mounted" / "elsewhere",
            num_parallel_calls=1,
            prefetch=5,
            cache="memory",
            ram_budget=10**9,
        )
        assert changes(photos_with(photos), other) == []

    @pytest.mark.parametrize(
        ("option", "text"),
        [
            ({"batch_size": 8}, "batch_size: 4 -> 8"),
            ({"seed": 2}, "seed: 1 -> 2"),
            ({"shuffle": False}, "shuffle: True -> False"),
            ({"image_size": (4, 6)}, "image.resize.size: [4, 5] -> [4, 6]"),
            ({"label_mode": "categorical"}, "label.encoding: 'index' -> 'one_hot'"),
            (
                {"augment": tfpipe.Augment(rotation_range=20)},
                "augment.rotation_range: 0 -> 20",
            ),
            ({"on_error": "skip"}, "errors.on_error: 'raise' -> 'skip'"),
        ],
    )
    def test_options(self, photos, option, text):
        assert text in changes(photos_with(photos), photos_with(photos, **option))

    def test_a_file_more_is_named(self, photos, write, picture):
        one = of(photos_with(photos))
        write(photos / "cat" / "1b.png", picture(3, 4, seed=9))
        (change,) = [
            c.text
            for c in fingerprint.changes_between(one, of(photos_with(photos)))
            if c.name == "files"
        ]
        assert change.startswith("files: ")
        assert "'cat/1b.png'" in change

    def test_a_file_of_another_size_is_named(self, photos):
        one, path = of(photos_with(photos)), next((photos / "cat").iterdir())
        path.write_bytes(path.read_bytes() + b"12")
        (change,) = fingerprint.changes_between(one, of(photos_with(photos)))
        size = path.stat().st_size
        assert (
            f"'cat/{path.name}' ({size - 2} bytes) -> 'cat/{path.name}' ({size} bytes)"
            in change.text
        )

    def test_a_split(self, photos):
        split = {"validation_split": 0.3, "subset": "training"}
        (change, *_) = changes(
            photos_with(photos, **split), photos_with(photos, **split, stratify=True)
        )
        assert "files: " in change

    def test_labels_of_a_table_and_absolute_names(self, photos, tmp_path):
        names = sorted(map(str, photos.rglob("*.*")))

        def table(names, labels):
            frame = pd.DataFrame({"filename": names, "class": labels})
            return tfpipe.image_dataset_from_dataframe(frame, **OPTIONS)

        labels = ["a", "b"] * (len(names) // 2) + ["b"] * (len(names) % 2)
        shutil.copytree(photos, tmp_path / "moved")
        moved = [name.replace(str(photos), str(tmp_path / "moved")) for name in names]
        assert changes(table(names, labels), table(moved, labels)) == []
        (change,) = changes(table(names, labels), table(names, [*labels[1:], "a"]))
        assert change.startswith(f"label: int32 [{len(names)}], digest ")
        (change,) = changes(table(names, labels), table(names[::-1], labels))
        assert f"files: {len(names)} in another order" in change

    def test_shards(self, photos, tmp_path):
        tfpipe.pack(photos_with(photos), tmp_path / "packed")
        shutil.copytree(tmp_path / "packed", tmp_path / "moved")
        options = {"batch_size": 4, "seed": 1, "verbose": False}
        one, moved = (
            tfpipe.image_dataset_from_shards(tmp_path / name, **options)
            for name in ("packed", "moved")
        )
        assert changes(one, moved) == []
        (photos / "cat").joinpath("new.png").write_bytes(
            next((photos / "cat").glob("*.png")).read_bytes()
        )
        tfpipe.pack(photos_with(photos), tmp_path / "again")
        again = tfpipe.image_dataset_from_shards(tmp_path / "again", **options)
        assert any(text.startswith("records: ") for text in changes(one, again))


class TestOfArrays:
    def test_content(self):
        def flow(value):
            images = np.zeros([6, 4, 5, 3], np.uint8)
            images[4, 3, 4, 2] = value
            return tfpipe.ImageDataGenerator().flow(images, np.arange(6), seed=1)

        assert changes(flow(0), flow(0)) == []
        (change,) = changes(flow(0), flow(1))
        assert change.startswith("image: uint8 [6, 4, 5, 3], digest ")

    def test_large_ones_count_by_some_of_their_samples(self, monkeypatch):
        monkeypatch.setattr(fingerprint, "_DIGESTED_BYTES", 100)
        images = np.arange(5 * 4 * 5 * 3, dtype=np.uint8).reshape(5, 4, 5, 3)
        assert "digest of one in 3 " in fingerprint._digest_of(images)
        other = images.copy()
        other[1] += 1
        assert fingerprint._digest_of(other) == fingerprint._digest_of(images)
        other[3] += 1
        assert fingerprint._digest_of(other) != fingerprint._digest_of(images)


class TestOfModel:
    @staticmethod
    def model(units=3, rate=0.01, activation="relu", drop=0.5):
        model = keras.Sequential(
            [
                keras.layers.Flatten(),
                keras.layers.Dense(units, activation),
                keras.layers.Dropout(drop),
            ]
        )
        model.build((None, 4, 5, 3))
        model.compile(keras.optimizers.Adam(rate), "mse")
        return model

    def changes(self, **options):
        one, other = (
            {"model": fingerprint.of_model(m), "optimizer": fingerprint.of_optimizer(m.optimizer)}
            for m in (self.model(), self.model(**options))
        )
        return [change.text for change in fingerprint.changes_between(one, other)]

    def test_the_same_model_made_again(self):
        assert self.changes() == []

    def test_settings(self):
        assert self.changes(activation="tanh") == ["layer 2 (Dense).activation: 'relu' -> 'tanh'"]
        assert self.changes(drop=0.25) == ["layer 3 (Dropout).rate: 0.5 -> 0.25"]
        assert self.changes(rate=0.001) == ["optimizer.learning_rate: 0.01 -> 0.001"]
        assert any(text.startswith("variables: ") for text in self.changes(units=4))

    def test_optimizers_and_schedules(self):
        adam, sgd = (
            fingerprint.of_optimizer(c()) for c in (keras.optimizers.Adam, keras.optimizers.SGD)
        )
        (change, *_) = fingerprint.changes_between({"optimizer": adam}, {"optimizer": sgd})
        assert change.text == "optimizer: Adam -> SGD"
        schedules = (
            fingerprint.of_optimizer(
                keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, steps, 0.9))
            )
            for steps in (10, 20)
        )
        (change,) = fingerprint.changes_between(*({"optimizer": each} for each in schedules))
        assert change.text == "optimizer.learning_rate.config.decay_steps: 10 -> 20"


class TestBytes:
    def test_round_trip(self):
        print_ = {"data": {"files": ["a\udcff", "b"], "seed": "1"}}
        assert fingerprint.from_bytes(fingerprint.as_bytes(print_)) == print_

    @pytest.mark.parametrize(
        "damage",
        [
            lambda b: b[:-5],
            lambda b: bytes(len(b)),
            lambda b: b"",
            lambda b: b[:20] + b"\0\0" + b[22:],
        ],
    )
    def test_damaged_ones_are_refused(self, damage):
        content = fingerprint.as_bytes({"data": {"files": list("abcdefghi")}})
        with pytest.raises(ValueError, match="not a fingerprint"):
            fingerprint.from_bytes(damage(content))
