"""Augmentation and standardisation in the graph: what the flows give, beside the single-array methods."""

import dataclasses
import pathlib

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from tfpipe import ImageDataGenerator, seeds
from tfpipe.dataset.image_dataset import ImageDataset
from tfpipe.pipeline import feeds
from tfpipe.transforms import draws, motion

HEIGHT, WIDTH = 9, 13
N, BATCH = 10, 4
SEED = 21
GEOMETRY = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": [1, 2],
    "shear_range": 10,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "vertical_flip": True,
}
UNCUT = {**GEOMETRY, "channel_shift_range": 30}
EVERYTHING = {**UNCUT, "brightness_range": (0.5, 1.5)}


@pytest.fixture(scope="module")
def images(picture):
    """uint8 [10, 9, 13, 3]"""
    return np.stack([picture(HEIGHT, WIDTH, 3, seed=i) for i in range(N)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture, write):
    """Five RGBA pictures in two classes, of the very size that the flows ask for."""
    top = tmp_path_factory.mktemp("rgba")
    for i in range(5):
        write(top / "ab"[i % 2] / f"{i}.png", picture(HEIGHT, WIDTH, 4, seed=i))
    return top


def frame(folder):
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    return pd.DataFrame({"filename": names, "class": [name[0] for name in names]})


def all_images(dataset):
    """The images of an epoch, by subscript."""
    return np.concatenate([dataset[i] for i in range(len(dataset))])


def expected_images(generator, plain, seed, epoch=0):
    """`apply_transform` and `standardize` of plain pixels, with each sample's own parameters."""
    key, epoch = seeds.stream_key(seed, "augment"), tf.constant(epoch, tf.int64)
    shape = plain.shape[1:]
    height, width = shape[generator.row_axis - 1], shape[generator.col_axis - 1]
    result = []
    for index, image in enumerate(plain):
        sample_key = seeds.sample_key(key, epoch, tf.constant(index, tf.int64))
        drawn = draws.draw(generator.augment, sample_key, height, width)
        params = {n: v.numpy() if tf.is_tensor(v) else v for n, v in drawn.items()}
        result.append(generator.standardize(generator.apply_transform(image, params)))
    return np.stack(result)


def assert_close(result, expected, unit=1.0, *, cut):
    """Within 0.01 of 255; where brightness cuts to bytes, one pixel in a hundred may be a level apart."""
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    difference = np.abs(result - expected) / unit
    assert (difference > 0.01).mean() < (0.01 if cut else 1e-9)
    assert difference.max() < 1.6


def ops(dataset):
    """The kinds of op of the graph that a tf.data service worker would be given."""
    graph = tf.compat.v1.GraphDef.FromString(dataset._as_serialized_graph().numpy())
    nodes = list(graph.node)
    for function in graph.library.function:
        nodes += function.node_def
    return {node.op for node in nodes}


class TestPixels:
    @pytest.mark.slow
    @pytest.mark.parametrize("transforms", [EVERYTHING, UNCUT], ids=["everything", "uncut"])
    @pytest.mark.parametrize(
        ("door", "color_mode", "data_format", "dtype"),
        [
            ("directory", "rgb", "channels_last", "float32"),
            ("directory", "rgba", "channels_last", "float32"),
            ("dataframe", "grayscale", "channels_last", "float64"),
            ("dataframe", "rgb", "channels_first", "float64"),
        ],
    )
    def test_of_files(self, folder, transforms, door, color_mode, data_format, dtype):
        options = {"color_mode": color_mode, "target_size": (HEIGHT, WIDTH), "batch_size": 3}
        options |= {"class_mode": None, "shuffle": False, "seed": SEED}

        def flow(generator):
            if door == "directory":
                return generator.flow_from_directory(folder, **options)
            return generator.flow_from_dataframe(frame(folder), folder, **options)

        layout = {"data_format": data_format, "dtype": dtype}
        plain = all_images(flow(ImageDataGenerator(**layout)))
        generator = ImageDataGenerator(**transforms, rescale=1 / 255, **layout)
        result = all_images(flow(generator))
        cut = transforms is EVERYTHING
        assert_close(result, expected_images(generator, plain, SEED), 1 / 255, cut=cut)
        assert np.abs(result * 255 - plain).mean() > 10

    @pytest.mark.parametrize("transforms", [EVERYTHING, UNCUT], ids=["everything", "uncut"])
    @pytest.mark.parametrize(
        ("options", "source_dtype"),
        [
            ({"rescale": 1 / 255}, "uint8"),
            ({"samplewise_center": True, "dtype": "float64"}, "float64"),
            ({"data_format": "channels_first", "fill_mode": "wrap"}, "float32"),
            ({"interpolation_order": 3, "fill_mode": "constant", "cval": 9}, "uint8"),
            ({"preprocessing_function": lambda x: x / 2.0, "rescale": 2.0}, "uint8"),
        ],
    )
    def test_of_arrays(self, images, transforms, options, source_dtype):
        generator = ImageDataGenerator(**transforms, **options)
        x = images.astype(source_dtype)
        x = x.transpose(0, 3, 1, 2) if options.get("data_format") == "channels_first" else x
        result = all_images(generator.flow(x, batch_size=BATCH, shuffle=False, seed=SEED))
        plain = x.astype(generator.dtype)
        unit = generator.rescale if generator.rescale == 1 / 255 else 1.0
        cut = transforms is EVERYTHING
        assert_close(result, expected_images(generator, plain, SEED), unit, cut=cut)

    @pytest.mark.parametrize("order", [0, 1])
    def test_geometry_is_exact_enough_everywhere(self, images, order):
        generator = ImageDataGenerator(**GEOMETRY, interpolation_order=order)
        result = all_images(generator.flow(images, batch_size=BATCH, shuffle=False, seed=SEED))
        expected = expected_images(generator, images.astype("float32"), SEED)
        np.testing.assert_allclose(result, expected, rtol=0, atol=0.01 * order)

    def test_shuffled_samples_keep_their_own_parameters(self, images):
        generator = ImageDataGenerator(**GEOMETRY)
        dataset = generator.flow(images, batch_size=BATCH, seed=SEED)
        expected = expected_images(generator, images.astype("float32"), SEED)
        result = all_images(dataset)
        assert dataset.index_array.tolist() != list(range(N))
        np.testing.assert_allclose(result, expected[dataset.index_array], atol=0.01)

    def test_labels_stay_with_their_images(self, images):
        generator = ImageDataGenerator(vertical_flip=True)
        dataset = generator.flow(images, np.arange(N), batch_size=BATCH, seed=SEED)
        for x, y in (dataset[i] for i in range(3)):
            for image, label in zip(x, y, strict=True):
                original = images[label]
                assert (image == original).all() or (image == original[::-1]).all()

    def test_class_mode_input_gives_the_same_image_twice(self, folder):
        generator = ImageDataGenerator(**EVERYTHING, rescale=1 / 255)
        dataset = generator.flow_from_directory(
            folder, target_size=(HEIGHT, WIDTH), class_mode="input", seed=SEED
        )
        x, y = dataset[0]
        np.testing.assert_array_equal(x, y)

    def test_later_epochs_have_their_own_draws(self, images):
        generator = ImageDataGenerator(**GEOMETRY)
        dataset = generator.flow(images, batch_size=N, shuffle=False, seed=SEED)
        for epoch in range(3):
            (x,) = dataset.take(-1)
            expected = expected_images(generator, images.astype("float32"), SEED, epoch)
            np.testing.assert_allclose(x, expected, atol=0.01)

    @pytest.mark.parametrize(
        "options",
        [
            {"zoom_range": [1, 1], "width_shift_range": 0, "brightness_range": None},
            {"width_shift_range": 1, "height_shift_range": [0]},  # resampled, but by nothing
            {"brightness_range": (1, 1)},
            {"zoom_range": 0.0, "fill_mode": "wrap", "interpolation_order": 5, "cval": 3},
        ],
    )
    def test_neutral_parameters_give_the_plain_pixels(self, images, options):
        dataset = ImageDataGenerator(**options).flow(images, batch_size=BATCH, shuffle=False)
        np.testing.assert_array_equal(all_images(dataset), images)


class TestFault4BrightnessOfUnitRange:
    """The classic makes an image of 0..1 floats 0."""

    def test_arrays_of_0_to_1(self, images):
        generator = ImageDataGenerator(brightness_range=(0.5, 0.5))
        x = images.astype("float32") / 255
        result = all_images(generator.flow(x, batch_size=BATCH, shuffle=False))
        np.testing.assert_allclose(result, x / 2, atol=1e-6)


def everything(images):
    generator = ImageDataGenerator(**EVERYTHING, rescale=1 / 255, samplewise_center=True)
    return generator.flow(images, np.arange(N), batch_size=BATCH, seed=SEED)


@pytest.fixture
def dataset(images):
    """A flow that nobody has looked at."""
    return everything(images)


@pytest.fixture(scope="module")
def two_epochs(images):
    epoch = everything(images).take(-1)
    return [[tuple(t.numpy() for t in batch) for batch in epoch] for _ in range(2)]


class TestReproducibility:
    @pytest.mark.parametrize("num_parallel_calls", [1, 2, 8])
    def test_two_runs_are_equal_bit_for_bit(self, dataset, two_epochs, num_parallel_calls):
        spec = dataclasses.replace(dataset.spec, num_parallel_calls=num_parallel_calls)
        other = ImageDataset(dataset.source, spec)
        for epoch in two_epochs:
            for (x, y), (same_x, same_y) in zip(other, epoch, strict=True):
                np.testing.assert_array_equal(x, same_x)
                np.testing.assert_array_equal(y, same_y)

    def test_a_subscript_is_the_batch_of_the_first_epoch(self, dataset, two_epochs):
        for i, (x, y) in enumerate(two_epochs[0]):
            looked_at = dataset[i]
            np.testing.assert_array_equal(looked_at[0], x)
            np.testing.assert_array_equal(looked_at[1], y)

    def test_next_goes_over_the_same_epochs(self, dataset, two_epochs):
        for x, y in two_epochs[0] + two_epochs[1]:
            given = next(dataset)
            np.testing.assert_array_equal(given[0], x)
            np.testing.assert_array_equal(given[1], y)

    def test_epochs_differ(self, images):
        dataset = ImageDataGenerator(**GEOMETRY).flow(images, batch_size=N, shuffle=False)
        (first,), (second,) = dataset.take(-1), dataset.take(-1)
        assert (np.abs(first - second).max((1, 2, 3)) > 1).all()

    def test_batch_size_does_not_change_an_image(self, dataset):
        spec = dataclasses.replace(dataset.spec, batch_size=3)
        threes, fours = ImageDataset(dataset.source, spec), dataset
        joined = [np.concatenate([d[i][0] for i in range(len(d))]) for d in (threes, fours)]
        np.testing.assert_array_equal(*joined)

    def test_another_seed_gives_other_images(self, dataset):
        one, two = (
            ImageDataset(
                dataset.source, dataclasses.replace(dataset.spec, shuffle=False, seed=seed)
            )[0][0]
            for seed in (1, 2)
        )
        assert (np.abs(one - two).max((1, 2, 3)) > 0.01).all()


class TestCompilation:
    def test_once_for_all_images_batches_and_epochs(self, images, monkeypatch):
        traced = []
        warp = motion.Motion.warp

        def counted(self, image, *args, **options):
            traced.append(image.shape)
            return warp(self, image, *args, **options)

        monkeypatch.setattr(motion.Motion, "warp", counted)
        monkeypatch.setattr(feeds, "_known", type(feeds._known)())  # no graph was traced before
        dataset = ImageDataGenerator(**EVERYTHING).flow(images, batch_size=BATCH, seed=1)
        sizes = [len(x) for _ in range(2) for x in dataset.take(-1)]
        assert sizes == [4, 4, 2, 4, 4, 2]
        assert len(dataset[2]) == 2
        assert traced == [(HEIGHT, WIDTH, 3)]

    def test_no_python_in_the_graph(self, dataset):
        found = ops(dataset)
        assert not [op for op in found if "PyFunc" in op]
        assert "PrefetchDatasetV2" in found or "PrefetchDataset" in found  # the reader works

    def test_functions_that_run_eagerly_change_no_pixel(self, monkeypatch):
        """A last bit below a whole number would be one level less: 0.89 of 255 was seen."""
        images = np.random.default_rng(0).integers(0, 256, [100, 20, 30, 3]).astype("uint8")

        def epoch():
            monkeypatch.setattr(feeds, "_known", type(feeds._known)())
            return ImageDataGenerator(**EVERYTHING).flow(images, seed=3, batch_size=100)[0]

        expected = epoch()
        tf.config.run_functions_eagerly(True)
        try:
            np.testing.assert_array_equal(epoch(), expected)
        finally:
            tf.config.run_functions_eagerly(False)

    def test_the_plain_function_gives_the_same_values(self, images, monkeypatch):
        generator = ImageDataGenerator(**GEOMETRY, rescale=1 / 255)
        options = {"batch_size": N, "shuffle": False, "seed": SEED}
        compiled = generator.flow(images, **options)[0]
        monkeypatch.setattr("tfpipe.pipeline.stages.xla_available", lambda: False)
        monkeypatch.setattr(feeds, "_known", type(feeds._known)())
        np.testing.assert_allclose(generator.flow(images, **options)[0], compiled, atol=0.01 / 255)


class TestAttributes:
    def test_one_changed_later_counts_in_the_next_flow(self, images):
        generator = ImageDataGenerator()
        options = {"batch_size": N, "shuffle": False, "seed": SEED}
        before = generator.flow(images, **options)
        generator.rescale = 0.5
        generator.vertical_flip = True
        after = generator.flow(images, **options)[0]
        np.testing.assert_array_equal(before[0], images)
        assert set(np.unique((after * 2 == images).all((1, 2, 3)))) == {False, True}
        assert ((after * 2 == images) | (after * 2 == images[:, ::-1])).all((1, 2, 3)).all()

    def test_unfitted_steps_warn(self, images):
        generator = ImageDataGenerator(featurewise_center=True)
        with pytest.warns(UserWarning, match="`featurewise_center`.*hasn't been fit") as caught:
            dataset = generator.flow(images, batch_size=N, shuffle=False)
        assert [warning.filename for warning in caught] == [__file__]
        np.testing.assert_array_equal(dataset[0], images)

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_statistics_reach_the_graph(self, images, data_format):
        x = images.astype("float64")
        x = x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)
        generator = ImageDataGenerator(
            featurewise_center=True, zca_whitening=True, dtype="float64", data_format=data_format
        )
        generator.fit(x)
        result = generator.flow(x, batch_size=N, shuffle=False)[0]
        np.testing.assert_allclose(result, generator.standardize(x), rtol=1e-6, atol=1e-6)


