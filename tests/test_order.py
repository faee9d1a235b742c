"""The order of an epoch."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfpipe import order


def epoch_of(n, seed, epoch):
    return order.epoch_order(n, seed, epoch, shuffle=True).tolist()


class TestShuffled:
    @settings(deadline=None, max_examples=40)
    @given(st.integers(1, 3000), st.integers(0, 2**63 - 1), st.integers(0, 10**9))
    def test_a_permutation(self, n, seed, epoch):
        assert sorted(epoch_of(n, seed, epoch)) == list(range(n))

    @pytest.mark.parametrize("n", [1, 2, 3, 255, 256, 257, 65536, 65537, 131073, 262145])
    def test_a_permutation_at_powers_of_two(self, n):
        # At 65537 and 262145 TensorFlow's own op gives one index twice and leaves one out.
        assert sorted(epoch_of(n, 3, 1)) == list(range(n))

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

    def test_without_shuffle(self):
        assert order.epoch_order(4, 1, 7, shuffle=False).tolist() == [0, 1, 2, 3]
        assert order.epoch_order(0, 1, 7, shuffle=True).tolist() == []


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
        key = order.fold_in(order.stream_key(7, "shuffle"), tf.constant(3, tf.int64))
        assert key.numpy().tolist() == [1328790683835951733, 3]


class TestSeed:
    def test_values(self):
        assert order.as_seed(7) == 7
        assert order.as_seed(np.int32(7)) == 7
        assert 0 <= order.as_seed(-1) < 2**63
        assert order.as_seed(-1) != order.as_seed(1)
        assert 0 <= order.as_seed(2**70 + 5) < 2**63

    def test_none_draws_one(self):
        drawn = {order.as_seed(None) for _ in range(20)}
        assert len(drawn) == 20
        assert all(0 <= seed < 2**63 for seed in drawn)

    @pytest.mark.parametrize("seed", [1.0, "7", True, [7]])
    def test_rejects_a_seed(self, seed):
        with pytest.raises(ValueError, match="seed must be an int or None. Received: seed="):
            order.as_seed(seed)

    def test_streams_do_not_meet(self):
        keys = {tuple(order.stream_key(7, s).numpy()) for s in ("shuffle", "save_to_dir", "flip")}
        assert len(keys) == 3
