"""`flow_from_directory` beside the classic."""

import os
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfpipe

ATTRIBUTES = (
    "class_indices",
    "num_classes",
    "samples",
    "n",
    "image_shape",
    "target_size",
    "color_mode",
    "class_mode",
    "directory",
    "split",
    "subset",
    "batch_size",
    "shuffle",
    "seed",
    "batch_index",
    "total_batches_seen",
    "interpolation",
    "keep_aspect_ratio",
    "data_format",
    "dtype",
    "filenames",
    "filepaths",
)


def flow(directory, validation_split=0.0, **options):
    generator = tfpipe.ImageDataGenerator(validation_split=validation_split)
    return generator.flow_from_directory(directory, **({"target_size": (4, 6)} | options))


def flow_both(classic, directory, generator_options=(), **options):
    """(ours, the classic's) for the same arguments."""
    options = {"target_size": (6, 8), "batch_size": 4, "seed": 5, "shuffle": False} | options
    return tuple(
        make(**dict(generator_options)).flow_from_directory(directory, **options)
        for make in (tfpipe.ImageDataGenerator, classic)
    )


@pytest.fixture
def flat(tmp_path, picture, write):
    """Six images: five in the folder itself, the last in a sub-folder."""
    for number in range(6):
        write(tmp_path / ("below" * (number == 5)) / f"{number}.png", picture(7, 9, seed=number))
    return tmp_path


