"""ImageDataGenerator's own methods on single arrays, beside those of the classic class."""

import io
import itertools
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator as Classic

from tfpipe import ImageDataGenerator
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.draws import NEUTRAL

SIZE = 12  # square, because on other images the classic turns about the wrong point
EVERYTHING = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.1,
    "shear_range": 10,
    "zoom_range": 0.2,
    "channel_shift_range": 30,
    "brightness_range": (0.5, 1.5),
    "horizontal_flip": True,
    "vertical_flip": True,
}
GEOMETRY = [
    {"theta": 17.5, "tx": 1.3, "ty": -2.6, "shear": 8.0, "zx": 0.85, "zy": 1.2},
    {"theta": 90},
    {"tx": 3, "ty": -1, "flip_horizontal": True},
    {"zx": 1.7, "zy": 0.6, "flip_vertical": 1},
    {"tx": -20, "theta": -140, "shear": -25},
]
# The tolerances of the issue: 0.01 for order 1, 0.05 for the splines.
ATOL = {0: 0, 1: 0.01, 2: 0.05, 3: 0.05, 4: 0.05, 5: 0.05}


def both(**options):
    """(ours, the classic's), made alike."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ImageDataGenerator(**options), Classic(**options)


def quiet(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args)


class TestConstructor:
    @pytest.mark.parametrize(
        ("cause", "flag", "given", "value"),
        [
            ("zca_whitening", "featurewise_center", False, True),
            ("zca_whitening", "featurewise_std_normalization", True, False),
            ("featurewise_std_normalization", "featurewise_center", False, True),
            ("samplewise_std_normalization", "samplewise_center", False, True),
        ],
    )
    def test_flags_that_override_others_say_so(self, cause, flag, given, value):
        options = {"featurewise_center": True} if flag != "featurewise_center" else {}
        options |= {cause: True, flag: given}
        with pytest.warns(UserWarning) as ours:
            generator = ImageDataGenerator(**options)
        with pytest.warns(UserWarning) as theirs:
            Classic(**options)

        def words(caught):  # the classic forgot a space in one of the four
            return [re.sub(r"[\s,]", "", str(warning.message)) for warning in caught]

        assert words(ours) == words(theirs)
        assert f"`{cause}`, which overrides setting of `{flag}`" in str(ours[0].message)
        assert ours[0].filename == __file__
        assert getattr(generator, flag) is value

    def test_flags_that_agree_do_not_warn(self):
        ImageDataGenerator(
            featurewise_center=True,
            featurewise_std_normalization=True,
            samplewise_center=True,
            samplewise_std_normalization=True,
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("rotation_range", "20"),
            ("rotation_range", -20),
            ("width_shift_range", -0.1),
            ("width_shift_range", "0.1"),
            ("height_shift_range", [None]),
            ("height_shift_range", -2),
            ("shear_range", -1),
            ("shear_range", (1, 2)),
            ("zoom_range", 1.0),
            ("zoom_range", (0, 1)),
            ("zoom_range", (1, 2, 3)),
            ("zoom_range", "0.1"),
            ("channel_shift_range", -1),
            ("channel_shift_range", "1"),
            ("brightness_range", 1.5),
            ("brightness_range", (1,)),
            ("brightness_range", (-1, 1)),
            ("fill_mode", "mirror"),
            ("cval", "0"),
            ("interpolation_order", 6),
            ("horizontal_flip", "yes"),
            ("vertical_flip", "no"),
            ("rescale", "1/255"),
            ("preprocessing_function", "caffe"),
            ("zca_epsilon", -1e-6),
            ("zca_epsilon", None),
            ("samplewise_center", 2),
            ("data_format", "channels"),
            ("validation_split", 1.0),
        ],
    )
    def test_rejects_and_names(self, name, value):
        with pytest.raises(ValueError, match=name) as caught:
            ImageDataGenerator(**{name: value})
        assert "Received" in str(caught.value)

    @pytest.mark.parametrize("value", [None, False])
    @pytest.mark.parametrize(
        "name",
        [
            "rotation_range",
            "width_shift_range",
            "height_shift_range",
            "shear_range",
            "channel_shift_range",
            "horizontal_flip",
            "vertical_flip",
            "rescale",
            "preprocessing_function",
            "samplewise_center",
            "samplewise_std_normalization",
            "featurewise_center",
            "featurewise_std_normalization",
            "zca_whitening",
            "validation_split",
        ],
    )
    def test_none_and_false_turn_a_setting_off(self, picture, name, value):
        generator = ImageDataGenerator(**{name: value})
        if name != "validation_split":
            assert getattr(generator, name) is value
        assert generator.augment == Augment()
        image = picture(5, 7)
        np.testing.assert_array_equal(next(generator.flow(image[None]))[0], image)
        np.testing.assert_array_equal(generator.random_transform(image), image)
        np.testing.assert_array_equal(generator.standardize(image), image)

    def test_no_shifts_to_choose_from(self):
        generator = ImageDataGenerator(width_shift_range=[], height_shift_range=())
        assert generator.get_random_transform((5, 7, 3), seed=1) == NEUTRAL

    def test_unknown_keyword(self):
        with pytest.raises(TypeError, match="rotation"):
            ImageDataGenerator(rotation=3)

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {**EVERYTHING, "fill_mode": "wrap", "cval": 3.5, "interpolation_order": 3},
            {"zoom_range": [0.5, 2], "width_shift_range": [1, 2], "height_shift_range": 3},
            {"rescale": 0.5, "samplewise_center": True, "data_format": "channels_first"},
        ],
    )
    def test_attributes_are_the_classics(self, options):
        ours, theirs = both(**options)
        for name, value in vars(theirs).items():
            assert getattr(ours, name) == value, name
            assert type(getattr(ours, name)) is type(value), name

    def test_zoom_range_is_a_list(self):
        assert ImageDataGenerator(zoom_range=0.25).zoom_range == [0.75, 1.25]
        assert ImageDataGenerator(zoom_range=np.array([0.5, 2])).zoom_range == [0.5, 2]

    def test_an_attribute_changed_later_counts(self):
        generator = ImageDataGenerator()
        shape = (30, 40, 3)
        assert generator.get_random_transform(shape, seed=1) == NEUTRAL
        generator.rotation_range = 20
        generator.zoom_range = [0.5, 0.6]
        params = generator.get_random_transform(shape, seed=1)
        assert params["theta"] != 0
        assert 0.5 <= params["zx"] <= 0.6
        generator.rescale = 0.5
        assert generator.standardize(np.full([2, 3, 1], 8.0)).max() == 4

    def test_a_bad_attribute_is_found_when_used(self):
        generator = ImageDataGenerator()
        generator.fill_mode = "mirror"
        with pytest.raises(ValueError, match="fill_mode must be one of"):
            generator.flow(np.zeros([2, 3, 4, 1]))


class TestGetRandomTransform:
    def test_keys_and_neutral_values_are_the_classics(self):
        ours, theirs = (g.get_random_transform((5, 7, 3)) for g in both())
        assert ours == theirs
        assert list(ours) == list(theirs)

    def test_gives_python_numbers(self):
        params = ImageDataGenerator(**EVERYTHING).get_random_transform((5, 7, 3), seed=1)
        assert {type(value) for value in params.values()} == {float}
        assert params["flip_horizontal"] in (0, 1)

    def test_the_same_seed_gives_the_same(self):
        generator = ImageDataGenerator(**EVERYTHING)
        first, again, other = (generator.get_random_transform((5, 7, 3), seed=s) for s in (1, 1, 2))
        assert first == again
        assert all(first[n] != other[n] for n in ("theta", "tx", "zx", "zy", "brightness"))

    def test_no_seed_gives_another_each_time(self):
        generator = ImageDataGenerator(rotation_range=20)
        assert len({generator.get_random_transform((5, 7, 3))["theta"] for _ in range(5)}) == 5

    @pytest.mark.parametrize(
        ("data_format", "shape"), [("channels_last", (5, 70, 3)), ("channels_first", (3, 5, 70))]
    )
    def test_fractions_are_of_the_right_side(self, data_format, shape):
        generator = ImageDataGenerator(
            width_shift_range=[0.5], height_shift_range=[0.2], data_format=data_format
        )
        params = generator.get_random_transform(shape)
        assert (abs(params["tx"]), abs(params["ty"])) == (35, 1)

    def test_the_number_of_channels_does_not_matter(self):
        generator = ImageDataGenerator(**EVERYTHING)
        grey, rgba = (generator.get_random_transform((5, 7, c), seed=3) for c in (1, 4))
        assert grey == rgba


class TestFault7GlobalGenerators:
    """The classic seeds the user's global NumPy generator."""

    @staticmethod
    def moved(action):
        np.random.seed(3)
        tf.random.set_seed(3)
        expected = np.random.random(), tf.random.uniform([]).numpy()
        np.random.seed(3)
        tf.random.set_seed(3)
        action()
        return (np.random.random(), tf.random.uniform([]).numpy()) != expected

    @pytest.mark.slow
    def test_stay_as_they_are(self):
        image = np.zeros([5, 7, 3])

        def action():
            generator = quiet(lambda: ImageDataGenerator(**EVERYTHING, zca_whitening=True))
            generator.get_random_transform(image.shape, seed=5)
            generator.random_transform(image, seed=5)
            generator.fit(image[None], augment=True, seed=5)
            next(generator.flow(image[None], seed=5))

        assert not self.moved(action)

    def test_the_classic_moves_them(self):
        assert self.moved(lambda: Classic().get_random_transform((5, 7, 3), seed=5))


