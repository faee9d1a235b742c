"""Which rows are for training and which for validation."""

import fractions

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.utils import dataset_utils

from tfpipe.sources import splits
from tfpipe.sources.splits import Strata

pytestmark = pytest.mark.one_profile


class TestSplitCount:
    @pytest.mark.parametrize(
        ("n", "fraction", "count"),
        [(100, 0.29, 29), (100, 0.58, 58), (10, 0.7, 7), (3, 0.34, 1), (3, 0.33, 0), (0, 0.5, 0)],
    )
    def test_values(self, n, fraction, count):
        assert splits.split_count(n, fraction) == count

    @given(st.integers(0, 10**7), st.integers(1, 999))
    def test_equals_exact_arithmetic(self, n, thousandths):
        exact = fractions.Fraction(thousandths, 1000) * n
        assert splits.split_count(n, thousandths / 1000) == exact.numerator // exact.denominator

    @given(st.integers(0, 200), st.integers(1, 99))
    def test_subsets_are_disjoint_and_complete(self, n, percent):
        validation = splits.split_rows(n, percent / 100, "validation").tolist()
        training = splits.split_rows(n, percent / 100, "training").tolist()
        assert validation + training == list(range(n))


def assert_disjoint_and_complete(pair, n):
    rows = np.concatenate([pair.training, pair.validation])
    assert sorted(rows.tolist()) == list(range(n))


def shares(labels, rows):
    return np.bincount(labels[rows], minlength=labels.max() + 1) / len(rows)


class TestHoldout:
    @pytest.mark.parametrize("shuffle", [True, False])
    @pytest.mark.parametrize(("n", "fraction"), [(14, 0.3), (100, 0.2), (100, 0.29), (7, 0.5)])
    def test_rows_are_those_of_keras(self, n, fraction, shuffle):
        pair = splits.holdout(n, fraction, seed=17, shuffle=shuffle)
        names = list(range(n))
        if shuffle:
            np.random.RandomState(17).shuffle(names)
        for subset, rows in (("training", pair.training), ("validation", pair.validation)):
            expected, _ = dataset_utils.get_training_or_validation_split(
                names, None, fraction, subset
            )
            assert rows.tolist() == expected

    def test_leaves_the_global_generator_alone(self):
        np.random.seed(1)
        before = np.random.get_state()[1].tolist()
        splits.holdout(50, 0.5, seed=3, shuffle=True)
        assert np.random.get_state()[1].tolist() == before

    @given(st.integers(2, 5), st.integers(20, 60), st.sampled_from([0.1, 0.25, 0.5]), st.integers())
    @settings(max_examples=25, deadline=None)
    def test_class_shares(self, classes, size, fraction, seed):
        labels = np.arange(classes * size) % classes
        seed = abs(seed)
        pair = splits.holdout(len(labels), fraction, seed=seed, shuffle=True, strata=Strata(labels))
        assert_disjoint_and_complete(pair, len(labels))
        assert len(pair.validation) == splits.keras_split_count(len(labels), fraction)
        counts = np.bincount(labels[pair.validation], minlength=classes)
        assert counts.max() - counts.min() <= 1
        again = splits.holdout(
            len(labels), fraction, seed=seed, shuffle=True, strata=Strata(labels)
        )
        assert again.validation.tolist() == pair.validation.tolist()

    @given(st.lists(st.integers(0, 12), min_size=30, max_size=80), st.sampled_from([0.1, 0.3, 0.5]))
    @settings(max_examples=25, deadline=None)
    def test_groups_stay_whole(self, groups, fraction):
        groups = np.array([0, 1, *groups])
        strata = Strata(groups=groups)
        pair = splits.holdout(len(groups), fraction, seed=4, shuffle=True, strata=strata)
        assert_disjoint_and_complete(pair, len(groups))
        strata.check_disjoint(pair.training, pair.validation)
        assert len(pair.training)
        assert len(pair.validation)

    def test_size_with_many_groups(self):
        groups = np.arange(400) // 4
        for fraction in (0.01, 0.1, 0.2, 0.35, 0.98):
            strata = Strata(groups=groups)
            pair = splits.holdout(400, fraction, seed=1, shuffle=True, strata=strata)
            assert len(pair.validation) == pytest.approx(400 * fraction, abs=4)

    @pytest.mark.parametrize(("n", "fraction", "count"), [(1000, 0.03, 30), (100, 0.98, 98)])
    def test_a_small_side_with_groups_of_one(self, n, fraction, count):
        strata = Strata(groups=np.arange(n))
        pair = splits.holdout(n, fraction, seed=1, shuffle=True, strata=strata)
        assert len(pair.validation) == pytest.approx(count, abs=1)

    @given(st.floats(1e-9, 1 - 1e-9), st.integers(2, 100))
    def test_the_share_of_folds_is_near(self, fraction, most):
        taken, k = splits.fold_share(fraction, most)
        assert 1 <= taken < k <= most
        nearest = min(abs(t / most - fraction) for t in range(1, most))
        assert abs(taken / k - fraction) <= max(nearest, 0.02 * min(fraction, 1 - fraction))

    def test_groups_and_class_shares(self):
        groups = np.arange(300) // 3
        labels = (groups % 4 == 0).astype(int)
        pair = splits.holdout(
            300, 0.25, seed=1, shuffle=True, strata=Strata(labels, ("no", "yes"), groups)
        )
        assert_disjoint_and_complete(pair, 300)
        assert not set(groups[pair.training]) & set(groups[pair.validation])
        np.testing.assert_allclose(
            shares(labels, pair.validation), shares(labels, pair.training), atol=0.05
        )

    @pytest.mark.parametrize(
        ("strata", "fraction", "message"),
        [
            (Strata(np.array([0, 0, 1]), ("a", "b")), 0.5, "at least 2 samples of each class.*'b' \\(1\\)"),
            (Strata(np.array([0, 0, 1, 1]), ("a", "b")), 0.3, "each of the 2 classes a sample on both"),
            (Strata(groups=np.array(["p", "p"], object)), 0.5, "at least 2 groups.*1 group\\(s\\): 'p'"),
            (Strata(groups=np.array(["p", None], object)), 0.5, "1 sample.* the first in row 1"),
            (
                Strata(np.array([0, 0, 1, 1]), ("a", "b"), np.array(["p", "q", "q", "q"], object)),
                0.5,
                "Class 'b' is in only one",
            ),
        ],
    )  # fmt: skip
    def test_rejects(self, strata, fraction, message):
        n = len(strata.labels if strata.labels is not None else strata.groups)
        with pytest.raises(ValueError, match=message):
            splits.holdout(n, fraction, seed=1, shuffle=True, strata=strata)

    def test_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
        with pytest.raises(ImportError, match='pip install "scikit-learn>=1.4"'):
            splits.holdout(4, 0.5, seed=1, shuffle=True, strata=Strata(np.array([0, 0, 1, 1])))


