"""image_dataset_from_dataframe: further inputs, and outputs by name, beside the image."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.dataset import resume

N = 12


@pytest.fixture(scope="module")
def table(tmp_path_factory, write, picture):
    """A table of images, with columns of every type that a model can be given."""
    place = tmp_path_factory.mktemp("table")
    for number in range(N):
        write(place / f"{number:02}.png", picture(7, 11, seed=number))
    return place, pd.DataFrame(
        {
            "path": [f"{number:02}.png" for number in range(N)],
            "age": np.linspace(20, 75, N),
            "visits": np.arange(N) % 5,
            "smokes": [number % 3 == 0 for number in range(N)],
            "note": [f"note {number} ä" for number in range(N)],
            "sex": pd.Categorical(["f", "m"] * (N // 2), categories=["m", "f"]),
            "species": ["cat", "dog", "cat", "emu"] * (N // 4),
            "tags": ["a,b", "b", "", "a"] * (N // 4),
            "weight": np.linspace(0.5, 2, N),
        }
    )


def read(table, **options):
    place, frame = table
    frame = options.pop("frame", frame)
    options = {"x_col": "path", "image_size": (6, 8), "batch_size": 4, "verbose": False} | options
    return tfpipe.image_dataset_from_dataframe(frame, place, **options)


FEATURES = ["age", "visits", "smokes", "note", "sex"]


class TestFeatures:
    def test_x_is_a_dict_of_the_image_and_the_columns(self, table):
        dataset = read(table, y_col="species", feature_cols=FEATURES, shuffle=False)
        images = read(table, y_col="species", shuffle=False)
        frame = table[1]
        rows = 0
        for (x, y), (image, label) in zip(dataset, images, strict=True):
            part = frame.iloc[rows : rows + 4]
            assert list(x) == ["image", *FEATURES]
            np.testing.assert_array_equal(x["image"], image)
            np.testing.assert_array_equal(y, label)
            np.testing.assert_array_equal(x["age"], part["age"].astype(np.float32))
            np.testing.assert_array_equal(x["visits"], part["visits"])
            np.testing.assert_array_equal(x["smokes"], part["smokes"])
            assert [text.decode() for text in x["note"].numpy()] == part["note"].tolist()
            np.testing.assert_array_equal(x["sex"], part["sex"].map({"m": 0, "f": 1}).astype(int))
            rows += 4
        assert dataset.vocabularies == {"sex": ["m", "f"]}
        assert dataset.class_names == ["cat", "dog", "emu"]
        dtypes = {name: spec.dtype for name, spec in dataset.element_spec[0].items()}
        assert [dtypes[name] for name in ("age", "note", "sex")] == [
            tf.float32,
            tf.string,
            tf.int32,
        ]

    def test_columns_by_other_names_and_arrays(self, table):
        frame = table[1].assign(vector=[np.array([n, 2.5]) for n in range(N)])
        dataset = read(
            table,
            frame=frame,
            label_mode=None,
            shuffle=False,
            feature_cols={"years": "age", "v": "vector"},
        )
        x = dataset[0]
        assert list(x) == ["image", "years", "v"]
        np.testing.assert_array_equal(x["v"], [[n, 2.5] for n in range(4)])

    @pytest.mark.slow
    def test_the_order_and_the_draws_are_those_without_features(self, table):
        how = {"y_col": "species", "seed": 3, "augment": tfpipe.Augment(rotation_range=20)}
        plain, with_features = read(table, **how), read(table, feature_cols=FEATURES, **how)
        for (image, y), (x, same_y) in zip(plain, with_features, strict=True):
            np.testing.assert_array_equal(image, x["image"])
            np.testing.assert_array_equal(y, same_y)

    def test_a_label_that_is_a_feature_too_stays_as_it_is(self, table):
        x, y = read(table, y_col="visits", feature_cols=["visits"], shuffle=False)[0]
        assert x["visits"].tolist() == y.tolist() == [0, 1, 2, 3]
        x, _ = read(table, y_col="sex", feature_cols=["sex"], shuffle=False)[0]
        assert x["sex"].tolist() == [1, 0, 1, 0]

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ([2.0**24 + 1, *range(N - 1)], "float32 does not hold"),
            ([1e300, *range(N - 1)], "float32 does not hold"),
            ([np.inf, *range(N - 1)], "finite numbers"),
            (pd.Categorical([1, "1"] * (N // 2)), "different names"),
        ],
    )
    def test_numbers_that_would_change(self, table, values, words):
        with pytest.raises(ValueError, match=words):
            read(table, frame=table[1].assign(n=values), feature_cols=["n"], y_col="species")

    def test_missing_among_python_objects(self, table):
        some = [1.0, None, *range(N - 2)]
        frame = table[1].assign(n=pd.Series(some, dtype=object))
        x = read(
            table, frame=frame, feature_cols=["n"], missing=-1, label_mode=None, shuffle=False
        )[0]
        assert x["n"].tolist() == [1, -1, 0, 1]

    def test_a_missing_category_of_numbers(self, table):
        numbers = pd.Categorical([1, 2, None, 1] * (N // 4))
        frame = table[1].assign(n=numbers)
        how = {"feature_cols": ["n"], "missing": "1", "label_mode": None, "shuffle": False}
        dataset = read(table, frame=frame, **how)
        assert dataset[0]["n"].tolist() == [0, 1, 0, 0]
        assert dataset.vocabularies == {"n": ["1", "2"]}

    def test_dropped_rows_take_their_features_along(self, table):
        frame = table[1].copy()
        frame.loc[3, "path"] = "nope.png"
        with pytest.warns(UserWarning, match="nope.png"):
            dataset = read(
                table, frame=frame, label_mode=None, feature_cols=["visits"], shuffle=False
            )
        np.testing.assert_array_equal(
            np.concatenate([x["visits"] for x in dataset]), frame["visits"].drop(3)
        )

    @pytest.mark.slow
    def test_missing_values(self, table):
        frame = table[1].astype({"visits": "Int64"})
        frame.loc[1, "age"], frame.loc[2, "visits"] = np.nan, pd.NA
        with pytest.raises(
            ValueError, match=r"Column 'age' of feature_cols.*index 1.*missing=VALUE"
        ):
            read(table, frame=frame, feature_cols=["age"], y_col="species")
        dataset = read(
            table,
            frame=frame,
            feature_cols=["age", "visits"],
            missing=-1,
            label_mode=None,
            shuffle=False,
        )
        assert (dataset[0]["age"][1], dataset[0]["visits"][2]) == (-1, -1)
        frame.loc[1, "note"], frame.loc[1, "sex"] = None, None
        dataset = read(
            table,
            frame=frame,
            feature_cols=["note", "sex"],
            missing="?",
            label_mode=None,
            shuffle=False,
        )
        assert dataset[0]["note"][1] == "?"
        assert dataset.vocabularies == {"sex": ["m", "f", "?"]}
        with pytest.raises(
            TypeError, match="missing='\\?' cannot stand for .* 'age', which holds numbers"
        ):
            read(table, frame=frame, feature_cols=["age"], missing="?", label_mode=None)

    @pytest.mark.parametrize(
        ("feature_cols", "error", "words"),
        [
            ("age", TypeError, "must be a list of columns, or a dict"),
            ([], TypeError, "must be a list of columns"),
            (["agee"], KeyError, "Did you mean 'age'"),
            (["age", "age"], ValueError, "Received twice: 'age'"),
            ({"image": "age"}, ValueError, "name 'image', which an image has"),
            ({1: "age"}, TypeError, "names that are str"),
            (
                ["mixed"],
                TypeError,
                "Column 'mixed' of feature_cols must hold numbers, text or categories",
            ),
            (["when"], TypeError, "Column 'when' of feature_cols"),
        ],
    )
    def test_errors_at_construction(self, table, feature_cols, error, words):
        frame = table[1].assign(
            mixed=[1, "two"] * (N // 2), when=pd.date_range("2020-01-01", periods=N)
        )
        with pytest.raises(error, match=words):
            read(table, frame=frame, feature_cols=feature_cols, y_col="species")

    @pytest.mark.slow
    def test_a_functional_model_trains_as_it_is(self, table):
        dataset = read(
            table,
            y_col="species",
            label_mode="int",
            feature_cols={"years": "age", "gender": "sex"},
            seed=1,
        )
        image = keras.Input((6, 8, 3), name="image")
        years, gender = keras.Input((), name="years"), keras.Input((), name="gender", dtype="int32")
        parts = [
            keras.layers.GlobalAveragePooling2D()(image),
            keras.layers.Reshape((1,))(years),
            keras.layers.Flatten()(keras.layers.Embedding(2, 3)(gender)),
        ]
        outputs = keras.layers.Dense(3, "softmax")(keras.layers.Concatenate()(parts))
        model = keras.Model({"image": image, "years": years, "gender": gender}, outputs)
        model.compile("adam", "sparse_categorical_crossentropy")
        history = model.fit(dataset, epochs=2, shuffle=False, verbose=0)
        assert np.isfinite(history.history["loss"]).all()
        assert model.predict(dataset, verbose=0).shape == (N, 3)


OUTPUTS = {"kind": "species", "years": "age"}


class TestOutputs:
    def test_y_is_a_dict(self, table):
        dataset = read(table, y_col=OUTPUTS, shuffle=False)
        x, y = dataset[0]
        assert x.shape == (4, 6, 8, 3)
        assert {name: values.tolist() for name, values in y.items()} == {
            "kind": [0, 1, 0, 2],
            "years": table[1]["age"][:4].tolist(),
        }
        assert dataset.class_names == {"kind": ["cat", "dog", "emu"]}
        assert dataset.num_classes == {"kind": 3}
        assert dataset.class_indices == {"kind": {"cat": 0, "dog": 1, "emu": 2}}
        assert "12 images, 'kind' of 3 classes from files" in repr(dataset)
        assert y["kind"].dtype == np.int32

    def test_counts_of_the_classes_of_one_output(self, table):
        with pytest.raises(ValueError, match="class_output='kind'"):
            read(table, y_col=OUTPUTS).class_distribution()
        counts = read(table, y_col=OUTPUTS, class_output="kind").class_distribution()
        assert counts["samples"].to_dict() == {"cat": 6, "dog": 3, "emu": 3}

    def test_label_modes_by_name(self, table):
        columns = {"one": "species", "sex": "sex", "tags": "tags", "n": "visits", "r": "visits"}
        modes = {
            "one": "categorical",
            "sex": "binary",
            "tags": "multi_label",
            "n": "int",
            "r": "raw",
        }
        dataset = read(table, y_col=columns, label_mode=modes, shuffle=False)
        _, y = dataset[0]
        assert y["one"].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
        assert y["sex"].tolist() == [[1], [0], [1], [0]]
        assert y["tags"].tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]]
        assert (y["n"].tolist(), y["r"].tolist()) == ([0, 1, 2, 3], [0, 1, 2, 3])
        assert dataset.class_names["n"] == ["0", "1", "2", "3", "4"]

    def test_one_label_mode_for_all(self, table):
        _, y = read(table, y_col={"a": "species", "b": "sex"}, label_mode="categorical")[0]
        assert (y["a"].shape, y["b"].shape) == ((4, 3), (4, 2))

    def test_classes_of_a_csv_file_stay_text(self, table, tmp_path):
        place, frame = table
        path = tmp_path / "labels.csv"
        frame.assign(code=["01", "1", "02"] * (N // 3)).to_csv(path, index=False)
        options = {"x_col": "path", "verbose": False, "shuffle": False}
        dataset = tfpipe.image_dataset_from_dataframe(
            path,
            place,
            y_col={"code": "code", "years": "age"},
            label_mode={"code": "int"},
            **options,
        )
        assert dataset.class_names == {"code": ["01", "02", "1"]}

    def test_weights_by_name(self, table):
        _, _, weights = read(table, y_col=OUTPUTS, weight_col={"kind": "weight"}, shuffle=False)[0]
        np.testing.assert_allclose(weights["kind"], table[1]["weight"][:4])
        np.testing.assert_array_equal(weights["years"], np.ones(4))

    def test_one_weight_for_all(self, table):
        _, _, weights = read(table, y_col=OUTPUTS, weight_col="weight", shuffle=False)[0]
        np.testing.assert_allclose(weights, table[1]["weight"][:4])

    @pytest.mark.slow
    def test_class_output(self, table):
        how = {
            "y_col": {"kind": "species", "sex": "sex", "years": "age"},
            "class_output": "kind",
            "seed": 1,
        }
        balanced = read(table, **how, balance="oversample")
        kinds = np.concatenate([y["kind"] for _, y in balanced])
        assert np.bincount(kinds).tolist() == [6, 6, 6]
        train, test = read(table, **how, stratify=True, validation_split=1 / 3, subset="both")
        for part, counts in ((train, [4, 2, 2]), (test, [2, 1, 1])):
            assert np.bincount(np.concatenate([y["kind"] for _, y in part])).tolist() == counts
        weighted = read(table, **how, class_weights="balanced", shuffle=False)
        _, y, weights = weighted[0]
        by_class = {0: 12 / 3 / 6, 1: 12 / 3 / 3, 2: 12 / 3 / 3}
        np.testing.assert_allclose(weights["kind"], [by_class[k] for k in y["kind"]], rtol=1e-6)
        assert set(weights["sex"]) == {1.0}
        assert weighted.class_weight == pytest.approx(by_class)

    @pytest.mark.slow
    def test_masks_are_among_them(self, table, write):
        place, frame = table
        masks = []
        for number in range(N):
            mask = np.full([7, 9, 1], number, np.uint8)
            path = place / f"mask{number}.png"
            tf.io.write_file(str(path), tf.io.encode_png(mask))
            image = np.full([7, 9, 3], number, np.uint8)
            tf.io.write_file(str(place / f"of{number}.png"), tf.io.encode_png(image))
            masks.append(path.name)
        frame = frame.assign(path=[f"of{n}.png" for n in range(N)], lesion=masks)
        _, y = read(table, frame=frame, y_col=OUTPUTS, mask_col="lesion", shuffle=False)[1]
        assert list(y) == ["segmentation_masks", "kind", "years"]
        assert y["segmentation_masks"][:, 0, 0, 0].tolist() == [4, 5, 6, 7]
        how = {"frame": frame, "y_col": OUTPUTS, "mask_col": ["lesion"], "shuffle": False}
        _, y, weights = read(table, **how, weight_col={"kind": "weight"})[1]
        assert list(y) == list(weights) == ["lesion", "kind", "years"]
        assert set(weights["lesion"]) == {1.0}
        _, y, weights = read(table, **how, class_weights="balanced", class_output="kind")[1]
        assert set(weights) == set(y)

    @pytest.mark.slow
    def test_a_model_of_several_outputs_trains(self, table):
        dataset = read(table, y_col=OUTPUTS, weight_col={"kind": "weight"}, seed=1)
        image = keras.Input((6, 8, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(image)
        model = keras.Model(
            image,
            {
                "kind": keras.layers.Dense(3, "softmax", name="kind")(pooled),
                "years": keras.layers.Dense(1, name="years")(pooled),
            },
        )
        model.compile("adam", {"kind": "sparse_categorical_crossentropy", "years": "mse"})
        assert np.isfinite(
            model.fit(dataset, epochs=2, shuffle=False, verbose=0).history["loss"]
        ).all()

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"y_col": {}}, ValueError, "y_col must have an output"),
            ({"y_col": OUTPUTS, "label_mode": None}, ValueError, "label_mode=None means no y"),
            ({"y_col": OUTPUTS, "class_names": ["cat"]}, ValueError, "class_names are the classes of one"),
            ({"y_col": OUTPUTS, "separator": ""}, ValueError, "separator must be a str"),
            ({"y_col": ["sex"], "label_mode": "multi_output", "feature_cols": {"sex": "sex"}}, ValueError,
             "which an output has"),
            ({"y_col": {"a": "nope"}}, KeyError, "nope"),
            ({"y_col": {1: "age"}}, TypeError, "names of outputs must be str"),
            ({"y_col": OUTPUTS, "label_mode": {"kin": "int"}}, ValueError, "Did you mean 'kind'"),
            ({"y_col": OUTPUTS, "label_mode": {"kind": "ints"}}, ValueError, "label_mode of output 'kind'"),
            ({"y_col": OUTPUTS, "label_mode": {"kind": "binary"}}, ValueError, "must have two classes"),
            ({"y_col": OUTPUTS, "label_mode": {"kind": "raw"}}, TypeError, "must hold numbers"),
            ({"y_col": OUTPUTS, "label_mode": "int"}, TypeError, "one class per row"),
            ({"y_col": OUTPUTS, "weight_col": {"kin": "age"}}, ValueError, "Did you mean 'kind'"),
            ({"y_col": OUTPUTS, "weight_col": {"kind": "note"}}, TypeError, "must be numeric"),
            ({"y_col": OUTPUTS, "class_output": "years"}, ValueError, "class_output"),
            ({"y_col": "species", "weight_col": {"species": "weight"}}, ValueError, "needs outputs by name"),
            ({"y_col": OUTPUTS, "feature_cols": {"kind": "sex"}}, ValueError, "which an output has"),
            ({"y_col": {"path": "age"}, "mask_col": ["path"]}, ValueError, "'path', which a mask has"),
            ({"y_col": "species", "class_output": "kind"}, ValueError, "needs outputs by name"),
            ({"y_col": OUTPUTS, "stratify": True, "validation_split": 0.5, "subset": "both"}, ValueError,
             "one class per sample"),
        ],
    )  # fmt: skip
    def test_errors_at_construction(self, table, options, error, words):
        with pytest.raises(error, match=words):
            read(table, **{"seed": 1} | options)

    def test_nan_is_an_error(self, table):
        frame = table[1].copy()
        frame.loc[2, "age"] = np.nan
        with pytest.raises(ValueError, match="Column 'age' must have a value in every row"):
            read(table, frame=frame, y_col=OUTPUTS)


@pytest.fixture(scope="module")
def pairs(table):
    """The table with a second column of images: those of the first, from the last one on."""
    place, frame = table
    return place, frame.assign(right=frame["path"].tolist()[::-1])


class TestSeveralImages:
    @pytest.mark.slow
    def test_a_list_is_a_tuple_and_a_dict_a_dict(self, pairs):
        left = read(pairs, label_mode=None, shuffle=False)[0]
        right = read(pairs, x_col="right", label_mode=None, shuffle=False)[0]
        x, y = read(pairs, x_col=["path", "right"], y_col="species", shuffle=False)[0]
        assert isinstance(x, (tuple, list))
        named, _ = read(
            pairs, x_col={"one": "path", "two": "right"}, y_col="species", shuffle=False
        )[0]
        assert list(named) == ["one", "two"]
        other, _ = read(
            pairs, x_col={"1st": "path", "two": "right"}, y_col="species", shuffle=False
        )[0]
        assert list(other) == ["1st", "two"]
        alone = read(pairs, x_col={"image": "path"}, label_mode=None, shuffle=False)[0]
        np.testing.assert_array_equal(alone["image"], left)
        for ours, theirs in zip((*x, *named.values()), (left, right) * 2, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert y.tolist() == [0, 1, 0, 2]

    @pytest.mark.slow
    @pytest.mark.parametrize("mode", ["compiled", "kernels"])
    def test_shared_augmentation(self, pairs, mode):
        _, frame = pairs
        frame = frame.assign(same=frame["path"])
        how = {
            "x_col": {"a": "path", "b": "same"}, "label_mode": None, "seed": 4, "frame": frame,
            "augment": tfpipe.Augment(rotation_range=40, zoom_range=0.3, brightness_range=(0.5, 1.5)),
            "kernels": "tensorflow" if mode == "compiled" else "auto",
        }  # fmt: skip
        shared, own = read(pairs, **how), read(pairs, **how, shared_augment=False)
        alone = read(pairs, **{**how, "x_col": "path"})
        for together, apart, single in zip(shared, own, alone, strict=True):
            np.testing.assert_array_equal(together["a"], together["b"])
            np.testing.assert_array_equal(together["a"], single)
            np.testing.assert_array_equal(apart["a"], single)
            assert np.abs(apart["a"] - apart["b"]).max(axis=(1, 2, 3)).min() > 1

    @pytest.mark.slow
    def test_draws_of_one_do_not_depend_on_another(self, pairs):
        frame = pairs[1].assign(third=pairs[1]["right"])
        how = {"label_mode": None, "seed": 4, "shared_augment": False, "frame": frame,
               "augment": tfpipe.Augment(rotation_range=40)}  # fmt: skip
        two = read(pairs, x_col={"a": "path", "b": "right"}, **how)
        three = read(
            pairs, x_col={"a": "path", "c": "third", "b": "right"}, **how, num_parallel_calls=1
        )
        for of_two, of_three in zip(two, three, strict=True):
            np.testing.assert_array_equal(of_two["a"], of_three["a"])
            np.testing.assert_array_equal(of_two["b"], of_three["b"])

    @pytest.mark.slow
    def test_with_features_and_outputs(self, pairs):
        how = {
            "x_col": ["path", "right"],
            "feature_cols": ["age"],
            "y_col": OUTPUTS,
            "shuffle": False,
        }
        x, y = read(pairs, **how)[0]
        assert list(x) == ["path", "right", "age"]
        assert list(y) == ["kind", "years"]

    @pytest.mark.slow
    def test_the_users_function_sees_all(self, pairs):
        standardize = tfpipe.Standardize(
            rescale=0.5, preprocessing_function=lambda image: image * 0 + 4
        )
        x = read(pairs, x_col=["path", "right"], label_mode=None, standardize=standardize)[0]
        assert all((image == 2).all() for image in x)

    @pytest.mark.slow
    def test_a_bad_file_is_named_whichever_column_it_is_in(self, pairs):
        place, frame = pairs
        (place / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
        frame = frame.copy()
        frame.loc[5, "right"] = "broken.png"
        how = {"frame": frame, "x_col": ["path", "right"], "y_col": "age", "label_mode": "raw"}
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"broken\.png"):
            list(read(pairs, **how))
        dataset = read(pairs, **how, on_error="skip")
        with pytest.warns(UserWarning, match=r"broken\.png"):
            ages = np.concatenate([y for _, y in dataset])
        assert sorted(ages) == frame["age"].drop(5).tolist()

    @pytest.mark.slow
    def test_a_missing_file_takes_its_row_along(self, pairs):
        frame = pairs[1].copy()
        frame.loc[5, "right"] = "nope.png"
        with pytest.warns(UserWarning, match='x_col="right"'):
            dataset = read(
                pairs,
                frame=frame,
                x_col=["path", "right"],
                y_col="age",
                label_mode="raw",
                shuffle=False,
            )
        assert np.concatenate([y for _, y in dataset]).tolist() == frame["age"].drop(5).tolist()
        assert dataset.samples == N - 1

    @pytest.mark.slow
    @pytest.mark.parametrize("cache", ["memory", "directory"])
    def test_cached(self, pairs, tmp_path, cache):
        how = {"x_col": ["path", "right"], "label_mode": None, "shuffle": False}
        plain = list(read(pairs, **how))
        cached = read(pairs, **how, cache=str(tmp_path) if cache == "directory" else cache)
        for _ in range(2):
            for ours, theirs in zip(cached, plain, strict=True):
                for one, other in zip(ours, theirs, strict=True):
                    np.testing.assert_array_equal(one, other)

    def test_shown_side_by_side(self, pairs):
        pytest.importorskip("matplotlib")
        dataset = read(pairs, x_col=["path", "right"], y_col="species", shuffle=False)
        one, two = (axis.images[0].get_array() for axis in dataset.show(2).axes)
        assert one.shape == (6, 16, 3)
        left, right = (np.round(images[0]) for images in dataset[0][0])
        np.testing.assert_array_equal(one, np.concatenate([left, right], 1))
        assert (one != two).any()

    def test_shards_say_that_they_hold_one_image(self, pairs, tmp_path):
        with pytest.raises(ValueError, match="several images cannot be packed"):
            tfpipe.pack(read(pairs, x_col=["path", "right"], label_mode=None), tmp_path)

    @pytest.mark.slow
    def test_a_siamese_model_trains(self, pairs):
        dataset = read(
            pairs, x_col={"a": "path", "b": "right"}, y_col="visits", label_mode="raw", seed=1
        )
        a, b = keras.Input((6, 8, 3), name="a"), keras.Input((6, 8, 3), name="b")
        encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
        distance = keras.layers.Dot(1)([encoder(a), encoder(b)])
        model = keras.Model({"a": a, "b": b}, distance)
        model.compile("adam", "mse")
        assert np.isfinite(
            model.fit(dataset, epochs=1, shuffle=False, verbose=0).history["loss"]
        ).all()

    @pytest.mark.parametrize(
        ("x_col", "error", "words"),
        [
            ([], ValueError, "x_col must name a column"),
            (["path", "nope"], KeyError, "nope"),
            (["path", "age"], TypeError, "x_col='age'"),
            ({1: "path"}, TypeError, "names that are str"),
        ],
    )
    def test_errors_at_construction(self, pairs, x_col, error, words):
        with pytest.raises(error, match=words):
            read(pairs, x_col=x_col, label_mode=None)


EVERYTHING = {"feature_cols": FEATURES, "y_col": OUTPUTS, "seed": 5, "interpolation": "nearest"}


def values_of(dataset):
    """All fields of all samples, by the number in the note."""
    found = {}
    for x, y, *_ in dataset.take(-1):
        flat = {**x, **{f"y_{name}": column for name, column in y.items()}}
        for place, note in enumerate(
            flat["note"].numpy() if tf.is_tensor(flat["note"]) else flat["note"]
        ):
            found[note] = [np.asarray(column[place]).tolist() for column in flat.values()]
    return found


class TestPromises:
    """What is promised of every data set holds for these."""

    def test_a_batch_by_number_is_the_batch_of_the_loop(self, table):
        dataset = read(table, **EVERYTHING)
        epoch = list(dataset.take(-1))
        assert len(dataset) == len(epoch) == 3
        again = read(table, **EVERYTHING)
        for number, (x, y) in enumerate(epoch):
            of_number = again[number]
            for name in x:
                of_loop = x[name].numpy()
                if name == "note":
                    of_loop = [text.decode() for text in of_loop]
                np.testing.assert_array_equal(of_loop, of_number[0][name])
            for name in y:
                np.testing.assert_array_equal(y[name], of_number[1][name])

    @pytest.mark.slow
    def test_packed(self, table, tmp_path):
        dataset = read(table, **EVERYTHING, weight_col={"kind": "weight"})
        tfpipe.pack(dataset, tmp_path / "packed", verbose=False)
        packed = tfpipe.image_dataset_from_shards(tmp_path / "packed", batch_size=4, verbose=False)
        assert values_of(packed) == values_of(dataset)
        assert packed.class_names == dataset.class_names
        assert packed.vocabularies == dataset.vocabularies
        assert next(iter(packed))[2].keys() == {"kind", "years"}

    def test_a_bad_file_takes_its_row_along(self, table):
        place, frame = table
        (place / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
        frame = frame.copy()
        frame.loc[2, "path"] = "bad.png"
        dataset = read(table, frame=frame, **EVERYTHING, on_error="skip")
        with pytest.warns(UserWarning, match="Left out"):
            found = values_of(dataset)
        assert len(found) == N - 1
        assert "note 2 ä".encode() not in found
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"bad\.png"):
            list(read(table, frame=frame, **EVERYTHING))

    @pytest.mark.slow
    @pytest.mark.parametrize("cache", ["memory", "directory"])
    def test_cached(self, table, tmp_path, cache):
        plain = values_of(read(table, **EVERYTHING))
        cached = read(table, **EVERYTHING, cache=str(tmp_path) if cache == "directory" else cache)
        assert values_of(cached) == plain
        assert values_of(cached) == plain

    def test_paths(self, table):
        x, _, paths = read(table, **EVERYTHING, include_paths=True)[0]
        notes = [int(note.split()[1]) for note in x["note"]]
        assert [int(path[-6:-4]) for path in paths] == notes

    @pytest.mark.slow
    def test_folds(self, table):
        place, frame = table
        how = {
            **EVERYTHING,
            "x_col": "path",
            "image_size": (6, 8),
            "directory": place,
            "verbose": False,
        }
        seen = []
        for train, test in tfpipe.folds(frame, 3, stratify=True, class_output="kind", **how):
            assert len(values_of(train)) + len(values_of(test)) == N
            seen += list(values_of(test))
        assert sorted(seen) == sorted(values_of(read(table, **EVERYTHING)))

    def test_shown(self, table):
        pytest.importorskip("matplotlib")
        titles = [axis.get_title() for axis in read(table, **EVERYTHING).show(4).axes]
        assert all("kind: " in title and "years: " in title for title in titles)

    @pytest.mark.slow
    def test_resumed(self, table, tmp_path):
        def model():
            keras.utils.set_random_seed(0)
            image, years = keras.Input((6, 8, 3), name="image"), keras.Input((), name="years")
            parts = [
                keras.layers.GlobalAveragePooling2D()(image),
                keras.layers.Reshape((1,))(years),
            ]
            outputs = keras.layers.Dense(1)(keras.layers.Concatenate()(parts))
            made = keras.Model({"image": image, "years": years}, outputs)
            made.compile("sgd", "mse")
            return made

        def data():
            how = {
                "feature_cols": {"years": "age"},
                "y_col": "visits",
                "label_mode": "raw",
                "seed": 2,
            }
            return read(table, **how)

        whole = model()
        whole.fit(data(), epochs=2, shuffle=False, verbose=0)
        first = model()
        dataset = data()
        first.fit(
            dataset,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[resume.ResumableFit(dataset, tmp_path)],
        )
        second, dataset = model(), data()
        second.fit(
            dataset,
            epochs=2,
            shuffle=False,
            verbose=0,
            callbacks=[resume.ResumableFit(dataset, tmp_path)],
        )
        for ours, theirs in zip(second.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