def tolerance(order, params):
    # A level more or less where the last bit of the resampling decides which one it is cut to.
    return ATOL[order] if params.get("brightness") is None else 1.5


class TestApplyTransform:
    @pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("order", range(6))
    @pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
    def test_equals_the_classic(self, picture, fill_mode, order, channels, dtype):
        options = {"fill_mode": fill_mode, "interpolation_order": order, "cval": 20.0}
        ours, theirs = both(**options)
        image = picture(SIZE, SIZE, channels).astype(dtype)
        for params in GEOMETRY[: 5 if channels == 3 else 2]:
            expected = theirs.apply_transform(image, params)
            result = ours.apply_transform(image, params)
            assert (result.dtype, result.shape) == (image.dtype, image.shape)
            # Bytes are rounded by both, so half a level apart they may be one apart.
            atol = 1 if dtype == "uint8" and order else ATOL[order]
            difference = np.abs(result.astype(float) - expected.astype(float))
            assert difference.max() <= atol, params
            assert (difference > ATOL[order]).mean() < 0.01

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_photometry_after_geometry(self, picture, channels, dtype):
        ours, theirs = both()
        image = picture(SIZE, SIZE, channels).astype(dtype)
        for params, photometry in itertools.product(
            GEOMETRY[:3],
            [
                {"channel_shift_intensity": 25.5},
                {"channel_shift_intensity": -300},
                {"brightness": 0.6},
                {"brightness": 1.7, "channel_shift_intensity": -12},
            ],
        ):
            params = params | photometry
            expected = theirs.apply_transform(image, params)
            result = ours.apply_transform(image, params)
            difference = np.abs(result - expected)
            assert difference.max() <= tolerance(1, params), params
            assert (difference > 0.01).mean() < 0.01, params

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_brightness_of_flat_regions(self, channels):
        """Float32 weights make 11.99999 of a 12, which the cut to bytes must not make 11."""
        image = np.full([SIZE, SIZE, channels], 200, np.float32)
        image[3:8, 2:6] = 12
        image[6:, 7:] = 255
        ours, theirs = both()
        for params in GEOMETRY:
            params = params | {"brightness": 0.9}
            difference = ours.apply_transform(image, params) - theirs.apply_transform(image, params)
            assert (np.abs(difference) > 0.01).mean() < 0.01, params

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize(("low", "high"), [(0, 255), (-200, 90), (40, 700)])
    @pytest.mark.parametrize("brightness", [0.4, 1.0, 1.9])
    def test_brightness(self, low, high, channels, brightness):
        image = np.random.default_rng(0).uniform(low, high, (9, 13, channels)).astype("float32")
        ours, theirs = both()
        params = {"brightness": brightness}
        expected = theirs.apply_transform(image, params)
        np.testing.assert_allclose(ours.apply_transform(image, params), expected, atol=1e-4)

    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int16"])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("flips", [(0, 0), (1, 0), (0, 1), (True, True)])
    def test_flips_are_exact_on_any_shape(self, picture, dtype, channels, flips):
        ours, theirs = both()
        image = picture(9, 13, channels).astype(dtype)
        params = dict(zip(("flip_horizontal", "flip_vertical"), flips, strict=True))
        result = ours.apply_transform(image, params)
        np.testing.assert_array_equal(result, theirs.apply_transform(image, params))
        assert result.dtype == image.dtype

    def test_channels_first_is_the_same_transposed(self, picture):
        last = ImageDataGenerator(data_format="channels_last")
        first = ImageDataGenerator(data_format="channels_first")
        image = picture(9, 13, 3).astype("float32")
        for params in GEOMETRY:
            expected = last.apply_transform(image, params)
            result = first.apply_transform(image.transpose(2, 0, 1), params)
            np.testing.assert_array_equal(result.transpose(1, 2, 0), expected)

    def test_channels_first_equals_the_classic(self, picture):
        ours, theirs = both(data_format="channels_first")
        image = picture(SIZE, SIZE, 3).astype("float32").transpose(2, 0, 1)
        for params in GEOMETRY:
            expected = theirs.apply_transform(image, params)
            np.testing.assert_allclose(ours.apply_transform(image, params), expected, atol=0.01)

    def test_nothing_changes_nothing(self, picture):
        image = picture(9, 13, 3).astype("float32")
        generator = ImageDataGenerator(interpolation_order=3)
        for params in ({}, NEUTRAL, {"theta": None, "sepia": 3, "tx": 0.0}):
            result = generator.apply_transform(image, params)
            np.testing.assert_array_equal(result, image)
            assert not np.shares_memory(result, image)

    @pytest.mark.parametrize("name", ["theta", "tx", "ty", "shear", "zx", "zy"])
    def test_a_partial_dictionary(self, picture, name):
        ours, theirs = both()
        image = picture(SIZE, SIZE, 3).astype("float32")
        params = {name: 1.4}
        result = ours.apply_transform(image, params)
        np.testing.assert_allclose(result, theirs.apply_transform(image, params), atol=0.01)
        assert np.abs(result - image).max() > 1

    def test_the_input_is_not_changed(self, picture):
        image = picture(9, 13, 3).astype("float32")
        copy = image.copy()
        params = GEOMETRY[0] | {"brightness": 0.5, "channel_shift_intensity": 20}
        result = ImageDataGenerator().apply_transform(image, params)
        np.testing.assert_array_equal(image, copy)
        assert result.flags.writeable

    @pytest.mark.parametrize("shape", [(5,), (5, 7), (2, 5, 7, 3)])
    def test_rejects_another_rank(self, shape):
        with pytest.raises(ValueError, match=re.escape(f"rank 3. Received: shape={shape}")):
            ImageDataGenerator().apply_transform(np.zeros(shape), {})

    @pytest.mark.parametrize("dtype", ["float16", "int32", "int16"])
    def test_other_dtypes_stay(self, picture, dtype):
        image = picture(SIZE, SIZE, 3).astype(dtype)
        result = ImageDataGenerator().apply_transform(image, GEOMETRY[0])
        expected = Classic().apply_transform(image.astype("float32"), GEOMETRY[0])
        assert result.dtype == dtype
        np.testing.assert_allclose(result.astype(float), expected, atol=0.51)


