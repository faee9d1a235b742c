"""tfpipe.transforms.rand_augment: the operations, one matrix for the geometric ones, and the draws."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe import seeds
from tfpipe.ops.warp import affine_transform
from tfpipe.ops.xla import compiled
from tfpipe.transforms import motion, rand_augment
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.draws import draw, parameters, uniform_numbers
from tfpipe.transforms.rand_augment import GEOMETRIC, ON_VALUES, OPERATIONS

HEIGHT, WIDTH = 17, 24


def place(name):
    return float(OPERATIONS.index(name))


def geometry(name, strength):
    return rand_augment.geometry(HEIGHT, WIDTH, [place(name)], [strength]).numpy()


class TestGeometry:
    @pytest.mark.parametrize("name", ["identity", *ON_VALUES])
    def test_the_others_move_nothing(self, name):
        np.testing.assert_array_equal(geometry(name, 0.7), np.eye(2, 3))

    @pytest.mark.parametrize("name", GEOMETRIC)
    def test_equals_pillows_transform_of_the_same_matrix(self, name, picture):
        """torchvision's strengths, about the centre; Pillow wants (x, y) with pixel corners."""
        strength = 0.6
        (yy, yx, y0), (xy, xx, x0) = geometry(name, strength)
        corner = (xx, xy, x0 + (1 - xx - xy) / 2, yx, yy, y0 + (1 - yx - yy) / 2)
        image = picture(HEIGHT, WIDTH, 3)
        pillow = Image.fromarray(image).transform(
            (WIDTH, HEIGHT), Image.Transform.AFFINE, corner, Image.Resampling.BILINEAR
        )
        ours = affine_transform(image, geometry(name, strength), fill_mode="constant").numpy()
        inner = (slice(6, -6), slice(9, -9))
        if "translate" not in name:
            assert np.abs(ours - np.asarray(pillow))[inner].max() < 3
        linear = {
            "rotate": [np.cos(np.deg2rad(18)), -np.sin(np.deg2rad(18)), 0, 0],
            "shear_x": [1, 0.18, 0, 0],
            "shear_y": [1, 0, 0, 0],
            "translate_x": [1, 0, 0.6 * 150 / 331 * WIDTH, 0],
            "translate_y": [1, 0, 0, 0.6 * 150 / 331 * HEIGHT],
        }[name]
        centre_x = xx * (WIDTH - 1) / 2 + xy * (HEIGHT - 1) / 2 + x0 - (WIDTH - 1) / 2
        centre_y = yx * (WIDTH - 1) / 2 + yy * (HEIGHT - 1) / 2 + y0 - (HEIGHT - 1) / 2
        assert [xx, xy, centre_x, centre_y] == pytest.approx(linear, abs=1e-9)

    def test_several_are_one_after_the_other(self):
        names, strengths = ["rotate", "contrast", "shear_y"], [0.5, 1.0, -0.8]
        both = rand_augment.geometry(HEIGHT, WIDTH, [place(n) for n in names], strengths).numpy()
        turned, sheared = geometry("rotate", 0.5), geometry("shear_y", -0.8)
        np.testing.assert_allclose(both[:, :2], turned[:, :2] @ sheared[:, :2])
        np.testing.assert_allclose(both[:, 2], turned[:, :2] @ sheared[:, 2] + turned[:, 2])


