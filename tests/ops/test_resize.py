"""`tfpipe.ops.resize` against Pillow itself, and against `keras.utils.load_img` on files."""

import functools

import keras
import numpy as np
import PIL
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe.ops.resize import PILLOW_INTERPOLATIONS, aspect_box, resize

FILTERS = [name for name in PILLOW_INTERPOLATIONS if name != "nearest"]

SIZE = (24, 37)
INPUT_SIZES = {
    "down": (91, 120),
    "up": (9, 11),
    "down_and_up": (60, 20),
    "up_and_down": (10, 100),
    "same_height": (24, 80),
    "same_width": (70, 37),
    "same_size": (24, 37),
    "one_pixel": (1, 1),
    "one_row": (1, 50),
    "one_column": (50, 1),
    "whole_factor": (144, 222),  # the sums of bilinear fall on .5 again and again
    "rows_first": (400, 60),
    "large": (701, 903),
}

# Before Pillow 13 the columns always came first.
PILLOW_ORDER = int(PIL.__version__.split(".")[0]) >= 13


def random_image(height, width, channels, seed=0):
    rng = np.random.default_rng([seed, height, width, channels])
    image = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    if channels in (2, 4):
        # Fully transparent, nearly transparent and opaque pixels are where alpha goes wrong.
        special = rng.choice(np.array([0, 1, 254, 255], np.uint8), (height, width))
        image[..., -1] = np.where(rng.random((height, width)) < 0.4, special, image[..., -1])
    return image


def to_pillow(image):
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def pillow_resize(image, size, interpolation, box=None):
    resample = Image.Resampling[interpolation.upper()]
    result = np.asarray(to_pillow(image).resize(size[::-1], resample, box=box))
    return result.reshape(*size, image.shape[-1])


@functools.cache
def graph_resize(channels, size, interpolation, dtype=tf.uint8, **options):
    """One trace for all input sizes, and for all tests: tracing is most of the time of this file."""
    signature = [tf.TensorSpec([None, None, channels], dtype)]
    return tf.function(
        lambda image: resize(image, size, interpolation, **options), input_signature=signature
    )


class TestNearest:
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_values(self, channels):
        function = graph_resize(channels, SIZE, "nearest")
        for height, width in INPUT_SIZES.values():
            image = random_image(height, width, channels)
            expected = pillow_resize(image, SIZE, "nearest")
            np.testing.assert_array_equal(function(image), expected, str((height, width)))

    @pytest.mark.parametrize("size_out", [1, 31, 150, 224, 299, 512])
    def test_indices_for_many_sizes(self, size_out):
        function = graph_resize(1, (size_out, 1), "nearest", tf.float32)
        sizes = np.random.default_rng(size_out).choice(np.arange(1, 701), 120, replace=False)
        for size_in in [*sizes, 777, 1000, 1500, 2000, 3000, 4000, 6016, 9999]:
            image = np.arange(size_in, dtype=np.float32).reshape(-1, 1, 1)
            expected = pillow_resize(image, (size_out, 1), "nearest")
            np.testing.assert_array_equal(function(image), expected, str(size_in))

    def test_float(self):
        image = random_image(53, 71, 3).astype(np.float32) + 0.25
        expected = pillow_resize(image[..., 1:2], SIZE, "nearest")
        np.testing.assert_array_equal(resize(image, SIZE)[..., 1:2], expected)

    def test_eager_equals_graph(self):
        image = random_image(53, 71, 3)
        graph = graph_resize(3, SIZE, "nearest")(image)
        np.testing.assert_array_equal(resize(image, SIZE), graph)

    @pytest.mark.parametrize("dtype", [tf.uint8, tf.float32])
    def test_shape_and_dtype(self, dtype):
        concrete = graph_resize(3, SIZE, "nearest", dtype).get_concrete_function()
        assert concrete.outputs[0].shape == [*SIZE, 3]
        assert concrete.outputs[0].dtype == dtype


@pytest.mark.parametrize("interpolation", FILTERS)
class TestFilters:
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_values(self, interpolation, channels):
        function = graph_resize(channels, SIZE, interpolation)
        for name, (height, width) in INPUT_SIZES.items():
            if name == "rows_first" and not PILLOW_ORDER:
                continue
            image = random_image(height, width, channels)
            result = function(image).numpy()
            expected = pillow_resize(image, SIZE, interpolation)
            np.testing.assert_array_equal(result, expected, name)

    def test_large_output_has_wider_blocks(self, interpolation):
        size = (100, 530)
        image = random_image(130, 410, 3)
        result = resize(image, size, interpolation)
        np.testing.assert_array_equal(result, pillow_resize(image, size, interpolation))

    def test_thousand_taps(self, interpolation):
        # White: the sums are as large as they get.
        image = np.full((3, 6000, 1), 255, np.uint8)
        image[:, ::7] = 250
        result = resize(image, (2, 20), interpolation)
        np.testing.assert_array_equal(result, pillow_resize(image, (2, 20), interpolation))

    def test_float(self, interpolation):
        function = graph_resize(1, SIZE, interpolation, tf.float32)
        for name, (height, width) in INPUT_SIZES.items():
            image = random_image(height, width, 1).astype(np.float32) * np.float32(0.999)
            expected = np.clip(pillow_resize(image, SIZE, interpolation), 0.0, 255.0)
            np.testing.assert_allclose(function(image), expected, atol=1e-3, err_msg=name)

    def test_float_alpha_follows_8_bits(self, interpolation):
        image = random_image(91, 120, 4)
        image[..., 3] = np.maximum(image[..., 3], 200)  # where rounding does not blow up
        result = resize(image.astype(np.float32), SIZE, interpolation)
        expected = pillow_resize(image, SIZE, interpolation).astype(np.float32)
        np.testing.assert_allclose(result, expected, atol=3.0)

    def test_float_alpha_is_finite_and_in_range(self, interpolation):
        image = random_image(91, 120, 2).astype(np.float32)
        image[:40, :, 1] = 0.0
        result = resize(image, SIZE, interpolation).numpy()
        assert np.isfinite(result).all()
        assert 0.0 <= result.min() <= result.max() <= 255.0

    def test_eager_equals_graph(self, interpolation):
        image = random_image(53, 71, 3)
        graph = graph_resize(3, SIZE, interpolation)(image)
        np.testing.assert_array_equal(resize(image, SIZE, interpolation), graph)

    @pytest.mark.parametrize("dtype", [tf.uint8, tf.float32])
    def test_shape_and_dtype(self, interpolation, dtype):
        channels = 3 if dtype == tf.uint8 else 1
        concrete = graph_resize(channels, SIZE, interpolation, dtype).get_concrete_function()
        assert concrete.outputs[0].shape == [*SIZE, channels]
        assert concrete.outputs[0].dtype == dtype


