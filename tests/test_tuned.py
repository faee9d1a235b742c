"""`tuned`: other threads, buffers and caches, and never another batch."""

import numpy as np
import pytest

import tfpipe


class TestTuned:
    @pytest.mark.parametrize(
        "settings",
        [
            {"num_parallel_calls": 1, "prefetch": 1},
            {"num_parallel_calls": 5, "prefetch": -1},
            {"cache": "memory"},
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

    def test_a_cache_on_disk_is_used(self, small_dataset, tmp_path):
        list(small_dataset().tuned(cache=tmp_path / "cache"))
        assert len(list((tmp_path / "cache").rglob("*.raw"))) == 14

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"num_parallel_calls": 0}, "parallelism must be an int >= 1"),
            ({"decoding": "best"}, "decoding must be one of 'exact'"),
        ],
    )
    def test_rejects(self, small_dataset, settings, message):
        with pytest.raises(ValueError, match=message):
            small_dataset().tuned(**settings)
