"""tfpipe.transforms.mix: what MixUp and CutMix make of a batch, and which labels they take."""

import numpy as np
import pytest
import tensorflow as tf

from tfpipe.fields.image import Image
from tfpipe.fields.label import LabelSpec, check_mixable
from tfpipe.fields.layout import usual_kinds, usual_layout
from tfpipe.fields.mask import Mask
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources.source import Arrays, Files, Source
from tfpipe.transforms import mix
from tfpipe.transforms.augment import Augment

B, H, W, K = 5, 8, 12, 4
MIXUP, CUTMIX = Augment(mixup_alpha=0.4), Augment(cutmix_alpha=1.0)
BOTH = Augment(mixup_alpha=0.4, cutmix_alpha=1.0)


@pytest.fixture(scope="module")
def batch():
    """Images of one value each, which says which image it is, and one-hot labels."""
    values = tf.reshape(tf.constant([0.0, 10.0, 30.0, 70.0, 150.0]), [B, 1, 1, 1])
    return tf.broadcast_to(values, [B, H, W, 3]), tf.one_hot([0, 1, 2, 3, 0], K)


def check(augment, label, targets, masks=None):
    images = Arrays(np.zeros([2, 4, 4, 1]))
    source = Source.of(images, targets, masks=masks)
    kinds = {"image": Image(), "mask": Mask(), **usual_kinds(source, label)}
    layout = usual_layout(source.columns, label, "dict", include_paths=False)
    check_mixable(augment, layout.y, kinds, source.columns)


def mix_batch(augment, key, images, labels):
    mixture = mix.draw_mixture(augment, key, images)
    return mixture.pixels(images), mixture.numbers(labels)


def keys(count):
    return [
        mix.batch_key(3, tf.constant(1, tf.int64), tf.constant(B * i, tf.int64))
        for i in range(count)
    ]


class TestMixBatch:
    def test_mixup_gives_images_and_labels_the_same_share(self, batch):
        images, labels = batch
        values = images[:, 0, 0, 0].numpy()
        furthers = set()
        for key in keys(20):
            mixed, shares = mix_batch(MIXUP, key, images, labels)
            assert np.ptp(mixed, axis=(1, 2, 3)).max() == 0  # every pixel alike
            # With class 1's own share known, the other one of sample 1 follows.
            share = float(shares[1, 1])
            for further in range(1, B):
                other = np.roll(values, -further)
                if np.allclose(mixed[:, 0, 0, 0], share * values + (1 - share) * other, atol=1e-3):
                    furthers.add(further)
                    expected = share * labels + (1 - share) * np.roll(labels, -further, 0)
                    np.testing.assert_allclose(shares, expected, atol=1e-5)
                    break
            else:
                raise AssertionError("a mixture of no two samples")
        assert furthers == {1, 2, 3, 4}

    def test_cutmix_pastes_one_rectangle_and_counts_its_pixels(self, batch):
        images, labels = batch
        for key in keys(20):
            mixed, shares = (part.numpy() for part in mix_batch(CUTMIX, key, images, labels))
            foreign = mixed[1, ..., 0] != 10
            rows, columns = np.where(foreign.any(1))[0], np.where(foreign.any(0))[0]
            if len(rows):
                assert foreign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
                assert len(np.unique(mixed[1][foreign])) == 1
            assert shares[1, 1] == pytest.approx(1 - foreign.mean(), abs=1e-6)
            np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
            assert (mixed != images.numpy()).any(-1).any(0).mean() == pytest.approx(foreign.mean())

    def test_both_are_drawn_by_turns(self, batch):
        kinds = [np.ptp(mix_batch(BOTH, key, *batch)[0][1]) > 0 for key in keys(40)]
        assert 8 < sum(kinds) < 32

    @pytest.mark.parametrize("augment", [MIXUP, CUTMIX, BOTH])
    def test_the_same_key_gives_the_same_and_another_key_another(self, augment, batch):
        first, again, other = (
            mix_batch(augment, key, *batch) for key in (keys(1)[0], keys(1)[0], keys(2)[1])
        )
        np.testing.assert_array_equal(first[1], again[1])
        np.testing.assert_array_equal(first[0], again[0])
        assert np.abs(first[0] - other[0]).max() > 0

    @pytest.mark.parametrize("augment", [MIXUP, CUTMIX, BOTH])
    def test_eager_equals_graph(self, augment, batch):
        def mixed(key):
            return mix_batch(augment, key, *batch)

        dataset = tf.data.Dataset.from_tensor_slices(tf.stack(keys(6))).map(mixed)
        for key, (images, labels) in zip(keys(6), dataset, strict=True):
            eager = mixed(key)
            np.testing.assert_allclose(images, eager[0], atol=1e-4)
            np.testing.assert_allclose(labels, eager[1], atol=1e-6)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("shape", [[B], [B, K], [B, 2, 3]])
    def test_shape_and_dtype(self, dtype, shape, batch):
        labels = tf.ones(shape, "float32")
        mixed = mix_batch(BOTH, keys(1)[0], tf.cast(batch[0], dtype), labels)
        assert (mixed[0].shape, mixed[0].dtype) == ((B, H, W, 3), dtype)
        assert (mixed[1].shape, mixed[1].dtype) == (tuple(shape), tf.float32)

    def test_a_sample_alone_stays(self, batch):
        images, labels = batch[0][:1], batch[1][:1]
        for key in keys(5):
            for part, before in zip(mix_batch(BOTH, key, images, labels), batch, strict=True):
                np.testing.assert_allclose(part, before[:1], atol=1e-6)