class TestFault16BadValuesAreFoundAtOnce:
    """A bad fill_mode fails only on use in the classic."""

    def test_fill_mode(self, classic):
        classic(fill_mode="mirrored")
        with pytest.raises(ValueError, match="fill_mode must be one of"):
            ImageDataGenerator(fill_mode="mirrored")

    def test_interpolation_order(self, classic):
        classic(interpolation_order=6)
        with pytest.raises(ValueError, match="interpolation_order must be one of"):
            ImageDataGenerator(interpolation_order=6)


class TestFault17SaveToDir:
    """It needs an existing folder, stretches the contrast and uses up random draws in the classic."""

    def saved(self, folder):
        """index in the source -> what was written."""
        return {
            int(path.stem.split("_")[1]): np.array(Image.open(path))
            for path in pathlib.Path(folder).iterdir()
        }

    @pytest.mark.parametrize(
        "options",
        [{}, {"rescale": 1 / 255}, {"preprocessing_function": lambda x: x * 0.0 - 3.0}],
        ids=["plain", "rescaled", "before the user's function"],
    )
    def test_writes_what_was_augmented(self, images, tmp_path, options):
        flow = {"batch_size": N, "shuffle": False, "seed": SEED}
        target = tmp_path / "not" / "there"
        dim = images // 2  # whose contrast would be stretched
        dataset = ImageDataGenerator(**GEOMETRY, **options).flow(dim, save_to_dir=target, **flow)
        next(dataset)
        expected = np.round(ImageDataGenerator(**GEOMETRY).flow(dim, **flow)[0])
        written = self.saved(target)
        assert sorted(written) == list(range(N))
        for index, pixels in written.items():
            assert np.abs(pixels - expected[index]).max() <= 1  # halves may be rounded either way
            assert np.mean(pixels != expected[index]) < 0.01

    def test_arrays_of_0_to_1_are_written_in_0_to_255(self, images, tmp_path):
        x = images.astype("float32") / 255
        next(ImageDataGenerator(vertical_flip=True).flow(x, save_to_dir=tmp_path, seed=SEED))
        for index, pixels in self.saved(tmp_path).items():
            original = images[index]
            assert (pixels == original).all() or (pixels == original[::-1]).all()

    def test_does_not_change_the_draws(self, images, tmp_path):
        generator = ImageDataGenerator(**EVERYTHING)
        options = {"batch_size": BATCH, "seed": SEED}
        with_files = all_images(generator.flow(images, save_to_dir=tmp_path, **options))
        np.testing.assert_array_equal(all_images(generator.flow(images, **options)), with_files)


