"""`save_to_dir`."""

import re
import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe
from tfpipe.codecs.encode import SAVE_FORMATS
from tfpipe.pipeline.saving import SaveSpec


@pytest.fixture(scope="module")
def images(picture):
    return np.stack([picture(5, 7, seed=i) for i in range(5)])


def saved(folder):
    """{index: path} of the files in a folder."""
    paths = {}
    for path in folder.iterdir():
        _, index, number = path.stem.rsplit("_", 2)
        assert 0 <= int(number) < 10**7
        assert int(index) not in paths
        paths[int(index)] = path
    return paths


class TestSaving:
    def test_names_and_pixels(self, tmp_path, images):
        folder = tmp_path / "made" / "here"
        dataset = tfpipe.ImageDataGenerator().flow(
            images, batch_size=2, seed=1, save_to_dir=folder, save_prefix="im"
        )
        list(dataset.take(-1))
        paths = saved(folder)
        assert sorted(paths) == [0, 1, 2, 3, 4]
        for index, path in paths.items():
            assert re.fullmatch(rf"im_{index}_\d+\.png", path.name)
            np.testing.assert_array_equal(np.asarray(Image.open(path)), images[index])

    def test_the_index_is_the_place_in_the_source(self, classic, tmp_path, animals):
        folders = [tmp_path / "ours", tmp_path / "theirs"]
        folders[1].mkdir()
        for make, folder in zip((tfpipe.ImageDataGenerator, classic), folders, strict=True):
            flow = make().flow_from_directory(
                animals, target_size=(6, 8), batch_size=20, seed=3, save_to_dir=str(folder)
            )
            next(flow)
        ours, theirs = map(saved, folders)
        assert sorted(ours) == sorted(theirs) == list(range(14))
        assert all(re.fullmatch(r"_\d+_\d+\.png", path.name) for path in ours.values())
        for index, path in ours.items():
            image, stretched = np.asarray(Image.open(path)), np.asarray(Image.open(theirs[index]))
            assert image.shape == stretched.shape == (6, 8, 3)
            # The classic stretches the contrast, so both agree in the order of the pixels only.
            assert np.corrcoef(image.ravel(), stretched.ravel())[0, 1] > 0.999

    def test_the_same_seed_gives_the_same_names(self, tmp_path, images):
        names = []
        for folder in ("a", "b"):
            dataset = tfpipe.ImageDataGenerator().flow(
                images, batch_size=3, seed=4, save_to_dir=tmp_path / folder
            )
            list(dataset.take(-1))
            list(dataset.take(-1))
            names.append(sorted(path.name for path in (tmp_path / folder).iterdir()))
        assert names[0] == names[1]
        assert len(names[0]) == 10  # the second epoch writes files of its own

    def test_does_not_change_the_batches(self, tmp_path, images, assert_same):
        generator = tfpipe.ImageDataGenerator()
        plain = generator.flow(images, np.arange(5), seed=4)
        saving = generator.flow(images, np.arange(5), seed=4, save_to_dir=tmp_path)
        assert_same(saving[0], plain[0])

    def test_values_of_one_at_most_fill_the_range(self, tmp_path, images):
        dataset = tfpipe.ImageDataGenerator().flow(
            images / 255.0, shuffle=False, save_to_dir=tmp_path
        )
        next(dataset)
        np.testing.assert_array_equal(np.asarray(Image.open(saved(tmp_path)[3])), images[3])

    @pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
    def test_one_channel(self, tmp_path, images, data_format):
        grey = images[..., :1]
        x = grey.transpose(0, 3, 1, 2) if data_format == "channels_first" else grey
        dataset = tfpipe.ImageDataGenerator(data_format=data_format).flow(x, save_to_dir=tmp_path)
        next(dataset)
        np.testing.assert_array_equal(np.asarray(Image.open(saved(tmp_path)[2])), grey[2, ..., 0])

    def test_ram(self, images):
        dataset = tfpipe.ImageDataGenerator().flow(images, save_to_dir="ram:///saved")
        list(dataset.take(-1))
        assert len(tf.io.gfile.listdir("ram:///saved")) == 5


class TestFormats:
    @pytest.mark.parametrize(
        ("save_format", "channels"),
        [(name, 3) for name in SAVE_FORMATS]
        + [(name, 1) for name in ("png", "jpg", "bmp", "ppm")]
        + [(name, 4) for name in SAVE_FORMATS],
    )
    def test_each_opens_or_is_rejected_at_once(self, tmp_path, picture, save_format, channels):
        x = np.stack([picture(16, 24, channels, seed=i) for i in range(2)])

        def flow():
            return tfpipe.ImageDataGenerator().flow(
                x, shuffle=False, save_to_dir=tmp_path, save_format=save_format
            )

        if channels == 4 and save_format in ("jpg", "jpeg", "ppm", "bmp"):
            message = f"save_format='{save_format}' cannot hold 4 channels. Use save_format='png'"
            with pytest.raises(ValueError, match=re.escape(message)):
                flow()
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            next(flow())
        path = saved(tmp_path)[1]
        assert path.suffix == f".{save_format}"
        if save_format == "pdf":
            assert path.read_bytes().startswith(b"%PDF")
            return
        with Image.open(path) as image:
            assert image.size == (24, 16)
            read = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
        if save_format in ("png", "bmp", "tif", "tiff", "ppm"):
            np.testing.assert_array_equal(read.reshape(x[1].shape), x[1])
        else:
            assert np.abs(read.reshape(x[1].shape)[..., :3].astype(int) - x[1][..., :3]).mean() < 40

    def test_no_name_is_no_folder(self, images):
        assert tfpipe.ImageDataGenerator().flow(images, save_to_dir="").spec.save is None

    def test_rejects_five_channels(self, tmp_path):
        with (
            pytest.warns(UserWarning, match="5 channels"),
            pytest.raises(ValueError, match="'png' cannot hold 5 channels. No format holds more"),
        ):
            tfpipe.ImageDataGenerator().flow(np.zeros([2, 3, 4, 5]), save_to_dir=tmp_path)

    def test_rejects_a_format(self):
        with pytest.raises(ValueError, match="save_format must be one of 'png', 'jpg', 'jpeg'"):
            SaveSpec("folder", format="webp")