class TestParity:
    @pytest.mark.parametrize("class_mode", ["categorical", "binary", "sparse", "input", None])
    def test_every_class_mode(self, classic, animals, assert_same, class_mode):
        ours, theirs = flow_both(classic, animals, class_mode=class_mode)
        assert len(ours) == len(theirs) == 4
        for _ in range(len(theirs) + 1):
            assert_same(next(ours), next(theirs))
        assert_same(ours[2], theirs[2])

    @pytest.mark.parametrize(
        ("data_format", "color_mode"),
        [
            ("channels_last", "rgb"),
            ("channels_last", "grayscale"),
            ("channels_first", "rgba"),
            ("channels_first", "grayscale"),
        ],
    )
    def test_shapes_and_attributes(self, classic, animals, assert_same, data_format, color_mode):
        ours, theirs = flow_both(
            classic,
            animals,
            {"data_format": data_format, "dtype": "float16", "validation_split": 0.4},
            color_mode=color_mode,
            subset="training",
            batch_size=3,
        )
        for name in ATTRIBUTES:
            assert getattr(ours, name) == getattr(theirs, name), name
        for name in ("classes", "labels"):
            assert_same(getattr(ours, name), getattr(theirs, name))
        assert_same(ours[2], theirs[2])
        assert ours.element_spec[0].shape == (None, *theirs.image_shape)

    @pytest.mark.parametrize("dtype", ["float64", "uint8"])
    def test_dtype(self, classic, animals, assert_same, dtype):
        ours, theirs = flow_both(classic, animals, {"dtype": dtype})
        assert_same(ours[1], theirs[1])

    @pytest.mark.parametrize("subset", ["training", "validation"])
    @pytest.mark.parametrize("split", [0.2, 0.5, 0.75])
    def test_subsets(self, classic, animals, split, subset):
        ours, theirs = flow_both(classic, animals, {"validation_split": split}, subset=subset)
        assert ours.filenames == theirs.filenames
        assert ours.split == theirs.split
        assert ours.classes.tolist() == theirs.classes.tolist()

    def test_chosen_classes(self, classic, animals, assert_same):
        ours, theirs = flow_both(classic, animals, classes=["dog", "Emu"])
        assert ours.class_indices == theirs.class_indices == {"dog": 0, "Emu": 1}
        assert ours.filenames == theirs.filenames
        assert_same(ours[2], theirs[2])

    def test_order_of_nested_files(self, classic, tmp_path, write):
        for name in [
            "b/1.png",
            "a/z.png",
            "a/B.png",
            "a/n/1.PNG",
            "a/n-2/1.JPG",
            "a/n/m/3.jpeg",
            "a/10.bmp",
            "a/9.ppm",
            "a-c/1.tif",
            "A/1.tiff",
            "root.png",
        ]:
            write(tmp_path / name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the classic's, on .tiff
            ours, theirs = flow_both(classic, tmp_path)
        assert ours.filenames == theirs.filenames
        assert ours.filepaths == theirs.filepaths
        assert len(ours.filenames) == 10
        assert ours.class_indices == theirs.class_indices == {"A": 0, "a": 1, "a-c": 2, "b": 3}
        assert ours.classes.tolist() == theirs.classes.tolist()

    def test_followed_links(self, classic, tmp_path, write):
        write(tmp_path / "top/a/1.png")
        write(tmp_path / "elsewhere/n/2.png")
        (tmp_path / "top/a/link").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "top/b").symlink_to(tmp_path / "elsewhere")
        ours, theirs = flow_both(classic, tmp_path / "top", follow_links=True)
        assert ours.filenames == theirs.filenames == ["a/1.png", "a/link/n/2.png", "b/n/2.png"]
        ours, theirs = flow_both(classic, tmp_path / "top")
        assert ours.filenames == theirs.filenames == ["a/1.png", "b/n/2.png"]

    @pytest.mark.slow
    def test_class_mode_of_a_flat_folder(self, classic, flat, assert_same):
        for class_mode in ("categorical", "binary", "sparse", "input", None):
            ours, theirs = flow_both(classic, flat, classes=["."], class_mode=class_mode)
            assert ours.filenames == theirs.filenames
            assert ours.filenames[:2] == ["./0.png", "./1.png"]
            assert ours.filenames[-1] == "./below/5.png"
            assert ours.filepaths == theirs.filepaths
            assert ours.class_indices == theirs.class_indices == {".": 0}
            assert ours.classes.tolist() == theirs.classes.tolist() == [0] * 6
            assert ours.num_classes == theirs.num_classes == 1
            assert_same(ours[1], theirs[1])

    @pytest.mark.parametrize("subset", ["training", "validation"])
    @pytest.mark.parametrize("classes", [["."], [""], ["below", "."]])
    def test_split_of_a_flat_folder(self, classic, flat, assert_same, classes, subset):
        ours, theirs = flow_both(
            classic, flat, {"validation_split": 0.4}, subset=subset, classes=classes
        )
        assert ours.filenames == theirs.filenames
        assert ours.class_indices == theirs.class_indices
        assert ours.classes.tolist() == theirs.classes.tolist()
        assert_same(ours[0], theirs[0])

    def test_directory_as_str_with_slash(self, classic, animals):
        ours, theirs = flow_both(classic, f"{animals}{os.sep}")
        assert ours.filepaths == theirs.filepaths
        assert ours.directory == theirs.directory

    def test_printed(self, classic, animals, capsys):
        flow_both(classic, animals)
        ours, theirs = capsys.readouterr().out.splitlines()
        assert ours == theirs == "Found 14 images belonging to 3 classes."

    def test_says_nothing_when_keras_is_quiet(self, animals, capsys):
        keras.config.disable_interactive_logging()
        try:
            flow(animals)
        finally:
            keras.config.enable_interactive_logging()
        assert capsys.readouterr().out == ""


