"""tfpipe.transforms.statistics against NumPy on everything at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfpipe.transforms import statistics
from tfpipe.transforms.statistics import Gram, moments

pytestmark = pytest.mark.one_profile


def images(n=14, height=3, width=4, channels=2, *, mean=0.0, seed=0):
    values = np.random.default_rng(seed).normal(mean, 1, (n, height, width, channels))
    return values * np.arange(1, channels + 1)


def zca(x, epsilon):
    """The classic's own lines, on images less their mean: flattened [n, F]."""
    u, s, _ = np.linalg.svd(x.T, full_matrices=False)
    return (u * (np.sqrt(len(x)) / (s + epsilon))).dot(u.T)


class TestMoments:
    def test_values(self):
        # Of 1, 2, 6: mean 3, squared differences 4 + 1 + 9.
        found = moments(np.array([[1], [2], [6]], np.uint8))
        assert (found.count, found.mean.tolist(), found.squares.tolist()) == (3, [3], [14])

    @given(
        values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30),
        cuts=st.lists(st.integers(1, 29), max_size=4),
        offset=st.sampled_from([0.0, 1e9]),
    )
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    def test_merging_parts_is_the_whole(self, values, cuts, offset):
        column = np.array(values)[:, None] + offset
        parts = [part for part in np.split(column, sorted(set(cuts))) if len(part)]
        merged = moments(parts[0])
        for part in parts[1:]:
            merged = merged.merge(moments(part))
        whole = moments(column)
        assert merged.count == whole.count
        np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12, atol=1e-6)
        np.testing.assert_allclose(merged.squares, whole.squares, rtol=1e-6, atol=1e-3)


class TestFit:
    @pytest.mark.parametrize("sizes", [[14], [4, 4, 4, 2], [1] * 14, [13, 1]])
    @pytest.mark.parametrize("axis", [3, 1])
    def test_equals_numpy_however_it_is_cut(self, sizes, axis):
        x = images() if axis == 3 else np.moveaxis(images(), -1, 1)
        found = statistics.fit(np.split(x, np.cumsum(sizes)[:-1]), axis)
        others = tuple(a for a in range(4) if a != axis)
        assert found.mean.shape == found.std.shape == (2,)
        np.testing.assert_allclose(found.mean, x.mean(others), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found.std, x.std(others), rtol=1e-12)
        assert found.zca_whitening_matrix is None

    def test_takes_a_generator_once(self):
        found = statistics.fit((x for x in [images(), images(mean=5)]), 3)
        both = np.concatenate([images(), images(mean=5)])
        np.testing.assert_allclose(found.mean, both.mean((0, 1, 2)), rtol=1e-12)

    @pytest.mark.parametrize("mean", [1e6, -1e8])
    def test_is_stable_with_a_large_offset(self, mean):
        # The sum of squares less the squared mean would have no correct digit at 1e8.
        x = images(64, mean=mean)
        found = statistics.fit(np.split(x, 8), 3)
        np.testing.assert_allclose(found.mean, x.mean((0, 1, 2)), rtol=1e-14)
        np.testing.assert_allclose(found.std, x.std((0, 1, 2)), rtol=1e-9)

    def test_no_image(self):
        with pytest.raises(ValueError, match="at least one image"):
            statistics.fit([], 3)


class TestZca:
    @pytest.mark.parametrize("n", [9, 60])  # fewer images than values, and more
    @pytest.mark.parametrize("axis", [3, 1])
    @pytest.mark.parametrize("epsilon", [1e-6, 0.1])
    def test_equals_the_singular_values(self, n, axis, epsilon):
        x = images(n) if axis == 3 else np.moveaxis(images(n), -1, 1)
        found = statistics.fit(np.array_split(x, 4), axis, epsilon)
        centred = x - x.mean(tuple(a for a in range(4) if a != axis), keepdims=True)
        expected = zca(centred.reshape(n, -1), epsilon)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found.zca_whitening_matrix, expected, rtol=0, atol=1e-9 * scale)

    def test_whitens(self):
        x = images(500, 2, 3)
        matrix = statistics.fit(np.array_split(x, 7), 3, 1e-6).zca_whitening_matrix
        white = (x - x.mean((0, 1, 2))).reshape(500, -1) @ matrix
        np.testing.assert_allclose(white.T @ white / 500, np.eye(12), atol=1e-6)

    def test_is_stable_with_a_large_offset(self):
        x = images(60, 2, 3, mean=1e6)
        found = statistics.fit(np.array_split(x, 5), 3, 1e-6).zca_whitening_matrix
        expected = zca((x - x.mean((0, 1, 2))).reshape(60, -1), 1e-6)
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_a_matrix_that_no_machine_holds(self):
        with pytest.raises(
            ValueError, match="150528 values needs a matrix of 169 GiB.*target_size"
        ):
            Gram(np.zeros(224 * 224 * 3))