class TestBeta:
    @pytest.mark.slow
    @pytest.mark.parametrize("alpha", [0.1, 1.0, 4.0])
    def test_mean_and_spread(self, alpha):
        shares = np.array([mix.beta(key, alpha) for key in keys(700)])
        assert abs(shares.mean() - 0.5) < 0.06
        assert shares.std() == pytest.approx((1 / (4 * (2 * alpha + 1))) ** 0.5, rel=0.09)

    def test_of_a_tiny_alpha_is_a_number(self):
        assert all(0 <= float(mix.beta(key, 1e-4)) <= 1 for key in keys(10))


class TestCheckLabels:
    @pytest.mark.parametrize(
        ("label", "targets"),
        [
            (LabelSpec("one_hot", num_classes=3), [0, 1]),
            (LabelSpec("one_hot", num_classes=3), [[0], [0, 1]]),
            (LabelSpec("value"), np.array([0.5, 2.5])),
        ],
    )
    def test_takes_numbers(self, label, targets):
        check(BOTH, label, targets)

    @pytest.mark.parametrize(
        ("label", "targets", "received"),
        [
            (LabelSpec("index"), [0, 1], "class ids"),
            (LabelSpec("index_column"), [0, 1], "class ids"),
            (LabelSpec("one_hot", "uint8", 2), [0, 1], "dtype uint8"),
            (LabelSpec("value"), np.array([1, 2]), "not floating-point"),
            (LabelSpec("outputs"), ([1.0, 2.0], [3.0, 4.0]), "several labels"),
            (LabelSpec("image"), None, "images themselves"),
            (LabelSpec(), None, "no labels"),
        ],
    )
    @pytest.mark.parametrize("name", ["mixup_alpha", "cutmix_alpha"])
    def test_rejects_what_cannot_be_shared(self, name, label, targets, received):
        with pytest.raises(ValueError, match=rf"{name}.*Received:.*{received}.*categorical"):
            check(Augment(**{name: 0.2}), label, targets)

    def test_rejects_masks(self):
        one_hot = LabelSpec("one_hot", num_classes=3)
        with pytest.raises(ValueError, match=r"mixup_alpha.*Received: masks"):
            check(Augment(mixup_alpha=0.2), one_hot, [0, 1], masks=Files("", ["a.png", "b.png"]))

    def test_asks_nothing_where_nothing_is_mixed(self):
        check(Augment(rotation_range=3), LabelSpec("index"), [0, 1])


def test_samples_without_batches_are_rejected():
    with pytest.raises(ValueError, match=r"mix the samples of a batch. Received: batch_size=None"):
        PipelineSpec(augment=Augment(mixup_alpha=0.2), batch_size=1, batched=False)
