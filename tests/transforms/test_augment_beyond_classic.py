"""What `Augment` has beyond the classic: crop, colour, cutout, RandAugment, MixUp and CutMix."""

import itertools

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import ImageDataGenerator, seeds
from tfpipe.ops.xla import compiled
from tfpipe.transforms import motion
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.draws import NEUTRAL, draw, parameters, uniform_numbers

HEIGHT, WIDTH = 10, 14
MORE = {
    "crop_scale": (0.3, 0.9),
    "contrast_range": (0.5, 1.5),
    "saturation_range": (0.0, 2.0),
    "hue_range": 0.2,
    "cutout": 0.5,
    "rand_augment": (2, 6),
}
CLASSIC = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "channel_shift_range": 30.0,
    "brightness_range": (0.5, 1.5),
}


@pytest.fixture(scope="module")
def numbers():
    """The random numbers of 10,000 samples."""
    return tf.random.stateless_uniform([10_000, 32], [3, 4], dtype=tf.float64)


def drawn(numbers, **ranges):
    params = parameters(Augment(**ranges), numbers, HEIGHT, WIDTH)
    return {n: v.numpy() if tf.is_tensor(v) else v for n, v in params.items()}


def assert_uniform(values, low, high):
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high >= values.max() > high - 0.01 * (high - low)
    assert abs(values.mean() - (low + high) / 2) < 0.012 * (high - low)


class TestDraws:
    def test_factors_and_hue_are_uniform(self, numbers):
        params = drawn(numbers, contrast_range=(0.5, 1.2), saturation_range=(0, 3), hue_range=0.3)
        assert_uniform(params["contrast"], 0.5, 1.2)
        assert_uniform(params["saturation"], 0, 3)
        assert_uniform(params["hue"], -0.3, 0.3)

    @pytest.mark.parametrize("name", ["crop", "cutout"])
    def test_rectangles(self, numbers, name):
        """Areas uniform, logarithms of ratios uniform, corners anywhere inside."""
        on = (
            {"crop_scale": (0.1, 0.4)}
            if name == "crop"
            else {"cutout": 1.0, "cutout_scale": (0.1, 0.4)}
        )
        params = drawn(numbers, **on, **{f"{name}_ratio": (0.5, 2)})
        x, y, width, height = (params[f"{name}_{part}"] for part in ("x", "y", "width", "height"))
        assert_uniform(width * height, 0.1, 0.4)
        assert_uniform(np.log(width / height), -np.log(2), np.log(2))
        assert_uniform(x / (1 - width), 0, 1)
        assert_uniform(y / (1 - height), 0, 1)

    def test_a_rectangle_is_cut_to_the_image(self, numbers):
        params = drawn(numbers, crop_scale=(0.9, 1), crop_ratio=(0.2, 5))
        assert params["crop_width"].max() == params["crop_height"].max() == 1
        assert (params["crop_x"] + params["crop_width"]).max() <= 1 + 1e-12

    def test_cutout_happens_as_often_as_asked(self, numbers):
        assert abs((drawn(numbers, cutout=0.3)["cutout_width"] > 0).mean() - 0.3) < 0.02

    @pytest.mark.parametrize(
        "pair", list(itertools.combinations({**CLASSIC, **MORE}, 2)), ids="+".join
    )
    def test_one_transform_does_not_change_the_draws_of_another(self, pair):
        every = {**CLASSIC, **MORE}
        numbers = uniform_numbers(seeds.stream_key(11, "augment"))
        both = drawn(numbers, **{name: every[name] for name in pair})
        for name in pair:
            alone = drawn(numbers, **{name: every[name]})
            changed = {n: v for n, v in alone.items() if n not in NEUTRAL or v is not NEUTRAL[n]}
            assert changed
            assert {n: both[n] for n in changed} == changed

    def test_golden(self):
        """As in test_augment.py: a change here changes what every seed of every user gives."""
        epoch, index = tf.constant(1, tf.int64), tf.constant(5, tf.int64)
        key = seeds.sample_key(seeds.stream_key(42, "augment"), epoch, index)
        params = draw(Augment(**MORE), key, HEIGHT, WIDTH)
        extra = {n: round(float(v), 6) for n, v in params.items() if n not in NEUTRAL}
        assert extra == GOLDEN


