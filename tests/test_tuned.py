"""`tuned`: other threads, buffers and caches, and never another batch."""

import threading

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.affine import compiled_code_makes_wait
from tfpipe.specs import default_parallel_calls


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
        for ours, theirs in zip(tuned, dataset, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
        assert (tuned.class_mode, tuned.class_names) == ("categorical", dataset.class_names)

    def test_begins_where_the_other_stands(self, small_dataset):
        third = small_dataset().starting_at(2)
        images, _ = next(iter(third.tuned(prefetch=1)))
        np.testing.assert_array_equal(images, next(iter(third.starting_at(2)))[0])

    def test_a_cache_on_disk_is_used(self, small_dataset, tmp_path):
        list(small_dataset().tuned(cache=tmp_path / "cache"))
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

    @pytest.mark.filterwarnings("ignore:preprocessing_function meet takes only NumPy")
    def test_as_many_samples_are_in_work_as_it_says(self):
        count = default_parallel_calls() + 4
        everybody = threading.Barrier(count)
        begun = threading.Event()

        def meet(image):
            assert type(image) is np.ndarray
            if begun.is_set():  # it is tried at construction, on one image
                everybody.wait(timeout=30)  # else raises BrokenBarrierError
            return image

        generator = tfpipe.ImageDataGenerator(preprocessing_function=meet)
        images = np.zeros([2 * count, 4, 4, 3], np.float32)
        dataset = generator.flow(images, batch_size=count).tuned(num_parallel_calls=count)
        begun.set()
        assert len(list(dataset)) == 2


class TestThreads:
    def test_their_number_is_that_of_tf_data_where_none_waits(self, small_dataset):
        assert threads(small_dataset()) is None
        assert threads(small_dataset().tuned(num_parallel_calls=1)) is None

    @pytest.mark.parametrize("calls", [1, 3])
    def test_each_sample_has_its_own_where_compiled_code_makes_them_wait(self, calls):
        flow = tfpipe.ImageDataGenerator(rotation_range=20).flow(np.zeros([4, 4, 4, 3]))
        expected = calls + 1 if compiled_code_makes_wait() else None
        assert threads(flow.tuned(num_parallel_calls=calls)) == expected

    def test_the_users_own_number_wins(self, small_dataset):
        options = tf.data.Options()
        options.threading.private_threadpool_size = 5
        tuned = small_dataset().tuned(num_parallel_calls=64)
        assert threads(tuned) == 65
        assert threads(tuned.with_options(options)) == 5


def threads(dataset):
    return dataset.options().threading.private_threadpool_size
