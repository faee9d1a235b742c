"""Captions: each argument of `Augment` has its own, and "unchanged" is said of unchanged images alone."""

import re
from dataclasses import fields

import numpy as np
import pytest
import tensorflow as tf

from tfpipe import Augment, seeds
from tfpipe.transforms import draws, motion
from tfpipe.transforms.captions import caption, operation_text
from tfpipe.transforms.rand_augment import OPERATIONS

pytestmark = pytest.mark.one_profile

# Each argument that draws something: a range, and what its captions look like.
DRAWN = {
    "rotation_range": (40, r"rotation \d+\.\d° (counter)?clockwise"),
    "width_shift_range": (0.3, r"width_shift \d+\.\d px (left|right)"),
    "height_shift_range": (0.3, r"height_shift \d+\.\d px (up|down)"),
    "shear_range": (30, r"shear [+-]\d+\.\d°"),
    "zoom_range": (0.4, r"zoom x\d\.\d\d across and x\d\.\d\d down"),
    "channel_shift_range": (60, r"channel_shift [+-]\d+\.\d"),
    "brightness_range": ((0.4, 0.8), r"brightness x0\.\d\d"),
    "horizontal_flip": (True, "horizontal_flip"),
    "vertical_flip": (True, "vertical_flip"),
    "crop_scale": ((0.3, 0.6), r"crop \d+ to \d+ % across and \d+ to \d+ % down"),
    "contrast_range": ((0.3, 0.7), r"contrast x0\.\d\d"),
    "saturation_range": ((0.1, 0.6), r"saturation x0\.\d\d"),
    "hue_range": (0.4, r"hue [+-]0\.\d{3} turn"),
    "cutout": (0.6, r"cutout \d+ to \d+ % across and \d+ to \d+ % down"),
    "rand_augment": ((2, 7), r"rand_augment: \w+.* \+ \w+.*"),
}
# What only says how one of these is done, and what mixes whole batches, of which there is no such picture.
SETTINGS = {"fill_mode", "cval", "interpolation_order", "crop_ratio"}
SETTINGS |= {"cutout_scale", "cutout_ratio", "cutout_value"}
MIXTURES = {"mixup_alpha", "cutmix_alpha"}


def drawn(ranges, image, count=6):
    """(caption, pixels) of some transforms of an image."""
    key = seeds.stream_key(3, "augment")
    zero = tf.constant(0, tf.int64)
    for place in range(count):
        sample_key = seeds.sample_key(key, zero, tf.constant(place, tf.int64))
        params = draws.draw(ranges, sample_key, *image.shape[:2])
        yield caption(params, *image.shape[:2]), motion.apply(image, params, ranges).numpy()


@pytest.fixture(scope="module")
def image(picture):
    return tf.constant(picture(24, 36))


class TestCaption:
    def test_every_argument_is_known_here(self):
        assert {field.name for field in fields(Augment)} == {*DRAWN, *SETTINGS, *MIXTURES}

    @pytest.mark.parametrize("name", DRAWN)
    def test_has_the_name_of_its_argument(self, name, image):
        reach, pattern = DRAWN[name]
        seen = []
        for text, pixels in drawn(Augment(**{name: reach}), image):
            is_same = np.array_equal(pixels, image)
            assert (text == "unchanged") == is_same, text
            seen.append(text)
        texts = [text for text in seen if text != "unchanged"]
        assert texts
        assert all(np.char.startswith(texts, name.removesuffix("_range").removesuffix("_scale")))
        for text in texts:
            assert re.fullmatch(pattern, text), text

    def test_all_at_once(self, image):
        ranges = Augment(**{name: reach for name, (reach, _) in DRAWN.items()})
        texts = [text for text, _ in drawn(ranges, image)]
        for name in DRAWN:
            word = name.removesuffix("_range").removesuffix("_scale")
            assert any(word in text for text in texts), word

    @pytest.mark.parametrize(
        ("params", "expected", "to"),
        [
            ({"tx": 3.0}, "width_shift 3.0 px left", (5, 12)),
            ({"ty": -2.0}, "height_shift 2.0 px down", (7, 15)),
            ({"theta": 90.0}, "rotation 90.0° counterclockwise", (5, 5)),
            ({"zx": 0.5, "zy": 1.0}, "zoom x2.00 across and x1.00 down", (5, 20)),
        ],
    )
    def test_the_direction_is_the_one_of_the_picture(self, params, expected, to):
        pixels = np.zeros([21, 21, 1], np.uint8)
        pixels[5, 15] = 200
        moved = motion.apply(tf.constant(pixels), params, Augment(interpolation_order=0)).numpy()
        assert caption(params, 21, 21) == expected
        assert moved[to] == 200

    def test_a_shift_of_none_is_unchanged(self):
        assert caption({"tx": 0, "zx": 1, "zy": 1, "flip_vertical": 0.0}, 4, 6) == "unchanged"


class TestOperationText:
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_names_the_operation(self, name):
        assert operation_text(name, 0.5, 40, 60).startswith(name)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("rotate", "rotate 15.0° counterclockwise"),
            ("shear_x", "shear_x +0.15"),
            ("translate_x", "translate_x 75.0 px left"),
            ("translate_y", "translate_y 37.5 px up"),
            ("contrast", "contrast x1.45"),
            ("posterize", "posterize to 6 bits"),
            ("solarize", "solarize from 50 %"),
            ("equalize", "equalize"),
        ],
    )
    def test_says_what_its_strength_means(self, name, expected):
        assert operation_text(name, 0.5, 165.5, 331) == expected
