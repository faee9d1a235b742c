"""Splits that keep equal contents on one side."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfpipe.sources.splits import Holdout, Strata, fold_rows, holdout
from tfpipe.sources.together import (
    check_folds_together,
    folds_together,
    holdout_together,
    sides_together,
    with_contents,
)

pytestmark = pytest.mark.one_profile

CONTENTS = st.lists(st.integers(0, 60), min_size=20, max_size=80)


def assert_apart(cut, contents):
    assert sorted([*cut.training, *cut.validation]) == list(range(len(contents)))
    assert not set(contents[cut.training]) & set(contents[cut.validation])


class TestHoldout:
    @given(CONTENTS, st.sampled_from([0.1, 0.3, 0.5]), st.integers(0, 9))
    @settings(max_examples=40, deadline=None)
    def test_no_content_is_on_both_sides(self, contents, fraction, seed):
        contents = np.array(contents)
        plain = holdout(len(contents), fraction, seed=seed, shuffle=True)
        cut = holdout_together(plain, contents)
        assert_apart(cut, contents)
        singles = (np.bincount(contents)[contents] == 1).sum()
        if singles >= len(contents) // 2:  # enough to make up for what was moved
            most = np.bincount(contents).max()  # a content moves whole
            assert abs(len(cut.validation) - len(plain.validation)) < most
        again = holdout_together(plain, contents)
        assert again.validation.tolist() == cut.validation.tolist()

    def test_a_split_without_duplicates_stays_as_it_is(self):
        plain = holdout(50, 0.3, seed=3, shuffle=True)
        cut = holdout_together(plain, np.arange(50)[::-1])
        assert cut.training.tolist() == plain.training.tolist()
        assert cut.validation.tolist() == plain.validation.tolist()

    def test_class_shares_are_kept(self):
        rng = np.random.default_rng(0)
        labels = np.repeat([0, 1, 2], [100, 60, 40])
        contents = np.arange(200)
        for one, other in rng.permutation(100)[:30].reshape(-1, 2):  # 15 pairs of class 0
            contents[other] = contents[one]
        contents[150] = contents[20]  # under another class
        strata = Strata(labels)
        plain = holdout(200, 0.25, seed=1, shuffle=True, strata=strata)
        assert set(contents[plain.training]) & set(contents[plain.validation])
        cut = holdout_together(plain, contents, labels)
        assert_apart(cut, contents)
        assert np.bincount(labels[cut.validation]).tolist() == [25, 15, 10]
        assert (np.diff(cut.validation) > 0).all()

    def test_a_content_goes_where_more_samples_are_lacking(self):
        sides = np.array([0] * 8 + [1] * 8)
        contents = np.array([0, 1, 2, 3, 4, 5, 6, 7] * 2)  # each has one on either side
        moved = sides_together(sides, contents)
        assert np.bincount(moved).tolist() == [8, 8]
        assert moved.tolist() == moved[:8].tolist() * 2


class TestFolds:
    @given(CONTENTS, st.integers(2, 5))
    @settings(max_examples=25, deadline=None)
    def test_no_two_folds_share_a_content(self, contents, k):
        contents = np.array([*contents, *range(100, 120)])
        folds = folds_together(fold_rows(len(contents), k, seed=0), contents)
        assert sorted(np.concatenate([fold.validation for fold in folds])) == list(
            range(len(contents))
        )
        for fold in folds:
            assert_apart(fold, contents)
        singles = (np.bincount(contents)[contents] == 1).sum()
        sizes = [len(fold.validation) for fold in folds]
        assert singles < len(contents) // 2 or max(sizes) - min(sizes) <= 1

    def test_too_few_contents_are_an_error(self):
        with pytest.raises(ValueError, match="leaves fold 1 of k=2 empty"):
            folds_together(fold_rows(4, 2, seed=0), np.zeros(4, int))

    def test_a_column_that_parts_equal_files_is_an_error(self):
        pairs = [Holdout(np.array([0, 1]), np.array([2]))]
        check_folds_together(pairs, np.array([0, 1, 2]), ["a", "b", "c"])
        with pytest.raises(ValueError, match="several: 'b', 'c'. Correct the column"):
            check_folds_together(pairs, np.array([0, 1, 1]), ["a", "b", "c"])


class TestGroups:
    def test_groups_that_share_a_content_become_one(self):
        strata = Strata(groups=np.array(["a", "b", "c", "c", "d", "e"], object))
        groups = with_contents(strata, np.array([0, 1, 0, 2, 2, 3])).groups
        assert groups.tolist() == [0, 1, 0, 0, 0, 5]
