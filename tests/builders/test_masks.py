"""Images with masks through the two doors."""

import os

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import tfpipe

pytestmark = pytest.mark.one_profile


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, write):
    """images/*/n.jpg whose red is 60 times the class that masks/*/n.png, with a palette, holds."""
    top = tmp_path_factory.mktemp("pairs")
    for number in range(4):
        rows, columns = np.mgrid[: 12 + number, :16]
        classes = ((rows // 4 + columns // 4 + number) % 4).astype(np.uint8)
        image = np.stack([classes * 60, 255 - classes * 60, classes * 0], -1)
        folder = "ab"[number % 2]
        write(top / "images" / folder / f"{number}.png", image)
        mask = Image.fromarray(classes, "P")
        mask.putpalette([(7 * i) % 256 for i in range(12)])
        write(top / "masks" / folder / f"{number}.png", mask)
    return top


def directory(pairs, masks="masks", **options):
    options = {"image_size": (12, 16), "interpolation": "nearest", "verbose": False} | options
    return tfpipe.image_dataset_from_directory(pairs / "images", masks=pairs / masks, **options)


def frame_of(pairs):
    names = [f"{'ab'[n % 2]}/{n}.png" for n in range(4)]
    return pd.DataFrame(
        {
            "filename": [f"images/{name}" for name in names],
            "mask": [f"masks/{name}" for name in names],
            "patient": ["p", "q", "p", "q"],
        }
    )


def dataframe(pairs, frame=None, **options):
    options = {"image_size": (12, 16), "interpolation": "nearest", "verbose": False} | options
    frame = frame_of(pairs) if frame is None else frame
    return tfpipe.image_dataset_from_dataframe(frame, pairs, mask_col="mask", **options)


def classes_of(part):
    return part[..., 0] // 60


class TestLabelsBeside:
    """y has both where the user asks for labels, too."""

    @pytest.mark.parametrize(
        "options",
        [
            {"label_mode": "int"},
            {"labels": "inferred"},
            {"class_names": ["a", "b"]},
            {"label_mode": "categorical"},
        ],
        ids=str,
    )
    def test_of_folders(self, pairs, options):
        dataset = directory(pairs, batch_size=4, **options)
        assert dataset.class_names == ["a", "b"]
        for x, y in (dataset[0], next(iter(dataset))):
            assert list(y) == ["segmentation_masks", "labels"]
            np.testing.assert_array_equal(classes_of(x), y["segmentation_masks"][..., 0])
        labels = dataset[0][1]["labels"]
        ids = labels.argmax(-1) if labels.ndim == 2 else labels
        assert sorted(ids.tolist()) == [0, 0, 1, 1]

    def test_of_a_list(self, pairs):
        _, y = directory(pairs, labels=[3, 4, 5, 6], shuffle=False)[0]
        assert y["labels"].tolist() == [3, 4, 5, 6]

    @pytest.mark.parametrize(
        ("options", "labels"),
        [
            ({"y_col": "patient"}, [0, 1, 0, 1]),
            ({"y_col": "patient", "label_mode": "binary"}, [[0], [1], [0], [1]]),
            ({"y_col": "age", "label_mode": "raw"}, [1.5, 2.5, 3.5, 4.5]),
        ],
        ids=str,
    )
    def test_of_columns(self, pairs, options, labels):
        frame = frame_of(pairs).assign(age=[1.5, 2.5, 3.5, 4.5])
        _, y = dataframe(pairs, frame, shuffle=False, **options)[0]
        assert y["labels"].tolist() == labels
        frame.to_csv(pairs / "table.csv", index=False)
        _, same = dataframe(pairs, pairs / "table.csv", shuffle=False, **options)[0]
        np.testing.assert_array_equal(same["labels"], y["labels"])

    def test_as_a_tuple(self, pairs):
        dataset = directory(pairs, label_mode="int", targets="tuple", shuffle=False)
        _, (masks, labels) = next(iter(dataset))
        assert (masks.shape, labels.numpy().tolist()) == ((4, 12, 16, 1), [0, 0, 1, 1])

    def test_without_labels_only_the_mask(self, pairs):
        _, y = directory(pairs, label_mode=None)[0]
        assert y.shape == (4, 12, 16, 1)

    @pytest.mark.slow
    def test_they_follow_a_split_weights_and_a_resume(self, pairs):
        options = {"label_mode": "int", "seed": 1, "batch_size": 2, "class_weights": "balanced"}
        training, validation = directory(pairs, validation_split=0.5, subset="both", **options)
        assert training[0][1]["labels"].shape == training[0][2].shape == (2,)
        assert len(validation[0]) == 2
        whole = directory(pairs, **options)
        rest = [y["labels"].numpy().tolist() for _, y, _ in whole.starting_at(3, 1)]
        assert rest == [y["labels"].numpy().tolist() for _, y, _ in whole.starting_at(3)][1:]

    def test_a_mixture_is_refused(self, pairs):
        with pytest.raises(ValueError, match="Received: masks"):
            directory(pairs, label_mode="categorical", augment=tfpipe.Augment(mixup_alpha=0.2))

    def test_pictures(self, pairs):
        dataset = directory(pairs, label_mode="int", shuffle=False)
        titles = [axes.get_title() for axes in dataset.show(4).axes]
        assert titles == ["a", "a", "b", "b"]


class TestSeveralMasks:
    def several(self, pairs, **options):
        frame = frame_of(pairs).assign(other=list(reversed(frame_of(pairs)["mask"])))
        frame = frame.iloc[[0, 0]].assign(other=["masks/a/0.png", "masks/a/0.png"])
        options = {"image_size": (12, 16), "interpolation": "nearest", "verbose": False} | options
        return tfpipe.image_dataset_from_dataframe(
            frame, pairs, mask_col=["mask", "other"], **options
        )

    @pytest.mark.slow
    def test_a_dict_by_column(self, pairs):
        augment = tfpipe.Augment(rotation_range=90, horizontal_flip=True, interpolation_order=0)
        dataset = self.several(pairs, augment=augment)
        for x, y in (dataset[0], next(iter(dataset))):
            assert list(y) == ["mask", "other"]
            for mask in y.values():
                np.testing.assert_array_equal(classes_of(x), mask[..., 0])
        assert len(dataset.show(2).axes) == 2

    @pytest.mark.slow
    def test_beside_labels_and_in_a_cache(self, pairs, tmp_path):
        options = {"y_col": "patient", "seed": 1}
        plain, cached = (
            self.several(pairs, cache=cache, **options) for cache in (None, str(tmp_path))
        )
        for _ in range(2):
            for one, other in zip(plain, cached, strict=True):
                tf.nest.map_structure(np.testing.assert_array_equal, one, other)
        assert list(plain[0][1]["segmentation_masks"]) == ["mask", "other"]

    @pytest.mark.slow
    def test_the_one_that_does_not_fit_is_named(self, tmp_path, write):
        for name, size in (("image", (4, 3)), ("one", (4, 3)), ("two", (5, 3)), ("three", (4, 3))):
            write(tmp_path / f"{name}.png", np.zeros([*size, 1], np.uint8))
        frame = pd.DataFrame({n: [f"{n}.png"] for n in ("image", "one", "two", "three")})
        options = {"x_col": "image", "verbose": False, "color_mode": "grayscale"}
        for columns in (["one", "two", "three"], ["two", "one"]):
            bad = tfpipe.image_dataset_from_dataframe(frame, tmp_path, mask_col=columns, **options)
            with pytest.raises(tf.errors.OpError, match=r"differs .* its mask '.*two\.png'"):
                list(bad)

    @pytest.mark.parametrize("columns", [[], ["mask", "mask"], [1.5], {"mask"}], ids=str)
    def test_rejects(self, pairs, columns):
        with pytest.raises(ValueError, match="mask_col must be the name of a column, or a list"):
            tfpipe.image_dataset_from_dataframe(frame_of(pairs), pairs, mask_col=columns)


class TestMasks:
    @pytest.mark.parametrize("door", [directory, dataframe])
    def test_every_pixel_keeps_its_class(self, pairs, door):
        dataset = door(pairs, shuffle=False, batch_size=4)
        x, y = dataset[0]
        assert (y.dtype, y.shape) == (np.int32, (4, 12, 16, 1))
        np.testing.assert_array_equal(x[..., 0], 60 * y[..., 0])
        assert set(np.unique(y)) == {0, 1, 2, 3}
        assert dataset.class_names == []

    @pytest.mark.slow
    def test_a_mask_fits_the_image_as_its_exif_data_turn_it(self, tmp_path, write):
        """Masks are drawn on what is seen, so on the turned image."""
        classes = np.repeat(np.repeat(np.arange(6).reshape(2, 3), 8, 0), 8, 1).astype(np.uint8)
        seen = np.stack([classes * 40] * 3, -1)
        exif = Image.Exif()
        exif[0x0112] = 6  # stored lying on its side: turned by 90 degrees clockwise to be seen
        stored = np.ascontiguousarray(np.rot90(seen))
        write(tmp_path / "images" / "0.jpg", stored, exif=exif, quality=100)
        write(tmp_path / "masks" / "0.png", Image.fromarray(classes))
        options = {"image_size": (16, 24), "batch_size": 1, "verbose": False}
        x, y = tfpipe.image_dataset_from_directory(
            tmp_path / "images", masks=tmp_path / "masks", exif_orientation=True, **options
        )[0]
        assert np.abs(x[..., 0] - 40 * y[..., 0]).max() <= 2
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)0\.jpg.*0\.png"):
            list(
                tfpipe.image_dataset_from_directory(
                    tmp_path / "images", masks=tmp_path / "masks", **options
                )
            )

    @pytest.mark.slow
    def test_the_augmentation_moves_both_alike(self, pairs):
        augment = tfpipe.Augment(
            rotation_range=90, zoom_range=0.4, horizontal_flip=True, interpolation_order=0
        )
        x, y = directory(pairs, augment=augment, seed=3, batch_size=4)[0]
        np.testing.assert_array_equal(x[..., 0], 60 * y[..., 0])
        plain, _ = directory(pairs, seed=3, batch_size=4)[0]
        assert not np.array_equal(x, plain)

    @pytest.mark.parametrize("flag", ["crop_to_aspect_ratio", "pad_to_aspect_ratio"])
    def test_crop_and_pad(self, pairs, flag):
        x, y = directory(pairs, image_size=(9, 9), batch_size=4, **{flag: True})[0]
        np.testing.assert_array_equal(x[..., 0], 60 * y[..., 0])

    @pytest.mark.slow
    def test_fill_value_is_not_for_masks(self, pairs):
        options = {"image_size": (9, 15), "pad_to_aspect_ratio": True, "shuffle": False}
        x, y = directory(pairs, fill_value=114, **options)[0]
        zeros, same = directory(pairs, **options)[0]
        np.testing.assert_array_equal(y, same)
        assert set(np.unique(x[x != zeros])) == {114}

    def test_grey_values(self, tmp_path, write):
        write(tmp_path / "images" / "1.png", np.zeros([3, 4, 3], np.uint8))
        write(tmp_path / "masks" / "1.png", np.arange(12, dtype=np.uint8).reshape(3, 4, 1) * 20)
        _, y = directory(tmp_path, image_size=(3, 4), mask_dtype="float32")[0]
        np.testing.assert_allclose(y[0, ..., 0], np.arange(12).reshape(3, 4) * 20 / 255, atol=1e-6)

    def test_splits_and_folds(self, pairs):
        options = {"validation_split": 0.5, "subset": "both", "seed": 1, "groups": "patient"}
        for part in dataframe(pairs, **options):
            assert len(set(part.groups)) == 1
            for x, y in part:
                np.testing.assert_array_equal(x[..., 0], 60 * y[..., 0])
        folds = list(
            tfpipe.folds(frame_of(pairs), 2, directory=pairs, mask_col="mask", image_size=8)
        )
        assert [validation.samples for _, validation in folds] == [2, 2]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"targets": "list"},
                "targets must be one of 'dict', 'tuple'. Received: targets='list'",
            ),
            ({"mask_dtype": "uint8"}, "mask_dtype must be one of 'int32', 'float32'"),
            ({"balance": "oversample"}, "balance needs exactly one class"),
            ({"class_weights": "balanced"}, "class_weights needs samples of one class"),
            ({"masks": "images"}, "must be outside the directory of the images"),
            ({"masks": "images/a"}, "must be outside"),
        ],
        ids=str,
    )
    def test_rejects(self, pairs, options, message):
        with pytest.raises(ValueError, match=message):
            directory(pairs, **options)

    def test_a_mask_is_missing_or_there_twice(self, tmp_path, write):
        for name in ("images/1.jpg", "images/2.jpg", "masks/1.png"):
            write(tmp_path / name)
        with pytest.raises(ValueError, match=r"1 image\(s\) have none: '.*2\.jpg'"):
            directory(tmp_path)
        frame = pd.DataFrame(
            {"filename": ["images/1.jpg", "images/2.jpg"], "mask": ["masks/1.png"] * 2}
        )
        frame.loc[1, "mask"] = "masks/2.png"
        with pytest.raises(ValueError, match=r"1 image\(s\) have none: '.*2\.jpg'"):
            dataframe(tmp_path, frame)
        for name in ("masks/2.png", "masks/2.bmp"):
            write(tmp_path / name)
        with pytest.raises(ValueError, match=r"Received several: '2\.(bmp|png)', '2\.(bmp|png)'"):
            directory(tmp_path)
        frame.loc[1, "mask"] = None
        with pytest.raises(TypeError, match="mask_col='mask' must be strings"):
            dataframe(tmp_path, frame)
        with pytest.raises(KeyError, match="mask_col='mask' is not a column"):
            dataframe(tmp_path, frame[["filename"]])

    def test_sizes_that_differ_name_both_files(self, tmp_path, write):
        write(tmp_path / "images" / "1.png", np.zeros([3, 4, 3], np.uint8))
        write(tmp_path / "masks" / "1.png", np.zeros([4, 3, 1], np.uint8))
        with pytest.raises(tf.errors.OpError) as error:
            list(directory(tmp_path))
        for folder in ("images", "masks"):
            assert os.path.join(tmp_path, folder, "1.png") in str(error.value)
