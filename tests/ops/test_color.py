"""tfpipe.ops.color against Pillow, whose formulas it takes, without the rounding to bytes."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from tfpipe.ops import color
from tfpipe.ops.xla import compiled

FACTORS = [0.0, 0.4, 1.0, 1.7]

# name: (our function of an image and a parameter, Pillow's, parameters, tolerance on 0..255)
OPERATIONS = {
    # Pillow takes a mean and a grey that are rounded to bytes.
    "contrast": (
        color.adjust_contrast,
        lambda i, f: ImageEnhance.Contrast(i).enhance(f),
        FACTORS,
        1.6,
    ),
    "saturation": (
        color.adjust_saturation,
        lambda i, f: ImageEnhance.Color(i).enhance(f),
        FACTORS,
        1.6,
    ),
    "sharpness": (color.sharpen, lambda i, f: ImageEnhance.Sharpness(i).enhance(f), FACTORS, 1.6),
    "posterize": (color.posterize, ImageOps.posterize, [1, 3, 5, 8], 0),
    "solarize": (
        color.solarize,
        lambda i, share: ImageOps.solarize(i, int(share * 255)),
        [0.0, 0.2, 0.6, 1.0],
        0,
    ),
    "autocontrast": (
        lambda i, _, **options: color.stretch_contrast(i, **options),
        lambda i, _: ImageOps.autocontrast(i),
        [None],
        1.01,
    ),
    "equalize": (
        lambda i, _, **options: color.equalize(i, **options),
        lambda i, _: ImageOps.equalize(i),
        [None],
        0,
    ),
}
BATCHED = [name for name in OPERATIONS if name != "equalize"]


@pytest.fixture(scope="module")
def photograph():
    """A part of a photograph, uint8 [31, 47, 3], that uses less than the whole range."""
    from skimage.data import astronaut

    return (astronaut()[40:71, 180:227] // 2 + 40).astype(np.uint8)


class TestAll:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_equals_pillow(self, name, photograph):
        ours, pillow, parameters, tolerance = OPERATIONS[name]
        for parameter in parameters:
            expected = np.asarray(pillow(Image.fromarray(photograph), parameter), float)
            actual = ours(tf.constant(photograph, tf.float32), parameter).numpy()
            assert np.abs(actual - expected).max() <= tolerance + 1e-3, parameter

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_of_0_to_1_is_that_of_0_to_255(self, name, photograph):
        function, _, parameters, _ = OPERATIONS[name]
        image = tf.constant(photograph, tf.float64)
        for parameter in parameters:
            whole = function(image, parameter)
            unit = function(image / 255, parameter, unit_range=True)
            np.testing.assert_allclose(unit * 255, whole, rtol=0, atol=1e-9)

    @pytest.mark.parametrize("mode", ["map", "xla"])
    @pytest.mark.parametrize("name", [*OPERATIONS, "hue"])
    def test_eager_equals_graph(self, name, mode, photograph):
        function, _, (*_, parameter), _ = {
            **OPERATIONS,
            "hue": (color.adjust_hue, None, [0.3], 0),
        }[name]
        image = tf.constant(photograph, tf.float32)
        eager = function(image, parameter).numpy()
        if mode == "xla":
            other = compiled(lambda x: function(x, parameter))(image).numpy()
        else:
            dataset = tf.data.Dataset.from_tensors(image).map(lambda x: function(x, parameter))
            other = next(iter(dataset)).numpy()
        np.testing.assert_allclose(other, eager, rtol=0, atol=2e-3)

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_shape_dtype_range_and_alpha(self, name, channels, picture):
        function, _, (parameter, *_), _ = OPERATIONS[name]
        for dtype in ("float32", "float64"):
            image = picture(5, 7, channels).astype(dtype)
            result = function(tf.constant(image), parameter).numpy()
            assert (result.shape, result.dtype) == (image.shape, dtype)
            assert result.min() >= 0
            assert result.max() <= 255
            if channels in (2, 4):
                np.testing.assert_array_equal(result[..., -1], image[..., -1])

    @pytest.mark.parametrize("name", BATCHED)
    def test_a_batch_equals_its_images(self, name, picture):
        function, _, parameters, _ = OPERATIONS[name]
        images = np.stack([picture(5, 7, 3, seed) for seed in range(2)]).astype("float32")
        values = [parameters[0], parameters[-1]]
        parameter = None if values[0] is None else tf.constant(values, tf.float64)
        whole = function(tf.constant(images), parameter).numpy()
        for image, value, actual in zip(images, values, whole, strict=True):
            np.testing.assert_allclose(actual, function(tf.constant(image), value), atol=1e-4)


class TestContrast:
    def test_values(self):
        image = tf.constant([[[0.0], [100.0], [200.0]]])
        assert color.adjust_contrast(image, 0.5)[0, :, 0].numpy().tolist() == [50, 100, 150]
        assert color.adjust_contrast(image, 3.0)[0, :, 0].numpy().tolist() == [0, 100, 255]

    def test_differs_from_keras_in_the_mean_alone(self):
        """Of one channel the two means are one."""
        image = np.random.default_rng(0).uniform(60, 180, [1, 6, 9, 1]).astype("float32")
        keras_op = tf.image.adjust_contrast(image, 1.3)
        np.testing.assert_allclose(color.adjust_contrast(image[0], 1.3), keras_op[0], atol=1e-3)


class TestSharpen:
    def test_an_image_too_small_for_it_stays(self):
        image = tf.constant([[[1.0], [9.0]]])
        np.testing.assert_array_equal(color.sharpen(image, 2.0), image)


class TestHue:
    @pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.1, 0.5])
    def test_equals_tensorflows_own(self, turn, photograph):
        expected = tf.image.adjust_hue(photograph.astype("float32") / 255, turn) * 255
        actual = color.adjust_hue(tf.constant(photograph, tf.float32), turn)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=0.01)

    def test_a_third_of_a_turn_swaps_the_channels(self, photograph):
        actual = color.adjust_hue(tf.constant(photograph, tf.float64), 1 / 3)
        np.testing.assert_allclose(actual, np.roll(photograph, 1, -1), atol=1e-6)

    def test_grey_and_alpha_stay(self, picture):
        grey = picture(3, 4, 2).astype("float32")
        np.testing.assert_array_equal(color.adjust_hue(tf.constant(grey), 0.3), grey)
        image = picture(3, 4, 4).astype("float32")
        turned = color.adjust_hue(tf.constant(image), 0.3)
        np.testing.assert_array_equal(turned[..., 3], image[..., 3])

    def test_a_batch_equals_its_images(self, picture):
        images = np.stack([picture(5, 7, 3, seed) for seed in range(2)]).astype("float32")
        whole = color.adjust_hue(tf.constant(images), tf.constant([0.1, -0.3]))
        for image, turn, actual in zip(images, [0.1, -0.3], whole, strict=True):
            np.testing.assert_allclose(actual, color.adjust_hue(image, turn), atol=1e-4)
