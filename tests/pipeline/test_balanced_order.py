"""Balanced epochs: every class as often as every other."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from tfpipe import Augment, ImageDataGenerator, ImageDataset
from tfpipe.pipeline.feeds import Feeds
from tfpipe.pipeline.order import balanced_order
from tfpipe.sources.class_weights import class_weight, classes_of


def epoch_of(targets, balance, epoch=0, shuffle=True, seed=3):
    classes = classes_of(np.asarray(targets))
    feeds = Feeds()
    seed = feeds.value(seed)
    index_at = balanced_order(classes, balance, seed=seed, shuffle=shuffle, feeds=feeds)
    positions = tf.range(classes.epoch_length(balance), dtype=tf.int64)
    return index_at(positions, tf.constant(epoch, tf.int64)).numpy().tolist()


class TestBalancedOrder:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.booleans())
    def test_every_class_is_as_often_as_every_other(self, targets, shuffle):
        counts = Counter(targets)
        for balance, each in (
            ("oversample", max(counts.values())),
            ("undersample", min(counts.values())),
        ):
            indices = epoch_of(targets, balance, shuffle=shuffle)
            assert Counter(targets[i] for i in indices) == dict.fromkeys(counts, each)
            # Within a class, no sample comes twice before each has come once.
            for index, count in Counter(indices).items():
                turns = each / counts[targets[index]]
                assert int(turns) <= count <= -(-each // counts[targets[index]])
                assert count <= 1 or balance == "oversample"

    def test_epochs_differ_and_undersampling_takes_other_samples(self):
        targets = [0] * 50 + [1] * 3
        epochs = [epoch_of(targets, "undersample", epoch) for epoch in range(40)]
        assert len({tuple(epoch) for epoch in epochs}) == 40
        assert len({index for epoch in epochs for index in epoch}) > 40

    def test_classes_of_one_size_have_orders_of_their_own(self):
        targets = [0] * 50 + [1] * 50 + [2] * 3
        same = 0
        for epoch in range(20):
            indices = epoch_of(targets, "undersample", epoch)
            ranks = [{i % 50 for i in indices if targets[i] == c} for c in (0, 1)]
            same += ranks[0] == ranks[1]
        assert same <= 3

    def test_classes_take_turns_without_shuffle(self):
        assert epoch_of([1, 0, 1, 1], "oversample", shuffle=False) == [1, 0, 1, 2, 1, 3]

    @pytest.mark.parametrize(
        "targets", [None, [[0], [1]], np.zeros([3, 2], int), np.zeros(3), np.array([0, -1])]
    )
    def test_rejects_labels_without_one_class_each(self, targets):
        with pytest.raises(ValueError, match="balance needs exactly one class per sample"):
            classes_of(targets)


class TestClassWeight:
    def test_is_that_of_scikit_learn(self):
        ids = np.array([0, 0, 2, 0, 3, 2, 0])
        theirs = compute_class_weight("balanced", classes=np.array([0, 2, 3]), y=ids)
        ours = class_weight(ids, 4)
        assert list(ours) == [0, 2, 3]
        np.testing.assert_allclose(list(ours.values()), theirs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write, picture):
    top = tmp_path_factory.mktemp("balance")
    for name, count in (("cat", 9), ("dog", 2)):
        for i in range(count):
            write(top / name / f"{i}.png", picture(4, 5, 3, seed=i))
    return top


class TestDataset:
    def flow(self, folder, **changes):
        dataset = ImageDataGenerator().flow_from_directory(
            folder, target_size=(4, 5), class_mode="sparse", batch_size=4, seed=1
        )
        return ImageDataset(dataset.source, replace(dataset.spec, **changes))

    @pytest.mark.parametrize(("balance", "length"), [("oversample", 18), ("undersample", 4)])
    def test_an_epoch(self, folder, balance, length):
        dataset = self.flow(folder, balance=balance)
        assert len(dataset) == -(-length // 4)
        labels = np.concatenate([y.numpy() for _, y in dataset])
        assert Counter(labels.tolist()) == {0: length // 2, 1: length // 2}
        np.testing.assert_array_equal(labels[:4], dataset[0][1])
        np.testing.assert_array_equal(labels, dataset.classes[dataset.index_array])

    def test_each_place_draws_its_own_transform(self, folder):
        dataset = self.flow(folder, balance="oversample", augment=Augment(rotation_range=90))
        images = np.concatenate([x.numpy() for x, y in dataset])
        assert len({image.tobytes() for image in images}) == 18

    def test_class_weight(self, folder):
        dataset = self.flow(folder)
        assert dataset.class_weight == {0: 11 / 18, 1: 11 / 4}
        arrays = ImageDataGenerator().flow(np.zeros([2, 3, 4, 1]))
        with pytest.raises(ValueError, match="class_weight needs one class"):
            _ = arrays.class_weight

    def test_arrays_without_classes_are_refused(self):
        dataset = ImageDataGenerator().flow(np.zeros([2, 3, 4, 1]))
        with pytest.raises(ValueError, match="balance needs exactly one class"):
            ImageDataset(dataset.source, replace(dataset.spec, balance="oversample"))

    def test_an_unknown_kind(self, folder):
        with pytest.raises(ValueError, match=r"balance must be one of .*Did you mean 'oversample'"):
            self.flow(folder, balance="oversampling")


class TestIncludePaths:
    def test_the_path_is_the_last_part(self, animals):
        dataset = ImageDataGenerator().flow_from_directory(
            animals, target_size=(4, 5), batch_size=4, seed=1
        )
        with_paths = ImageDataset(dataset.source, replace(dataset.spec, include_paths=True))
        for (x, y), (same_x, same_y, paths) in zip(dataset.take(-1), with_paths, strict=True):
            np.testing.assert_array_equal(x, same_x)
            np.testing.assert_array_equal(y, same_y)
            rows = [dataset.filepaths.index(path.decode()) for path in paths.numpy()]
            np.testing.assert_array_equal(dataset.classes[rows], y.numpy().argmax(1))

    def test_arrays_have_none(self):
        dataset = ImageDataGenerator().flow(np.zeros([2, 3, 4, 1]))
        with pytest.raises(ValueError, match="include_paths=True needs files"):
            ImageDataset(dataset.source, replace(dataset.spec, include_paths=True))
