"""`flow_from_dataframe` beside the classic."""

import os
import re
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.sources import listing, table

pytestmark = pytest.mark.one_profile


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture, write):
    """Six PNGs 0.png .. 5.png, no two alike."""
    top = tmp_path_factory.mktemp("frame")
    for i in range(6):
        write(top / f"{i}.png", picture(8, 5 + i, seed=i))
    return top


@pytest.fixture
def frame():
    """Every kind of column, a row a file of `folder`."""
    return pd.DataFrame(
        {
            "filename": [f"{i}.png" for i in range(6)],
            "class": ["b", "a", "b", "a", "a", "b"],
            "kinds": [["x", "z"], ("y",), "x", ["z", "y"], ["x"], ["z", "z"]],
            "few": [["x"], [], ["z"], ["y"], [], []],
            "number": [1.5, 2.5, -1.0, 0.0, 7.25, 3.0],
            "count": np.array([3, 1, 4, 1, 5, 9], np.int32),
            "flag": [True, False, False, True, True, False],
            "vector": [np.array([i, 2.0 * i]) for i in range(6)],
            "weight": np.array([0.5, 1.0, 2.0, 0.25, 4.0, 8.0], np.float32),
        }
    )


def require_pyarrow():
    # Its later releases import with NumPy 2 only, which TensorFlow 2.17 does not take.
    pytest.importorskip("pyarrow", exc_type=ImportError)


def flow(dataframe, folder=None, validation_split=0.0, **options):
    generator = tfpipe.ImageDataGenerator(validation_split=validation_split)
    return generator.flow_from_dataframe(dataframe, folder, **({"target_size": (4, 6)} | options))


def flow_both(classic, dataframe, directory=None, split=0.0, **options):
    """(ours, the classic's) for the same arguments."""
    options = {"target_size": (4, 6), "batch_size": 4, "seed": 5, "shuffle": False} | options
    return tuple(
        make(validation_split=split).flow_from_dataframe(dataframe, directory, **options)
        for make in (tfpipe.ImageDataGenerator, classic)
    )


