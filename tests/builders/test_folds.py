"""`folds`: pairs of data sets."""

import os

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe

pytestmark = pytest.mark.one_profile


@pytest.fixture(scope="module")
def frame(tmp_path_factory, picture, write):
    """24 rows: 2 classes, 8 patients, a column of 4 folds that keeps patients together."""
    top = tmp_path_factory.mktemp("folds")
    rows = []
    for number in range(24):
        path = top / f"p{number // 3}_{number}.png"
        write(path, picture(6, 7, seed=number))
        rows.append((str(path), "ab"[number % 2], f"p{number // 3}", number // 3 % 4))
    return pd.DataFrame(rows, columns=["filename", "class", "patient", "fold"])


def folds(source, k, **options):
    options = {"image_size": (4, 5), "batch_size": 8, "verbose": False} | options
    return list(tfpipe.folds(source, k, **options))


def assert_a_partition(pairs, n):
    for training, validation in pairs:
        assert sorted([*training.file_paths, *validation.file_paths]) == sorted(
            set(training.file_paths) | set(validation.file_paths)
        )
        assert training.samples + validation.samples == n
    validated = [path for _, validation in pairs for path in validation.file_paths]
    assert len(validated) == len(set(validated)) == n


class TestFolds:
    def test_of_a_frame_with_class_shares(self, frame):
        pairs = folds(frame, 3, stratify=True)
        assert len(pairs) == 3
        assert_a_partition(pairs, 24)
        for training, validation in pairs:
            assert np.bincount(validation.labels).tolist() == [4, 4]
            assert training.class_names == validation.class_names == ["a", "b"]

    def test_of_a_frame_with_groups(self, frame):
        pairs = folds(frame, 4, groups="patient", stratify=True)
        assert_a_partition(pairs, 24)
        for training, validation in pairs:
            assert not set(training.groups) & set(validation.groups)

    def test_of_a_directory(self, animals):
        pairs = folds(animals, 2, groups=os.path.basename, label_mode="categorical")
        assert_a_partition(pairs, 14)
        for training, validation in pairs:
            assert not set(map(os.path.basename, training.file_paths)) & set(validation.groups)
            assert validation[0][1].shape[1] == 3

    def test_of_a_column(self, frame, tmp_path):
        frame.to_csv(tmp_path / "folds.csv", index=False)
        pairs = folds(tmp_path / "folds.csv", "fold", groups="patient")
        assert_a_partition(pairs, 24)
        for number, (_, validation) in enumerate(pairs):
            assert set(frame["fold"].iloc[validation.frame_rows]) == {number}

    @pytest.mark.slow
    def test_reproducible(self, frame):
        one, other, different = (
            [v.file_paths for _, v in folds(frame, 3, seed=seed)] for seed in (0, 0, 1)
        )
        assert one == other
        assert one != different

    @pytest.mark.slow
    def test_only_training_is_changed(self, frame):
        options = {
            "augment": tfpipe.Augment(rotation_range=90),
            "standardize": tfpipe.Standardize(rescale=1 / 255),
            "class_weights": "balanced",
        }
        training, validation = folds(frame, "fold", **options)[0]
        _, plain = folds(frame, "fold", standardize=options["standardize"])[0]
        np.testing.assert_array_equal(validation[0][0], plain[0][0])
        assert (len(training.element_spec), len(validation.element_spec)) == (3, 2)
        assert (bool(training.shuffle), bool(validation.shuffle)) == (True, False)
        weights = np.concatenate([w for _, _, w in training])
        assert weights.sum() == pytest.approx(training.samples)

    def test_each_pair_is_made_when_it_is_asked_for(self, frame):
        pairs = tfpipe.folds(frame, 12, image_size=4, verbose=False)
        training, validation = next(pairs)
        assert isinstance(training, tf.data.Dataset)
        assert validation.samples == 2

    @pytest.mark.parametrize(
        ("k", "options", "error", "message"),
        [
            (30, {}, ValueError, "k=30 folds of 24 sample\\(s\\) would leave a fold empty"),
            (13, {"stratify": True}, ValueError, "at least 13 samples of each class.*'a' \\(12\\)"),
            (9, {"groups": "patient"}, ValueError, "at least 9 groups.*8 group"),
            ("class", {"groups": "patient"}, ValueError, "8 group\\(s\\) are on both sides"),
            ("flod", {}, KeyError, "k='flod' is not a column.*mean 'fold'"),
            (3, {"subset": "both"}, TypeError, "folds makes the split itself, so leave subset out"),
            (3, {"stratify": True, "label_mode": None}, ValueError, "one class per sample"),
            (3, {"stratify": "yes"}, ValueError, "stratify must be True or False"),
            (3, {"class_weights": "equal"}, ValueError, "class_weights must be 'balanced'"),
            (3, {"no_such": 1}, TypeError, "no_such"),
        ],
        ids=str,
    )
    def test_rejects(self, frame, k, options, error, message):
        with pytest.raises(error, match=message):
            tfpipe.folds(frame, k, image_size=4, verbose=False, **options)

    def test_a_directory_has_no_columns(self, animals):
        with pytest.raises(TypeError, match="k='fold' names a column, but a directory has no"):
            tfpipe.folds(animals, "fold", verbose=False)
        with pytest.raises(TypeError, match="groups must be a function path -> group"):
            tfpipe.folds(animals, 2, groups="patient", verbose=False)