class TestResize:
    def test_values(self):
        image = np.array([[[0], [10], [20], [30]], [[40], [50], [60], [72]]], np.uint8)
        assert resize(image, (1, 2), "box")[..., 0].numpy().tolist() == [[25, 46]]
        assert resize(image, (1, 2), "nearest")[..., 0].numpy().tolist() == [[50, 72]]

    @pytest.mark.parametrize("interpolation", PILLOW_INTERPOLATIONS)
    def test_same_size_is_untouched(self, interpolation):
        # Premultiplying by alpha and back would lose the colours of transparent pixels.
        image = random_image(*SIZE, 4)
        np.testing.assert_array_equal(resize(image, SIZE, interpolation), image)
        graph = graph_resize(4, SIZE, interpolation)(image)
        np.testing.assert_array_equal(graph, image)

    def test_dataset_map(self):
        images = [random_image(height, 40 + height, 3) for height in (20, 31, 24, 70)]
        signature = tf.TensorSpec([None, None, 3], tf.uint8)
        dataset = tf.data.Dataset.from_generator(lambda: images, output_signature=signature)
        dataset = dataset.map(lambda image: resize(image, SIZE, "bicubic")).batch(4)
        assert dataset.element_spec.shape[1:] == [*SIZE, 3]
        expected = np.stack([pillow_resize(image, SIZE, "bicubic") for image in images])
        np.testing.assert_array_equal(next(iter(dataset)), expected)

    def test_static_input_size(self):
        image = random_image(53, 71, 3)
        function = tf.function(lambda: resize(tf.constant(image), SIZE, "lanczos"))
        np.testing.assert_array_equal(function(), pillow_resize(image, SIZE, "lanczos"))

    def test_rejects_unknown_interpolation(self):
        with pytest.raises(KeyError, match="cubic"):
            resize(random_image(5, 7, 3), SIZE, "cubic")

    @pytest.mark.parametrize("interpolation", PILLOW_INTERPOLATIONS)
    def test_photographs(self, interpolation):
        datasets = pytest.importorskip("sklearn.datasets")
        data = pytest.importorskip("skimage.data")
        function = graph_resize(3, SIZE, interpolation)
        china = datasets.load_sample_images().images[0]
        for image in (china, data.astronaut()[:, :400], data.coffee()):
            expected = pillow_resize(image, SIZE, interpolation)
            np.testing.assert_array_equal(function(image), expected)


class TestAspectBox:
    @pytest.mark.parametrize(
        ("image_size", "size", "expected"),
        [
            ((40, 100), (10, 20), [0, 10, 40, 80]),
            ((100, 40), (10, 20), [40, 0, 20, 40]),
            ((20, 40), (10, 20), [0, 0, 20, 40]),
            ((7, 9), (5, 3), [0, 2, 7, 4]),
            ((9, 1), (3, 4), [4, 0, 0, 1]),
        ],
    )
    def test_values(self, image_size, size, expected):
        assert [int(value) for value in aspect_box(*image_size, size)] == expected

    def test_shape_and_dtype(self):
        box = aspect_box(tf.constant(9), tf.constant(7), (3, 4))
        assert [(value.shape, value.dtype) for value in box] == [([], tf.int32)] * 4


@pytest.mark.parametrize("interpolation", PILLOW_INTERPOLATIONS)
class TestKeepAspectRatio:
    def test_values(self, interpolation, tmp_path):
        function = graph_resize(3, SIZE, interpolation, keep_aspect_ratio=True)
        path = tmp_path / "image.png"
        for height, width in INPUT_SIZES.values():
            if not PILLOW_ORDER and height > width:
                continue
            image = random_image(height, width, 3)
            Image.fromarray(image).save(path)
            expected = keras.utils.load_img(
                path, target_size=SIZE, interpolation=interpolation, keep_aspect_ratio=True
            )
            np.testing.assert_array_equal(function(image), expected, str((height, width)))

    def test_eager_equals_graph(self, interpolation):
        image = random_image(80, 50, 3)
        graph = graph_resize(3, SIZE, interpolation, keep_aspect_ratio=True)(image)
        eager = resize(image, SIZE, interpolation, keep_aspect_ratio=True)
        np.testing.assert_array_equal(eager, graph)