class TestParity:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "options",
        [
            {"class_mode": "binary"},
            {"class_mode": "sparse"},
            {"class_mode": "categorical"},
            {"class_mode": "categorical", "y_col": "kinds"},
            {"class_mode": "categorical", "y_col": "few"},
            {"class_mode": "categorical", "y_col": "kinds", "classes": ["z", "x"]},
            {"class_mode": "categorical", "classes": ["b", "a", "b"]},
            {"class_mode": "input"},
            {"class_mode": None},
            {"class_mode": "raw", "y_col": "number"},
            {"class_mode": "raw", "y_col": "count"},
            {"class_mode": "raw", "y_col": ["number", "count"]},
            {"class_mode": "multi_output", "y_col": ["number", "vector", "flag"]},
            {"class_mode": "binary", "weight_col": "weight"},
            {"class_mode": "multi_output", "y_col": ["flag"], "weight_col": "count"},
            {"class_mode": "binary", "subset": "validation", "split": 0.34},
            {"class_mode": "categorical", "y_col": "kinds", "subset": "training", "split": 0.34},
            {"class_mode": "raw", "y_col": "count", "subset": "training", "split": 0.5},
        ],
        ids=str,
    )
    def test_batches(self, classic, folder, frame, assert_same, options, capsys):
        ours, theirs = flow_both(classic, frame, folder, **options)
        assert len(ours) == len(theirs)
        for _ in range(len(theirs)):
            assert_same(next(ours), next(theirs))
        one, other = capsys.readouterr().out.splitlines()
        assert one == other
        for name in ("samples", "filenames", "filepaths", "image_shape", "target_size", "subset"):
            assert getattr(ours, name) == getattr(theirs, name)
        if options["class_mode"] in ("binary", "sparse", "categorical"):
            assert ours.class_indices == theirs.class_indices
            assert ours.num_classes == len(theirs.class_indices)
            # In a column of lists a lone str is a list of one here, a number there.
            lists = isinstance(ours.classes, list)
            ids = [[i] if lists and isinstance(i, int) else i for i in theirs.classes]
            assert list(ours.classes) == list(ours.labels) == ids

    def test_raw_strings(self, classic, folder, frame):
        ours, theirs = flow_both(classic, frame, folder, class_mode="raw", y_col="class")
        assert ours[1][1].tolist() == list(theirs[1][1]) == ["a", "b"]
        assert all(type(label) is str for label in ours[1][1])

    def test_raw_arrays(self, folder, frame):
        # The classic gives an object array of arrays, which no model takes.
        ours = flow(frame, folder, class_mode="raw", y_col="vector", shuffle=False)
        np.testing.assert_array_equal(ours[0][1], [[i, 2.0 * i] for i in range(6)])
        assert ours[0][1].dtype == np.float64

    def test_several_outputs_keep_their_dtypes(self, folder, frame):
        # The classic makes every whole number int64.
        ours = flow(frame, folder, class_mode="multi_output", y_col=["count", "weight"])
        assert [y.dtype for y in ours[0][1]] == [np.int32, np.float32]

    def test_a_batch_of_samples_without_any_class(self, folder, frame):
        ours = flow(frame, folder, y_col="few", batch_size=2, shuffle=False)
        assert [y.numpy().tolist() for _, y in ours.take(-1)] == [
            [[1, 0, 0], [0, 0, 0]],
            [[0, 0, 1], [0, 1, 0]],
            [[0, 0, 0], [0, 0, 0]],
        ]

    def test_messages(self, classic, folder, frame, capsys):
        options = {"class_mode": None, "validate_filenames": False}
        flow_both(classic, frame, folder, **options)
        printed = capsys.readouterr().out.splitlines()
        assert printed == ["Found 6 non-validated image filenames."] * 2

    def test_classes_filter_the_rows(self, classic, folder, frame, assert_same):
        ours, theirs = flow_both(classic, frame, folder, y_col="kinds", classes=["x"])
        assert ours.filenames == theirs.filenames == ["0.png", "2.png", "4.png"]
        assert_same(ours[0], theirs[0])

    def test_invalid_files_are_dropped_before_the_split(self, classic, folder, frame, assert_same):
        frame.loc[1, "filename"] = "missing.png"
        frame.loc[3, "filename"] = "3.txt"
        with pytest.warns(UserWarning) as caught:
            ours, theirs = flow_both(
                classic, frame, folder, class_mode="binary", split=0.5, subset="validation"
            )
        mine, other = [str(w.message) for w in caught]
        assert other == (
            'Found 2 invalid image filename(s) in x_col="filename". '
            "These filename(s) will be ignored."
        )
        assert mine == f"{other} 'missing.png', '3.txt'"
        assert ours.filenames == theirs.filenames == ["0.png", "2.png"]
        assert_same(ours[0], theirs[0])

    def test_absolute_paths(self, classic, folder, frame, assert_same):
        frame["filename"] = [str(folder / name) for name in frame["filename"]]
        for directory in (None, folder, "elsewhere"):
            ours, theirs = flow_both(classic, frame, directory, class_mode="binary")
            assert ours.filepaths == theirs.filepaths == frame["filename"].tolist()
            assert ours.directory == theirs.directory
        assert_same(ours[0], theirs[0])

    @pytest.mark.parametrize(
        "index",
        [list("uvwxyz"), [7, 7, 1, 1, 1, 0], pd.date_range("2024-01-01", periods=6)],
        ids=["strings", "duplicates", "dates"],
    )
    def test_the_index_does_not_matter(self, classic, folder, frame, assert_same, index):
        frame.index = index
        frame.loc[frame["filename"] == "4.png", "filename"] = "missing.png"
        before = frame.copy(deep=True)
        options = {"class_mode": "categorical", "y_col": "kinds", "classes": ["z", "y"]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours, theirs = flow_both(classic, frame, folder, weight_col="weight", **options)
        assert ours.filenames == theirs.filenames == ["0.png", "1.png", "3.png", "5.png"]
        assert_same(ours[0], theirs[0])
        pd.testing.assert_frame_equal(frame, before)

    def test_no_valid_file(self, classic, folder, frame, capsys):
        frame["filename"] = "no/" + frame["filename"]
        for class_mode in ("categorical", "binary", "multi_output"):
            y_col = ["number"] if class_mode == "multi_output" else "class"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ours, theirs = flow_both(classic, frame, folder, class_mode=class_mode, y_col=y_col)
            assert len(ours) == len(theirs) == ours.samples == 0
            for read in (next, list, lambda flow: flow[0], lambda flow: flow.take(-1)):
                with pytest.raises(
                    ValueError, match="has no images: none were found in directory="
                ):
                    read(ours)
            one, other = capsys.readouterr().out.splitlines()
            assert one == other

    @pytest.mark.parametrize(
        ("keyword", "value"), [("has_ext", True), ("sort", False), ("drop_duplicates", True)]
    )
    def test_deprecated_keywords(self, classic, folder, frame, keyword, value):
        with pytest.warns(DeprecationWarning) as caught:
            ours, theirs = flow_both(classic, frame, folder, **{keyword: value})
        mine, other = [str(w.message) for w in caught]
        assert mine.startswith(f"{keyword} is deprecated")
        assert other.startswith(f"{keyword} is deprecated")
        assert ours.filenames == theirs.filenames

    def test_class_mode_other(self, classic, folder, frame, assert_same):
        with pytest.warns(DeprecationWarning) as caught:
            ours, theirs = flow_both(classic, frame, folder, class_mode="other", y_col="count")
        assert len({str(w.message) for w in caught}) == 1
        assert ours.class_mode == theirs.class_mode == "raw"
        assert_same(ours[0], theirs[0])

    @pytest.mark.parametrize("class_mode", ["input", "multi_output", "raw", None])
    def test_classes_that_are_ignored(self, classic, folder, frame, class_mode):
        y_col = ["count"] if class_mode == "multi_output" else "count"
        with pytest.warns(UserWarning) as caught:
            flow_both(classic, frame, folder, class_mode=class_mode, y_col=y_col, classes=["a"])
        mine, other = [str(w.message) for w in caught]
        assert mine == other == f'`classes` will be ignored given the class_mode="{class_mode}"'


class TestErrorsOfTheClassic:
    """The same type and, but for KeyError, the same text."""

    @pytest.mark.parametrize(
        ("error", "options"),
        [
            (TypeError, {"x_col": "count"}),
            (TypeError, {"class_mode": "binary", "y_col": "count"}),
            (TypeError, {"class_mode": "sparse", "y_col": "kinds"}),
            (TypeError, {"class_mode": "categorical", "y_col": "number"}),
            (TypeError, {"class_mode": "multi_output", "y_col": "number"}),
            (TypeError, {"class_mode": "multi_output", "y_col": ("number", "count")}),
            (TypeError, {"class_mode": "binary", "weight_col": "class"}),
            (TypeError, {"class_mode": "binary", "weight_col": "flag"}),
            (ValueError, {"class_mode": "binary", "classes": ["a"]}),
            (ValueError, {"class_mode": "binary", "classes": ["a", "b", "c"]}),
            (ValueError, {"class_mode": "binary", "y_col": "one"}),
            (ValueError, {"class_mode": "binary", "y_col": "filename"}),
        ],
        ids=str,
    )
    def test_text(self, classic, folder, frame, error, options):
        frame["one"] = "a"
        texts = []
        for make in (tfpipe.ImageDataGenerator, classic):
            with pytest.raises(error) as caught:
                make().flow_from_dataframe(frame, folder, **options)
            texts.append(str(caught.value))
        assert texts[0] == texts[1]

    @pytest.mark.parametrize(
        "options",
        [
            {"x_col": "file"},
            {"y_col": "label"},
            {"class_mode": "raw", "y_col": ["count", "label"]},
            {"class_mode": "multi_output", "y_col": ["count", "label"]},
            {"weight_col": "wight"},
        ],
        ids=str,
    )
    def test_missing_column(self, classic, folder, frame, options):
        for make in (tfpipe.ImageDataGenerator, classic):
            with pytest.raises(KeyError) as caught:
                make().flow_from_dataframe(frame, folder, **options)
        missing = {"x_col": "file", "weight_col": "wight"}.get(next(iter(options)), "label")
        with pytest.raises(KeyError, match=f"'{missing}' is not a column") as caught:
            flow(frame, folder, **options)
        assert "'filename', 'class', 'kinds'" in str(caught.value)

    @pytest.mark.parametrize("value", [None, float("nan"), 3, b"a"])
    def test_one_label_that_is_no_string(self, classic, folder, frame, value):
        frame["class"] = frame["class"].astype(object)
        frame.at[3, "class"] = value
        for class_mode in ("binary", "sparse", "categorical"):
            with pytest.raises(TypeError, match=f'class_mode="{class_mode}", y_col="class"'):
                flow(frame, folder, class_mode=class_mode)
        frame["filename"] = frame["filename"].astype(object)
        frame.at[3, "filename"] = value
        with pytest.raises(TypeError, match="All values in column x_col=filename must be strings"):
            flow(frame, folder, class_mode=None)

    def test_weights_without_labels(self, classic, folder, frame, assert_same):
        frame.loc[4, "weight"] = float("nan")  # not looked at
        with pytest.warns(UserWarning, match="`weight_col` will be ignored") as caught:
            ours, theirs = flow_both(
                classic, frame, folder, class_mode=None, weight_col="weight", subset=None
            )
        assert len(caught) == 1
        for number in range(len(theirs)):
            assert_same(ours[number], theirs[number])
        assert ours.element_spec.shape == (None, 4, 6, 3)


class TestRejects:
    def test_unknown_keyword(self, folder, frame):
        with pytest.raises(TypeError, match="unexpected keyword argument 'validate_filename'") as e:
            flow(frame, folder, validate_filename=False)
        assert "Did you mean 'validate_filenames'?" in str(e.value)

    def test_class_mode(self, folder, frame):
        with pytest.raises(ValueError, match="class_mode must be one of 'binary', 'categorical'"):
            flow(frame, folder, class_mode="multilabel")

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_not_finite(self, folder, frame, value):
        frame.loc[4, "weight"] = value
        with pytest.raises(ValueError, match=f"weight_col='weight'.* at index 4: .*{value}"):
            flow(frame, folder, weight_col="weight")

    def test_a_missing_nullable_weight(self, folder, frame):
        frame["weight"] = pd.array([1, 2, None, 4, 5, 6], "Int64")
        with pytest.raises(ValueError, match="weight_col='weight'.* at index 2"):
            flow(frame, folder, weight_col="weight")

    def test_raw_values_of_no_common_type(self, folder, frame):
        frame["mixed"] = [1, "a", 2.0, (), [3], 4]
        with pytest.raises(TypeError, match="'mixed' cannot be one tensor"):
            flow(frame, folder, class_mode="raw", y_col="mixed")
        frame["half"] = [1, "a", 2, 3, 4, 5]
        with pytest.raises(TypeError, match="'half' cannot be one tensor"):
            flow(frame, folder, class_mode="raw", y_col="half")
        with pytest.raises(TypeError, match="cannot be one tensor"):
            flow(frame, folder, class_mode="raw", y_col=["class", "number"])
        frame["ragged"] = [[1], [1, 2], [1], [1], [1], [1]]
        with pytest.raises(TypeError, match="'ragged' cannot be one tensor"):
            flow(frame, folder, class_mode="multi_output", y_col=["count", "ragged"])

    def test_classes_as_one_string(self, folder, frame):
        with pytest.raises((TypeError, ValueError), match="classes"):
            flow(frame, folder, classes="ab")

    @pytest.mark.parametrize("value", [[1, 2], "labels.xlsx", None])
    def test_what_is_no_frame(self, value):
        with pytest.raises((TypeError, ValueError), match=re.escape(".csv or .parquet file")):
            flow(value)

    def test_subset_without_split(self, folder, frame):
        with pytest.raises(ValueError, match="subset='training' needs a validation_split"):
            flow(frame, folder, subset="training")

    def test_binary_counts_the_files_that_are_left(self, folder, frame):
        frame.loc[6] = frame.loc[0]
        frame.loc[6, ["filename", "class"]] = ["missing.png", "c"]
        with pytest.warns(UserWarning, match="Found 1 invalid"):
            ours = flow(frame, folder, class_mode="binary")
        assert ours.class_indices == {"a": 0, "b": 1}


class TestOptions:
    @pytest.mark.filterwarnings("ignore:.*decoded by Pillow")
    def test_no_validation_keeps_every_row(self, folder, frame):
        frame.loc[1, "filename"] = "missing.png"
        frame.loc[3, "filename"] = "3.txt"
        ours = flow(frame, folder, class_mode=None, validate_filenames=False)
        assert ours.filenames == ["0.png", "missing.png", "2.png", "3.txt", "4.png", "5.png"]

    @pytest.mark.slow
    def test_keep_aspect_ratio_reaches_the_pixels(self, folder, frame):
        plain = flow(frame, folder, class_mode=None, shuffle=False)[0]
        kept = flow(frame, folder, class_mode=None, shuffle=False, keep_aspect_ratio=True)[0]
        assert (plain != kept).any()

    @pytest.mark.parametrize("dtype", ["Int64", "float64[pyarrow]"])
    def test_nullable_columns(self, folder, frame, dtype):
        if "pyarrow" in dtype:
            require_pyarrow()
        frame["nullable"] = frame["count"].astype(dtype)
        _, y, w = flow(
            frame,
            folder,
            class_mode="raw",
            y_col="nullable",
            weight_col="nullable",
            shuffle=False,
        )[0]
        assert y.tolist() == w.tolist() == [3, 1, 4, 1, 5, 9]

    def test_categories(self, folder, frame, assert_same):
        plain = flow(frame, folder, shuffle=False)
        frame["class"] = frame["class"].astype("category")
        frame["filename"] = frame["filename"].astype("category")
        assert_same(flow(frame, folder, shuffle=False)[0], plain[0])


class TestFiles:
    @pytest.fixture
    def labelled(self):
        return pd.DataFrame(
            {"filename": ["0.png", "1.png", "2.png"], "class": ["01", "1", "01"], "y": [1, 2, 3]}
        )

    @pytest.mark.parametrize("suffix", ["CSV", "parquet"])
    def test_path(self, tmp_path, folder, labelled, suffix, assert_same):
        path = tmp_path / f"labels.{suffix}"
        if suffix == "parquet":
            require_pyarrow()
            labelled.to_parquet(path)
        else:
            labelled.to_csv(path, index=False)
        ours = flow(path, folder, shuffle=False)
        assert ours.class_indices == {"01": 0, "1": 1}
        assert_same(ours[0], flow(labelled, folder, shuffle=False)[0])
        raw = flow(str(path), folder, class_mode="raw", y_col="y", shuffle=False)
        assert raw[0][1].tolist() == [1, 2, 3]
        with pytest.raises(KeyError, match="'label' is not a column"):
            flow(path, folder, y_col="label")

    def test_parquet_with_an_index(self, tmp_path, folder, labelled):
        require_pyarrow()
        labelled.index = [5, 5, 0]
        labelled.to_parquet(tmp_path / "labels.parquet")
        ours = flow(tmp_path / "labels.parquet", folder)
        assert ours.filenames == ["0.png", "1.png", "2.png"]

    @pytest.mark.filterwarnings("ignore:.*decoded by Pillow")
    def test_names_that_are_numbers(self, tmp_path, folder, write, picture):
        # `dtype=str` must reach x_col too: a folder of files without a suffix is named by numbers.
        (tmp_path / "labels.csv").write_text("filename,class\n007.png,a\n8.png,b\n")
        write(tmp_path / "007.png")
        write(tmp_path / "8.png")
        assert flow(tmp_path / "labels.csv", tmp_path).filenames == ["007.png", "8.png"]
        (tmp_path / "labels.csv").write_text("filename,class\n007,a\n8,b\n")
        ours = flow(tmp_path / "labels.csv", tmp_path, validate_filenames=False)
        assert ours.filenames == ["007", "8"]

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"none\.csv"):
            flow(tmp_path / "none.csv")

    @pytest.mark.slow
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_ram(self, folder, labelled, suffix, tmp_path, assert_same):
        if suffix == "parquet":
            require_pyarrow()
        top = f"ram:///frame-{suffix}"
        tf.io.gfile.makedirs(f"{top}/images")
        for name in labelled["filename"]:
            tf.io.gfile.copy(str(folder / name), f"{top}/images/{name}", overwrite=True)
        local = tmp_path / f"labels.{suffix}"
        labelled.to_csv(local, index=False) if suffix == "csv" else labelled.to_parquet(local)
        tf.io.gfile.copy(str(local), f"{top}/labels.{suffix}", overwrite=True)
        ours = flow(f"{top}/labels.{suffix}", f"{top}/images", shuffle=False)
        assert ours.filepaths == [f"{top}/images/{i}.png" for i in range(3)]
        assert_same(ours[0], flow(labelled, folder, shuffle=False)[0])
        labelled["filename"] = ours.filepaths
        labelled.loc[1, "filename"] = f"{top}/images/7.png"
        with pytest.warns(UserWarning, match="Found 1 invalid"):
            schemed = flow(labelled, "elsewhere")
        assert schemed.filepaths == [f"{top}/images/{i}.png" for i in (0, 2)]

    def test_words_of_pandas_for_missing_values_are_names_of_classes(self, tmp_path):
        words = ["NA", "None", "null", "nan", "N/A", "a"]
        rows = "".join(f"{i}.png,{word},{word}\n" for i, word in enumerate(words[:5]))
        (tmp_path / "t.csv").write_text(f"filename,class,number\n{rows}5.png,a,1.5\n6.png,,\n")
        frame = table.read_frame(tmp_path / "t.csv", ["filename", "class"])
        assert frame["class"].tolist()[:6] == words
        assert frame["class"].isna().tolist() == [False] * 6 + [True]
        assert frame["number"].dtype == np.float64
        assert frame["number"].isna().tolist() == [True] * 5 + [False, True]

    def test_missing_numbers_are_those_of_pandas(self):
        parsers = pytest.importorskip("pandas._libs.parsers")
        assert set(table._MISSING) == set(parsers.STR_NA_VALUES)