class TestFault1Centre:
    """On images that are not square the classic turns and zooms about the wrong point."""

    def dot(self):
        image = np.zeros([41, 61, 1], np.float32)
        image[20, 30] = 200
        return image

    @pytest.mark.parametrize("params", [{"theta": 90}, {"theta": 180}, {"zx": 3, "zy": 3}])
    def test_the_centre_stays(self, params):
        result = ImageDataGenerator().apply_transform(self.dot(), params)
        assert result[20, 30] == pytest.approx(200, abs=1e-3)

    def test_the_classic_moves_it(self):
        assert Classic().apply_transform(self.dot(), {"theta": 90})[20, 30] == 0

    def test_tx_belongs_to_the_columns(self):
        result = ImageDataGenerator().apply_transform(self.dot(), {"tx": 5, "ty": -3})
        assert np.argwhere(result)[0].tolist() == [23, 25, 0]

    def test_a_turn_by_180_degrees_is_both_flips(self, picture):
        image = picture(9, 14, 3).astype("float32")
        result = ImageDataGenerator().apply_transform(image, {"theta": 180})
        np.testing.assert_allclose(result, image[::-1, ::-1], atol=1e-3)


class TestFault4BrightnessOfUnitRange:
    """Brightness on 0..1 floats goes through uint8 in the classic, so the image becomes 0."""

    def test_is_bright(self):
        image = np.linspace(0, 1, 60, dtype="float32").reshape(4, 5, 3)
        result = ImageDataGenerator().apply_transform(image, {"brightness": 1.5})
        np.testing.assert_allclose(result, np.minimum(image * 1.5, 1), atol=1e-6)
        assert Classic().apply_transform(image, {"brightness": 1.5})[:-1].max() == 0