class TestApplyOperation:
    @pytest.mark.parametrize("name", ["identity", *GEOMETRIC])
    def test_the_geometric_ones_change_no_value(self, name, picture):
        image = tf.constant(picture(5, 7, 3), tf.float32)
        np.testing.assert_array_equal(rand_augment.apply_operation(image, place(name), 1.0), image)

    @pytest.mark.parametrize("name", ON_VALUES)
    def test_the_others_change_values_and_stay_in_range(self, name, picture):
        image = tf.constant(picture(23, 17, 3) // 2 + 30, tf.float32)
        for strength in (-1.0, 0.9):
            changed = rand_augment.apply_operation(image, place(name), strength).numpy()
            assert np.abs(changed - image).max() > 1
            assert changed.min() >= 0
            assert changed.max() <= 255

    @pytest.mark.parametrize(
        "name", [n for n in ON_VALUES if n not in ("autocontrast", "equalize")]
    )
    def test_no_strength_is_no_change(self, name, picture):
        image = tf.constant(picture(5, 7, 3), tf.float32)
        changed = rand_augment.apply_operation(image, place(name), 0.0)
        inner = image < 255  # solarize inverts white itself, as torchvision's does
        np.testing.assert_allclose(changed[inner], image[inner], atol=1e-3)

    def test_a_batch_equals_its_images(self, picture):
        images = tf.constant(np.stack([picture(5, 7, 3, seed) for seed in range(3)]), tf.float32)
        operations = tf.constant([place("equalize"), place("rotate"), place("sharpness")])
        strengths = tf.constant([0.3, 0.2, -0.9], tf.float64)
        whole = rand_augment.apply_operation(images, operations, strengths)
        for i in range(3):
            one = rand_augment.apply_operation(images[i], operations[i], strengths[i])
            np.testing.assert_allclose(whole[i], one, atol=1e-4)


class TestDrawn:
    AUGMENT = Augment(rand_augment=(2, 5))

    def test_all_operations_are_equally_likely_and_signs_are_even(self):
        numbers = tf.random.stateless_uniform([10_000, 32], [1, 2], dtype=tf.float64)
        params = parameters(Augment(rand_augment=(4, 5)), numbers, HEIGHT, WIDTH)
        for number in (1, 4):
            drawn = params[f"rand_augment_{number}"].numpy()
            found, counts = np.unique(drawn, return_counts=True)
            assert found.tolist() == list(range(len(OPERATIONS)))
            np.testing.assert_allclose(counts / 10_000, 1 / len(OPERATIONS), atol=0.01)
            strength = params[f"rand_augment_strength_{number}"].numpy()
            assert set(strength) == {-0.5, 0.5}
            assert abs(strength.mean()) < 0.02

    @pytest.mark.slow
    @pytest.mark.parametrize("mode", ["map", "xla"])
    def test_eager_equals_graph(self, mode, picture):
        image = tf.constant(picture(9, 13, 3), tf.float32)

        def change(numbers):
            return motion.apply(image, parameters(self.AUGMENT, numbers, 9, 13), self.AUGMENT)

        change_xla = compiled(change)
        numbers = [uniform_numbers(tf.constant([7, i], tf.int64)) for i in range(6)]
        if mode == "xla":
            others = [change_xla(n).numpy() for n in numbers]
        else:
            dataset = tf.data.Dataset.from_tensor_slices(tf.stack(numbers)).map(change)
            others = list(dataset.as_numpy_iterator())
        for n, other in zip(numbers, others, strict=True):
            # A last bit may decide between two levels, where an operation cuts to them.
            assert np.mean(np.abs(other - change(n)) > 0.02) < 0.02

    def test_one_resampling_for_all_that_moves(self, picture):
        """Turned by 18 degrees in all: as one rotation would, not as two resamplings."""
        image = tf.constant(picture(HEIGHT, WIDTH, 3), tf.float32)
        twice = {
            "rand_augment_1": place("rotate"),
            "rand_augment_strength_1": 0.3,
            "rand_augment_2": place("rotate"),
            "rand_augment_strength_2": 0.3,
        }
        actual = motion.apply(image, twice, Augment())
        expected = motion.apply(image, {"theta": 18.0}, Augment())
        np.testing.assert_allclose(actual, expected, atol=1e-3)

    def test_the_parameters_say_what_was_drawn(self):
        params = draw(self.AUGMENT, seeds.stream_key(1, "augment"), HEIGHT, WIDTH)
        extra = ["rand_augment_1", "rand_augment_strength_1"]
        assert list(params)[10:] == [*extra, *(name.replace("1", "2") for name in extra)]
