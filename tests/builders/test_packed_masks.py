"""Images with masks, packed: the batches of the files that were packed, bit for bit."""

import functools

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

import tfpipe
from tfpipe.cli.pack import pack_command

pytestmark = pytest.mark.one_profile

SIZE = (12, 16)
COMMON = {"image_size": SIZE, "antialias": True, "batch_size": 3, "seed": 4, "verbose": False}
MOVED = tfpipe.Augment(
    rotation_range=40, zoom_range=0.3, horizontal_flip=True, brightness_range=(0.5, 1.5)
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, write, picture):
    """Seven images in two classes; masks with a palette, in gray, and with large class ids."""
    top = tmp_path_factory.mktemp("pairs")
    generator = np.random.default_rng(0)
    for number in range(7):
        name = f"{'ab'[number % 2]}/{number}"
        shape = (13 + number, 17)
        write(top / "images" / f"{name}.jpg", picture(*shape, seed=number))
        classes = generator.integers(0, 5, shape).astype(np.uint8)
        mask = Image.fromarray(classes, "P")
        mask.putpalette([(7 * i) % 256 for i in range(15)])
        write(top / "palette" / f"{name}.png", mask)
        write(top / "gray" / f"{name}.png", (classes * 50)[..., None])
        many = Image.fromarray(generator.integers(0, 60_000, shape).astype(np.uint16))
        write(top / "many" / f"{name}.png", many)
        more = Image.fromarray(generator.integers(-9, 90_000, shape).astype(np.int32))
        write(top / "more" / f"{name}.tif", more)
    return top


def directory(pairs, masks="palette", **options):
    folder, masks = pairs / "images", pairs / masks
    return tfpipe.image_dataset_from_directory(
        folder, masks=masks, **{"decoding": "exact", **COMMON, **options}
    )


def several(pairs, **options):
    names = [f"{'ab'[n % 2]}/{n}" for n in range(7)]
    columns = {kind: [f"{kind}/{name}.png" for name in names] for kind in ("many", "gray")}
    frame = pd.DataFrame({"filename": [f"images/{name}.jpg" for name in names], **columns})
    frame = frame.assign(who=[n % 3 for n in range(7)], weight=np.arange(7) / 2)
    options = {"decoding": "exact", "mask_col": ["many", "gray"], **COMMON, **options}
    return tfpipe.image_dataset_from_dataframe(frame, pairs, **options)


def shards(folder, **options):
    options = {n: v for n, v in (COMMON | options).items() if n not in ("image_size", "antialias")}
    return tfpipe.image_dataset_from_shards(folder, **options)


def flat(part):
    return {str(path): np.asarray(value) for path, value in _leaves("", part)}


def _leaves(path, part):
    if isinstance(part, dict):
        return [leaf for key in part for leaf in _leaves(f"{path}/{key}", part[key])]
    if isinstance(part, tuple):
        return [leaf for i, value in enumerate(part) for leaf in _leaves(f"{path}/{i}", value)]
    return [(path, part)]


def assert_same(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs)
    for one, other in zip(map(flat, ours), map(flat, theirs), strict=True):
        assert list(one) == list(other)
        for path in other:
            assert one[path].dtype == other[path].dtype
            np.testing.assert_array_equal(one[path], other[path], path)


@pytest.fixture(scope="module")
def packed(pairs, tmp_path_factory):
    """packed(data set without random transforms, encoding) -> the folder of its shards."""

    @functools.cache
    def pack(make, encoding="raw", **options):
        folder = tmp_path_factory.mktemp("packed")
        dataset = make(pairs, **options)
        assert tfpipe.pack(dataset, folder, encoding=encoding, samples_per_shard=3) == 7
        return folder

    return pack


