"""The order of an epoch."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tfpipe import seeds
from tfpipe.pipeline import order

LARGE = 10_000_000


def shuffled(n, seed, epoch):
    """A whole epoch."""
    return indices_at(np.arange(n), n, seed, epoch)


def epoch_of(n, seed, epoch):
    return shuffled(n, seed, epoch).tolist()


def indices_at(positions, n, seed, epoch=0):  # int64, as `positions`
    """What stands at some positions of an epoch, the others not computed."""
    positions, epoch = tf.constant(positions, tf.int64), tf.constant(epoch, tf.int64)
    return order.shuffled(positions, n, seed, epoch).numpy()


def of_epochs(positions, n, seed, epochs):  # int64 [epochs, positions]
    """What stands at the same positions in each of the first epochs."""
    positions = tf.constant(positions, tf.int64)
    rows = tf.data.Dataset.range(epochs).map(lambda e: order.shuffled(positions, n, seed, e))
    return np.stack(list(rows.as_numpy_iterator()))


class TestShuffled:
    @settings(deadline=None, max_examples=40)
    @given(st.integers(1, 3000), st.integers(0, 2**63 - 1), st.integers(0, 10**9))
    def test_a_permutation(self, n, seed, epoch):
        assert sorted(epoch_of(n, seed, epoch)) == list(range(n))

    @pytest.mark.parametrize("n", [1, 2, 3, 255, 256, 257, 65536, 65537, 131073, 262145])
    def test_a_permutation_at_powers_of_two(self, n):
        # At 65537 and 262145 TensorFlow's own op gives one index twice and leaves one out.
        assert sorted(epoch_of(n, 3, 1)) == list(range(n))

    # Each n makes constants of its own, so there is no one graph for all; a call takes 3 ms. Four
    # tests, since they run side by side.
    @pytest.mark.slow
    @pytest.mark.parametrize("first", [1, 501, 1001, 1501])
    def test_a_permutation_for_every_n_to_2000(self, first):
        wrong = []
        for n in range(first, first + 500):
            seen = shuffled(n, seed=11, epoch=n % 7)
            if seen.shape != (n,) or (np.sort(seen) != np.arange(n)).any():
                wrong.append(n)
        assert wrong == []

    def test_epochs_and_seeds_differ(self):
        # Also those 256 apart, which RandomIndexShuffle itself does not tell apart.
        orders = [epoch_of(50, seed, 0) for seed in (0, 1, 256, 257, 2**40)]
        orders += [epoch_of(50, 0, epoch) for epoch in (1, 2, 255, 256, 257, 512)]
        assert len({tuple(o) for o in orders}) == len(orders)

    def test_many_epochs_differ(self):
        # Seeded by the epoch itself, RandomIndexShuffle would know 256 orders of 40.
        def shuffled(epoch):
            return order.shuffled(tf.range(40, dtype=tf.int64), 40, 9, epoch)

        orders = tf.data.Dataset.range(600).map(shuffled).as_numpy_iterator()
        assert len({tuple(o) for o in orders}) == 600

    def test_each_index_goes_everywhere(self):
        def shuffled(epoch):
            return order.shuffled(tf.range(5, dtype=tf.int64), 5, 4, epoch)

        orders = tf.data.Dataset.range(400).map(shuffled).as_numpy_iterator()
        positions = np.array([np.argsort(o) for o in orders])
        counts = np.array([np.bincount(column, minlength=5) for column in positions.T])
        assert counts.min() > 40  # 80 expected; five standard deviations are 40
        assert counts.max() < 120

    def test_a_position_alone(self):
        n, epoch = 1000, tf.constant(2, tf.int64)
        whole = epoch_of(n, 5, 2)
        alone = order.shuffled(tf.constant([700, 3], tf.int64), n, 5, epoch)
        assert alone.numpy().tolist() == [whole[700], whole[3]]

    def test_eager_equals_graph(self):
        def shuffled(epoch):
            return order.shuffled(tf.range(30, dtype=tf.int64), 30, 8, epoch)

        epochs = tf.data.Dataset.range(3).map(shuffled)
        assert [o.numpy().tolist() for o in epochs] == [epoch_of(30, 8, e) for e in range(3)]

    def test_orders_of_several_lengths_at_once(self):
        n = np.array([3, 5, 2**16 + 1, 2**18 + 1])
        one = [indices_at([2], int(length), 7, 4)[0] for length in n]
        assert indices_at([2, 2, 2, 2], n, 7, 4).tolist() == one


class TestTenMillion:
    """By samples of the order: the whole of it would take seconds."""

    def test_random_positions_give_distinct_indices(self):
        positions = np.random.default_rng(2).choice(LARGE, 200_000, replace=False)
        indices = indices_at(positions, LARGE, seed=6, epoch=3)
        assert indices.min() >= 0
        assert indices.max() < LARGE
        assert len(np.unique(indices)) == len(positions)

    @pytest.mark.parametrize("first", [0, 4_194_300, LARGE - 100_000])
    def test_a_run_of_positions_gives_distinct_indices(self, first):
        run = indices_at(np.arange(first, first + 100_000), LARGE, seed=6)
        assert run.min() >= 0
        assert run.max() < LARGE
        assert len(np.unique(run)) == len(run)

    @pytest.mark.parametrize("first", [0, 4_194_300, LARGE - 100_000])
    def test_a_run_looks_uniform(self, first):
        shares = indices_at(np.arange(first, first + 100_000), LARGE, seed=6) / LARGE
        # The standard error of the mean is 0.0009, that of the standard deviation 0.0004.
        assert abs(shares.mean() - 1 / 2) < 0.004
        assert abs(shares.std() - 1 / np.sqrt(12)) < 0.002
        assert stats.kstest(shares, "uniform").pvalue > 1e-3

    def test_two_epochs_share_no_more_places_than_chance_gives(self):
        positions = np.arange(1_000_000)
        one, two = (indices_at(positions, LARGE, seed=6, epoch=epoch) for epoch in (0, 1))
        assert np.count_nonzero(one == two) <= 5  # 0.1 expected
        assert abs(np.corrcoef(one, two)[0, 1]) < 0.004  # four standard errors


class TestUniform:
    """Chi-square over many epochs, against what an even draw of permutations gives.

    The seeds are fixed, so a test passes always or never; p > 1e-3 is asked of each count.
    """

    @pytest.mark.slow
    @pytest.mark.parametrize("n", [2, 3, 7, 12])
    def test_the_position_of_each_index(self, n):
        orders = of_epochs(np.arange(n), n, seed=4, epochs=4000)
        positions = np.argsort(orders, 1)  # [epoch, index]
        p = [stats.chisquare(np.bincount(column, minlength=n)).pvalue for column in positions.T]
        assert min(p) > 1e-3, f"index {np.argmin(p)}"

    @pytest.mark.slow
    def test_every_order_of_four(self):
        orders = of_epochs(np.arange(4), 4, seed=4, epochs=6000)
        found, counts = np.unique(orders, axis=0, return_counts=True)
        assert len(found) == 24
        assert stats.chisquare(counts).pvalue > 1e-3

    @pytest.mark.slow
    def test_the_position_of_an_index_among_many(self):
        n, bins = 20_000, 20
        positions = np.argsort(of_epochs(np.arange(n), n, seed=4, epochs=600), 1)
        for index in (0, 1, 4095, 9999, n - 1):
            counts = np.bincount(positions[:, index] * bins // n, minlength=bins)
            assert stats.chisquare(counts).pvalue > 1e-3, f"index {index}"

    @pytest.mark.parametrize("n", [65_537, LARGE])  # 65,537 is the one that steps over an index
    def test_the_index_at_a_position_among_many(self, n):
        bins, places = 50, [0, 1, 255, 256, n // 2, n - 1]
        for place, indices in zip(places, of_epochs(places, n, seed=4, epochs=4000).T, strict=True):
            counts = np.bincount(indices * bins // n, minlength=bins)
            assert stats.chisquare(counts).pvalue > 1e-3, f"position {place}"

    @pytest.mark.slow
    @pytest.mark.parametrize("n", [5, 8, 50])
    def test_the_step_from_an_index_to_the_next(self, n):
        # The step modulo n is 1..n-1, each as often, in an even draw: 1 where neighbours stay together.
        orders = of_epochs(np.arange(n), n, seed=4, epochs=4000)
        place = n // 2
        steps = (orders[:, place] - orders[:, place - 1]) % n
        assert stats.chisquare(np.bincount(steps, minlength=n)[1:]).pvalue > 1e-3

    @pytest.mark.parametrize("n", [1000, 65_537, LARGE])
    def test_adjacent_indices_are_not_correlated(self, n):
        epochs = 200 if n == 1000 else 1
        orders = of_epochs(np.arange(min(n, 200_000)), n, seed=4, epochs=epochs)
        one, two = orders[:, :-1].ravel(), orders[:, 1:].ravel()
        assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(one.size)
        # A permutation has about one pair of neighbours in each direction, so `epochs` of them here.
        for step in (1, -1):
            assert np.count_nonzero(two - one == step) < epochs + 5 * np.sqrt(epochs)


class TestGoldenOrder:
    """The order that a seed means, the same under every TensorFlow and on every machine.

    Changing it is a breaking change, since runs that were made with a seed could not be made again:
    bump the minor version and say so in the CHANGELOG.
    """

    @pytest.mark.parametrize(
        ("n", "seed", "epoch", "golden"),
        [
            (10, 0, 0, [4, 5, 0, 6, 7, 3, 2, 9, 1, 8]),
            (10, 0, 1, [7, 3, 5, 2, 1, 9, 6, 4, 0, 8]),
            (12, 2**40 + 7, 3, [2, 11, 1, 7, 10, 8, 9, 3, 5, 4, 6, 0]),
        ],
    )
    def test_values(self, n, seed, epoch, golden):
        assert epoch_of(n, seed, epoch) == golden

    def test_a_key(self):
        key = seeds.fold_in(seeds.stream_key(7, "shuffle"), tf.constant(3, tf.int64))
        assert key.numpy().tolist() == [1328790683835951733, 3]


class TestSeed:
    def test_values(self):
        assert seeds.as_seed(7) == 7
        assert seeds.as_seed(np.int32(7)) == 7
        assert 0 <= seeds.as_seed(-1) < 2**63
        assert seeds.as_seed(-1) != seeds.as_seed(1)
        assert 0 <= seeds.as_seed(2**70 + 5) < 2**63

    def test_none_draws_one(self):
        drawn = {seeds.as_seed(None) for _ in range(20)}
        assert len(drawn) == 20
        assert all(0 <= seed < 2**63 for seed in drawn)

    @pytest.mark.parametrize("seed", [1.0, "7", True, [7]])
    def test_rejects_a_seed(self, seed):
        with pytest.raises(ValueError, match="seed must be an int or None. Received: seed="):
            seeds.as_seed(seed)

    def test_streams_do_not_meet(self):
        keys = {tuple(seeds.stream_key(7, s).numpy()) for s in ("shuffle", "save_to_dir", "flip")}
        assert len(keys) == 3
