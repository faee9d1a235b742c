"""`image_dataset_from_directory` beside Keras' function of that name."""

import gc
import inspect
import os
import traceback
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe.ops import resize_tf
from tfpipe.ops.resize_spec import ResizeSpec
from tfpipe.sources import class_weights
from tfpipe.sources.source import Arrays, Source

KERNELS = resize_tf.TF_INTERPOLATIONS
theirs = keras.utils.image_dataset_from_directory


def ours(directory, **options):
    return tfpipe.image_dataset_from_directory(directory, **({"image_size": (6, 8)} | options))


def both(directory, **options):
    """(ours, Keras') for the same arguments."""
    options = {"image_size": (6, 8), "batch_size": 4, "shuffle": False, "verbose": False} | options
    return ours(directory, **options), theirs(directory, **options)


def batches(dataset):
    return [tf.nest.map_structure(lambda t: t.numpy(), batch) for batch in dataset]


def assert_batches_equal(one, other, within=0.0):
    assert len(one) == len(other)
    for a, b in zip(batches(one), batches(other), strict=True):
        flat = list(zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True))
        for ours, theirs in flat:
            assert ours.shape == theirs.shape
            worst = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max()
            assert worst <= within, f"{worst} is more than {within}"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two classes of real photographs as JPEG, PNG, grey PNG, BMP, GIF and 16-bit PNG."""
    from skimage import data

    top = tmp_path_factory.mktemp("photographs")
    for name in ("a", "b"):
        (top / name).mkdir()
    Image.fromarray(data.astronaut()[:300, :210]).save(top / "a" / "1.jpg", quality=97)
    Image.fromarray(data.coffee()[::2, ::3]).save(top / "a" / "2.png")
    Image.fromarray(data.camera()[:100, ::2]).save(top / "b" / "1.PNG")
    Image.fromarray(data.chelsea()[:50, :61]).save(top / "b" / "2.bmp")
    Image.fromarray(data.rocket()[::4, ::5]).quantize(64).save(top / "b" / "3.gif")
    return top


class TestSignature:
    def test_begins_with_that_of_keras(self):
        mine = inspect.signature(tfpipe.image_dataset_from_directory).parameters
        expected = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
        assert [(p.name, p.default) for p in mine.values()][: len(expected)] == expected
        rest = list(mine.values())[len(expected) :]
        assert {p.kind for p in rest} == {inspect.Parameter.KEYWORD_ONLY}

    def test_the_two_doors_share_their_keywords(self):
        keywords = [
            {p.name: p.default for p in inspect.signature(door).parameters.values() if p.kind == 3}
            for door in (tfpipe.image_dataset_from_directory, tfpipe.image_dataset_from_dataframe)
        ]
        of_frames = {"separator", "validate_filenames", "mask_col", "feature_cols", "missing"}
        assert keywords[0].keys() - keywords[1].keys() <= {"masks"}
        assert keywords[1].keys() - keywords[0].keys() <= of_frames
        for name in keywords[0].keys() & keywords[1].keys():
            assert keywords[0][name] == keywords[1][name]

    @pytest.mark.slow
    def test_the_defaults_of_keras_reach_the_pixels(self, photographs):
        dataset = tfpipe.image_dataset_from_directory(photographs, verbose=False)
        assert isinstance(dataset, tf.data.Dataset)
        assert dataset.element_spec == theirs(photographs, verbose=False).element_spec
        assert (bool(dataset.shuffle), dataset.batch_size, dataset.dtype) == (True, 32, "float32")


class TestLabels:
    @pytest.mark.parametrize(
        "options",
        [
            {"label_mode": "int"},
            {"label_mode": "categorical"},
            {"label_mode": "binary", "class_names": ["dog", "cat"]},
            {"label_mode": None},
            {"labels": None},
            {"labels": [0, 1] * 7, "label_mode": "binary"},
            {"labels": [2, 1, 0, 0, 1, 2, 0] * 2, "label_mode": "categorical"},
            {"labels": [7] * 14},
            {"class_names": ["dog", "Emu"], "batch_size": None},
            {"data_format": "channels_first", "color_mode": "rgba"},
        ],
        ids=str,
    )
    def test_as_keras(self, animals, options):
        mine, keras_one = both(animals, **options)
        assert mine.element_spec == keras_one.element_spec
        assert_batches_equal(mine, keras_one)
        assert mine.file_paths == keras_one.file_paths
        if options.get("labels") != [7] * 14:  # a gap below: no classes here
            assert mine.class_names == keras_one.class_names

    @pytest.mark.parametrize("options", [{"labels": None}, {"label_mode": None}])
    def test_without_labels_there_are_no_class_names(self, animals, options):
        mine, keras_one = both(animals, **options)
        assert mine.class_names is keras_one.class_names is None
        for dataset in (mine, mine.take(1), mine.map(lambda x: x)):
            assert (dataset.class_names, dataset.class_indices, dataset.num_classes) == (
                None,
                {},
                0,
            )
        assert "classes" not in repr(mine)
        assert ">none</td>" in mine._repr_html_()
        assert len(mine.show(2).axes) == 2
        with pytest.raises(ValueError, match="class"):
            mine.class_distribution()

    def test_given_labels_stay_as_they_are(self, animals):
        labels = list(range(14))
        ours(animals, labels=labels, seed=1, verbose=False)
        assert labels == list(range(14))  # Keras shuffles the user's own list

    @pytest.mark.parametrize("label_mode", ["int", "raw"])
    def test_labels_of_different_shapes(self, animals, label_mode):
        with pytest.raises(
            ValueError, match=r"`labels` must hold one label .*labels=\[\[1\], \[1, 2\], "
        ):
            ours(animals, labels=[[1], [1, 2]] * 7, label_mode=label_mode)

    def test_raw_and_input(self, animals):
        raw = ours(animals, labels=np.arange(14) / 2, label_mode="raw", shuffle=False)
        assert np.concatenate([y for _, y in batches(raw)]).tolist() == (np.arange(14) / 2).tolist()
        x, y = ours(animals, label_mode="input")[0]
        np.testing.assert_array_equal(x, y)

    def test_one_size_for_both_sides(self, animals):
        assert ours(animals, image_size=5).image_shape == (5, 5, 3)

    def test_files_at_the_root_count_where_there_are_no_classes(self, tmp_path, write):
        write(tmp_path / "top.png")
        write(tmp_path / "a" / "b" / "deep.png")
        for options in ({"labels": None}, {"labels": [1, 0]}):
            mine, keras_one = both(tmp_path, **options)
            assert mine.file_paths == keras_one.file_paths
            assert_batches_equal(mine, keras_one)


class TestPixels:
    @pytest.mark.parametrize("interpolation", KERNELS)
    def test_every_kernel(self, photographs, interpolation):
        options = {"image_size": (37, 50), "interpolation": interpolation, "labels": None}
        assert_batches_equal(*both(photographs, **options))

    @pytest.mark.slow
    @pytest.mark.parametrize("flag", ["crop_to_aspect_ratio", "pad_to_aspect_ratio"])
    @pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "area"])
    def test_aspect(self, photographs, flag, interpolation):
        for size in ((37, 50), (64, 20)):
            options = {"image_size": size, "interpolation": interpolation, flag: True}
            assert_batches_equal(*both(photographs, **options))

    @pytest.mark.slow
    @pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "lanczos3"])
    @pytest.mark.parametrize("size", [(37, 50), (64, 20)])
    def test_fill_value_stands_where_zeros_stood(self, tmp_path, write, interpolation, size):
        for number, shape in enumerate([(41, 90), (90, 41), (37, 50), (9, 80)]):
            write(tmp_path / f"{number}.png", np.full([*shape, 3], 255, np.uint8))
        options = {"image_size": size, "interpolation": interpolation, "pad_to_aspect_ratio": True}
        options |= {"labels": None, "shuffle": False}
        [zeros] = batches(ours(tmp_path, **options))
        [filled] = batches(ours(tmp_path, fill_value=114, **options))
        assert 0 < (zeros == 0).mean() < 0.9
        np.testing.assert_array_equal(filled, np.where(zeros == 0, 114, zeros))

    @pytest.mark.slow
    def test_grey(self, tmp_path, photographs):
        # Keras' function raises for BMP and GIF here.
        for name in ("1.jpg", "2.png"):
            os.makedirs(tmp_path / "a", exist_ok=True)
            os.link(photographs / "a" / name, tmp_path / "a" / name)
        assert_batches_equal(*both(tmp_path, color_mode="grayscale", image_size=(31, 47)))
        assert len(ours(photographs, color_mode="grayscale", shuffle=False)[0][0]) == 5

    @pytest.mark.slow
    def test_alpha_on_jpeg(self, photographs):
        x = ours(photographs, color_mode="rgba", shuffle=False)[0][0]
        assert (x[..., 3] == 255).all()

    def test_16_bits_are_not_cut_to_8(self, tmp_path):
        ramp = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1367
        os.makedirs(tmp_path / "a")
        Image.fromarray(ramp).save(tmp_path / "a" / "ramp.png")
        mine, keras_one = both(tmp_path, color_mode="grayscale")
        assert_batches_equal(mine, keras_one, within=1)
        np.testing.assert_allclose(mine[0][0][0, ..., 0], ramp / 257, atol=1e-4)

    @pytest.mark.parametrize(
        ("interpolation", "pillow"),
        [("bilinear", "BILINEAR"), ("bicubic", "BICUBIC"), ("lanczos3", "LANCZOS")],
    )
    def test_antialias_is_pillows(self, photographs, interpolation, pillow):
        mine = ours(
            photographs, image_size=(37, 50), interpolation=interpolation, antialias=True,
            decoding="exact", labels=None, shuffle=False,
        )  # fmt: skip
        for image, path in zip(batches(mine)[0], mine.file_paths, strict=True):
            with Image.open(path) as file:
                expected = file.convert("RGB").resize((50, 37), getattr(Image.Resampling, pillow))
            np.testing.assert_array_equal(image, np.asarray(expected))

    @pytest.mark.slow
    def test_antialias_where_pillow_has_no_such_kernel(self, photographs):
        image = tf.io.decode_png(tf.io.read_file(str(photographs / "a" / "2.png")))
        for options in ({"interpolation": "lanczos5"}, {"pad_to_aspect_ratio": True}):
            mine = ours(photographs, image_size=(20, 20), antialias=True, shuffle=False, **options)
            name = options.get("interpolation", "bilinear")
            resize = tf.image.resize if "interpolation" in options else tf.image.resize_with_pad
            sizes = ([20, 20],) if "interpolation" in options else (20, 20)
            expected = resize(image, *sizes, method=name, antialias=True)
            np.testing.assert_array_equal(mine[0][0][1], expected)

    def test_exact_decoding(self, photographs):
        mine = ours(
            photographs, decoding="exact", interpolation="nearest", image_size=(300, 210),
            labels=None, shuffle=False, batch_size=1, dtype="uint8",
        )  # fmt: skip
        with Image.open(photographs / "a" / "1.jpg") as file:
            np.testing.assert_array_equal(mine[0][0], np.asarray(file))

    def test_the_rest_of_the_pipeline_takes_float_images(self, photographs):
        augment = tfpipe.Augment(rotation_range=10, horizontal_flip=True)
        standardize = tfpipe.Standardize(rescale=1 / 255)
        x, _ = ours(photographs, augment=augment, standardize=standardize, seed=1)[0]
        assert 0 <= x.min() < x.max() <= 1


class TestOrder:
    def test_every_epoch_has_all_samples_in_an_order_of_its_own(self, animals):
        dataset = ours(animals, labels=list(range(14)), seed=3)
        first, second = (np.concatenate([y for _, y in batches(dataset)]) for _ in range(2))
        assert sorted(first) == sorted(second) == list(range(14))
        assert first.tolist() != second.tolist()

    def test_samples_without_a_batch_dimension(self, animals):
        dataset = ours(animals, batch_size=None, shuffle=False)
        batched = ours(animals, batch_size=14, shuffle=False)
        assert (len(dataset), dataset.batch_size) == (14, None)
        for i in (0, 13):
            np.testing.assert_array_equal(dataset[i][0], batched[0][0][i])
        assert len(list(dataset.starting_at(0, 11))) == 3
        assert "14 samples" in repr(dataset)
        x, y = next(iter(dataset.batch(14, drop_remainder=True)))
        assert (x.shape, y.shape) == ((14, 6, 8, 3), (14,))


class TestSplit:
    @pytest.mark.parametrize("shuffle", [True, False])
    @pytest.mark.parametrize("subset", ["training", "validation", "both"])
    def test_the_samples_of_each_subset_are_those_of_keras(self, animals, shuffle, subset):
        options = {"validation_split": 0.3, "subset": subset, "seed": 11, "shuffle": shuffle}
        mine, keras_one = both(animals, **options)
        if subset != "both":
            mine, keras_one = [mine], [keras_one]
        assert isinstance(mine, list)
        for one, other in zip(mine, keras_one, strict=True):
            assert one.file_paths == other.file_paths
            assert len(one) == len(other)
        if subset == "both":
            assert_batches_equal(mine[1], keras_one[1])

    @pytest.mark.slow
    def test_validation_is_the_same_with_and_without_augmentation(self, animals):
        options = {"validation_split": 0.5, "subset": "both", "seed": 2}
        standardize = tfpipe.Standardize(rescale=1 / 255)
        augment = tfpipe.Augment(rotation_range=90, brightness_range=(0.1, 0.5))
        plain, changed = (
            ours(animals, standardize=standardize, augment=a, **options) for a in (None, augment)
        )
        assert_batches_equal(plain[1], changed[1])
        assert plain[1][0][0].max() <= 1
        assert not np.array_equal(plain[0][0][0], changed[0][0][0])
        np.testing.assert_array_equal(plain[0][0][1], changed[0][0][1])

    def test_a_validation_subset_on_its_own_is_not_augmented(self, animals):
        options = {"validation_split": 0.5, "subset": "validation", "seed": 2}
        augment = tfpipe.Augment(rotation_range=90)
        assert_batches_equal(ours(animals, **options), ours(animals, augment=augment, **options))

    def test_labels_with_gaps_have_class_shares_too(self, animals):
        options = {"validation_split": 0.5, "subset": "both", "seed": 1, "stratify": True}
        _, validation = ours(animals, labels=[-1, 7] * 7, **options)
        assert sorted(np.unique(validation.labels, return_counts=True)[1].tolist()) == [3, 4]

    def test_class_shares(self, animals):
        training, validation = ours(
            animals, validation_split=0.4, subset="both", seed=1, stratify=True
        )
        assert np.bincount(validation.labels).tolist() == [2, 3, 1] or len(validation.labels) == 5
        assert np.bincount(training.labels, minlength=3).min() >= 2
        assert not set(training.file_paths) & set(validation.file_paths)

    def test_groups(self, animals):
        def group(path):
            return os.path.basename(path)

        training, validation = ours(
            animals, validation_split=0.3, subset="both", seed=1, groups=group
        )
        assert training.samples + validation.samples == 14
        assert not set(training.groups) & set(validation.groups)
        assert set(validation.groups) == set(map(group, validation.file_paths))

    @pytest.mark.parametrize("strata", [{"stratify": True}, {"groups": os.path.basename}])
    def test_a_random_subset_needs_a_seed_in_any_order(self, animals, strata):
        options = {"validation_split": 0.3, "shuffle": False, **strata}
        for subset in ("training", "validation"):
            with pytest.raises(ValueError, match=r"Pass a `seed`.*Received: seed=None, subset="):
                ours(animals, subset=subset, **options)
        training, validation = ours(animals, subset="both", **options)
        assert training.samples + validation.samples == 14
        alone = [ours(animals, subset=s, seed=3, **options) for s in ("training", "validation")]
        assert not set(alone[0].file_paths) & set(alone[1].file_paths)


class TestWeights:
    def test_balanced(self, animals):
        dataset = ours(animals, class_weights="balanced", shuffle=False, batch_size=14)
        _, y, weights = batches(dataset)[0]
        expected = {number: 14 / (3 * count) for number, count in enumerate([3, 4, 7])}
        assert dataset.class_weight == pytest.approx(expected)
        np.testing.assert_allclose(weights, [expected[label] for label in y], rtol=1e-6)

    def test_by_name(self, animals):
        dataset = ours(animals, class_weights={"cat": 3, 0: 0.5}, shuffle=False, batch_size=14)
        assert batches(dataset)[0][2].tolist() == [0.5] * 3 + [3.0] * 4 + [1.0] * 7

    def test_a_key_is_an_id_or_a_name_not_either(self):
        source = Source.of(
            Arrays(np.zeros([3, 2, 2, 1])), np.arange(3), class_names=("1", "2", "3")
        )
        assert class_weights.of_samples(source, {"1": 5, 0: 5}).tolist() == [5, 1, 1]
        with pytest.raises(ValueError, match="an id or a name. Received: 1, the id of class '2'"):
            class_weights.of_samples(source, {1: 5})
        with pytest.raises(ValueError, match="must name classes.* Received: True"):
            class_weights.of_samples(source, {True: 5})

    def test_validation_has_none(self, animals):
        training, validation = ours(
            animals, class_weights="balanced", validation_split=0.5, subset="both", seed=1
        )
        assert (len(training.element_spec), len(validation.element_spec)) == (3, 2)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"class_weights": "balance"}, "class_weights must be 'balanced', a dict"),
            ({"class_weights": {"cta": 1}}, "names? classes.*'Emu', 'cat', 'dog'.*mean 'cat'"),
            ({"class_weights": {"cat": -1}}, "must be numbers >= 0. Received -1 for class 'cat'"),
            ({"class_weights": "balanced", "labels": None}, "class_weights needs labels"),
            ({"class_weights": "balanced", "label_mode": "input"}, "samples of one class each"),
        ],
    )
    def test_rejects(self, animals, options, message):
        with pytest.raises(ValueError, match=message):
            ours(animals, **options)


class TestMessages:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"labels": None},
            {"labels": [1, 0] * 7},
            {"validation_split": 0.3, "subset": "both", "seed": 1},
            {"validation_split": 0.3, "subset": "training", "seed": 1},
        ],
        ids=str,
    )
    def test_what_is_printed(self, animals, capsys, options):
        theirs(animals, **options)
        expected = capsys.readouterr().out
        ours(animals, **options)
        assert capsys.readouterr().out == expected

    def test_quiet(self, animals, capsys):
        ours(animals, verbose=False, validation_split=0.3, subset="both", seed=1)
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize(
        "options",
        [
            {"labels": "wrong"},
            {"labels": [0] * 14, "class_names": ["a"]},
            {"labels": None, "class_names": ["a"]},
            {"label_mode": None, "class_names": ["cat"]},
            {"label_mode": "sparse"},
            {"color_mode": "RGB"},
            {"image_size": (1, 2, 3)},
            {"image_size": "big"},
            {"interpolation": "cubic"},
            {"validation_split": 2, "subset": "both"},
            {"validation_split": 0.2},
            {"subset": "training"},
            {"validation_split": 0.2, "subset": "test"},
            {"validation_split": 0.2, "subset": "both"},
            {"labels": [0] * 3},
            {"class_names": ["cat", "fish"]},
            {"label_mode": "binary"},
            {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True},
        ],
        ids=str,
    )
    def test_errors_begin_as_those_of_keras(self, animals, options):
        with warnings.catch_warnings():
            # Where Keras raises, its thread pool stays open until it is collected.
            warnings.simplefilter("ignore", ResourceWarning)
            with pytest.raises(Exception) as of_keras:  # noqa: PT011
                theirs(animals, **options)
            traceback.clear_frames(of_keras.tb)
            gc.collect()
        with pytest.raises(type(of_keras.value)) as of_ours:
            ours(animals, **options)
        # Up to the values: theirs leave the quotes out.
        expected = str(of_keras.value).split("eceived")[0][:60]
        shown = str(of_ours.value)
        assert shown[: len(expected)] == expected

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"format": "grain"}, ValueError, '`format` should be "tf"'),
            ({"deterministic": False}, ValueError, "deterministic must be True"),
            ({"stratify": True}, ValueError, "stratify=True needs a split"),
            (
                {"standardize": tfpipe.Standardize(featurewise_center=True)},
                ValueError,
                "featurewise_center without the statistics",
            ),
            (
                {"augment": {"rotation_range": 3}},
                TypeError,
                r"Pass tfpipe.Augment\(rotation_range=3\)",
            ),
            ({"labels": [0.5] * 14}, ValueError, 'pass label_mode="raw"'),
            ({"labels": [0, 2] * 7, "label_mode": "categorical"}, ValueError, "without a gap"),
            ({"decoding": "fast-ish"}, ValueError, "decoding must be one of 'exact', 'keras'"),
            ({"class_names": "cat"}, ValueError, "Pass \\['cat'\\]"),
            ({"class_names": []}, ValueError, "did not match"),
            ({"max_errors": 3}, ValueError, "needs on_error='skip'"),
            (
                # Keras gives validation all samples where its share of them is none.
                {"validation_split": 0.01, "subset": "validation", "seed": 1},
                ValueError,
                r"^validation_split=0.01 of 14 image\(s\) leaves none for validation. Pass a larger one",
            ),
            (
                {"labels": [0] + [2] * 13, "stratify": True}
                | {"validation_split": 0.3, "subset": "both", "seed": 1},
                ValueError,
                r"at least 2 samples of each class. Received fewer of: '0' \(1\)",
            ),
            ({"labels": [-1, 2] * 7, "balance": "oversample"}, ValueError, "class ids >= 0"),
            ({"labels": [2**31] * 14}, ValueError, "range of int32.* Received: .*2147483648"),
            ({"dtype": "flot32"}, ValueError, "dtype must be one of.* mean 'float32'"),
            ({"batch_size": 0}, ValueError, "batch_size must be an int >= 1"),
        ],
        ids=str,
    )
    def test_further_errors(self, animals, options, error, message):
        with pytest.raises(error, match=message):
            ours(animals, **options)

    def test_a_directory_that_is_missing_or_empty(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="No such directory"):
            ours(tmp_path / "nowhere")
        with pytest.raises(FileNotFoundError, match="No such directory"):
            ours(tmp_path / "nowhere", labels=None)
        with pytest.raises(ValueError, match="^No images found in directory"):
            ours(tmp_path)

    def test_a_class_given_instead_of_the_folder_above(self, animals):
        with pytest.raises(
            ValueError, match=r"\. 7 image file\(s\) lie directly in it.*labels=None"
        ):
            ours(animals / "dog")

    @pytest.mark.slow
    def test_a_bad_file_is_named_or_skipped(self, tmp_path, write):
        for number in range(3):
            write(tmp_path / "a" / f"{number}.png")
        (tmp_path / "a" / "bad.png").write_bytes(b"not an image")
        with pytest.raises(tf.errors.InvalidArgumentError, match="bad.png"):
            list(ours(tmp_path))
        skipping = ours(tmp_path, on_error="skip", max_errors=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert sum(len(y) for _, y in batches(skipping)) == 3
        assert [os.path.basename(path) for path, _ in skipping.skipped] == ["bad.png"]


class TestSpec:
    def test_pillow_cannot_pad(self):
        with pytest.raises(ValueError, match="aspect must be one of 'stretch', 'crop'"):
            ResizeSpec(aspect="pad")

    def test_fill_value_needs_padding(self, animals):
        with pytest.raises(ValueError, match="fill_value is the value of the pixels that pad_to"):
            ours(animals, fill_value=114)
        with pytest.raises(ValueError, match="fill_value must be a number >= 0 and <= 255"):
            ours(animals, fill_value=300, pad_to_aspect_ratio=True)

    def test_each_family_has_its_own_names(self):
        with pytest.raises(ValueError, match="interpolation must be one of 'nearest'"):
            ResizeSpec(interpolation="lanczos5")
        with pytest.raises(ValueError, match="interpolation must be one of 'bilinear'"):
            ResizeSpec(interpolation="hamming", resampling="tensorflow")


class TestFit:
    def test_fit_takes_both_halves(self, animals):
        training, validation = ours(
            animals, validation_split=0.3, subset="both", seed=1, class_weights="balanced"
        )
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(
            training, validation_data=validation, epochs=2, verbose=0, shuffle=False
        )
        assert len(history.history["val_accuracy"]) == 2