class TestMasks:
    @pytest.mark.slow
    @pytest.mark.parametrize("encoding", ["raw", "png"])
    @pytest.mark.parametrize(
        "options",
        [
            {"masks": "palette"},
            {"masks": "many"},
            {"masks": "gray", "mask_dtype": "float32"},
            {"masks": "palette", "label_mode": "int"},
        ],
        ids=str,
    )
    def test_batches_are_those_of_the_files(self, pairs, packed, options, encoding):
        folder = packed(directory, encoding, **options)
        ours, theirs = shards(folder, augment=MOVED), directory(pairs, augment=MOVED, **options)
        for _ in range(2):
            assert_same(ours, theirs)
        assert_same([ours[1]], [theirs[1]])
        assert_same(ours.starting_at(3, 1), theirs.starting_at(3, 1))
        assert ours.filenames == theirs.filenames
        assert ours.element_spec == theirs.element_spec

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Masks with '.tif'")
    def test_class_ids_of_any_size(self, pairs, packed):
        folder = packed(directory, masks="more")
        assert_same(shards(folder), directory(pairs, "more"))

    @pytest.mark.filterwarnings("ignore:Masks with '.tif'")
    def test_class_ids_that_a_png_cannot_hold(self, pairs, tmp_path):
        with pytest.raises(
            ValueError, match=r"\.jpg': .* must be 0 to 65535. Received: .*encoding='raw'"
        ):
            tfpipe.pack(directory(pairs, "more"), tmp_path, encoding="png")

    @pytest.mark.slow
    def test_jpeg_images_have_masks_without_losses(self, pairs, packed):
        folder = packed(directory, "jpeg", masks="palette", label_mode="int")
        ours = shards(folder, shuffle=False)
        for (_, one), (_, other) in zip(
            ours, directory(pairs, label_mode="int", shuffle=False), strict=True
        ):
            assert_same([one], [other])

    @pytest.mark.slow
    @pytest.mark.parametrize("options", [{}, {"y_col": "who", "weight_col": "weight"}], ids=str)
    def test_several(self, pairs, packed, options):
        folder = packed(several, **options)
        ours, theirs = shards(folder, augment=MOVED), several(pairs, augment=MOVED, **options)
        assert_same(ours, theirs)
        ours, theirs = (ds.tuned(cache="memory") for ds in (ours, theirs))
        for _ in range(2):
            assert_same(ours, theirs)

    @pytest.mark.slow
    def test_layouts(self, pairs, packed):
        folder = packed(several, y_col="who")
        for options in ({"targets": "tuple"}, {"label_mode": "categorical"}):
            assert_same(shards(folder, **options), several(pairs, y_col="who", **options))
        assert_same(shards(folder, label_mode=None), several(pairs))
        first = {"data_format": "channels_first", "batch_size": None}
        assert_same(shards(folder, **first), several(pairs, y_col="who", **first))

    @pytest.mark.slow
    def test_splits_and_balance(self, pairs, tmp_path):
        cut = {"validation_split": 0.3, "subset": "both", "label_mode": "int"}
        parts = directory(pairs, **cut)
        tfpipe.pack(dict(zip(["training", "validation"], parts, strict=True)), tmp_path)
        for name, part in zip(["training", "validation"], parts, strict=True):
            assert shards(tmp_path, split=name).filenames == part.filenames
        assert_same(shards(tmp_path, split="validation", shuffle=False), parts[1])
        balanced = {"balance": "oversample"}
        folder = tmp_path / "whole"
        tfpipe.pack(directory(pairs, label_mode="int"), folder)
        assert_same(shards(folder, **balanced), directory(pairs, label_mode="int", **balanced))
        assert_same(
            shards(folder, validation_split=0.3, subset="validation"),
            directory(pairs, **cut)[1],
        )

    def test_another_size(self, packed):
        folder = packed(directory)
        whole = shards(folder, shuffle=False)[0][1]
        half = tfpipe.image_dataset_from_shards(
            folder, image_size=(6, 8), batch_size=3, shuffle=False, verbose=False
        )[0][1]
        assert half.shape == (3, 6, 8, 1)
        np.testing.assert_array_equal(half, whole[:, 1::2, 1::2])

    @pytest.mark.slow
    def test_a_cache_in_a_directory(self, pairs, packed, tmp_path):
        ours = shards(packed(several), cache=str(tmp_path))
        for _ in range(2):
            list(ours)
        assert_same([ours[0]], [several(pairs)[0]])

    def test_pictures(self, packed):
        assert len(shards(packed(several, y_col="who")).show(3).axes) == 3