class TestNamesOfColumns:
    """A column may be named by anything that pandas takes for a name."""

    RENAMED = {"filename": 0, "class": 1, "number": 2, "count": 3, "weight": 4}

    @pytest.mark.parametrize(
        "options",
        [
            {"y_col": 1, "class_mode": "categorical", "weight_col": 4},
            {"y_col": 1, "class_mode": "binary", "classes": ["b", "a"]},
            {"y_col": 2, "class_mode": "raw", "weight_col": 4},
            {"y_col": [2, 3], "class_mode": "raw"},
            {"y_col": [2, 2], "class_mode": "multi_output"},
            {"y_col": 1, "class_mode": "input"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("levels", [1, 2])
    def test_int_and_tuple(self, classic, folder, frame, assert_same, options, levels):
        frame = frame[list(self.RENAMED)].rename(columns=self.RENAMED)

        def name(number):
            return number if levels == 1 else ("ab"[number % 2], number)

        frame.columns = pd.Index([name(number) for number in frame.columns])
        assert frame.columns.nlevels == levels
        for key in ("y_col", "weight_col"):
            value = options.get(key)
            if value is not None:
                named = [name(v) for v in value] if isinstance(value, list) else name(value)
                options = options | {key: named}
        ours, theirs = flow_both(classic, frame, folder, x_col=name(0), **options)
        assert ours.filenames == theirs.filenames
        for number in range(len(theirs)):
            assert_same(ours[number], theirs[number])

    @pytest.mark.parametrize(
        "y_col", [pd.Index(["number", "count"]), np.array(["number", "count"], object)]
    )
    def test_an_index_of_names(self, classic, folder, frame, assert_same, y_col):
        ours, theirs = flow_both(classic, frame, folder, class_mode="raw", y_col=y_col)
        assert_same(ours[0], theirs[0])

    def test_the_upper_level_alone(self, classic, folder, frame, assert_same):
        frame = frame[["filename", "number", "count"]]
        frame.columns = pd.MultiIndex.from_tuples([("f", ""), ("y", "a"), ("y", "b")])
        ours, theirs = flow_both(
            classic, frame, folder, x_col=("f", ""), y_col="y", class_mode="raw"
        )
        assert_same(ours[0], theirs[0])
        with pytest.raises(TypeError, match="y_col must be one column"):
            flow(frame, folder, x_col=("f", ""), y_col="y")

    @pytest.mark.parametrize("class_mode", ["categorical", "sparse", "binary"])
    @pytest.mark.parametrize("y_col", [["class"], ["class", "few"]])
    def test_one_class_column(self, folder, frame, class_mode, y_col):
        with pytest.raises(
            TypeError, match=r"one column\. Received: y_col=\['class'.*multi_output"
        ):
            flow(frame, folder, class_mode=class_mode, y_col=y_col)

    @pytest.mark.parametrize("class_mode", ["categorical", "binary", "raw", "multi_output"])
    def test_a_dict_of_targets(self, folder, frame, class_mode):
        with pytest.raises(TypeError, match=r"For outputs by name.*dataset\.map\(lambda x, y:"):
            flow(frame, folder, class_mode=class_mode, y_col={"age": "number"})

    @pytest.mark.parametrize("option", ["x_col", "weight_col"])
    def test_a_list_for_one_column(self, folder, frame, option):
        with pytest.raises(TypeError, match=option):
            flow(frame, folder, **{option: ["weight"]})

    def test_a_name_that_several_columns_have(self, folder, frame):
        frame = pd.concat([frame, frame[["number", "class"]]], axis=1)
        with pytest.raises(
            ValueError, match=r"y_col='class' .*more than once: 'number', 'class'\. Rename"
        ):
            flow(frame, folder)
        assert len(flow(frame, folder, y_col="count", class_mode="raw")) == 1


def test_weights_in_a_column_of_number_0(folder):
    frame = pd.DataFrame({0: [0.5], "filename": ["0.png"], "class": ["a"]})
    flow = tfpipe.ImageDataGenerator().flow_from_dataframe(frame, folder, weight_col=0)
    assert flow[0][2].tolist() == [0.5]


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b""), ("b.csv", b"\xff\0"), ("c.parquet", b"x")]
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        ValueError, match=re.escape(f"{tmp_path / name}' cannot be read as a table")
    ):
        tfpipe.ImageDataGenerator().flow_from_dataframe(tmp_path / name)


def test_a_folder_that_may_be_entered_but_not_listed():
    with tempfile.TemporaryDirectory() as top:
        (Path(top) / "a.png").touch()
        Path(top).chmod(0o311)
        user = os.geteuid()
        if user == 0 and not all(p.stat().st_mode & 1 for p in Path(top).resolve().parents):
            pytest.skip("another user may not enter the folder of temporary files")
        if user == 0:  # who may list everything
            os.seteuid(65534)
        try:
            with pytest.raises(PermissionError):
                os.listdir(top)
            assert listing.are_files([f"{top}/a.png", f"{top}/b.png"]) == [True, False]
        finally:
            os.seteuid(user)
            Path(top).chmod(0o700)