GOLDEN = {
    "hue": 0.067657,
    "contrast": 1.042222,
    "saturation": 1.502879,
    "crop_x": 0.0,
    "crop_y": 0.108599,
    "crop_width": 1.0,
    "crop_height": 0.867257,
    "cutout_x": 0.608227,
    "cutout_y": 0.276062,
    "cutout_width": 0.373606,
    "cutout_height": 0.593033,
    "rand_augment_1": 6.0,
    "rand_augment_strength_1": 0.6,
    "rand_augment_2": 10.0,
    "rand_augment_strength_2": 0.6,
}


class TestApply:
    def image(self, picture, dtype="float32"):
        return tf.constant(picture(HEIGHT, WIDTH, 3).astype(dtype))

    def test_a_crop_is_stretched_over_the_image(self, picture):
        """The left half, twice as wide: half-pixel centres, the edge repeated."""
        image = np.repeat(np.arange(4, dtype=np.float32) * 8, 2)[np.newaxis, :4, np.newaxis]
        params = {"crop_x": 0.0, "crop_y": 0.0, "crop_width": 0.5, "crop_height": 1.0}
        actual = motion.apply(tf.constant(image), params, Augment())[0, :, 0]
        assert image[0, :, 0].tolist() == [0, 0, 8, 8]
        assert actual.numpy().tolist() == [0, 0, 0, 2]

    def test_a_crop_and_a_rotation_are_one_resampling_of_the_rotated_crop(self, picture):
        """The crop comes first: order 0 takes pixels of the image, none twice blended."""
        image = self.image(picture)
        params = {"crop_x": 0.2, "crop_width": 0.6, "theta": 30.0, "flip_horizontal": 1}
        nearest = motion.apply(image, params, Augment(interpolation_order=0)).numpy()
        known = {tuple(pixel) for pixel in image.numpy().reshape(-1, 3)}
        assert {tuple(pixel) for pixel in nearest.reshape(-1, 3)} <= known

    def test_the_whole_as_a_crop_changes_nothing(self, picture):
        image = self.image(picture)
        params = {"crop_x": 0.0, "crop_y": 0.0, "crop_width": 1.0, "crop_height": 1.0}
        np.testing.assert_array_equal(motion.apply(image, params, Augment()), image)

    def test_cutout_fills_with_its_value_and_leaves_masks_alone(self, picture):
        image = self.image(picture)
        params = {"cutout_x": 0.5, "cutout_y": 0.2, "cutout_width": 0.5, "cutout_height": 0.3}
        ranges = Augment(cutout=1.0, cutout_value=7)
        erased = motion.apply(image, params, ranges).numpy()
        expected = image.numpy().copy()
        expected[2:5, 7:] = 7
        np.testing.assert_array_equal(erased, expected)
        np.testing.assert_array_equal(motion.apply_geometry(image, params, ranges), image)

    def test_a_mask_is_cropped_with_its_image(self):
        ranges = Augment(**CLASSIC, **MORE, interpolation_order=0, fill_mode="constant", cval=-1)
        image = np.random.default_rng(1).uniform(0, 255, [19, 26, 1]).astype(np.float32)
        mask = (image > 128).astype(np.int32)
        for seed in range(4):
            params = draw(ranges, seeds.stream_key(seed, "augment"), 19, 26)
            moved = motion.apply_geometry(tf.constant(image), params, ranges).numpy()
            moved_mask = motion.apply_geometry(tf.constant(mask), params, ranges).numpy()
            np.testing.assert_array_equal(moved_mask == 1, moved > 128)

    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    def test_a_batch_equals_its_images(self, picture, dtype):
        ranges = Augment(**CLASSIC, **MORE, vertical_flip=True, shear_range=10)
        images = np.stack([picture(HEIGHT, WIDTH, 3, seed) for seed in range(3)]).astype(dtype)
        numbers = tf.random.stateless_uniform([3, 32], [1, 2], dtype=tf.float64)
        whole = motion.apply(
            tf.constant(images), parameters(ranges, numbers, HEIGHT, WIDTH), ranges
        )
        assert whole.dtype == ("float64" if dtype == "float64" else "float32")
        for i in range(3):
            params = parameters(ranges, numbers[i], HEIGHT, WIDTH)
            one = motion.apply(tf.constant(images[i]), params, ranges)
            # Brightness cuts to whole levels, where the last bit of the resampling may decide.
            assert np.mean(np.abs(whole[i] - one) > 0.02) < 0.02

    @pytest.mark.slow
    @pytest.mark.parametrize("mode", ["map", "xla"])
    def test_eager_equals_graph(self, picture, mode):
        more = {name: value for name, value in MORE.items() if name != "rand_augment"}
        ranges = Augment(rotation_range=20, horizontal_flip=True, **more)
        image = self.image(picture)

        def change(numbers):
            return motion.apply(image, parameters(ranges, numbers, HEIGHT, WIDTH), ranges)

        numbers = [uniform_numbers(seeds.stream_key(seed, "augment")) for seed in range(4)]
        if mode == "xla":
            others = list(map(compiled(change), numbers))
        else:
            others = tf.data.Dataset.from_tensor_slices(tf.stack(numbers)).map(change)
        for number, other in zip(numbers, others, strict=True):
            eager = change(number)
            assert np.abs(eager - image).max() > 10
            np.testing.assert_allclose(other, eager, rtol=0, atol=0.01)


