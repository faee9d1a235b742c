"""Brightness and channel shift against the classic's own functions, so Pillow's."""

import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.preprocessing.image import apply_brightness_shift, apply_channel_shift

from tfpipe.ops.color import adjust_brightness, has_unit_range, shift_channels
from tfpipe.ops.xla import compiled

FACTORS = [0.0, 0.3, 0.7, 1.0, 1.1, 1.25, 3.0]


def run(function, image, *args, mode="eager", **options):
    """The result as NumPy, from an eager call, inside `Dataset.map`, or under XLA."""
    image = tf.constant(image)
    if mode == "eager":
        result = function(image, *args, **options)
    elif mode == "xla":
        result = compiled(lambda x: function(x, *args, **options))(image)
    else:
        dataset = tf.data.Dataset.from_tensors(image).map(lambda x: function(x, *args, **options))
        result = next(iter(dataset))
    return result.numpy()


@pytest.fixture(params=["eager", "map", "xla"])
def mode(request):
    return request.param


class TestShiftChannels:
    IMAGE = np.float32([[[10, 20], [30, 250]], [[40, 60], [100, 200]]])

    def test_values(self, mode):
        # 15 more for all, cut at the image's own 10 and 250.
        expected = [[[25, 35], [45, 250]], [[55, 75], [115, 215]]]
        assert run(shift_channels, self.IMAGE, 15.0, mode=mode).tolist() == expected
        expected = [[[10, 10], [15, 235]], [[25, 45], [85, 185]]]
        assert run(shift_channels, self.IMAGE, -15.0, mode=mode).tolist() == expected

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_equals_the_classic(self, picture, channels, dtype):
        image = picture(5, 7, channels).astype(dtype)
        for intensity in (-300.0, -20.5, 0.0, 13.25):
            ours = run(shift_channels, image, intensity)
            theirs = apply_channel_shift(image, intensity, channel_axis=2)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_shape_and_dtype(self, dtype, mode):
        result = run(shift_channels, np.zeros([2, 3, 4], dtype), tf.constant(1.0), mode=mode)
        assert (result.shape, result.dtype) == ((2, 3, 4), dtype)


class TestAdjustBrightness:
    def test_values(self, mode):
        image = np.float32([[[10], [99]], [[101], [250]]])
        # 1.25 times each, cut to whole numbers, at most 255.
        assert run(adjust_brightness, image, 1.25, mode=mode).ravel().tolist() == [
            12,
            123,
            126,
            255,
        ]

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_equals_the_classic_on_bytes(self, picture, channels, dtype):
        image = picture(6, 9, channels).astype(dtype)
        for factor in FACTORS:
            theirs = apply_brightness_shift(image, factor, scale=False)
            np.testing.assert_array_equal(run(adjust_brightness, image, factor), theirs)

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize(
        ("low", "high"), [(0, 255), (-30, 200), (3, 300), (-500, 900), (300, 420)]
    )
    def test_equals_the_classic_in_and_outside_of_0_to_255(self, low, high, channels):
        image = np.random.default_rng(3).uniform(low, high, (6, 9, channels)).astype("float32")
        for factor in FACTORS:
            theirs = apply_brightness_shift(image, factor, scale=False)
            np.testing.assert_allclose(
                run(adjust_brightness, image, factor), theirs, rtol=0, atol=1e-4
            )

    def test_one_value_outside(self):
        image = np.full([2, 3, 3], 300, "float32")
        theirs = apply_brightness_shift(image, 0.5, scale=False)
        np.testing.assert_array_equal(run(adjust_brightness, image, 0.5), theirs)

    @pytest.mark.parametrize("channels", [2, 4])
    def test_keeps_alpha(self, channels):
        image = np.full([2, 3, channels], 100, "float32")
        image[..., -1] = 80
        result = run(adjust_brightness, image, 1.5)
        assert set(result[..., :-1].ravel()) == {150}
        assert set(result[..., -1].ravel()) == {80}

    def test_the_error_of_a_resampling_is_not_cut_to_a_whole_level(self):
        # What float32 weights make of a flat 12, 200 and 255 must not fall to 11, 199 and 254.
        image = np.float32([[[11.99999], [199.99998]], [[255.00003], [-0.00001]]])
        assert run(adjust_brightness, image, 1.0).ravel().tolist() == [12, 200, 255, 0]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_shape_and_dtype(self, dtype, mode):
        result = run(adjust_brightness, np.zeros([2, 3, 4], dtype), tf.constant(0.5), mode=mode)
        assert (result.shape, result.dtype) == ((2, 3, 4), dtype)


class TestFault4BrightnessOfUnitRange:
    """The classic takes 0..1 through uint8, so the image becomes 0."""

    IMAGE = np.float32([[[0.1, 0.5], [0.9, 1.0]]])

    def test_the_classic_loses_the_image(self):
        theirs = apply_brightness_shift(self.IMAGE[..., :1], 1.2, scale=False)
        assert theirs.max() == 0

    def test_values(self, mode):
        rgb = np.repeat(self.IMAGE[..., :1], 3, axis=-1)
        result = run(adjust_brightness, rgb, 1.2, mode=mode, unit_range=True)
        np.testing.assert_allclose(result[0, :, 0], [0.12, 1.0], rtol=1e-6)

    def test_keeps_alpha(self):
        result = run(adjust_brightness, self.IMAGE, 0.5, unit_range=True)
        np.testing.assert_allclose(result, [[[0.05, 0.5], [0.45, 1.0]]], rtol=1e-6)


class TestHasUnitRange:
    @pytest.mark.parametrize(
        ("values", "dtype", "expected"),
        [
            ([0, 0.25, 1], "float32", True),
            ([0.25, 0.5], "float64", True),
            ([0, 0.25, 1.01], "float32", False),
            ([-0.01, 0.5], "float32", False),
            ([0, 1], "uint8", False),
            ([], "float32", False),
        ],
    )
    def test_values(self, values, dtype, expected):
        assert has_unit_range(np.array(values, dtype)) is expected