class TestFault6BrightnessOfChannelsFirst:
    """Brightness fails in the classic with channels_first."""

    def test_is_that_of_channels_last(self, picture):
        image = picture(9, 13, 3).astype("float32")
        last, first = (
            ImageDataGenerator(data_format=f) for f in ("channels_last", "channels_first")
        )
        params = {"brightness": 1.3}
        result = first.apply_transform(image.transpose(2, 0, 1), params)
        np.testing.assert_array_equal(
            result.transpose(1, 2, 0), last.apply_transform(image, params)
        )

    def test_the_classic_fails(self):
        with pytest.raises(ValueError, match="channel"):
            Classic(data_format="channels_first").apply_transform(
                np.zeros([3, 9, 13]), {"brightness": 1.3}
            )


class TestRandomTransform:
    def test_is_the_random_parameters_applied(self, picture):
        generator = ImageDataGenerator(**EVERYTHING)
        image = picture(9, 13, 3).astype("float32")
        params = generator.get_random_transform(image.shape, seed=6)
        result = generator.random_transform(image, seed=6)
        np.testing.assert_array_equal(result, generator.apply_transform(image, params))
        assert np.abs(result - image).max() > 10
        other = generator.random_transform(image, seed=7)
        assert np.abs(result - other).max() > 10


