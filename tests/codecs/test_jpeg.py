"""JPEG at a fraction of its size: which fraction, and how far its pixels are from the exact ones."""

import numpy as np
import pytest
import skimage.data
import sklearn.datasets
import tensorflow as tf

import tfpipe
from tfpipe.codecs.jpeg import decode_scaled, reduction
from tfpipe.ops import resize


@pytest.fixture(scope="module")
def photographs():
    images = sklearn.datasets.load_sample_images().images
    images += [skimage.data.astronaut(), skimage.data.coffee()]
    return [tf.io.encode_jpeg(image, quality=90).numpy() for image in images]


class TestReduction:
    @pytest.mark.parametrize(
        ("shape", "options", "expected"),
        [
            ((224, 224), {}, 0),
            ((447, 900), {}, 1),  # ceil(447 / 2) is 224
            ((446, 900), {}, 0),
            ((1500, 2000), {}, 2),
            ((9000, 9000), {}, 3),
            ((100, 100), {}, 0),
            ((230, 2000), {}, 0),
            ((230, 2000), {"pad": True}, 3),
        ],
    )
    def test_values(self, shape, options, expected):
        assert int(reduction(tf.constant(shape), (224, 224), **options)) == expected

    def test_a_turned_image_covers_both_ways(self):
        shape = tf.constant([400, 1000])
        assert int(reduction(shape, (50, 200))) == 2
        assert int(reduction(shape, (50, 200), turned=True)) == 1

    @pytest.mark.parametrize("ratio", [2, 4, 8])
    def test_the_sizes_are_those_that_libjpeg_makes(self, ratio, photographs):
        for photo in photographs:
            shape = tf.io.extract_jpeg_shape(photo)[:2].numpy()
            image = tf.io.decode_jpeg(photo, ratio=ratio)
            assert image.shape[:2] == tuple(-(-shape // ratio))


class TestDecodeScaled:
    def test_nothing_changes_where_nothing_can_be_saved(self, photographs):
        for photo in photographs:
            exact = tf.io.decode_jpeg(photo, 3, dct_method="INTEGER_ACCURATE")
            np.testing.assert_array_equal(decode_scaled(photo, (400, 400)), exact)

    def test_eager_equals_graph(self, photographs):
        in_graph = tf.function(lambda photo: decode_scaled(photo, (100, 120)))
        np.testing.assert_array_equal(
            in_graph(photographs[0]), decode_scaled(photographs[0], (100, 120))
        )

    def test_grey_is_the_luma_of_the_file(self, photographs):
        for photo in photographs:
            grey = decode_scaled(photo, (100, 120), grey=True)
            exact = tf.cast(decode_scaled(photo, (100, 120)), tf.float32)
            luma = tf.tensordot(exact, [0.299, 0.587, 0.114], 1)
            assert grey.shape[-1] == 1
            assert np.abs(np.mean(tf.cast(grey[..., 0], tf.float32) - luma)) < 1

    def test_antialiased_pixels_are_close_to_the_exact_ones(self, photographs):
        for photo in photographs:
            exact = tf.io.decode_jpeg(photo, 3, dct_method="INTEGER_ACCURATE")
            pair = [
                np.asarray(resize.resize(image, (100, 120), "bilinear"), int)
                for image in (exact, decode_scaled(photo, (100, 120)))
            ]
            difference = np.abs(pair[0] - pair[1])
            assert difference.mean() < 3, difference.mean()

    def test_rejects_what_is_no_jpeg(self):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode_scaled(b"no jpeg", (10, 10))


class TestDataset:
    @pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
    def test_is_the_scaled_image_resized(self, photographs, tmp_path, color_mode):
        (tmp_path / "a").mkdir()
        for number, contents in enumerate(photographs):
            (tmp_path / "a" / f"{number}.jpg").write_bytes(contents)
        dataset = tfpipe.ImageDataGenerator().flow_from_directory(
            tmp_path, target_size=(50, 60), color_mode=color_mode, shuffle=False, class_mode=None
        )
        images = dataset.tuned(decoding="fast")[0]
        for image, contents in zip(images, photographs, strict=True):
            small = decode_scaled(tf.constant(contents), (50, 60), grey=color_mode == "grayscale")
            assert small.shape[0] < 400
            np.testing.assert_array_equal(image, resize.resize(small, (50, 60)))

    def test_masks_are_refused(self, tmp_path, write):
        for name in ("images", "masks"):
            write(tmp_path / name / "1.png")
        with pytest.raises(ValueError, match="decoding='fast' decodes images at a different size"):
            tfpipe.image_dataset_from_directory(
                tmp_path / "images", masks=tmp_path / "masks", decoding="fast", verbose=False
            )