class TestPreprocessingFunction:
    def flow(self, images, function, data_format="channels_last", **options):
        generator = ImageDataGenerator(preprocessing_function=function, data_format=data_format)
        x = images if data_format == "channels_last" else images.transpose(0, 3, 1, 2)
        return generator.flow(x, batch_size=BATCH, shuffle=False, **options)

    @pytest.mark.parametrize("model", ["mobilenet", "densenet", "resnet50"])  # tf, torch, caffe
    def test_preprocess_input_stays_in_the_graph_and_equals_the_classic(
        self, classic, images, model
    ):
        function = getattr(keras.applications, model).preprocess_input
        ours = self.flow(images, function)
        theirs = classic(preprocessing_function=function).flow(images, batch_size=4, shuffle=False)
        assert not [op for op in ops(ours) if "PyFunc" in op]
        for i in range(len(theirs)):
            np.testing.assert_allclose(ours[i], theirs[i], atol=1e-4)

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_one_channel_is_broadcast_as_by_the_classic(self, classic, images, data_format):
        axis = -1 if data_format == "channels_last" else 0

        def gray(image):
            return image.mean(axis, keepdims=True)

        options = {"rescale": 0.5, "samplewise_center": True, "data_format": data_format}
        x = images if axis == -1 else images.transpose(0, 3, 1, 2)
        with pytest.warns(UserWarning, match="gray takes only NumPy"):
            ours = ImageDataGenerator(preprocessing_function=gray, **options).flow(x, shuffle=False)
        theirs = classic(preprocessing_function=gray, **options).flow(x, shuffle=False)
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-4)
        in_graph = ImageDataGenerator(
            preprocessing_function=lambda t: tf.reduce_mean(t, axis, keepdims=True), **options
        ).flow(x, shuffle=False)
        assert not [op for op in ops(in_graph) if "PyFunc" in op]
        np.testing.assert_allclose(in_graph[0], theirs[0], atol=1e-4)

    def test_a_numpy_function_gets_arrays_of_rank_3_and_warns_once(self, images):
        seen = set()

        def function(image):
            seen.add((type(image), image.shape, image.dtype.name))
            image[0] = 3  # in place
            return image

        with pytest.warns(UserWarning, match="function takes only NumPy") as caught:
            dataset = self.flow(images, function)
        assert [warning.filename for warning in caught] == [__file__]
        assert [op for op in ops(dataset) if "PyFunc" in op]
        seen.clear()  # of the probes, one of which is a tensor
        expected = images.astype("float32")
        expected[:, 0] = 3
        np.testing.assert_array_equal(all_images(dataset), expected)
        assert seen == {(np.ndarray, (HEIGHT, WIDTH, 3), "float32")}

    def test_nor_are_those_that_make_their_own_generator(self):
        def seldom(image):  # three probes would hardly see it
            return image * 0 if np.random.default_rng().random() < 0.1 else image

        with pytest.warns(UserWarning, match="random"):
            flow = ImageDataGenerator(preprocessing_function=seldom).flow(
                np.ones([400, 2, 2, 1], np.float32), batch_size=400
            )
        assert 0 < (flow[0] == 0).all(axis=(1, 2, 3)).sum() < 400

    def test_random_functions_are_not_frozen(self, images):
        def function(image):
            return image * 0 + np.random.randint(10**6)

        with pytest.warns(UserWarning, match="random"):
            dataset = self.flow(images, function)
        assert len(np.unique(all_images(dataset))) > 5

    def test_sees_the_users_layout(self, images):
        def function(x):  # [C, H, W] -> its first channel black, the columns mirrored
            return tf.concat([x[:1] * 0.0, x[1:]], 0)[:, :, ::-1]

        expected = images.astype("float32").transpose(0, 3, 1, 2)[..., ::-1].copy()
        expected[:, 0] = 0
        dataset = self.flow(images, function, "channels_first")
        np.testing.assert_array_equal(all_images(dataset), expected)

    def test_comes_after_augmentation_and_before_rescale(self, images):
        generator = ImageDataGenerator(
            **GEOMETRY, preprocessing_function=lambda x: x + 100.0, rescale=0.5
        )
        options = {"batch_size": N, "shuffle": False, "seed": SEED}
        plain = ImageDataGenerator(**GEOMETRY).flow(images, **options)[0]
        result = generator.flow(images, **options)[0]
        np.testing.assert_allclose(result, (plain + 100) * 0.5, atol=0.01)

    @pytest.mark.parametrize("function", [lambda x: x[1:], lambda x: np.sort(x)[1:]])
    def test_rejects_another_shape_at_once(self, images, function):
        with pytest.raises(ValueError, match=r"\(9, 13, 3\) and returned \(8, 13, 3\)"):
            self.flow(images, function)

    def test_rejects_another_shape_that_comes_later(self, images):
        def function(image):
            return np.sort(image)[1:] if image.max() < 1 else np.sort(image)

        with pytest.warns(UserWarning, match="NumPy"):
            dataset = self.flow(images * 0, function)
        with pytest.raises(tf.errors.OpError, match=r"\(9, 13, 3\) and returned \(8, 13, 3\)"):
            dataset[0]

    def test_a_function_that_raises_is_not_a_bad_file(self, folder):
        def function(image):
            image = np.sort(image)
            if float(image.max()) == int(image.max()):  # so on pixels, not on the probe
                raise RuntimeError("the user's own trouble")
            return image

        generator = ImageDataGenerator(preprocessing_function=function)
        with pytest.warns(UserWarning, match="NumPy"):
            dataset = generator.flow_from_directory(folder, target_size=(HEIGHT, WIDTH))
        with pytest.raises(tf.errors.OpError, match="the user's own trouble") as caught:
            dataset[0]
        assert "Cannot read the image file" not in str(caught.value)