FLAGS = (
    "featurewise_center",
    "featurewise_std_normalization",
    "samplewise_center",
    "samplewise_std_normalization",
    "zca_whitening",
)
# Every set of them that no flag overrides.
COMBINATIONS = [
    flags
    for count in range(len(FLAGS) + 1)
    for flags in itertools.combinations(FLAGS, count)
    if ("featurewise_std_normalization" not in flags or "featurewise_center" in flags)
    and ("samplewise_std_normalization" not in flags or "samplewise_center" in flags)
    and ("zca_whitening" not in flags or "featurewise_center" in flags)
    and not {"zca_whitening", "featurewise_std_normalization"} <= set(flags)
]


def batch(dtype="float64", n=40):
    return np.random.default_rng(4).uniform(0, 255, (n, 3, 4, 3)).astype(dtype)


def fitted_alike(**options):
    """(ours, the classic's), with the same statistics."""
    ours, theirs = both(**options)
    rng = np.random.default_rng(5)
    for generator in (ours, theirs):
        generator.mean = np.full([1, 1, 3], [0.4, 0.5, 0.6])
        generator.std = np.full([1, 1, 3], [0.2, 0.1, 0.3])
        generator.zca_whitening_matrix = rng.normal(size=(36, 36))
        rng = np.random.default_rng(5)
    return ours, theirs


class TestStandardize:
    @pytest.mark.parametrize("flags", COMBINATIONS, ids="+".join)
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_equals_the_classic(self, flags, dtype):
        ours, theirs = fitted_alike(rescale=1 / 255, dtype=dtype, **dict.fromkeys(flags, True))
        image = batch(dtype)[0]
        expected = theirs.standardize(image.astype("float64"))  # in place: the truth in float64
        result = ours.standardize(image)
        assert result.dtype == dtype
        scale = max(1, np.abs(expected).max())
        np.testing.assert_allclose(
            result, expected, rtol=0, atol=scale * (1e-6 if dtype == "float64" else 2e-5)
        )

    @pytest.mark.parametrize(
        "flags", [flags for flags in COMBINATIONS if "samplewise_center" not in flags]
    )
    def test_a_batch_equals_the_classics(self, flags):
        ours, theirs = fitted_alike(rescale=0.01, dtype="float64", **dict.fromkeys(flags, True))
        expected = theirs.standardize(batch())
        np.testing.assert_allclose(ours.standardize(batch()), expected, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("rescale", [None, 0])
    def test_rescale_off(self, rescale):
        image = batch()[0]
        np.testing.assert_array_equal(ImageDataGenerator(rescale=rescale).standardize(image), image)

    def test_the_users_function_comes_first(self):
        def function(image):
            return image + 100

        ours, theirs = both(preprocessing_function=function, rescale=0.5, samplewise_center=True)
        image = batch()[0]
        np.testing.assert_allclose(
            ours.standardize(image), theirs.standardize(image.copy()), atol=1e-9
        )
        ours, theirs = both(preprocessing_function=function, rescale=0.5)
        np.testing.assert_allclose(ours.standardize(image), (image + 100) * 0.5)

    def test_the_users_function_sees_single_arrays(self):
        seen = []

        def function(image):
            seen.append((type(image), image.shape))
            image *= 2  # in place: of a copy
            return image

        x = batch(n=2)
        ImageDataGenerator(preprocessing_function=function).standardize(x)
        assert seen == [(np.ndarray, (3, 4, 3))] * 2
        np.testing.assert_array_equal(x, batch(n=2))

    def test_the_users_function_must_keep_the_shape(self):
        generator = ImageDataGenerator(preprocessing_function=lambda x: x.transpose(1, 0, 2))
        with pytest.raises(ValueError, match=r"\(3, 4, 3\) and returned \(4, 3, 3\)"):
            generator.standardize(batch()[0])

    @pytest.mark.parametrize(
        "flag", ["featurewise_center", "featurewise_std_normalization", "zca_whitening"]
    )
    def test_unfitted_steps_warn_and_are_left_out(self, flag):
        generator, theirs = both(**{flag: True})
        image = batch()[0]
        with pytest.warns(UserWarning, match="hasn't been fit") as caught:
            result = generator.standardize(image)
        with pytest.warns(UserWarning) as expected:
            theirs.standardize(image.copy())
        np.testing.assert_array_equal(result, image)
        assert len(caught) == len(expected)
        for ours, other in zip(caught, expected, strict=True):
            assert str(ours.message).startswith(str(other.message))

    def test_the_input_is_not_changed(self):
        x = batch()
        ImageDataGenerator(rescale=0.5, samplewise_center=True).standardize(x)
        np.testing.assert_array_equal(x, batch())

    @pytest.mark.parametrize(
        ("dtype", "asked", "expected"),
        [
            ("uint8", None, "float32"),
            ("uint8", "float64", "float64"),
            ("float32", "float64", "float32"),
            ("float64", None, "float64"),
            ("float16", None, "float16"),
        ],
    )
    def test_dtype(self, dtype, asked, expected):
        generator = ImageDataGenerator(rescale=1 / 255, dtype=asked)
        result = generator.standardize(batch(dtype)[0])
        assert result.dtype == expected
        np.testing.assert_allclose(result, batch(dtype)[0] / 255.0, rtol=2e-3)

    @pytest.mark.parametrize("model", ["mobilenet", "densenet", "resnet50"])
    def test_preprocess_input(self, model):
        function = getattr(keras.applications, model).preprocess_input
        ours, theirs = both(preprocessing_function=function)
        image = batch("float32")[0]
        np.testing.assert_allclose(
            ours.standardize(image), theirs.standardize(image.copy()), atol=1e-5
        )


class TestFault15SamplewiseOnBatches:
    """samplewise_* on a batch uses one mean for the whole batch in the classic."""

    def test_is_per_sample(self):
        generator = ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True)
        x = batch() * np.arange(1, 41)[:, None, None, None]
        result = generator.standardize(x)
        np.testing.assert_allclose(result.mean((1, 2, 3)), 0, atol=1e-9)
        np.testing.assert_allclose(result.std((1, 2, 3)), 1, atol=1e-6)
        alone = np.stack([generator.standardize(image) for image in x])
        np.testing.assert_allclose(result, alone, atol=1e-9)

    def test_the_classic_mixes_them(self):
        result = Classic(samplewise_center=True).standardize(
            batch() * np.arange(1, 41)[:, None, None, None]
        )
        assert np.abs(result.mean((1, 2, 3))).max() > 1000