class TestBetterThanTheClassic:
    def test_what_is_no_image(self, classic, tmp_path, write):
        write(tmp_path / "a/1.png")
        for name in ["a/oddpng", "a/.2.png", "a/.ipynb_checkpoints/3.png", ".git/4.png"]:
            write(tmp_path / name, format="PNG")
        ours, theirs = flow_both(classic, tmp_path)
        assert ours.filenames == ["a/1.png"]
        assert ours.class_indices == {"a": 0}
        assert theirs.samples == 5  # so the files above do matter

    def test_split_is_not_cut_short_by_float_error(self, classic, tmp_path, write):
        for i in range(100):
            (tmp_path / "a").mkdir(exist_ok=True)
            (tmp_path / f"a/{i:02}.png").write_bytes(b"")
        ours, theirs = flow_both(classic, tmp_path, {"validation_split": 0.29}, subset="validation")
        assert (ours.samples, theirs.samples) == (29, 28)
        training = flow(tmp_path, validation_split=0.29, subset="training")
        assert ours.filenames + training.filenames == [f"a/{i:02}.png" for i in range(100)]

    def test_classes_given_twice_count_once(self, animals):
        ours = flow(animals, classes=["dog", "cat", "dog"])
        assert ours.class_indices == {"dog": 0, "cat": 1}
        assert ours.samples == 11

    def test_fifo_and_dangling_link_are_left_out_by_name(self, tmp_path, write):
        write(tmp_path / "a/1.png")
        os.mkfifo(tmp_path / "a/pipe.png")
        (tmp_path / "a/dangling.jpg").symlink_to(tmp_path / "nowhere")
        with pytest.warns(UserWarning, match=r"Left out 2 file.*'dangling.jpg', 'pipe.png'"):
            ours = flow(tmp_path)
        assert ours.filenames == ["a/1.png"]
        assert len(list(ours.take(-1))) == 1

    def test_a_name_that_is_not_utf8(self, tmp_path, picture, write):
        write(tmp_path / "a/1.png", picture(4, 6))
        os.rename(tmp_path / "a/1.png", os.fsencode(tmp_path / "a") + b"/\xff.png")
        x, _ = next(flow(tmp_path))
        np.testing.assert_array_equal(x[0], picture(4, 6))

    def test_link_loops_end(self, tmp_path, write):
        write(tmp_path / "a/1.png")
        (tmp_path / "a/self").symlink_to(tmp_path / "a")
        (tmp_path / "a/up").symlink_to(tmp_path)
        ours = flow(tmp_path, follow_links=True)
        assert ours.filenames[0] == "a/1.png"
        assert len({os.path.realpath(p) for p in ours.filepaths}) == 1
        assert len(ours.filenames) <= 2


class TestEmpty:
    @pytest.mark.parametrize("folders", [[], ["a", "b"]])
    def test_constructs_and_says_so_when_it_is_read(self, classic, tmp_path, folders, capsys):
        for name in folders:
            (tmp_path / name).mkdir()
        ours, theirs = flow_both(classic, tmp_path)
        assert ours.samples == theirs.samples == 0
        assert len(ours) == len(theirs) == 0
        assert ours.num_classes == theirs.num_classes == len(folders)
        assert ours.classes.dtype == theirs.classes.dtype
        assert ours.filenames == []
        printed = capsys.readouterr().out.splitlines()
        assert printed == [f"Found 0 images belonging to {len(folders)} classes."] * 2
        for read in (next, list, lambda flow: flow[0], lambda flow: flow.take(-1)):
            with pytest.raises(ValueError, match="has no images: none were found in directory="):
                read(ours)
        assert ours.index_array is theirs.index_array is None
        assert "0 images" in repr(ours)


class TestSchemes:
    @pytest.mark.slow
    def test_ram(self, animals, assert_same):
        local = flow(animals, shuffle=False, batch_size=14)
        top = "ram:///animals"
        for name, path in zip(local.filenames, local.filepaths, strict=True):
            tf.io.gfile.makedirs(os.path.dirname(f"{top}/{name}"))
            tf.io.gfile.copy(path, f"{top}/{name}", overwrite=True)
        remote = flow(top, shuffle=False, batch_size=14)
        assert remote.filenames == local.filenames
        assert remote.filepaths == [f"{top}/{name}" for name in local.filenames]
        assert_same(remote[0], local[0])

    def test_a_flat_folder(self, flat, assert_same):
        for name in os.listdir(flat):
            if name.endswith(".png"):
                tf.io.gfile.makedirs("ram:///flat")
                tf.io.gfile.copy(f"{flat}/{name}", f"ram:///flat/{name}", overwrite=True)
        remote = flow("ram:///flat", classes=["."], shuffle=False)
        assert remote.filenames == [f"{number}.png" for number in range(5)]
        assert_same(remote[0][0], flow(flat, classes=["."], shuffle=False)[0][0][:5])