class TestFolds:
    @given(st.integers(2, 6), st.integers(0, 40), st.integers(0, 2**70))
    @settings(max_examples=25, deadline=None)
    def test_disjoint_complete_and_reproducible(self, k, more, seed):
        n = k + more
        pairs = splits.fold_rows(n, k, seed=seed)
        assert len(pairs) == k
        for pair in pairs:
            assert_disjoint_and_complete(pair, n)
            assert len(pair.validation) in (n // k, n // k + 1)
        assert_disjoint_and_complete(
            splits.Holdout(pairs[0].validation, np.concatenate([p.validation for p in pairs[1:]])),
            n,
        )
        again = splits.fold_rows(n, k, seed=seed)
        for one, other in zip(pairs, again, strict=True):
            assert one.validation.tolist() == other.validation.tolist()

    def test_class_shares(self):
        labels = np.array([0] * 40 + [1] * 20 + [2] * 10)
        for pair in splits.fold_rows(70, 5, seed=1, strata=Strata(labels, "abc")):
            assert np.bincount(labels[pair.validation]).tolist() == [8, 4, 2]

    @given(st.lists(st.integers(0, 9), min_size=20, max_size=60), st.integers(2, 4))
    @settings(max_examples=25, deadline=None)
    def test_no_group_is_on_both_sides(self, groups, k):
        groups = np.array([0, 1, 2, 3, *groups])
        for pair in splits.fold_rows(len(groups), k, seed=0, strata=Strata(groups=groups)):
            assert not set(groups[pair.training]) & set(groups[pair.validation])

    @pytest.mark.parametrize(
        ("n", "k", "strata", "message"),
        [
            (3, 4, None, "would leave a fold empty: at most k=3"),
            (3, 1, None, "k must be an int >= 2"),
            (6, 3, Strata(np.array([0, 0, 0, 0, 1, 1]), "ab"), "at least 3 samples.*'b' \\(2\\)"),
            (6, 3, Strata(groups=np.array(list("ppppqq"))), "at least 3 groups.*2 group\\(s\\): 'p', 'q'"),
        ],
    )  # fmt: skip
    def test_rejects(self, n, k, strata, message):
        with pytest.raises(ValueError, match=message):
            splits.fold_rows(n, k, seed=1, strata=strata)


class TestGivenFolds:
    def test_values(self):
        pairs = splits.given_folds([2, 0, 2, 10])
        assert [pair.validation.tolist() for pair in pairs] == [[1], [0, 2], [3]]
        assert [pair.training.tolist() for pair in pairs] == [[0, 2, 3], [1, 3], [0, 1, 2]]

    @pytest.mark.parametrize(
        ("column", "groups", "message"),
        [
            ([1, None, 2], None, "1 sample.* the first in row 1"),
            (["a", "a"], None, "at least 2 folds: with 'a' alone, training is empty"),
            ([0, 0, 1], ["p", "q", "q"], "1 group\\(s\\) are on both sides of a split: 'q'"),
        ],
    )
    def test_rejects(self, column, groups, message):
        groups = None if groups is None else np.array(groups, object)
        with pytest.raises(ValueError, match=message):
            splits.given_folds(column, strata=Strata(groups=groups))