STATISTICS = ("mean", "std", "zca_whitening_matrix")


def assert_same_statistics(ours, theirs, tolerance):
    """To a share of the largest value: the whitening matrix has entries of very different sizes."""
    for name in STATISTICS:
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert (found is None) == (expected is None), name
        if expected is not None:
            assert found.shape == expected.shape
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


class TestFit:
    @pytest.mark.parametrize(
        "flags", [flags for flags in COMBINATIONS if "samplewise_center" not in flags]
    )
    @pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 2e-4)])
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_equals_the_classic(self, flags, dtype, tolerance, data_format):
        ours, theirs = both(
            **dict.fromkeys(flags, True), dtype=dtype, data_format=data_format, rescale=1 / 255
        )
        x = batch()
        x = x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)
        ours.fit(x)
        theirs.fit(x)
        assert_same_statistics(ours, theirs, tolerance)
        found = [getattr(ours, name) for name in STATISTICS]
        assert {value.dtype for value in found if value is not None} <= {np.dtype(dtype)}

    def test_more_values_than_images(self):
        ours, theirs = both(zca_whitening=True, featurewise_center=True, dtype="float64")
        x = batch(n=9)
        ours.fit(x)
        theirs.fit(x)
        assert_same_statistics(ours, theirs, 1e-6)

    @pytest.mark.parametrize("epsilon", [0.0, 1e-6, 100.0])
    def test_zca_epsilon(self, epsilon):
        ours, theirs = both(zca_whitening=True, zca_epsilon=epsilon, dtype="float64")
        ours.fit(batch())
        theirs.fit(batch())
        assert_same_statistics(ours, theirs, 1e-6)

    def test_whitened_images_are_white(self):
        generator, _ = both(zca_whitening=True, dtype="float64")
        x = batch(n=200)
        generator.fit(x)
        white = generator.standardize(x).reshape(200, -1)
        np.testing.assert_allclose(white.T @ white / 200, np.eye(36), atol=1e-6)

    def test_is_stable_with_a_large_offset(self):
        x = np.random.default_rng(0).normal(1e6, 1, (50, 3, 4, 2))
        generator = ImageDataGenerator(
            featurewise_center=True, featurewise_std_normalization=True, dtype="float64"
        )
        with pytest.warns(UserWarning, match="2 channels"):
            generator.fit(x)
        np.testing.assert_allclose(generator.std.ravel(), x.std((0, 1, 2)), rtol=1e-9)
        np.testing.assert_allclose(generator.mean.ravel(), x.mean((0, 1, 2)), rtol=1e-14)

    def test_the_input_is_not_changed(self):
        x = batch()
        both(zca_whitening=True, rescale=0.5)[0].fit(x)
        np.testing.assert_array_equal(x, batch())

    def test_what_no_flag_asks_for_is_not_computed(self):
        generator = ImageDataGenerator()
        generator.fit(batch())
        assert [getattr(generator, name) for name in STATISTICS] == [None] * 3

    @pytest.mark.parametrize("shape", [(3, 4, 3), (2, 1, 3, 4, 3)])
    def test_rejects_another_rank(self, shape):
        with pytest.raises(
            ValueError, match=re.escape(f"should have rank 4. Got array with shape: {shape}")
        ):
            ImageDataGenerator().fit(np.zeros(shape))

    def test_rejects_no_images(self):
        with pytest.raises(ValueError, match="has no images: none were found in an empty array"):
            ImageDataGenerator(featurewise_center=True).fit(np.zeros([0, 3, 4, 3]))

    @pytest.mark.parametrize("rounds", [0, -1, 1.5])
    def test_rejects_other_rounds(self, rounds):
        with pytest.raises(ValueError, match="rounds must be an int >= 1"):
            ImageDataGenerator().fit(batch(), augment=True, rounds=rounds)

    def test_unusual_channels_warn(self):
        with pytest.warns(UserWarning, match="expected either 1, 3 or 4 channels on axis 3"):
            ImageDataGenerator().fit(np.zeros([2, 3, 4, 5]))

    def test_statistics_then_serve_the_flow(self):
        generator = ImageDataGenerator(
            featurewise_center=True, featurewise_std_normalization=True, dtype="float64"
        )
        generator.fit(batch())
        x = np.concatenate([generator.flow(batch(), shuffle=False)[i] for i in range(2)])
        np.testing.assert_allclose(x.mean((0, 1, 2)), 0, atol=1e-9)
        np.testing.assert_allclose(x.std((0, 1, 2)), 1, atol=1e-6)