class TestPacking:
    def test_records_hold_each_field(self, packed):
        files = sorted(map(str, packed(several).glob("*.tfrecord")))
        example = tf.train.Example.FromString(next(iter(tf.data.TFRecordDataset(files))).numpy())
        size = {
            n: len(f.bytes_list.value[0])
            for n, f in example.features.feature.items()
            if f.bytes_list.value
        }
        pixels = SIZE[0] * SIZE[1]
        assert size == {"image": 3 * pixels, "mask_gray": pixels, "mask_many": 2 * pixels}

    def test_a_mask_that_was_changed_is_another_job(self, tmp_path, write, picture):
        write(tmp_path / "images/a/1.png", picture(5, 6))
        write(tmp_path / "masks/a/1.png", picture(5, 6, 1))
        data = functools.partial(directory, tmp_path, "masks", batch_size=1)
        tfpipe.pack(data(), tmp_path / "packed")
        assert tfpipe.pack(data(), tmp_path / "packed") == 1
        for changed in (data(mask_dtype="float32"), data(label_mode="int")):
            with pytest.raises(ValueError, match="of other images, labels or settings"):
                tfpipe.pack(changed, tmp_path / "packed")
        write(tmp_path / "masks/a/1.png", picture(5, 6, 1, seed=3))
        with pytest.raises(ValueError, match="of other images, labels or settings"):
            tfpipe.pack(data(), tmp_path / "packed")

    def test_rejects_splits_of_which_one_has_masks(self, pairs, tmp_path):
        plain = tfpipe.image_dataset_from_directory(pairs / "images", labels=None, **COMMON)
        with pytest.raises(ValueError, match="data sets of all splits must"):
            tfpipe.pack({"a": directory(pairs), "b": plain}, tmp_path)

    @pytest.mark.filterwarnings("ignore:Left out")
    @pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
    def test_a_bad_mask_leaves_its_image_out(self, tmp_path, write, picture, processes):
        for number in range(5):
            write(tmp_path / f"images/a/{number}.png", picture(5, 6, seed=number))
            write(tmp_path / f"masks/a/{number}.png", picture(5, 6, 1, seed=number))
        (tmp_path / "masks/a/3.png").write_bytes(b"no image")
        with pytest.raises(ValueError, match=r"its mask '.*3\.png' cannot be read"):
            tfpipe.pack(directory(tmp_path, "masks"), tmp_path / "packed", processes=processes)
        dataset = directory(tmp_path, "masks", on_error="skip")
        options = {"processes": processes, "samples_per_shard": 2}
        assert tfpipe.pack(dataset, tmp_path / "skipped", **options) == 4
        found = shards(tmp_path / "skipped", shuffle=False, batch_size=4)
        assert found.filenames == [f"a/{number}.png" for number in (0, 1, 2, 4)]
        expected = tf.concat(
            [y for _, y in directory(tmp_path, "masks", on_error="skip", shuffle=False)], 0
        )
        np.testing.assert_array_equal(found[0][1], expected)


class TestCommand:
    def run(self, *arguments):
        done = CliRunner().invoke(
            pack_command, [*map(str, arguments), "--image-size", "12x16", "-q"]
        )
        return done.exit_code, done.output

    @pytest.mark.slow
    def test_of_a_directory(self, pairs, tmp_path):
        source = (pairs / "images", tmp_path / "packed", "--masks", pairs / "palette")
        assert self.run(*source)[0] == 0
        assert_same(shards(tmp_path / "packed"), directory(pairs))
        assert self.run(source[0], tmp_path / "both", *source[2:], "--labels")[0] == 0
        assert_same(shards(tmp_path / "both"), directory(pairs, label_mode="int"))

    def test_of_a_table(self, pairs, tmp_path):
        names = [f"{'ab'[n % 2]}/{n}" for n in range(7)]
        columns = {kind: [f"{kind}/{name}.png" for name in names] for kind in ("many", "gray")}
        frame = pd.DataFrame({"filename": [f"images/{name}.jpg" for name in names], **columns})
        frame.assign(who=["p", "q", "p", "q", "r", "r", "r"]).to_csv(pairs / "t.csv", index=False)
        source = (pairs / "t.csv", tmp_path / "packed", "--directory", pairs)
        masks = ("--mask-col", "many", "--mask-col", "gray")
        assert self.run(*source, *masks, "--y-col", "who", "--labels")[0] == 0
        assert_same(shards(tmp_path / "packed", label_mode=None), several(pairs))
        assert list(shards(tmp_path / "packed")[0][1]) == ["segmentation_masks", "labels"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--mask-col", "a"], "--mask-col for a table"),
            (["--labels"], "needs --masks or --mask-col"),
        ],
    )
    def test_rejects(self, pairs, tmp_path, arguments, message):
        status, output = self.run(pairs / "images", tmp_path / "packed", *arguments)
        assert (status, message in output) == (2, True), output
