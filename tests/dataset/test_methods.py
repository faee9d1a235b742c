"""Data sets made of an `ImageDataset` by tf.data's own methods keep the class names."""

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.dataset.methods import DerivedDataset, KnowsClasses
from tfpipe.transforms.augment import Augment

NAMES = ["Emu", "cat", "dog"]
STEPS = {
    "map": lambda d: d.map(lambda x, y: (x / 255, y), num_parallel_calls=2),
    "take": lambda d: d.take(2),
    "skip": lambda d: d.skip(1),
    "unbatch": lambda d: d.unbatch(),
    "batch": lambda d: d.unbatch().batch(3, drop_remainder=True),
    "repeat": lambda d: d.repeat(2),
    "shuffle": lambda d: d.shuffle(2, seed=1),
    "prefetch": lambda d: d.prefetch(1),
    "filter": lambda d: d.filter(lambda x, y: tf.shape(x)[0] == 4),
    "concatenate": lambda d: d.concatenate(d.take(1)),
    "with_options": lambda d: d.with_options(tf.data.Options()),
    "apply": lambda d: d.apply(lambda e: e.take(1)),
    "flat_map": lambda d: d.flat_map(lambda x, y: tf.data.Dataset.from_tensors(y)),
    "enumerate": lambda d: d.enumerate(),
}


@pytest.fixture(scope="module")
def dataset(small_dataset):
    return small_dataset(shuffle=False)


class TestKnowsClasses:
    @pytest.mark.parametrize("name", STEPS)
    def test_every_method_keeps_them(self, dataset, name):
        derived = STEPS[name](dataset)
        assert isinstance(derived, DerivedDataset)
        assert isinstance(derived, tf.data.Dataset)
        assert derived.class_names == NAMES
        assert derived.class_indices == {"Emu": 0, "cat": 1, "dog": 2}
        assert derived.num_classes == 3
        plain = STEPS[name](tf.data.Dataset.map(dataset, lambda *batch: batch))
        assert derived.element_spec == plain.element_spec
        assert derived.cardinality() == plain.cardinality()

    def test_the_elements_are_those_of_tf_data(self, dataset):
        derived = dataset.map(lambda x, y: x / 255).unbatch().take(5).batch(2)
        plain = tf.data.Dataset.map(dataset, lambda x, y: x / 255).unbatch().take(5).batch(2)
        for ours, theirs in zip(derived, plain, strict=True):
            np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.parametrize("method", ["cache", "snapshot"])
    def test_what_freezes_the_augmentation_warns(self, small_dataset, tmp_path, method):
        augmented = small_dataset().with_spec(augment=Augment(horizontal_flip=True))
        arguments = [str(tmp_path)] * (method == "snapshot")
        with pytest.warns(UserWarning, match=rf"`{method}` keeps the samples.*cache=\"memory\""):
            getattr(augmented, method)(*arguments)
        with pytest.warns(UserWarning, match="augmented in the first epoch"):
            kept = getattr(augmented.map(lambda x, y: (x, y)).take(1), method)(*arguments)
        kept.cache()  # nothing is left to freeze

    def test_what_is_not_random_can_be_cached(self, dataset):
        first, second = (np.concatenate([x for x, y in dataset.cache()]) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_methods_keep_their_documentation(self):
        assert KnowsClasses.map.__doc__ == tf.data.Dataset.map.__doc__