class TestFitAugmented:
    def fit(self, seed=3, rounds=2, **options):
        generator = ImageDataGenerator(
            featurewise_center=True, featurewise_std_normalization=True, dtype="float64", **options
        )
        generator.fit(batch(), augment=True, rounds=rounds, seed=seed)
        return generator

    def test_seed(self):
        first, again, other = (self.fit(seed, brightness_range=(0.1, 1)) for seed in (3, 3, 4))
        assert_same_statistics(first, again, 0)
        assert np.abs(first.mean - other.mean).max() > 0.01

    def test_each_round_is_drawn_anew(self):
        one, two = (self.fit(rounds=rounds, brightness_range=(0.1, 1)) for rounds in (1, 2))
        assert np.abs(one.mean - two.mean).max() > 0.01

    def test_flips_do_not_change_the_statistics(self):
        plain = both(featurewise_std_normalization=True, dtype="float64")[0]
        plain.fit(batch())
        assert_same_statistics(self.fit(horizontal_flip=True, vertical_flip=True), plain, 1e-12)

    def test_without_augment_nothing_is_random(self):
        generator = ImageDataGenerator(featurewise_center=True, brightness_range=(0.1, 0.2))
        generator.fit(batch())
        assert generator.mean.mean() > 100


class TestFault5FitSeesWhatTheModelSees:
    """The classic's fit rescales before augmenting, flow after; and it ignores preprocessing_function."""

    def test_preprocessing_function_counts(self):
        generator = ImageDataGenerator(
            featurewise_center=True, preprocessing_function=lambda x: x * 2.0 + 1.0, dtype="float64"
        )
        generator.fit(batch())
        expected = (2 * batch() + 1).mean((0, 1, 2))
        np.testing.assert_allclose(generator.mean.ravel(), expected, rtol=1e-12)

    def test_the_classic_ignores_it(self):
        generator = Classic(featurewise_center=True, preprocessing_function=lambda x: x * 2.0 + 1.0)
        generator.fit(batch())
        assert generator.mean.max() < 140

    def test_rescale_comes_after_augmentation(self):
        # A channel shift of up to 40 means nothing to an image rescaled to 0..1 before it.
        options = {"channel_shift_range": 40, "rescale": 1 / 255, "dtype": "float64"}
        generator = ImageDataGenerator(featurewise_center=True, **options)
        generator.fit(batch(), augment=True, seed=1)
        plain = ImageDataGenerator(**options)
        seen = plain.flow(batch(), shuffle=False, seed=1)
        x = np.concatenate([seen[i] for i in range(len(seen))])
        np.testing.assert_allclose(generator.mean.ravel(), x.mean((0, 1, 2)), rtol=1e-9)
        assert np.abs(x.mean((1, 2, 3)) * 255 - batch().mean((1, 2, 3))).max() > 10

    def test_samplewise_steps_count(self):
        generator = ImageDataGenerator(
            featurewise_center=True, samplewise_center=True, dtype="float64"
        )
        generator.fit(batch())
        np.testing.assert_allclose(generator.mean.sum(), 0, atol=1e-9)