class TestRejects:
    def test_missing_directory(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="'.*nowhere'"):
            flow(tmp_path / "nowhere")

    def test_a_file(self, tmp_path, write):
        write(tmp_path / "1.png")
        with pytest.raises(NotADirectoryError, match=r"1\.png"):
            flow(tmp_path / "1.png")

    def test_a_misspelt_class(self, animals):
        with pytest.raises(ValueError, match="Did you mean 'dog'") as error:
            flow(animals, classes=["cat", "dgo"])
        assert "'Emu', 'cat', 'dog'" in str(error.value)
        assert "Received unknown: 'dgo'" in str(error.value)

    def test_classes_as_one_string(self, animals):
        with pytest.raises((TypeError, ValueError), match="classes"):
            flow(animals, classes="dog")

    def test_subset_without_split(self, animals):
        with pytest.raises(ValueError, match=r"subset='validation' needs a validation_split"):
            flow(animals, subset="validation")

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("class_mode", "categoric", "Did you mean 'categorical'?"),
            ("class_mode", "raw", "class_mode must be one of 'categorical', 'binary', 'sparse'"),
            ("color_mode", "RGB", "Did you mean 'rgb'?"),
            ("interpolation", "cubic", "'nearest', 'bilinear', 'bicubic', 'hamming', 'box'"),
            ("subset", "test", "subset must be one of 'training', 'validation', None"),
            ("target_size", 4, "target_size must be (height, width)"),
            ("target_size", (4, 0), "Received: target_size=(4, 0)"),
            ("target_size", (4, 6, 3), "Received: target_size=(4, 6, 3)"),
            ("target_size", (4.5, 6), "two ints >= 1"),
            ("batch_size", 0, "batch_size must be an int >= 1. Received: batch_size=0"),
            ("batch_size", 2.0, "Received: batch_size=2.0"),
            ("shuffle", "no", "shuffle must be True or False"),
            ("seed", 1.5, "seed must be an int or None. Received: seed=1.5"),
            ("save_format", "pgn", "Did you mean 'png'?"),
            ("keep_aspect_ratio", "yes", "keep_aspect_ratio must be True or False"),
        ],
    )
    def test_a_bad_value(self, animals, option, value, message):
        options = {"save_to_dir": "unused"} if option == "save_format" else {}
        with pytest.raises(ValueError, match=re.escape(message)):
            flow(animals, **options, **{option: value})
        assert not os.path.exists("unused")

    def test_an_unknown_keyword(self, animals):
        with pytest.raises(TypeError, match="colour_mode"):
            flow(animals, colour_mode="rgb")


class TestGenerator:
    @pytest.mark.parametrize("split", [1, 1.0, -0.1, 1.5, "0.2", float("nan")])
    def test_rejects_a_split(self, split):
        with pytest.raises(ValueError, match="validation_split"):
            tfpipe.ImageDataGenerator(validation_split=split)

    @pytest.mark.parametrize("split", [0, 0.0, None, False])
    def test_no_split(self, animals, split):
        assert flow(animals, validation_split=split).samples == 14

    @pytest.mark.parametrize("option", [{"data_format": "channels_middle"}, {"dtype": "int32"}])
    def test_rejects_a_value(self, option):
        ((name, value),) = option.items()
        with pytest.raises(ValueError, match=f"{name}.*{value}"):
            tfpipe.ImageDataGenerator(**option)

    def test_rejects_an_unknown_keyword(self):
        with pytest.raises(TypeError, match="rotation"):
            tfpipe.ImageDataGenerator(rotation=3)

    def test_keras_settings_are_the_defaults(self):
        floatx, data_format = keras.config.floatx(), keras.config.image_data_format()
        try:
            keras.config.set_floatx("float16")
            keras.config.set_image_data_format("channels_first")
            generator = tfpipe.ImageDataGenerator()
        finally:
            keras.config.set_floatx(floatx)
            keras.config.set_image_data_format(data_format)
        assert (generator.dtype, generator.data_format) == ("float16", "channels_first")
        assert (generator.channel_axis, generator.row_axis, generator.col_axis) == (1, 2, 3)
