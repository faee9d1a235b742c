"""`tuned`: other threads, buffers and caches, and never another batch."""

import copy

import numpy as np
import pytest
import tensorflow as tf

import tfpipe

pytestmark = pytest.mark.one_profile


class TestTuned:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "settings",
        [
            {"num_parallel_calls": 1, "prefetch": 1},
            {"num_parallel_calls": 5, "prefetch": -1},
            {"cache": "memory"},
            {"cache": "memory", "ram_budget": 10**6},
        ],
    )
    def test_never_changes_a_batch(self, animals, settings):
        generator = tfpipe.ImageDataGenerator(rotation_range=20)
        dataset = generator.flow_from_directory(animals, (6, 8), batch_size=4, seed=5)
        tuned = dataset.tuned(**settings)
        for ours, theirs in zip(tuned.take(-1), dataset.take(-1), strict=True):
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
        assert (tuned.class_mode, tuned.class_names) == ("categorical", dataset.class_names)

    @pytest.mark.slow
    def test_begins_where_the_other_stands(self, small_dataset):
        third = small_dataset().starting_at(2)
        tuned, other = third.tuned(prefetch=1), third.starting_at(2)
        images, _ = next(iter(tuned.take(1)))
        np.testing.assert_array_equal(images, next(iter(other.take(1)))[0])
        np.testing.assert_array_equal(images, next(tuned)[0])
        np.testing.assert_array_equal(images, next(other)[0])

    def test_keeps_what_single_batches_are(self, small_dataset):
        dataset = small_dataset()
        first = dataset[1][0]
        for _ in range(6):
            next(dataset)
        for other in (dataset.tuned(prefetch=1), copy.deepcopy(dataset)):
            assert (other.batch_index, other.total_batches_seen) == (2, 7)
            np.testing.assert_array_equal(other[1][0], first)

    def test_autotune_is_the_default(self, small_dataset):
        tuned = (
            small_dataset().tuned(num_parallel_calls=5).tuned(num_parallel_calls=tf.data.AUTOTUNE)
        )
        assert tuned._plan.parallelism == small_dataset()._plan.parallelism

    @pytest.mark.slow
    def test_a_cache_on_disk_is_used(self, small_dataset, tmp_path):
        list(small_dataset().tuned(cache=tmp_path / "cache").take(-1))
        assert len(list((tmp_path / "cache").rglob("*.raw"))) == 14

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"num_parallel_calls": 0}, "num_parallel_calls must be an int >= 1"),
            ({"ram_budget": 0}, "ram_budget must be an int >= 1"),
            ({"ram_budget": 10**6, "prefetch": -1}, "not AUTOTUNE"),
            # 6 x 8 x 3 values of 4 bytes: 2 + 4 batches of 4, samples, a cache of 14 such images
            (
                {"ram_budget": 23039, "cache": "memory", "num_parallel_calls": 1},
                "may hold, 23,040: batches 13,824, samples 1,152, cache 8,064. Choose cache=DIRECTORY",
            ),
            ({"decoding": "best"}, "decoding must be one of 'exact'"),
        ],
    )
    def test_rejects(self, small_dataset, settings, message):
        with pytest.raises(ValueError, match=message):
            small_dataset().tuned(**settings)
