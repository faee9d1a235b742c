"""`image_dataset_from_dataframe`: label modes, columns, splits, errors."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe

pytestmark = pytest.mark.one_profile

NUMERALS = ["01", "02", "10", "02"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture, write):
    top = tmp_path_factory.mktemp("frame")
    for number in range(12):
        write(top / f"{number:02}.png", picture(9, 14, seed=number))
    return top


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "filename": [f"{number:02}.png" for number in range(12)],
            "class": ["dog", "cat", "emu", "cat"] * 3,
            "digit": [10, 9, 2, 2] * 3,
            "flag": [True, False] * 6,
            "tags": ["dog, big", "cat", "", None] * 3,
            "age": np.arange(12) * 1.5,
            "height": np.arange(12, dtype=np.float32),
            "weight": np.linspace(0.5, 2, 12),
            "patient": [f"p{number // 2}" for number in range(12)],
        }
    )


def make(frame, folder, **options):
    options = {"image_size": (5, 6), "batch_size": 5, "shuffle": False, "verbose": False} | options
    return tfpipe.image_dataset_from_dataframe(frame, folder, **options)


def labels(dataset):
    """All y of an epoch."""
    parts = [tf.nest.map_structure(lambda t: t.numpy(), batch[1]) for batch in dataset]
    return tf.nest.map_structure(lambda *p: np.concatenate(p), *parts)


class TestLabelModes:
    def test_int(self, frame, folder):
        dataset = make(frame, folder)
        y = labels(dataset)
        assert y.dtype == np.int32
        assert y.tolist() == [1, 0, 2, 0] * 3
        assert dataset.class_names == ["cat", "dog", "emu"]
        assert dataset.class_indices == {"cat": 0, "dog": 1, "emu": 2}

    def test_whole_numbers_are_classes_by_their_value(self, frame, folder):
        dataset = make(frame, folder, y_col="digit")
        assert dataset.class_names == ["2", "9", "10"]
        assert labels(dataset).tolist() == [2, 1, 0, 0] * 3
        assert make(frame, folder, y_col="flag").class_names == ["False", "True"]

    def test_categories_keep_their_order_and_their_ids(self, frame, folder):
        frame["class"] = pd.Categorical(frame["class"], ["emu", "dog", "cat", "yak"])
        dataset = make(frame, folder)
        assert dataset.class_names == ["emu", "dog", "cat", "yak"]
        assert labels(dataset).tolist() == [1, 2, 0, 2] * 3

    def test_a_class_that_no_row_has_is_named_with_its_argument(self, frame, folder):
        names = ["emu", "dog", "cat", "yak"]
        with pytest.warns(UserWarning, match="No row has the class.*'yak' of `class_names`"):
            assert make(frame, folder, class_names=names).class_names == names

    def test_binary(self, frame, folder):
        y = labels(make(frame, folder, y_col="flag", label_mode="binary"))
        assert y.dtype == np.float32
        assert y.tolist() == [[1], [0]] * 6

    def test_categorical(self, frame, folder):
        y = labels(make(frame, folder, label_mode="categorical"))
        assert y.dtype == np.float32
        assert y[:3].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]

    @pytest.mark.parametrize("form", ["strings", "lists", "arrays"])
    def test_multi_label(self, frame, folder, form):
        lists = [["dog", "big"], ["cat"], [], []] * 3
        if form == "lists":
            frame["tags"] = pd.Series([tuple(tags) for tags in lists])
        if form == "arrays":  # what pandas makes of a list column of a Parquet file
            frame["tags"] = pd.Series([np.array(tags, object) for tags in lists])
        dataset = make(frame, folder, y_col="tags", label_mode="multi_label")
        assert dataset.class_names == ["big", "cat", "dog"]
        y = labels(dataset)
        assert y.dtype == np.float32
        assert y[:4].tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0]]

    def test_multi_label_of_some_classes_keeps_every_row(self, frame, folder):
        frame["tags"] = frame["tags"].str.replace(", ", "|")
        options = {"y_col": "tags", "label_mode": "multi_label", "separator": "|"}
        y = labels(make(frame, folder, class_names=["dog", "cat"], **options))
        assert y.tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]] * 3

    def test_raw(self, frame, folder):
        assert (
            labels(make(frame, folder, y_col="age", label_mode="raw")).tolist()
            == (np.arange(12) * 1.5).tolist()
        )
        y = labels(make(frame, folder, y_col=["age", "height"], label_mode="raw"))
        assert y.shape == (12, 2)

    def test_multi_output(self, frame, folder):
        y = labels(make(frame, folder, y_col=["digit", "height"], label_mode="multi_output"))
        assert [part.dtype for part in y] == [np.int64, np.float32]
        assert y[0].tolist() == [10, 9, 2, 2] * 3

    def test_classes_among_several_outputs_are_ids(self, frame, folder):
        frame["sex"] = pd.Categorical(["f", "m"] * 6, ["m", "f"])
        dataset = make(frame, folder, y_col=["class", "age", "sex"], label_mode="multi_output")
        classes, ages, sexes = labels(dataset)
        assert (classes.dtype, sexes.dtype) == (np.int32, np.int32)
        assert classes.tolist() == [1, 0, 2, 0] * 3
        assert sexes.tolist() == [1, 0] * 6
        assert ages.tolist() == frame["age"].tolist()
        assert dataset.vocabularies == {"class": ["cat", "dog", "emu"], "sex": ["m", "f"]}
        assert dataset.class_names == []  # of which column?
        assert dataset.with_spec(batch_size=2).vocabularies == dataset.vocabularies

    @pytest.mark.parametrize(
        ("name", "options", "hint"),
        [
            ("00", {}, r"'00.png' exists: add '.png' to the names"),
            ("https://example.org/1.png", {}, "Addresses are not read: download the files"),
            ("none.png", {}, r"more\)$"),
            ("00.png", {"directory": "/no/such/folder"}, "There is no directory='/no/such/folder'"),
        ],
    )
    def test_a_name_of_no_file_says_what_is_likely_wrong(self, frame, folder, name, options, hint):
        frame["filename"] = [name] * 12
        with pytest.warns(UserWarning, match=hint), pytest.raises(ValueError, match="No images"):
            make(frame, **{"folder": options.get("directory", folder)})

    def test_a_list_of_columns_of_names_is_rejected(self, frame, folder):
        with pytest.raises(TypeError, match=r"x_col=\['filename'\] must be the name of one column"):
            make(frame, folder, x_col=["filename"])

    def test_classes_of_rows_without_a_file_do_not_count(self, frame, folder):
        frame.loc[len(frame)] = {**frame.iloc[0].to_dict(), "filename": "none.png", "class": "yak"}
        with pytest.warns(UserWarning, match="1 invalid image filename"):
            dataset = make(frame, folder, y_col=["class", "age"], label_mode="multi_output")
        assert dataset.vocabularies == {"class": ["cat", "dog", "emu"]}

    def test_the_classes_of_one_output_are_the_class_names(self, frame, folder):
        dataset = make(frame, folder, y_col=["class", "age"], label_mode="multi_output")
        assert dataset.class_names == ["cat", "dog", "emu"]
        assert make(frame, folder).vocabularies == {}

    @pytest.mark.slow
    def test_classes_among_outputs_are_packed(self, frame, folder, tmp_path):
        dataset = make(frame, folder, y_col=["class", "age"], label_mode="multi_output")
        tfpipe.pack(dataset, tmp_path / "packed", verbose=False)
        packed = tfpipe.image_dataset_from_shards(
            tmp_path / "packed", shuffle=False, batch_size=5, verbose=False
        )
        assert packed.vocabularies == dataset.vocabularies
        assert packed.class_names == dataset.class_names
        assert labels(packed)[0].tolist() == labels(dataset)[0].tolist()

    @pytest.mark.parametrize("mode", ["raw", "multi_output"])
    @pytest.mark.parametrize(
        "ages", [[1.0, np.nan], pd.array([1, None], "Int64"), [np.array([1.0, np.nan]), np.ones(2)]]
    )
    def test_missing_values_are_errors(self, frame, folder, mode, ages):
        frame = frame[:2].assign(age=ages)
        with pytest.raises(ValueError, match=r"(missing value|NaN)"):
            make(frame, folder, y_col=["age"] if mode == "multi_output" else "age", label_mode=mode)

    def test_a_missing_value_is_named_with_its_row_and_a_remedy(self, frame, folder):
        frame.loc[7, "age"] = np.nan
        match = r"Column 'age'.*1 missing value.*index 7.*dropna\(subset=\['age'\]\).*fillna"
        with pytest.raises(ValueError, match=match):
            make(frame, folder, y_col="age", label_mode="raw")

    def test_weights_below_0_are_errors(self, frame, folder):
        frame.loc[3, "weight"] = -0.5
        with pytest.raises(
            ValueError, match=r"(?s)weight_col='weight'.*0 or more.*index 3: .*-0.5"
        ):
            make(frame, folder, weight_col="weight")

    def test_input_and_none(self, frame, folder):
        x, y = make(frame, folder, label_mode="input")[0]
        np.testing.assert_array_equal(x, y)
        assert make(frame, folder, label_mode=None)[0].shape == (5, 5, 6, 3)

    def test_weights_and_class_weights_multiply(self, frame, folder):
        _, _, w = make(frame, folder, weight_col="weight", batch_size=12)[0]
        assert w.tolist() == frame["weight"].tolist()
        _, _, both = make(
            frame, folder, weight_col="weight", class_weights={"dog": 2}, batch_size=12
        )[0]
        expected = frame["weight"] * np.where(frame["class"] == "dog", 2, 1)
        np.testing.assert_allclose(both, expected, rtol=1e-6)

    def test_rows_of_other_classes_are_left_out(self, frame, folder):
        dataset = make(frame, folder, class_names=["emu", "dog"])
        assert labels(dataset).tolist() == [1, 0] * 3
        assert dataset.frame_rows.tolist() == [0, 2, 4, 6, 8, 10]


class TestSources:
    @pytest.mark.parametrize("suffix", ["csv", "parquet"])
    def test_a_path_is_as_good_as_its_frame(self, frame, folder, tmp_path, suffix):
        frame = frame[["filename", "class", "digit"]]
        path = tmp_path / f"labels.{suffix}"
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
        for y_col in ("class", "digit"):
            one, other = make(path, folder, y_col=y_col), make(frame, folder, y_col=y_col)
            assert one.class_names == other.class_names
            assert labels(one).tolist() == labels(other).tolist()

    def test_names_in_a_csv_file_stay_text_at_every_door(self, folder, tmp_path):
        path = tmp_path / "labels.csv"
        rows = [f"{number:02}.png,{name},{name},{name}" for number, name in enumerate(NUMERALS)]
        path.write_text("\n".join(["filename,class,tags,patient", *rows]))
        dataset = make(path, folder, groups="patient")
        assert dataset.class_names == ["01", "02", "10"]
        assert dataset.groups.tolist() == NUMERALS
        lists = make(path, folder, y_col="tags", label_mode="multi_label")
        assert lists.class_names == ["01", "02", "10"]
        flow = tfpipe.ImageDataGenerator().flow_from_dataframe(path, folder)
        assert flow.class_names == ["01", "02", "10"]
        training, validation = next(
            tfpipe.folds(path, 2, directory=folder, groups="patient", verbose=False)
        )
        assert training.class_names == validation.class_names == ["01", "02", "10"]
        assert set(training.groups) | set(validation.groups) == {"01", "02", "10"}

    def test_several_columns_may_be_a_tuple(self, frame, folder):
        dataset = make(frame, folder, y_col=("age", "height"), label_mode="raw")
        assert labels(dataset).shape == (12, 2)

    def test_the_frame_is_not_changed_and_its_index_is_ignored(self, frame, folder):
        before = frame.set_index(np.arange(12)[::-1])
        frame = before.copy()
        options = {"y_col": "tags", "label_mode": "multi_label"}
        assert labels(make(frame, folder, **options))[0].tolist() == [1, 0, 1]
        pd.testing.assert_frame_equal(frame, before)

    def test_missing_files(self, frame, folder):
        frame.loc[1, "filename"] = "gone.png"
        with pytest.warns(UserWarning, match="Found 1 invalid image filename"):
            dataset = make(frame, folder)
        assert dataset.samples == 11
        assert dataset.frame_rows.tolist() == [0, *range(2, 12)]
        kept = make(frame, folder, validate_filenames=False)
        with pytest.raises(tf.errors.OpError, match=r"gone\.png"):
            list(kept)

    def test_pixels_are_those_of_the_other_door(self, frame, folder):
        one = make(frame, folder, label_mode=None, batch_size=12)[0]
        options = {"image_size": (5, 6), "shuffle": False, "verbose": False}
        other = tfpipe.image_dataset_from_directory(folder, labels=None, **options)[0]
        np.testing.assert_array_equal(one, other)

    def test_paths_travel_with_the_samples(self, frame, folder):
        x, y, paths = make(frame, folder, include_paths=True, shuffle=True, seed=2)[0]
        assert (len(x), len(y)) == (5, 5)
        names = frame["class"].to_numpy()
        for label, path in zip(y, paths, strict=True):
            assert ["cat", "dog", "emu"][label] == names[int(path[-6:-4])]


class TestSplit:
    def test_the_tail_without_shuffle(self, frame, folder):
        training, validation = make(frame, folder, validation_split=0.25, subset="both")
        assert training.frame_rows.tolist() == list(range(9))
        assert validation.frame_rows.tolist() == [9, 10, 11]

    def test_groups_of_a_column(self, frame, folder):
        frame.loc[0, "filename"] = "gone.txt"  # rows that drop out must not shift the groups
        with pytest.warns(UserWarning, match="invalid image filename"):
            training, validation = make(
                frame, folder, validation_split=0.3, subset="both", seed=1, groups="patient"
            )
        for part in (training, validation):
            assert part.groups.tolist() == frame["patient"].iloc[part.frame_rows].tolist()
        assert not set(training.groups) & set(validation.groups)

    def test_balance_is_for_training(self, frame, folder):
        training, validation = make(
            frame, folder, validation_split=0.5, subset="both", balance="oversample"
        )
        assert np.bincount(labels(training)).tolist() == [3, 3, 3]
        assert validation.frame_rows.tolist() == labels_order(validation)


def labels_order(dataset):
    """The rows of the frame in the order in which they come."""
    dataset[0]  # from here on it knows the order that the batch was taken from
    return dataset.frame_rows[dataset.index_array].tolist()


class TestNamesOfColumns:
    @pytest.mark.slow
    @pytest.mark.parametrize("levels", [1, 2])
    def test_int_and_tuple(self, frame, folder, levels):
        names = list(frame.columns)
        frame["mask"] = frame["filename"]
        renamed = frame.rename(columns={name: number for number, name in enumerate(frame.columns)})

        def name(column):
            number = frame.columns.get_loc(column)
            return number if levels == 1 else ("xy"[number % 2], number)

        renamed.columns = pd.Index([name(column) for column in frame.columns])
        for options in (
            {"y_col": "class", "weight_col": "age"},
            {"y_col": "digit", "label_mode": "categorical", "class_names": [10, 2]},
            {"y_col": "tags", "label_mode": "multi_label"},
            {"y_col": ["age", "height"], "label_mode": "raw"},
            {"y_col": ("age", "digit"), "label_mode": "multi_output"},
            {"y_col": "class", "groups": "patient", "validation_split": 0.3, "seed": 1},
            {"mask_col": "mask", "mask_dtype": "float32"},
            {"mask_col": ["mask", "filename"], "y_col": "class", "mask_dtype": "float32"},
        ):
            of_names = {
                key: name(v) if v in [*names, "mask"] else type(v)(map(name, v))
                for key, v in options.items()
                if key.endswith("_col") or key == "groups"
            }
            subset = {"subset": "both"} if "groups" in options else {}
            one = make(frame, folder, **options, **subset)
            other = make(
                renamed, folder, x_col=name("filename"), **{**options, **of_names}, **subset
            )
            for a, b in zip(*([d] if not subset else d for d in (one, other)), strict=True):
                assert a.filenames == b.filenames
                flat = [tf.nest.flatten(list(d)) for d in (a, b)]
                for tensor, same in zip(*flat, strict=True):
                    np.testing.assert_array_equal(tensor, same)

    def test_folds_of_a_numbered_column(self, frame, folder):
        frame = frame.rename(columns={"patient": 3})
        pairs = list(tfpipe.folds(frame, 2, groups=3, directory=folder, verbose=False))
        assert [len(set(t.groups) & set(v.groups)) for t, v in pairs] == [0, 0]


class TestErrors:
    def test_a_split_that_leaves_none(self, frame, folder):
        options = {"validation_split": 0.05, "seed": 1}
        for subset in ("validation", "both"):
            with pytest.raises(
                ValueError,
                match=r"0\.05 of 12 image\(s\) leaves none for validation\. Pass a larger",
            ):
                make(frame, folder, subset=subset, **options)
        assert make(frame, folder, subset="training", **options).samples == 12

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"label_mode": "sparse"}, ValueError, '`label_mode` argument must be one of "int"'),
            ({"x_col": "file"}, KeyError, "x_col='file' is not a column.*mean 'filename'"),
            ({"x_col": "age"}, TypeError, "All values in column x_col='age' must be strings"),
            ({"y_col": "clas"}, KeyError, "y_col='clas' is not a column.*mean 'class'"),
            ({"y_col": "age"}, TypeError, "one class per row, strings or whole numbers.*'raw'"),
            ({"y_col": "tags"}, ValueError, "3 row\\(s\\) have none, the first is row 3"),
            ({"y_col": ["class"]}, TypeError, "needs one column in y_col"),
            ({"y_col": ["class", "age"], "label_mode": "categorical"}, TypeError, '"multi_output"'),
            ({"x_col": ["filename"]}, TypeError, "x_col="),
            ({"weight_col": ["age"]}, TypeError, "weight_col="),
            ({"groups": ["patient", "age"]}, TypeError, "groups must be the name of one column"),
            ({"groups": "twice"}, ValueError, "groups='twice' .*more than once: 'twice'"),
            ({"y_col": "twice", "label_mode": "raw"}, ValueError, "y_col='twice' must be"),
            ({"y_col": "age", "label_mode": "multi_label"}, TypeError, "lists of labels, or strings"),
            ({"label_mode": "multi_output"}, TypeError, "a list of columns in y_col"),
            ({"label_mode": "binary"}, ValueError, "there must be exactly 2 class_names"),
            ({"weight_col": "class"}, TypeError, "weight_col='class' must be numeric"),
            ({"weight_col": "age", "label_mode": None}, ValueError, "needs labels"),
            ({"groups": "patent"}, KeyError, "groups='patent' is not a column.*mean 'patient'"),
            ({"class_names": ["a"], "label_mode": None}, ValueError, "labels that are classes"),
            ({"separator": "", "label_mode": "multi_label"}, ValueError, "separator must be a str"),
            ({"stratify": True, "label_mode": "raw"}, ValueError, "stratify=True needs a split"),
            (
                {
                    "stratify": True, "label_mode": "raw", "y_col": "age",
                    "validation_split": 0.5, "subset": "both",
                },
                ValueError,
                "one class per sample",
            ),
            ({"balance": "oversample", "y_col": "age", "label_mode": "raw"}, ValueError, "balance"),
            ({"cache": 3}, (TypeError, ValueError), "cache"),
        ],
        ids=str,
    )  # fmt: skip
    def test_rejects(self, frame, folder, options, error, message):
        frame = pd.concat([frame, pd.DataFrame([[0, 1]] * 12, columns=["twice"] * 2)], axis=1)
        with pytest.raises(error, match=message):
            make(frame, folder, **options)

    def test_no_images(self, frame, tmp_path):
        with (
            pytest.warns(UserWarning, match="invalid"),
            pytest.raises(ValueError, match="^No images found in x_col='filename'"),
        ):
            make(frame, tmp_path)
