"""tfpipe.transforms.augment and draws: the ranges, the draws and what is done with them."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import seeds
from tfpipe.ops.xla import compiled
from tfpipe.transforms import draws, motion
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.draws import NEUTRAL, draw, parameters, uniform_numbers

DRAWS = 10_000
HEIGHT, WIDTH = 30, 50

# Each transform turned on alone, and the parameters that it draws.
TRANSFORMS = {
    "rotation_range": (20, ["theta"]),
    "width_shift_range": (0.2, ["tx"]),
    "height_shift_range": ([1, 4, 9], ["ty"]),
    "shear_range": (10.0, ["shear"]),
    "zoom_range": (0.3, ["zx", "zy"]),
    "channel_shift_range": (30.0, ["channel_shift_intensity"]),
    "brightness_range": ((0.5, 1.5), ["brightness"]),
    "horizontal_flip": (True, ["flip_horizontal"]),
    "vertical_flip": (True, ["flip_vertical"]),
}
ON = {name: value for name, (value, _) in TRANSFORMS.items()}


@pytest.fixture(scope="module")
def numbers():
    """The numbers of 10,000 samples as the flows draw them, [10000, n]."""
    key, epoch = seeds.stream_key(3, "augment"), tf.constant(0, tf.int64)

    @tf.function
    def many():
        return tf.map_fn(
            lambda index: uniform_numbers(seeds.sample_key(key, epoch, index)),
            tf.range(DRAWS, dtype=tf.int64),
            fn_output_signature=tf.float64,
            parallel_iterations=1,
        )

    return many()


def drawn(numbers, **ranges):
    """The parameters of many samples: NumPy arrays, or the neutral value."""
    params = parameters(Augment(**ranges), numbers, HEIGHT, WIDTH)
    return {n: v.numpy() if tf.is_tensor(v) else v for n, v in params.items()}


def assert_uniform(values, low, high):
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high >= values.max() > high - 0.01 * (high - low)
    # 0.012 of the range is four standard errors of 10,000 draws.
    assert abs(values.mean() - (low + high) / 2) < 0.012 * (high - low)
    assert abs(values.std() - (high - low) / 12**0.5) < 0.012 * (high - low)


class TestNumbers:
    def test_are_uniform(self, numbers):
        for place in numbers.numpy().T:
            assert_uniform(place, 0, 1)

    def test_are_independent_of_each_other_and_of_the_next_sample(self, numbers):
        values = numbers.numpy().T
        correlation = np.corrcoef(np.concatenate([values[:, 1:], values[:, :-1]]))
        np.fill_diagonal(correlation, 0)
        assert np.abs(correlation).max() < 0.05

    def test_differ_between_samples(self, numbers):
        assert len(np.unique(numbers.numpy()[:, 0])) == DRAWS


class TestDistribution:
    @pytest.mark.parametrize(
        ("ranges", "name", "low", "high"),
        [
            ({"rotation_range": 20}, "theta", -20, 20),
            ({"shear_range": 0.5}, "shear", -0.5, 0.5),
            ({"channel_shift_range": 40}, "channel_shift_intensity", -40, 40),
            ({"brightness_range": [0.2, 0.9]}, "brightness", 0.2, 0.9),
            ({"zoom_range": 0.25}, "zx", 0.75, 1.25),
            ({"zoom_range": (0.5, 0.8)}, "zy", 0.5, 0.8),
            ({"width_shift_range": 0.2}, "tx", -0.2 * WIDTH, 0.2 * WIDTH),
            ({"height_shift_range": 0.2}, "ty", -0.2 * HEIGHT, 0.2 * HEIGHT),
            ({"width_shift_range": 3.0}, "tx", -3, 3),
            ({"height_shift_range": 1.0}, "ty", -1, 1),
            ({"height_shift_range": np.float32(2.5)}, "ty", -2.5, 2.5),
        ],
    )
    def test_is_uniform_in_the_range(self, numbers, ranges, name, low, high):
        assert_uniform(drawn(numbers, **ranges)[name], low, high)

    @pytest.mark.parametrize(
        ("reach", "allowed"),
        [
            (4, [-3, -2, -1, 0, 1, 2, 3]),
            (np.int64(2), [-1, 0, 1]),
            ([2, 5, 9], [-9, -5, -2, 2, 5, 9]),
            ((-3, 7), [-7, -3, 3, 7]),
            (np.array([1, 6]), [-6, -1, 1, 6]),
            ([0.1, 0.5], [-0.5, -0.1, 0.1, 0.5]),  # times the dimension
            ([0.5, 3], [-3, -0.5, 0.5, 3]),  # pixels, because one is above 1
        ],
    )
    @pytest.mark.parametrize(
        ("range_name", "name", "dimension"),
        [("width_shift_range", "tx", WIDTH), ("height_shift_range", "ty", HEIGHT)],
    )
    def test_shifts_of_choices(self, numbers, reach, allowed, range_name, name, dimension):
        values = drawn(numbers, **{range_name: reach})[name]
        allowed = np.array(allowed) * (dimension if np.max(reach) < 1 else 1)
        found, counts = np.unique(values, return_counts=True)
        np.testing.assert_allclose(found, allowed)
        # Elements are equally likely, and so are their signs; 0 has both.
        share = counts / DRAWS
        expected = np.where(found == 0, 2, 1) / (2 * len(np.unique(np.abs(allowed))))
        np.testing.assert_allclose(share, expected, atol=0.02)

    @pytest.mark.parametrize("name", ["horizontal", "vertical"])
    def test_flips_every_other_sample(self, numbers, name):
        values = drawn(numbers, **{f"{name}_flip": True})[f"flip_{name}"]
        assert set(values) == {0, 1}
        assert abs(values.mean() - 0.5) < 0.02

    def test_the_two_scales_are_drawn_on_their_own(self, numbers):
        params = drawn(numbers, zoom_range=0.3)
        assert abs(np.corrcoef(params["zx"], params["zy"])[0, 1]) < 0.05

    def test_equals_the_classics(self, numbers, classic):
        """The same mean and spread as 2,000 draws of the classic itself, on a square image."""
        ranges = {**ON, "height_shift_range": 0.2, "zoom_range": (0.7, 1.3)}
        ours = parameters(Augment(**ranges), numbers, 40, 40)
        generator = classic(**ranges)
        state = np.random.get_state()
        np.random.seed(3)
        theirs = [generator.get_random_transform((40, 40, 3)) for _ in range(2000)]
        np.random.set_state(state)
        assert list(ours) == list(theirs[0])
        for name in ours:
            values = np.array([params[name] for params in theirs], float)
            spread = np.ptp(values)
            assert abs(values.mean() - ours[name].numpy().mean()) < 0.04 * spread
            assert abs(values.std() - ours[name].numpy().std()) < 0.03 * spread


class TestFault1ShiftAxes:
    """The classic draws tx from height_shift_range and the height."""

    def test_tx_comes_from_the_width(self, numbers):
        params = drawn(numbers, width_shift_range=0.5)
        assert params["ty"] == 0
        assert 0.49 * WIDTH < params["tx"].max() <= 0.5 * WIDTH

    def test_ty_comes_from_the_height(self, numbers):
        params = drawn(numbers, height_shift_range=0.5)
        assert params["tx"] == 0
        assert 0.49 * HEIGHT < params["ty"].max() <= 0.5 * HEIGHT

    def test_the_classic_has_them_swapped(self, classic):
        params = classic(width_shift_range=[7]).get_random_transform((3, 5, 1), seed=1)
        assert (params["tx"], abs(params["ty"])) == (0, 7)


class TestFault20Zoom:
    """A float zoom_range >= 1 gives the classic a zero or negative scale, unchecked."""

    @pytest.mark.parametrize("zoom", [1, 1.0, 1.5, (0, 1), (-0.5, 1.2), [1.2, 0.0]])
    def test_is_rejected(self, zoom):
        with pytest.raises(ValueError, match=r"zoom_range must stay above 0.*zoom_range="):
            Augment(zoom_range=zoom)


class TestDraw:
    def test_the_same_key_gives_the_same(self):
        key = seeds.stream_key(3, "augment")
        first, again = (draw(Augment(**ON), key, HEIGHT, WIDTH) for _ in range(2))
        assert {n: v.numpy() for n, v in first.items()} == {n: v.numpy() for n, v in again.items()}

    def test_is_float64(self):
        params = draw(Augment(**ON), seeds.stream_key(3, "augment"), HEIGHT, WIDTH)
        assert {value.dtype for value in params.values()} == {tf.float64}

    def test_eager_equals_graph_and_xla(self):
        ranges = Augment(**ON)
        key = seeds.stream_key(3, "augment")
        eager = draw(ranges, key, HEIGHT, WIDTH)
        graph = tf.function(lambda k: draw(ranges, k, HEIGHT, WIDTH))(key)
        xla = compiled(lambda u: parameters(ranges, u, HEIGHT, WIDTH))(uniform_numbers(key))
        for name, value in eager.items():
            # The last bit of a float64: a millionth of a millionth of a pixel.
            np.testing.assert_allclose(graph[name].numpy(), value.numpy(), rtol=1e-14)
            np.testing.assert_allclose(xla[name].numpy(), value.numpy(), rtol=1e-14)

    def test_what_is_off_is_neutral(self):
        assert draw(Augment(), seeds.stream_key(3, "augment"), HEIGHT, WIDTH) == NEUTRAL
        assert list(NEUTRAL.values()) == [0, 0, 0, 0, 1, 1, 0, 0, None, None]

    @pytest.mark.parametrize("pair", list(itertools.combinations(TRANSFORMS, 2)), ids="+".join)
    def test_one_transform_does_not_change_the_draws_of_another(self, pair):
        numbers = uniform_numbers(seeds.stream_key(11, "augment"))
        both = drawn(numbers, **{name: ON[name] for name in pair})
        for name in pair:
            alone = drawn(numbers, **{name: ON[name]})
            for drawn_name in TRANSFORMS[name][1]:
                assert alone[drawn_name] == both[drawn_name]

    def test_the_range_scales_the_draw_and_does_not_choose_another(self, numbers):
        small, large = (drawn(numbers, rotation_range=r)["theta"] for r in (10, 40))
        np.testing.assert_allclose(4 * small, large)

    def test_golden(self):
        """Philox, float64 numbers for one key, in the order of `_SLOTS`; new ones only at the end.

        A change here changes what every seed of every user gives: a new major version, or a mistake.
        """
        epoch, index = tf.constant(1, tf.int64), tf.constant(5, tf.int64)
        key = seeds.sample_key(seeds.stream_key(42, "augment"), epoch, index)
        params = draw(Augment(**ON), key, HEIGHT, WIDTH)
        assert draws._SLOTS[:12] == (
            "theta",
            "width_shift",
            "width_shift_sign",
            "height_shift",
            "height_shift_sign",
            "shear",
            "zx",
            "zy",
            "flip_horizontal",
            "flip_vertical",
            "channel_shift_intensity",
            "brightness",
        )
        assert draws._SLOTS[12:] == (
            "crop_area",
            "crop_ratio",
            "crop_x",
            "crop_y",
            "contrast",
            "saturation",
            "hue",
            "cutout",
            "cutout_area",
            "cutout_ratio",
            "cutout_x",
            "cutout_y",
            *(f"rand_augment_{part}{number}" for number in (1, 2, 3, 4) for part in ("", "sign_")),
        )
        assert {n: round(float(v), 6) for n, v in params.items()} == GOLDEN


GOLDEN = {
    "theta": 13.226367,
    "tx": -4.982206,
    "ty": -4.0,
    "shear": -0.633793,
    "zx": 0.895287,
    "zy": 1.256237,
    "flip_horizontal": 0.0,
    "flip_vertical": 0.0,
    "channel_shift_intensity": -23.541267,
    "brightness": 1.115019,
}


class TestApply:
    IMAGE = np.arange(24, dtype=np.float32).reshape(3, 4, 2)

    def apply(self, params, image=IMAGE, **ranges):
        return motion.apply(tf.constant(image), params, Augment(**ranges)).numpy()

    def test_nothing_is_nothing(self):
        np.testing.assert_array_equal(self.apply({}), self.IMAGE)
        np.testing.assert_array_equal(self.apply(NEUTRAL), self.IMAGE)

    def test_shift_is_to_the_left_and_up(self):
        moved = self.apply({"tx": 1, "ty": 2})
        np.testing.assert_array_equal(moved[0, :3], self.IMAGE[2, 1:])
        np.testing.assert_array_equal(moved[0, 3], self.IMAGE[2, 3])  # nearest: the edge again

    def test_flips(self):
        np.testing.assert_array_equal(self.apply({"flip_horizontal": 1}), self.IMAGE[:, ::-1])
        np.testing.assert_array_equal(self.apply({"flip_vertical": True}), self.IMAGE[::-1])

    def test_flips_come_after_the_resampling(self):
        params = {"tx": 1.5, "theta": 20}
        moved = self.apply(params)
        flipped = self.apply({**params, "flip_horizontal": 1, "flip_vertical": 1})
        np.testing.assert_array_equal(flipped, moved[::-1, ::-1])

    def test_unknown_keys_are_ignored(self):
        np.testing.assert_array_equal(self.apply({"sepia": 3}), self.IMAGE)

    def test_reads_fill_mode_cval_and_order(self):
        moved = self.apply({"tx": 1.6}, fill_mode="constant", cval=-7, interpolation_order=0)
        np.testing.assert_array_equal(moved[:, 2:], -7)
        np.testing.assert_array_equal(moved[:, :2], self.IMAGE[:, 2:])

    @pytest.mark.parametrize(
        ("dtype", "result"),
        [("uint8", "float32"), ("float32", "float32"), ("float64", "float64")],
    )
    @pytest.mark.parametrize("params", [{}, {"theta": 5}, {"brightness": 1.5}])
    def test_shape_and_dtype(self, dtype, result, params):
        changed = self.apply(params, self.IMAGE.astype(dtype))
        assert (changed.shape, changed.dtype) == ((3, 4, 2), result)

    @pytest.mark.parametrize("mode", ["map", "xla"])
    def test_eager_equals_graph(self, picture, mode):
        ranges = Augment(**ON)
        image = tf.constant(picture(9, 13, 3), tf.float32)
        numbers = uniform_numbers(seeds.stream_key(5, "augment"))

        def change(image, numbers):
            return motion.apply(image, parameters(ranges, numbers, 9, 13), ranges)

        eager = change(image, numbers).numpy()
        if mode == "xla":
            other = compiled(change)(image, numbers).numpy()
        else:
            dataset = tf.data.Dataset.from_tensors((image, numbers)).map(change)
            other = next(iter(dataset)).numpy()
        assert np.ptp(eager) > 100
        # Brightness cuts to whole levels, where the last bit of the resampling may decide.
        assert np.mean(np.abs(other - eager) > 0.01) < 0.01
        assert np.abs(other - eager).max() < 1.6


class TestGeometryAndColour:
    """The two halves of `apply`: a mask goes through the first alone."""

    def test_one_after_the_other_is_the_whole(self, picture):
        ranges, image = Augment(**ON), tf.constant(picture(9, 13, 3), tf.float32)
        params = draw(ranges, seeds.stream_key(5, "augment"), 9, 13)
        moved = motion.apply_geometry(image, params, ranges)
        halves = motion.apply_values(moved, params, ranges)
        np.testing.assert_array_equal(halves, motion.apply(image, params, ranges))

    def test_a_mask_moves_as_its_image_does(self):
        """A mask that is the image cut at a threshold stays so, at order 0."""
        ranges = Augment(**ON, interpolation_order=0, fill_mode="constant", cval=-1)
        image = np.random.default_rng(1).uniform(0, 255, [19, 26, 1]).astype(np.float32)
        mask = (image > 128).astype(np.int32)
        params = draw(ranges, seeds.stream_key(5, "augment"), 19, 26)
        moved = motion.apply_geometry(tf.constant(image), params, ranges).numpy()
        moved_mask = motion.apply_geometry(tf.constant(mask), params, ranges).numpy()
        assert set(np.unique(moved_mask)) == {-1, 0, 1}
        np.testing.assert_array_equal(moved_mask == 1, moved > 128)
        np.testing.assert_array_equal(moved_mask == -1, moved == -1)

    def test_colour_parameters_do_not_reach_a_mask(self):
        mask = tf.constant([[[3.0], [200.0]]])
        params = {"brightness": 0.5, "channel_shift_intensity": 20.0}
        np.testing.assert_array_equal(motion.apply_geometry(mask, params, Augment()), mask)

    def test_geometry_does_not_reach_the_colours(self):
        image = tf.constant(np.arange(24, dtype=np.float64).reshape(3, 4, 2))
        params = {"theta": 20, "flip_vertical": 1}
        np.testing.assert_array_equal(motion.apply_values(image, params, Augment()), image)


class TestAugment:
    def test_is_public_and_frozen(self):
        ranges = tfpipe.Augment(rotation_range=3)
        with pytest.raises(dataclasses.FrozenInstanceError):
            ranges.rotation_range = 4
        assert ranges == Augment(rotation_range=3)
        assert hash(ranges) == hash(Augment(rotation_range=3))

    def test_prints_itself(self):
        shown = repr(Augment(rotation_range=3, fill_mode="wrap", width_shift_range=[1, 2]))
        assert "rotation_range=3" in shown
        assert "fill_mode='wrap'" in shown
        assert eval(shown) == Augment(rotation_range=3, fill_mode="wrap", width_shift_range=(1, 2))

    def test_the_default_changes_nothing(self):
        assert not Augment().changes_pixels
        assert not Augment(fill_mode="wrap", cval=3, interpolation_order=4).changes_pixels

    @pytest.mark.parametrize("name", TRANSFORMS)
    def test_knows_what_changes_pixels(self, name):
        assert Augment(**{name: ON[name]}).changes_pixels
        moves = {"rotation_range", "width_shift_range", "height_shift_range", "shear_range"}
        assert Augment(**{name: ON[name]}).moves_pixels == (name in moves | {"zoom_range"})

    @pytest.mark.parametrize("pair", [(0.5, 2), [0.5, 2], np.array([0.5, 2.0])])
    def test_zoom_of_a_pair(self, pair):
        assert Augment(zoom_range=pair).zoom_range == (0.5, 2)

    @pytest.mark.parametrize(
        ("name", "value", "allowed"),
        [
            ("rotation_range", -1, ">= 0"),
            ("rotation_range", "20", "a number"),
            ("rotation_range", (1, 2), "a number"),
            ("rotation_range", True, "a number"),
            ("rotation_range", float("nan"), "a number"),
            ("shear_range", -0.5, ">= 0"),
            ("shear_range", None, "a number"),
            ("channel_shift_range", -1.0, ">= 0"),
            ("channel_shift_range", [1], "a number"),
            ("width_shift_range", -0.1, ">= 0"),
            ("width_shift_range", "0.1", "a sequence of numbers"),
            ("width_shift_range", [], "a sequence of numbers"),
            ("width_shift_range", None, "a float >= 0"),
            ("height_shift_range", -3, ">= 0"),
            ("height_shift_range", ["1"], "a sequence of numbers"),
            ("height_shift_range", float("inf"), "a float >= 0"),
            ("zoom_range", "0.1", "a float or a tuple or list of two floats"),
            ("zoom_range", (0.8, 1.0, 1.2), "two floats"),
            ("zoom_range", (0.8, "1"), "two floats"),
            ("zoom_range", None, "two floats"),
            ("brightness_range", 0.5, "tuple or list of two floats"),
            ("brightness_range", (0.5,), "two floats"),
            ("brightness_range", (0.5, 1, 2), "two floats"),
            ("brightness_range", (0.5, None), "two floats"),
            ("brightness_range", (-0.1, 1), ">= 0"),
            ("horizontal_flip", "yes", "True or False"),
            ("vertical_flip", 2, "True or False"),
            ("vertical_flip", None, "True or False"),
            ("fill_mode", "mirror", "'constant', 'nearest', 'reflect', 'wrap'"),
            ("fill_mode", None, "'nearest'"),
            ("cval", "0", "a number"),
            ("interpolation_order", 6, "0, 1, 2, 3, 4, 5"),
            ("interpolation_order", -1, "0, 1, 2"),
            ("interpolation_order", 1.5, "0, 1, 2"),
        ],
    )
    def test_rejects(self, name, value, allowed):
        with pytest.raises(ValueError, match=name) as caught:
            Augment(**{name: value})
        message = str(caught.value)
        assert allowed in message
        assert f"{name}={value!r}" in message

    def test_suggests_the_fill_mode_that_was_meant(self):
        with pytest.raises(ValueError, match="Did you mean 'reflect'"):
            Augment(fill_mode="reflected")