class TestFitOnADataSet:
    OPTIONS = {"target_size": (5, 6), "batch_size": 4}

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("flag", "data_format"),
        [
            ("featurewise_std_normalization", "channels_last"),
            ("zca_whitening", "channels_first"),
        ],
    )
    def test_equals_the_array_form(self, animals, flag, data_format):
        options = {flag: True, "rescale": 1 / 255, "data_format": data_format, "dtype": "float64"}
        from_files, from_array = both(**options)[0], both(**options)[0]
        plain = ImageDataGenerator(data_format=data_format)
        flow = plain.flow_from_directory(animals, class_mode=None, **self.OPTIONS)
        from_files.fit(flow)
        from_array.fit(np.concatenate([flow[i] for i in range(len(flow))]))
        assert_same_statistics(from_files, from_array, 1e-5)

    def test_its_own_flow_may_be_given(self, animals):
        generator = both(featurewise_std_normalization=True, rotation_range=20)[0]
        flow = quiet(lambda: generator.flow_from_directory(animals, **self.OPTIONS))
        generator.fit(flow)
        plain = ImageDataGenerator().flow_from_directory(animals, **self.OPTIONS)
        x = np.concatenate([plain[i][0] for i in range(len(plain))])
        # The images themselves: not rotated, not shuffled into another epoch.
        np.testing.assert_allclose(generator.mean.ravel(), x.mean((0, 1, 2)), rtol=1e-5)
        np.testing.assert_allclose(generator.std.ravel(), x.std((0, 1, 2)), rtol=1e-5)

    def test_the_flow_given_is_not_moved(self, animals):
        generator = ImageDataGenerator(featurewise_center=True)
        flow = quiet(lambda: generator.flow_from_directory(animals, seed=1, **self.OPTIONS))
        before = flow[0][0]
        generator.fit(flow)
        np.testing.assert_array_equal(next(iter(flow))[0], before)

    def test_shows_progress_in_a_terminal_if_asked(self, animals, monkeypatch):
        generator = ImageDataGenerator(featurewise_center=True)
        flow = ImageDataGenerator().flow_from_directory(animals, **self.OPTIONS)
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setattr("tfpipe.console._DELAY", 0)
        generator.fit(flow, verbose=False)
        assert terminal.getvalue() == ""
        generator.fit(flow)
        assert "4/4" in terminal.getvalue()


@pytest.mark.parametrize("name", ["standardize", "get_random_transform", "apply_transform"])
def test_methods_of_a_subclass_are_refused_where_batches_would_pass_them_by(name):
    own = type("Own", (ImageDataGenerator,), {name: lambda self, *_: None})
    with pytest.raises(ValueError, match=f"This Own has its own {name}, but batches are"):
        own().flow(np.zeros([2, 3, 4, 1]))


def test_random_transform_of_a_subclass_is_for_fit_alone():
    own = type("Own", (ImageDataGenerator,), {"random_transform": lambda self, *_: None})
    images = np.zeros([2, 3, 4, 1])
    assert len(own().flow(images)) == 1
    own(featurewise_center=True).fit(images)
    with pytest.raises(ValueError, match="own random_transform, but the batches of fit"):
        own(featurewise_center=True).fit(images, augment=True)


def test_dtype_float_is_numpys():
    for dtype in (float, "float", np.float64):
        assert ImageDataGenerator(dtype=dtype).flow(np.zeros([2, 3, 4, 1]))[0].dtype == np.float64
    assert ImageDataGenerator(dtype=tf.float32).flow(np.zeros([2, 3, 4, 1]))[0].dtype == np.float32


def test_shifts_of_whole_and_of_other_numbers_draw_for_themselves():
    """2 and 2.0 are equal, but the classic draws whole pixels for the one."""
    whole, other = (ImageDataGenerator(width_shift_range=reach) for reach in (2, 2.0))
    drawn = [
        [of.get_random_transform((8, 9, 3), seed)["tx"] for seed in range(5)]
        for of in (whole, other)
    ]
    assert all(value == round(value) for value in drawn[0])
    assert any(value != round(value) for value in drawn[1])
