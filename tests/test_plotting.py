"""Pictures: what is drawn is what the pipeline gives, with the right label above it."""

import io

import numpy as np
import pytest
from PIL import Image

import tfpipe
from tfpipe import ImageDataGenerator, plotting
from tfpipe.pipeline.plan import order_of

pytestmark = pytest.mark.one_profile


def drawn(figure):
    """(title, pixels) of each cell of a grid; they are read back from matplotlib."""
    cells = [axis for axis in figure.axes if axis.images]
    return [(axis.get_title(), np.asarray(axis.images[0].get_array())) for axis in cells]


def png(figure):
    """The figure as a user's file: uint8 [H, W, 4]."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def plain(animals):
    return TestShow().cells(animals, ImageDataGenerator(horizontal_flip=True))[1]


class TestShow:
    OPTIONS = {"target_size": (6, 8), "batch_size": 14, "seed": 5}

    def cells(self, animals, generator, **options):
        dataset = generator.flow_from_directory(animals, **self.OPTIONS, **options)
        return dataset, drawn(dataset.show(5))

    @pytest.mark.slow
    @pytest.mark.parametrize("class_mode", ["categorical", "sparse", None])
    def test_images_and_titles(self, animals, class_mode):
        dataset, cells = self.cells(animals, ImageDataGenerator(), class_mode=class_mode)
        first = order_of(dataset._plan, 0)[:5]
        names = [dataset.filenames[index].split("/")[0] for index in first]
        assert [title for title, _ in cells] == (names if class_mode else [""] * 5)
        for index, (_, pixels) in zip(first, cells, strict=True):
            with Image.open(dataset.filepaths[index]) as image:
                expected = np.asarray(image.resize((8, 6), Image.Resampling.NEAREST))
            np.testing.assert_array_equal(pixels, expected)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "steps",
        [
            {"samplewise_center": True, "samplewise_std_normalization": True, "dtype": "float16"},
            {"preprocessing_function": lambda image: image[..., ::-1] - 128.0},
            {"data_format": "channels_first", "rescale": 1 / 127.5},
        ],
        ids=lambda steps: "+".join(steps),
    )
    def test_standardisation_is_undone(self, animals, steps, plain):
        _, cells = self.cells(animals, ImageDataGenerator(horizontal_flip=True, **steps))
        for (_, pixels), (_, expected) in zip(cells, plain, strict=True):
            np.testing.assert_array_equal(pixels, expected)

    @pytest.mark.slow
    def test_standardized_shows_what_the_model_is_given(self, animals):
        generator = ImageDataGenerator(preprocessing_function=lambda image: 255 - image)
        dataset = generator.flow_from_directory(animals, **self.OPTIONS)
        image = dataset[0][0][0]
        _, pixels = drawn(dataset.show(1, standardized=True))[0]
        stretched = (image - image.min()) / (image.max() - image.min()) * 255
        np.testing.assert_allclose(pixels, stretched, atol=0.51)

    @pytest.mark.parametrize("standardized", [False, True])
    def test_samples_without_batches_and_a_binary_label(self, animals, standardized):
        options = {"image_size": (6, 8), "seed": 5, "verbose": False, "label_mode": "binary"}
        options["class_names"] = ["cat", "dog"]
        one, other = (
            tfpipe.image_dataset_from_directory(animals, batch_size=size, **options)
            for size in (None, 3)
        )
        names = [one.filenames[index].split("/")[0] for index in order_of(one._plan, 0)[:3]]
        cells = drawn(one.show(3, standardized=standardized))
        assert [title for title, _ in cells] == names
        for (_, pixels), (_, expected) in zip(
            cells, drawn(other.show(3, standardized=standardized)), strict=True
        ):
            np.testing.assert_array_equal(pixels, expected)

    def test_the_data_set_is_not_moved(self, small_dataset):
        moved, still = small_dataset(), small_dataset()
        moved.show(2)
        np.testing.assert_array_equal(next(moved)[0], next(still)[0])

    def test_arrays_of_0_to_1(self, picture):
        images = np.stack([picture(5, 7, seed=seed) for seed in range(3)]) / 255
        flow = ImageDataGenerator().flow(images.astype(np.float32), [0.5, 2, -1], shuffle=False)
        cells = drawn(flow.show())
        assert [title for title, _ in cells] == ["0.5", "2", "-1"]
        np.testing.assert_array_equal(cells[1][1], np.round(images[1] * 255))

    def test_grey_is_grey_and_alpha_is_kept(self, animals):
        options = {"target_size": (6, 8), "class_mode": None, "shuffle": False}
        for mode, channels in (("grayscale", ()), ("rgba", (4,))):
            flow = ImageDataGenerator().flow_from_directory(animals, color_mode=mode, **options)
            _, pixels = drawn(flow.show(1))[0]
            assert pixels.shape == (6, 8, *channels)

    def test_the_picture_has_the_colours_of_the_images(self):
        colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 99, 199]], np.uint8)
        images = np.broadcast_to(colours[:, None, None], [4, 8, 8, 3])
        shown = png(ImageDataGenerator().flow(images, shuffle=False).show())
        height, width = shown.shape[:2]
        places = [(y, x) for y in (0.3, 0.8) for x in (0.25, 0.75)]
        middles = [shown[int(y * height), int(x * width), :3] for y, x in places]
        np.testing.assert_array_equal(middles, colours)

    def test_masks_lie_over_their_images(self, picture, write, tmp_path):
        for number in range(3):
            write(tmp_path / "images" / f"{number}.png", picture(6, 8, seed=number))
            mask = np.zeros([6, 8, 1], np.uint8)
            mask[number:, 4:] = number
            write(tmp_path / "masks" / f"{number}.png", mask)
        images = tfpipe.image_dataset_from_directory(
            tmp_path / "images", masks=tmp_path / "masks", image_size=(6, 8), shuffle=False
        )
        for number, (title, pixels) in enumerate(drawn(images.show(3))):
            original = picture(6, 8, seed=number)
            coloured = (pixels != original).any(-1)
            expected = np.zeros([6, 8], bool)
            expected[number:, 4:] = number > 0
            assert title == ""
            np.testing.assert_array_equal(coloured, expected)

    def test_an_autoencoder_has_no_masks(self, animals):
        options = {"color_mode": "grayscale", "class_mode": "input", "target_size": (6, 8)}
        flow = ImageDataGenerator().flow_from_directory(animals, shuffle=False, **options)
        assert drawn(flow.show(1))[0][1].shape == (6, 8)

    def test_a_notebook_shows_it(self, small_dataset):
        assert small_dataset().show(1)._repr_png_().startswith(b"\x89PNG")

    def test_rejects_no_images(self):
        with pytest.raises(ValueError, match="n must be an int >= 1. Received: n=0"):
            plotting.show_batch(np.zeros([1, 2, 2, 3]), [], 0)

    @pytest.mark.slow
    def test_more_images_than_a_batch_has(self, small_dataset):
        dataset = small_dataset()
        assert dataset.batch_size < 11
        cells = drawn(dataset.show(11))
        assert len(cells) == 11
        expected = np.concatenate([dataset[i][0] for i in range(len(dataset))])[:11]
        for (_, pixels), image in zip(cells, expected, strict=True):
            np.testing.assert_array_equal(pixels, np.round(image))
        assert len(drawn(dataset.show(1000))) == dataset.samples

    @pytest.mark.filterwarnings("error")
    def test_names_that_are_no_text(self):
        names = ["$a$b_{", "c\x1b[2J", "d\udcff"]
        titles = [
            title for title, _ in drawn(plotting.grid(np.zeros([3, 2, 2, 3], np.uint8), names))
        ]
        assert titles == ["$a$b_{", "c\\x1b[2J", "d\\xff"]
        bars = plotting.class_bars(plotting.class_counts(names, np.array([0, 1, 2]), 3))
        assert [label.get_text() for label in bars.axes[0].get_yticklabels()] == titles
        png(bars)
        png(plotting.grid(np.zeros([3, 2, 2, 3], np.uint8), names))


class TestPlotAugmentation:
    def test_original_and_the_draws_of_the_pipeline(self, tmp_path, picture, write):
        pixels = picture(24, 36)
        write(tmp_path / "a.png", pixels)
        ranges = {"rotation_range": 40, "zoom_range": 0.2, "horizontal_flip": True}
        cells = drawn(tfpipe.plot_augmentation(tmp_path / "a.png", ranges, 4, seed=3))
        assert cells[0][0] == "original"
        np.testing.assert_array_equal(cells[0][1], pixels)
        flow = ImageDataGenerator(**ranges).flow(
            np.broadcast_to(pixels, [4, *pixels.shape]), shuffle=False, seed=3
        )
        for (title, drawing), expected in zip(cells[1:], flow[0], strict=True):
            assert title.startswith("rotation ")
            assert np.abs(drawing - expected).max() <= 0.51

    def test_a_caption_is_whole_and_leaves_the_pictures_their_size(self, tmp_path, picture, write):
        write(tmp_path / "a.png", picture(24, 36))
        short, long = (
            tfpipe.plot_augmentation(tmp_path / "a.png", ranges, 3)
            for ranges in ({}, {"rand_augment": (4, 5), "crop_scale": (0.2, 0.4), "cutout": 1.0})
        )
        assert [title for title, _ in drawn(short)] == ["original", *["unchanged"] * 3]
        for title, _ in drawn(long)[1:]:
            assert title.startswith("crop ")
            assert title.replace("\n", " ").count(" + ") == 3
            assert title.endswith("down")
        sizes = [figure.get_size_inches()[1] for figure in (short, long)]
        heights = []
        for figure in (short, long):
            png(figure)
            heights.append(figure.axes[0].get_window_extent().height)
            tops = [axis.title.get_window_extent().y1 for axis in figure.axes]
            assert max(tops) <= figure.bbox.height
        assert sizes[1] > sizes[0]
        assert heights[1] > 0.9 * heights[0]

    def test_what_leaves_the_range_is_cut_off(self, tmp_path, write):
        pixels = np.full([6, 8, 3], 250, np.uint8)
        pixels[0, 0] = 100
        write(tmp_path / "a.png", pixels)
        figure = tfpipe.plot_augmentation(tmp_path / "a.png", {"channel_shift_range": 90.0}, 3)
        np.testing.assert_array_equal(drawn(figure)[0][1], pixels)

    def test_takes_a_generator_or_an_augment(self, tmp_path, write):
        write(tmp_path / "a.png")
        of_dict = tfpipe.plot_augmentation(tmp_path / "a.png", {"rotation_range": 9}, 1)
        for augment in (ImageDataGenerator(rotation_range=9), tfpipe.Augment(rotation_range=9)):
            figure = tfpipe.plot_augmentation(tmp_path / "a.png", augment, 1)
            np.testing.assert_array_equal(drawn(figure)[1][1], drawn(of_dict)[1][1])

    def test_rejects(self, tmp_path, write):
        write(tmp_path / "a.png")
        with pytest.raises(TypeError, match="augment must be an Augment.*Received: int"):
            tfpipe.plot_augmentation(tmp_path / "a.png", 20)
        (tmp_path / "b.png").write_bytes(b"")
        with pytest.raises(ValueError, match=r"Cannot read the image file '.*b\.png'"):
            tfpipe.plot_augmentation(tmp_path / "b.png", {})
        with pytest.raises(ValueError, match="mix the images of a batch"):
            tfpipe.plot_augmentation(tmp_path / "a.png", {"mixup_alpha": 0.4})


class TestClasses:
    def test_counts_of_folders(self, small_dataset):
        dataset = small_dataset()
        frame = dataset.class_distribution()
        assert frame["samples"].to_dict() == {"Emu": 3, "cat": 4, "dog": 7}
        assert frame["share"].sum() == pytest.approx(1)
        axis = dataset.plot_classes().axes[0]
        assert [bar.get_width() for bar in axis.patches] == [3, 4, 7]
        assert [label.get_text() for label in axis.get_yticklabels()] == ["Emu", "cat", "dog"]

    def test_of_values_there_are_none(self):
        flow = ImageDataGenerator().flow(np.zeros([2, 3, 3, 1]), [0.5, 1.5])
        with pytest.raises(ValueError, match="this data set has none"):
            flow.class_distribution()

    def test_in_a_notebook(self, small_dataset):
        html = small_dataset()._repr_html_()
        for expected in (
            "<table>",
            "14",
            "4, of up to 4 samples each",
            "(6, 8, 3) float32",
            "'Emu', 'cat', 'dog'",
        ):
            assert expected in html, html


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    plotting.picture_class.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match='pip install "matplotlib>=3.8"'):
        plotting.show_batch(np.zeros([1, 2, 2, 3]), [], 1)