class TestAugment:
    @pytest.mark.parametrize("name", MORE)
    def test_knows_what_it_does(self, name):
        ranges = Augment(**{name: MORE[name]})
        assert ranges.changes_pixels
        assert ranges.moves_pixels == (name in ("crop_scale", "rand_augment"))
        on_values = ("contrast_range", "saturation_range", "rand_augment")
        assert ranges.depends_on_range == (name in on_values)
        assert eval(repr(ranges)) == ranges
        assert hash(ranges) == hash(eval(repr(ranges)))

    def test_mixing_changes_no_single_image(self):
        for name in ("mixup_alpha", "cutmix_alpha"):
            assert Augment(**{name: 0.2}).mixes
            assert not Augment(**{name: 0.2}).changes_pixels
        assert not Augment(**MORE).mixes

    @pytest.mark.parametrize(
        ("name", "value", "allowed"),
        [
            ("crop_scale", 0.5, "a pair"),
            ("crop_scale", (0, 1), "0 < lowest"),
            ("crop_scale", (0.5, 1.1), "<= 1"),
            ("crop_scale", (0.8, 0.5), "lowest <= highest"),
            ("crop_ratio", (0, 2), "0 < lowest"),
            ("contrast_range", 0.5, "list of two floats"),
            ("contrast_range", (-1, 2), ">= 0"),
            ("saturation_range", ("a", 2), "list of two floats"),
            ("hue_range", 0.6, "<= 0.5"),
            ("hue_range", (0, 0.2), "a number"),
            ("cutout", 1.5, "<= 1"),
            ("cutout_scale", (0.1, 2), "<= 1"),
            ("cutout_ratio", (3, 1), "lowest <= highest"),
            ("cutout_value", "black", "a number"),
            ("rand_augment", 2, "1 to 4 operations"),
            ("rand_augment", (5, 3), "1 to 4 operations"),
            ("rand_augment", (1.5, 3), "1 to 4 operations"),
            ("rand_augment", (2, 11), "<= 10"),
            ("mixup_alpha", -0.1, ">= 0"),
            ("cutmix_alpha", None, "a number"),
        ],
    )
    def test_rejects(self, name, value, allowed):
        with pytest.raises(ValueError, match=rf"(?s){name}.*{allowed}.*Received:"):
            Augment(**{name: value})


class TestGenerator:
    def test_has_them_as_attributes(self):
        generator = ImageDataGenerator(rotation_range=3)
        assert list(generator.get_random_transform((8, 8, 3), seed=1)) == list(NEUTRAL)
        generator.crop_scale, generator.hue_range = (0.5, 0.9), 0.1
        assert generator.augment == Augment(
            rotation_range=3, zoom_range=0.0, crop_scale=(0.5, 0.9), hue_range=0.1
        )
        params = generator.get_random_transform((8, 8, 3), seed=1)
        assert set(params) - set(NEUTRAL) == {
            "crop_x",
            "crop_y",
            "crop_width",
            "crop_height",
            "hue",
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture, write):
    """Ten pictures in two classes, of the very size that the data sets ask for."""
    top = tmp_path_factory.mktemp("more")
    for i in range(10):
        write(top / "ab"[i % 2] / f"{i}.png", picture(HEIGHT, WIDTH, 3, seed=i))
    return top


def dataset(folder, **options):
    defaults = {
        "image_size": (HEIGHT, WIDTH),
        "batch_size": 4,
        "interpolation": "nearest",
        "label_mode": "categorical",
        "seed": 5,
        "verbose": False,
    }
    return tfpipe.image_dataset_from_directory(folder, **defaults | options)


