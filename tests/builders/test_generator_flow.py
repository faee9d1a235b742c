"""`flow` beside the classic."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tfpipe


@pytest.fixture(scope="module")
def images(picture):
    return np.stack([picture(5, 7, seed=i) for i in range(10)])


Y = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 1], np.int16)
WEIGHT = np.arange(10, dtype=np.float64) / 4


def flow_both(classic, *args, generator_options=(), **options):
    """(ours, the classic's) for the same arguments."""
    options = {"batch_size": 4, "shuffle": False} | options
    return tuple(
        make(**dict(generator_options)).flow(*args, **options)
        for make in (tfpipe.ImageDataGenerator, classic)
    )


def flow(*args, validation_split=0.0, **options):
    return tfpipe.ImageDataGenerator(validation_split=validation_split).flow(*args, **options)


class TestParity:
    @pytest.mark.parametrize("kind", ["x", "y", "weights", "misc", "misc list", "misc alone"])
    def test_batches(self, classic, images, assert_same, kind):
        misc = np.arange(20).reshape(10, 2)
        args, options = {
            "x": ([images], {}),
            "y": ([images, Y], {}),
            "weights": ([images, Y], {"sample_weight": WEIGHT}),
            "misc": ([(images, misc), Y], {}),
            "misc list": ([[images, [misc, WEIGHT]], Y], {"sample_weight": WEIGHT}),
            "misc alone": ([(images, misc)], {}),
        }[kind]
        ours, theirs = flow_both(classic, *args, **options)
        assert len(ours) == len(theirs) == 3
        for _ in range(4):
            assert_same(next(ours), next(theirs))

    @pytest.mark.parametrize(
        "y",
        [
            Y.astype(np.float16),
            Y.astype(np.uint8),
            Y > 1,
            np.arange(60.0).reshape(10, 3, 2),
            list(range(10)),
            Y + 1j,
        ],
        ids=lambda y: str(np.asarray(y).dtype),
    )
    def test_y_keeps_its_dtype(self, classic, images, assert_same, y):
        ours, theirs = flow_both(classic, images, y)
        assert_same(ours[2], theirs[2])

    def test_strings_as_y(self, classic, images):
        ours, theirs = flow_both(classic, images, np.array(list("abcdefghij")))
        assert ours[2][1].tolist() == theirs[2][1].tolist() == ["i", "j"]

    @pytest.mark.parametrize(
        ("kind", "dtype"),
        [
            ("uint8", "float64"),
            ("float64", "float64"),
            ("float64", "float32"),
            ("int32", "float16"),
            ("uint8", "uint8"),
            ("int32", "uint8"),
        ],
    )
    def test_dtypes_of_x(self, classic, images, assert_same, kind, dtype):
        x = images.astype(kind) + (np.float64(0.25) if kind == "float64" else np.uint8(0))
        ours, theirs = flow_both(classic, x, generator_options={"dtype": dtype})
        assert_same(ours[1], theirs[1])
        assert ours.dtype == dtype

    def test_channels_first(self, classic, images, assert_same):
        x = images.transpose(0, 3, 1, 2)
        ours, theirs = flow_both(classic, x, Y, generator_options={"data_format": "channels_first"})
        assert_same(ours[2], theirs[2])
        assert ours.image_shape == (3, 5, 7)
        assert ours.element_spec[0].shape == (None, 3, 5, 7)

    @pytest.mark.parametrize("subset", ["training", "validation"])
    def test_subsets(self, classic, images, assert_same, subset):
        ours, theirs = flow_both(
            classic,
            (images, np.arange(10)),
            Y,
            subset=subset,
            generator_options={"validation_split": 0.3},
        )
        assert ours.n == theirs.n
        for _ in range(len(theirs)):
            assert_same(next(ours), next(theirs))

    def test_weights_go_with_their_subset(self, classic, images):
        ours, theirs = flow_both(
            classic,
            images,
            Y,
            sample_weight=WEIGHT,
            subset="training",
            generator_options={"validation_split": 0.3},
        )
        assert ours[0][2].tolist() == WEIGHT[3:7].tolist()
        assert theirs[0][2].tolist() == WEIGHT[0:4].tolist()  # the classic's fault
        assert ours[0][1].tolist() == theirs[0][1].tolist()

    def test_subset_of_lacking_classes(self, classic, images, assert_same):
        y = np.arange(10)
        options = {"subset": "validation", "generator_options": {"validation_split": 0.3}}
        with pytest.raises(ValueError, match="different number of classes"):
            flow_both(classic, images, y, **options)
        ours, theirs = flow_both(classic, images, y, ignore_class_split=True, **options)
        assert_same(ours[0], theirs[0])

    def test_attributes(self, classic, images):
        ours, theirs = flow_both(classic, images, Y, seed=3, shuffle=True)
        for name in ("n", "batch_size", "seed", "shuffle", "batch_index", "total_batches_seen"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert ours.samples == 10
        assert ours.image_shape == (5, 7, 3)
        assert ours.class_indices == {}
        assert ours.num_classes == 0
        assert ours.filenames == ours.filepaths == []
        assert ours.sample_weight is None
        assert (ours.subset, ours.split) == (None, None)
        assert ours.labels.tolist() == Y.tolist()

    def test_the_users_arrays_are_left_alone(self, images):
        x, y = images.astype(np.float32), Y.copy()
        batch = flow(x, y, shuffle=False)[0]
        batch[0][:] = -1
        batch[1][:] = -1
        np.testing.assert_array_equal(x, images)
        np.testing.assert_array_equal(y, Y)

    def test_empty(self, images):
        ours = flow(images[:0], Y[:0])
        assert len(ours) == 0
        for read in (next, list, lambda flow: flow[0], lambda flow: flow.take(-1)):
            with pytest.raises(ValueError, match="no images: none were found in an empty array"):
                read(ours)


def objects(*values):
    column = np.empty(len(values), object)
    column[:] = values
    return column


class TestObjectArrays:
    """Columns of a frame are often object arrays, such as `frame["class"].to_numpy()`."""

    @pytest.mark.parametrize(
        "values",
        [
            objects(*range(10)),
            objects(*np.arange(10) / 2),
            objects(True, *[False] * 9),
            objects(*map(np.float32, range(10))),
            np.array([[i, i / 2] for i in range(10)], object),
            pd.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "Int64"),
            objects(*"abcdefghij"),
        ],
        ids=repr,
    )
    def test_numbers_and_strings(self, classic, images, values):
        given = np.asarray(values)
        ours, theirs = flow_both(classic, (images, [given]), given, sample_weight=None)
        for number in range(len(theirs)):
            (x, misc), y = ours[number]
            (_, expected), labels = theirs[number]
            assert x.dtype == np.float32
            assert misc.tolist() == expected.tolist()
            assert y.tolist() == labels.tolist()

    def test_weights(self, images):
        dataset = flow(images, Y, sample_weight=objects(*range(10)), shuffle=False)
        assert dataset[0][2].tolist() == list(range(10))
        assert dataset[0][2].dtype.kind in "if"
        with pytest.raises(ValueError, match="sample_weight must hold finite numbers"):
            flow(images, Y, sample_weight=objects(None, *range(9)))

    def test_arrays_of_one_shape_are_stacked(self, images):
        values = objects(*(np.full(3, number) for number in range(10)))
        assert flow(images, values, shuffle=False)[0][1].tolist() == [[n] * 3 for n in range(10)]

    @pytest.mark.parametrize(
        "values",
        [
            objects(None, *range(9)),
            objects("a", *range(9)),
            objects([1, 2], *([n] for n in range(9))),
            np.array(["2020-01-01"] * 10, "datetime64[D]"),
        ],
        ids=repr,
    )
    def test_rejects_what_is_no_tensor(self, images, values):
        with pytest.raises(TypeError, match="y must be an array of numbers or strings"):
            flow(images, values)
        with pytest.raises(TypeError, match="misc 1 of x must be an array"):
            flow((images, [Y, values]), Y)

    def test_rejects_a_dict(self, images):
        with pytest.raises(
            TypeError, match=r"y must be.*a dict.*np\.stack\(\[age, sex\], axis=1\)"
        ):
            flow(images, {"age": Y, "sex": Y})

    @pytest.mark.parametrize("options", [{"y": 3}, {"y": Y, "sample_weight": 0.5}])
    def test_rejects_one_number(self, images, options):
        with pytest.raises(ValueError, match=r"should have the same length.*shape = \(\)"):
            flow(images, **options)


class TestFlags:
    @pytest.mark.parametrize("shuffle", [None, False, 0])
    def test_no_shuffle(self, classic, images, assert_same, shuffle):
        ours, theirs = flow_both(classic, images, Y, shuffle=shuffle)
        assert not ours.shuffle
        assert_same(ours[0], theirs[0])

    @pytest.mark.parametrize("name", ["JPEG", "Png", "BMP", "TIFF"])
    def test_save_format_in_capitals(self, images, tmp_path, name):
        next(flow(images, batch_size=10, save_to_dir=tmp_path, save_format=name))
        assert len(list(tmp_path.iterdir())) >= 10
        for path in tmp_path.iterdir():
            with Image.open(path) as image:
                assert image.format == name.upper()


class TestWithoutLabels:
    @pytest.mark.parametrize("weight", [WEIGHT, WEIGHT * np.nan])
    def test_weights_are_ignored_with_a_warning(self, classic, images, assert_same, weight):
        with pytest.warns(UserWarning, match="`sample_weight` will be ignored"):
            ours = flow(images, sample_weight=weight, shuffle=False)
        theirs = classic().flow(images, sample_weight=weight, shuffle=False)
        assert_same(ours[0], theirs[0])


class TestRejects:
    @pytest.mark.parametrize(
        ("args", "options", "message"),
        [
            (lambda x: [(x, Y[:9])], {}, "All of the arrays in `x` should have the same length"),
            (
                lambda x: [x, Y[:9]],
                {},
                "`x` (images tensor) and `y` (labels) should have the same length. "
                "Found: x.shape = (10, 5, 7, 3), y.shape = (9,)",
            ),
            (
                lambda x: [x, Y],
                {"sample_weight": WEIGHT[:4]},
                "`x` (images tensor) and `sample_weight` should have the same length. "
                "Found: x.shape = (10, 5, 7, 3), sample_weight.shape = (4,)",
            ),
            (
                lambda x: [x, np.arange(10)],
                {"subset": "training"},
                "Training and validation subsets have different number of classes after the "
                "split. If your numpy arrays are sorted by the label, you might want",
            ),
            (lambda x: [x[0]], {}, "should have rank 4"),
            (lambda x: [x], {"subset": "test"}, "subset"),
        ],
        ids=["misc", "y", "weights", "classes", "rank", "subset"],
    )
    def test_what_the_classic_rejects(self, classic, images, args, options, message):
        for make in (tfpipe.ImageDataGenerator, classic):
            with pytest.raises(ValueError, match=re.escape(message)):
                make(validation_split=0.3).flow(*args(images), **options)

    def test_weights_below_0(self, images):
        weights = WEIGHT.copy()
        weights[4] = -2
        with pytest.raises(ValueError, match=r"sample_weight.*0 or more. Received: -2"):
            flow(images, Y, sample_weight=weights)

    @pytest.mark.parametrize("y", [np.array([1.0] * 9 + [np.nan]), objects(*[1.0] * 9, None)])
    def test_targets_that_are_missing(self, images, y):
        with pytest.raises((TypeError, ValueError), match=r"y must"):
            flow(images, y)

    @pytest.mark.parametrize("weight", [np.nan, np.inf])
    def test_weights_that_are_not_finite(self, images, weight):
        weights = WEIGHT.copy()
        weights[4] = weight
        with pytest.raises(ValueError, match="sample_weight must hold finite numbers"):
            flow(images, Y, sample_weight=weights)

    def test_subset_without_split(self, images):
        with pytest.raises(ValueError, match="subset='validation' needs a validation_split"):
            flow(images, subset="validation")

    def test_unknown_keyword(self, images):
        with pytest.raises(TypeError, match="target_size"):
            flow(images, target_size=(4, 6))

    @pytest.mark.parametrize("option", [{"batch_size": 0}, {"seed": "x"}, {"shuffle": "no"}])
    def test_a_bad_value(self, images, option):
        ((name, value),) = option.items()
        with pytest.raises(ValueError, match=f"{name} must be .* Received: {name}={value!r}"):
            flow(images, **option)


class TestChannels:
    @pytest.mark.parametrize("channels", [2, 5])
    def test_odd_counts_warn(self, classic, picture, assert_same, channels):
        x = np.stack([picture(3, 4, channels, seed=i) for i in range(5)])
        with pytest.warns(UserWarning) as caught:
            ours, theirs = flow_both(classic, x)
        mine, other = [str(w.message) for w in caught]
        tail = other[other.index("is set to use") :]
        assert mine.endswith(tail)
        assert f"({channels} channels)" in mine
        assert_same(ours[1], theirs[1])

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_usual_counts_do_not(self, picture, channels):
        assert flow(picture(3, 4, channels)[None]).image_shape == (3, 4, channels)


class TestRangeOfArrays:
    def test_the_dtype_comes_last(self):
        x = np.full([1, 2, 3, 1], 65535, "int32")
        batch = tfpipe.ImageDataGenerator(rescale=1 / 65535, dtype="float16").flow(x)[0]
        assert batch.dtype == "float16"
        np.testing.assert_array_equal(batch, np.ones(batch.shape, "float16"))

    def test_fit_does_not_mix(self):
        x = np.random.default_rng(0).random([6, 3, 4, 1], "float32")
        generator = tfpipe.ImageDataGenerator(featurewise_center=True)
        generator.mixup_alpha = 0.4
        generator.fit(x, augment=True)
        assert generator.mean == pytest.approx(x.mean(), rel=1e-5)