def epoch(batches):
    return [tuple(part.numpy() for part in batch) for batch in batches]


class TestInADataSet:
    @pytest.mark.slow
    def test_equals_apply_with_each_samples_own_parameters(self, folder):
        ranges = Augment(**CLASSIC, **MORE)
        plain, *_ = zip(*epoch(dataset(folder, shuffle=False)), strict=True)
        augmented, *_ = zip(*epoch(dataset(folder, shuffle=False, augment=ranges)), strict=True)
        key, first = seeds.stream_key(5, "augment"), tf.constant(0, tf.int64)
        pairs = zip(np.concatenate(plain), np.concatenate(augmented), strict=True)
        for index, (image, actual) in enumerate(pairs):
            sample_key = seeds.sample_key(key, first, tf.constant(index, tf.int64))
            params = draw(ranges, sample_key, HEIGHT, WIDTH)
            expected = motion.apply(tf.constant(image), params, ranges)
            assert np.mean(np.abs(actual - expected) > 0.02) < 0.02

    @pytest.mark.parametrize("name", ["contrast_range", "hue_range", "rand_augment"])
    def test_arrays_of_other_values_are_refused(self, name):
        generator = ImageDataGenerator()
        setattr(generator, name, MORE[name])
        with pytest.raises(ValueError, match=rf"{name} needs images of 0..255.*-3"):
            generator.flow(np.full([2, 4, 4, 3], -3.0, np.float32))


class TestMixedDataSet:
    AUGMENT = Augment(mixup_alpha=0.5, cutmix_alpha=1.0, horizontal_flip=True)

    @pytest.mark.slow
    def test_mixes_images_and_labels(self, folder):
        """Of one batch, whose sample 0 is found again in the shares of its label."""
        batches = epoch(dataset(folder, augment=Augment(mixup_alpha=1.0), batch_size=10))
        plain = epoch(dataset(folder, batch_size=10))
        ((images, labels),), ((before, one_hot),) = batches, plain
        np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
        mixed = np.abs(labels - one_hot).max(1) > 1e-3
        assert mixed.any()
        share = labels[mixed][0] @ one_hot[mixed][0]
        found = [
            np.allclose(images, share * before + (1 - share) * np.roll(before, -k, 0), atol=0.05)
            for k in range(1, 10)
        ]
        assert sum(found) == 1

    @pytest.mark.slow
    def test_is_a_function_of_seed_epoch_and_position(self, folder):
        first = dataset(folder, augment=self.AUGMENT, num_parallel_calls=1)
        second = dataset(folder, augment=self.AUGMENT, num_parallel_calls=8)
        epochs = [epoch(first), epoch(first)]
        for one, other in zip(epochs, [epoch(second), epoch(second)], strict=True):
            for batch, again in zip(one, other, strict=True):
                np.testing.assert_array_equal(batch[0], again[0])
                np.testing.assert_array_equal(batch[1], again[1])
        assert np.abs(epochs[0][0][0] - epochs[1][0][0]).max() > 1
        resumed = epoch(first.starting_at(1, 2))
        np.testing.assert_array_equal(resumed[0][0], epochs[1][2][0])
        np.testing.assert_array_equal(resumed[0][1], epochs[1][2][1])

    @pytest.mark.slow
    def test_weights_are_left_alone(self, folder):
        names = [f"{'ab'[i % 2]}/{i}.png" for i in range(10)]
        frame = pd.DataFrame(
            {"filename": names, "class": np.linspace(0, 1, 10), "weight": np.arange(10.0)}
        )
        (batch,) = tfpipe.image_dataset_from_dataframe(
            frame,
            folder,
            label_mode="raw",
            weight_col="weight",
            image_size=(HEIGHT, WIDTH),
            batch_size=10,
            shuffle=False,
            seed=5,
            augment=self.AUGMENT,
            verbose=False,
        )
        np.testing.assert_array_equal(batch[2], np.arange(10.0))
        assert np.abs(batch[1] - np.linspace(0, 1, 10)).max() > 1e-3

    @pytest.mark.parametrize("label_mode", ["int", "binary", None])
    def test_labels_that_cannot_be_shared_are_refused_at_once(self, folder, label_mode):
        with pytest.raises(ValueError, match=r"mixup_alpha gives.*Received:.*categorical"):
            dataset(folder, label_mode=label_mode, augment=self.AUGMENT)
