"""`on_error="skip"`: files that cannot be used are left out, and nothing else is."""

import os
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tfpipe import (
    ImageDataGenerator,
    ImageDataset,
    ResumableFit,
    check,
    image_dataset_from_dataframe,
    image_dataset_from_directory,
)
from tfpipe.pipeline.bad_files import ErrorPolicy, SkipList
from tfpipe.pipeline.plan import order_of

N, BAD = 60, (0, 7, 8, 31, 59)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write):
    """60 PNGs whose grey value is their number; five of them are damaged."""
    top = tmp_path_factory.mktemp("skipping")
    for i in range(N):
        write(top / "a" / f"{i:02}.png", np.full([3, 4, 1], i, np.uint8))
    for i in BAD:
        path = top / "a" / f"{i:02}.png"
        path.write_bytes(path.read_bytes()[:20])
    return top


@pytest.mark.parametrize(
    ("max_errors", "count"),
    [
        (np.float32(0.5), 4),
        (Fraction(1, 2), 4),
        (0.5, 4),
        (0, 0),
        (0.0, 0),
        (np.int64(3), 3),
        (3.0, 3),
    ],
)
def test_limits_of_any_kind_of_number(max_errors, count):
    policy = ErrorPolicy("skip", max_errors)
    assert policy.limit(9) == count
    assert type(policy.max_errors) in (int, float)


def flow(folder, max_errors=None, action="skip", **changes):
    """Batches of the folder's files with an error policy."""
    options = {"target_size": (3, 4), "color_mode": "grayscale", "batch_size": 8, "seed": 4}
    dataset = ImageDataGenerator().flow_from_directory(folder, class_mode=None, **options)
    spec = replace(dataset.spec, errors=ErrorPolicy(action, max_errors), **changes)
    return ImageDataset(dataset.source, spec)


def numbers(batches):
    return [np.asarray(batch)[:, 0, 0, 0].astype(int).tolist() for batch in batches]


@pytest.fixture
def skipping(folder):
    return flow(folder)


class TestSkip:
    @pytest.mark.slow
    @pytest.mark.parametrize("shuffle", [True, False])
    @pytest.mark.parametrize("num_parallel_calls", [1, 8])
    def test_all_else_is_delivered_in_order(self, folder, shuffle, num_parallel_calls):
        dataset = flow(folder, shuffle=shuffle, num_parallel_calls=num_parallel_calls)
        for epoch in range(2):
            if epoch:
                found = numbers(dataset)  # each file is warned of once
            else:
                with pytest.warns(UserWarning, match=r"Left out 5 file\(s\).*00\.png.*2 more"):
                    found = numbers(dataset)
            order = [i for i in order_of(dataset._plan, epoch).tolist() if i not in BAD]
            assert found == [order[i : i + 8] for i in range(0, len(order), 8)]
        assert [path for path, _ in dataset.skipped] == [dataset.filepaths[i] for i in BAD]
        assert all("its PNG data are" in reason for _, reason in dataset.skipped)

    @pytest.mark.filterwarnings("ignore:Left out")
    def test_a_reason_is_found_once(self, skipping):
        numbers(skipping)
        first = skipping.skipped
        asked = []
        policy = skipping._plan.skipping
        object.__setattr__(policy, "describe", lambda index: asked.append(int(index)))
        assert skipping.skipped == first
        assert len(first) == len(BAD)
        assert asked == []

    def test_nothing_is_skipped_before_anything_is_read(self, skipping):
        assert skipping.skipped == []
        assert len(skipping) == 8

    @pytest.mark.filterwarnings("ignore:Left out")
    def test_drop_remainder_fills_its_batches(self, folder):
        dataset = flow(folder, drop_remainder=True, shuffle=False)
        assert [len(batch) for batch in numbers(dataset)] == [8] * 6
        assert dataset.element_spec.shape == (8, 3, 4, 1)

    def test_raise_is_the_default_and_names_the_first(self, folder):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"a/00\.png': its PNG data"):
            list(flow(folder, action="raise", shuffle=False))

    @pytest.mark.parametrize("action", ["skip", "raise"])
    def test_a_file_that_is_gone(self, folder, tmp_path, action):
        shutil.copytree(folder, tmp_path / "copy")
        dataset = flow(tmp_path / "copy", action=action, shuffle=False)
        (tmp_path / "copy" / "a" / "00.png").unlink()
        if action == "raise":
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"00\.png': the file cannot"):
                list(dataset)
            return
        with pytest.warns(UserWarning, match=r"00\.png': the file cannot be opened"):
            assert sum(map(len, numbers(dataset))) == N - 5

    @pytest.mark.slow
    def test_a_folder_of_bad_files_ends(self, tmp_path):
        (tmp_path / "a").mkdir()
        for i in range(3):
            (tmp_path / "a" / f"{i}.png").write_bytes(b"")
        dataset = flow(tmp_path)
        with pytest.warns(UserWarning, match=r"Left out 3 file\(s\).*the file is empty"):
            assert list(dataset) == []
        with pytest.raises(ValueError, match="None of the files can be used"):
            next(dataset)
        with pytest.raises(ValueError, match="element 0, but the Sequence has length 0"):
            dataset[0]


@pytest.mark.filterwarnings("ignore:Left out")
class TestMaxErrors:
    @pytest.mark.parametrize("limit", [5, 5 / N, None])
    def test_as_many_are_allowed(self, folder, limit):
        assert sum(map(len, numbers(flow(folder, limit)))) == N - 5

    @pytest.mark.parametrize("limit", [4, 0, 4.9 / N])
    def test_one_more_ends_the_run(self, folder, limit):
        message = r"files cannot be used, more than max_errors allows \(\d\)\. Cannot read .*\.png'"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            list(flow(folder, limit))


@pytest.mark.filterwarnings("ignore:Left out")
class TestPlaces:
    @pytest.mark.slow
    def test_a_checkpoint_before_every_batch(self, skipping, folder, tmp_path):
        whole = numbers(skipping)
        skipping.seek(0)
        iterator = iter(skipping)
        checkpoint = tf.train.Checkpoint(iterator=iterator)
        for batch in range(len(whole)):
            path = checkpoint.save(str(tmp_path / "place"))
            again = iter(skipping.starting_at(0))
            tf.train.Checkpoint(iterator=again).restore(path)
            assert numbers(again) == whole[batch:]
            next(iterator)

    @pytest.mark.slow
    def test_place_after_is_where_the_next_batch_begins(self, skipping):
        whole = numbers(skipping)
        for batches in range(len(whole)):
            again = skipping.starting_at(0)
            again.seek_position(0, skipping.position_after(0, 0, batches))
            assert numbers(again) == whole[batches:]
        middle = skipping.position_after(0, 0, 3)
        assert skipping.position_after(0, middle, 2) == skipping.position_after(0, 0, 5)

    @pytest.mark.slow
    def test_next_goes_from_epoch_to_epoch(self, skipping):
        epochs = [numbers(skipping.starting_at(epoch)) for epoch in range(2)]
        assert numbers(next(skipping) for _ in range(14)) == epochs[0] + epochs[1]

    @pytest.mark.slow
    def test_subscripts_and_starts_are_the_batches_of_the_epoch(self, skipping):
        whole = numbers(skipping)
        assert numbers(skipping[i] for i in range(7)) == whole
        assert numbers(skipping[i] for i in (5, 2)) == [whole[5], whole[2]]
        assert numbers(skipping.starting_at(0, 4)) == whole[4:]
        with pytest.raises(ValueError, match="element 7, but the Sequence has length 7"):
            skipping[7]

    def test_the_first_subscript_is_a_whole_batch(self, folder):
        dataset = flow(folder, shuffle=False, drop_remainder=True)
        assert numbers([dataset[0]]) == [[1, 2, 3, 4, 5, 6, 9, 10]]

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Your input ran out of data")
    def test_fit_goes_on_behind_what_was_left_out(self, folder, tmp_path):
        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 4:
                    raise KeyboardInterrupt

        class Count(keras.callbacks.Callback):
            batches = 0

            def on_train_batch_end(self, batch, logs=None):
                Count.batches += 1

        def fit(*callbacks):
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            options = {"target_size": (3, 4), "color_mode": "grayscale", "batch_size": 8}
            flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
                folder, class_mode="sparse", seed=4, **options
            )
            dataset = ImageDataset(flow.source, replace(flow.spec, errors=ErrorPolicy("skip")))
            keep = [ResumableFit(dataset, tmp_path, save_freq=2)] if callbacks else []
            stop = [callback() for callback in callbacks]
            # 7 batches, where 8 were promised: Keras warns.
            history = model.fit(
                dataset, epochs=2, verbose=0, shuffle=False, callbacks=[*keep, *stop]
            )
            assert np.isfinite(history.history["loss"]).all()
            return model.get_weights()

        whole = fit()
        with pytest.raises(KeyboardInterrupt):
            fit(Stop)
        for one, other in zip(fit(Count), whole, strict=True):
            np.testing.assert_array_equal(one, other)
        assert Count.batches == 3 + 7  # of the first epoch what was left after four

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Left out", "ignore:Your input ran out of data")
    def test_fit_takes_as_many_steps_as_one_that_was_never_stopped(self, tmp_path, write, picture):
        for number in range(32):
            write(
                tmp_path / "photos" / "ab"[number % 2] / f"{number}.png", picture(3, 4, seed=number)
            )

        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 2:
                    raise KeyboardInterrupt

        def fit(kept, *callbacks):
            dataset = image_dataset_from_directory(
                tmp_path / "photos",
                image_size=(3, 4),
                batch_size=4,
                seed=3,
                on_error="skip",
                verbose=False,
            )
            # A batch of positions, before the one it is stopped at.
            for row in order_of(dataset._plan, 0)[:4]:
                Path(dataset.filepaths[row]).write_bytes(b"no image")
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
            model.compile("adam", "mse")
            keep = ResumableFit(dataset, tmp_path / kept, save_freq=2)
            stop = [callback() for callback in callbacks]
            model.fit(dataset, epochs=2, verbose=0, shuffle=False, callbacks=[keep, *stop])
            return [int(model.optimizer.iterations), *model.get_weights()]

        whole = fit("whole")
        # Seven batches: in the first epoch Keras asks for an eighth, and counts a step.
        assert whole[0] == 8 + 7
        with pytest.raises(KeyboardInterrupt):
            fit("stopped", Stop)
        for one, other in zip(fit("stopped"), whole, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore:Left out", "ignore:Your input ran out of data")
class TestLength:
    """Of 60 files 5 are bad: 7 batches of 8, where 8 are expected before anything is read."""

    @pytest.mark.slow
    def test_is_exact_once_an_epoch_has_come_to_all_of_them(self, skipping):
        assert (len(skipping), int(skipping.take(-1).cardinality())) == (8, 8)
        list(skipping)
        assert (len(skipping), int(skipping.take(-1).cardinality())) == (7, 7)
        assert [len(numbers(skipping)) for _ in range(2)] == [7, 7]
        assert len(numbers(skipping.repeat(2))) == 14
        assert numbers([skipping[-1]]) == numbers(skipping.starting_at(0))[-1:]

    @staticmethod
    def fit(dataset, model=None, **options):
        if model is None:
            model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
        before = int(model.optimizer.iterations)
        model.fit(dataset, verbose=0, shuffle=False, **options)
        return model, int(model.optimizer.iterations) - before

    def labelled(self, folder):
        dataset = ImageDataGenerator().flow_from_directory(
            folder, (3, 4), color_mode="grayscale", class_mode="sparse", batch_size=8, seed=4
        )
        return ImageDataset(dataset.source, replace(dataset.spec, errors=ErrorPolicy("skip")))

    @pytest.mark.slow
    def test_the_next_fit_counts_no_step_without_data(self, folder):
        dataset = self.labelled(folder)
        model, steps = self.fit(dataset, epochs=1)
        assert steps == 7 + 1  # Keras asks for an eighth batch
        assert self.fit(dataset, model, epochs=3)[1] == 3 * 7

    @pytest.mark.slow
    def test_resumable_fit_ends_each_epoch_in_time_from_the_second_on(self, folder, tmp_path):
        dataset = self.labelled(folder)
        keep = ResumableFit(dataset, tmp_path)
        assert self.fit(dataset, epochs=4, callbacks=[keep])[1] == 8 + 3 * 7

    @pytest.mark.slow
    def test_a_balanced_epoch_ends_in_time_too(self, tmp_path, write, picture):
        for number in range(18):
            path = tmp_path / "photos" / ("a" if number < 6 else "b") / f"{number:02}.png"
            write(path, picture(3, 4, seed=number))
            if number in (2, 7, 8):
                path.write_bytes(b"no image")
        dataset = image_dataset_from_directory(
            tmp_path / "photos", image_size=(3, 4), batch_size=2, seed=3, on_error="skip",
            balance="oversample", verbose=False,
        )  # fmt: skip
        keep = ResumableFit(dataset, tmp_path / "kept")
        steps = self.fit(dataset, epochs=4, callbacks=[keep])[1]
        epochs = [len(list(dataset.starting_at(epoch))) for epoch in range(4)]
        assert steps == epochs[0] + 1 + sum(epochs[1:])

    def test_a_file_that_can_be_read_again_stays_left_out(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "copy")
        dataset = flow(tmp_path / "copy", shuffle=False)
        first = numbers(dataset)
        shutil.copy(tmp_path / "copy" / "a" / "01.png", tmp_path / "copy" / "a" / "00.png")
        assert numbers(dataset) == first
        assert len(dataset.skipped) == 5


@pytest.mark.filterwarnings("ignore:Left out")
class TestCheckFirst:
    OPTIONS = {
        "image_size": (3, 4),
        "color_mode": "grayscale",
        "batch_size": 8,
        "seed": 4,
        "verbose": False,
    }

    @pytest.fixture
    def good(self, folder, tmp_path):
        """The same folder without the bad files."""
        shutil.copytree(folder, tmp_path / "good")
        for i in BAD:
            (tmp_path / "good" / "a" / f"{i:02}.png").unlink()
        return tmp_path / "good"

    def skipping(self, folder, **options):
        return image_dataset_from_directory(folder, on_error="skip", **(self.OPTIONS | options))

    @pytest.mark.slow
    def test_fit_is_that_on_the_good_files(self, folder, good):
        def fit(dataset):
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
            model.compile("adam", "mse")
            model.fit(dataset, epochs=2, verbose=0, shuffle=False)
            return [int(model.optimizer.iterations), *model.get_weights()]

        dataset = self.skipping(folder, check_first=True)
        assert (len(dataset), dataset.samples) == (7, 55)
        assert [Path(path).name for path, _ in dataset.skipped] == [f"{i:02}.png" for i in BAD]
        expected = fit(image_dataset_from_directory(good, **self.OPTIONS))
        assert expected[0] == 14
        for one, other in zip(fit(dataset), expected, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_it_says_what_it_left_out_at_once(self, folder):
        with pytest.warns(UserWarning, match=r"Left out 5 file\(s\).*00\.png'.*2 more"):
            self.skipping(folder, check_first=True)

    @pytest.mark.slow
    def test_a_report_of_check(self, folder, good):
        report = check(folder, verbose=False)
        dataset = self.skipping(folder, check_first=report)
        assert (len(dataset), len(dataset.skipped)) == (7, 5)
        with pytest.warns(UserWarning, match="None of the 5 bad files in the report"):
            assert len(self.skipping(good, check_first=report)) == 7

    @pytest.mark.slow
    def test_the_split_is_the_one_without_it(self, folder):
        split = {"validation_split": 0.3, "subset": "both"}
        for one, other in zip(
            self.skipping(folder, **split),
            self.skipping(folder, check_first=True, **split),
            strict=True,
        ):
            list(one)
            bad = {path for path, _ in one.skipped}
            assert bad == {path for path, _ in other.skipped}
            assert other.filepaths == [path for path in one.filepaths if path not in bad]

    @pytest.mark.slow
    def test_a_file_that_turns_bad_later_is_still_left_out(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "copy")
        dataset = self.skipping(tmp_path / "copy", check_first=True, max_errors=6)
        for name in ("01.png", "02.png"):
            (tmp_path / "copy" / "a" / name).write_bytes(b"")
            if name == "01.png":
                assert sum(len(x) for x, _ in dataset) == 54
                assert len(dataset.skipped) == 6
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than max_errors allows"):
            list(dataset)

    @pytest.mark.slow
    def test_masks(self, tmp_path, write, picture):
        for number in range(6):
            for part in ("images", "masks"):
                write(tmp_path / part / f"{number}.png", picture(3, 4, 1, seed=number))
        (tmp_path / "masks" / "4.png").write_bytes(b"no image")
        dataset = image_dataset_from_directory(
            tmp_path / "images",
            masks=tmp_path / "masks",
            on_error="skip",
            check_first=True,
            **self.OPTIONS | {"batch_size": 5},
        )
        assert (len(dataset), dataset.samples) == (1, 5)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"on_error": "raise", "check_first": True}, "check_first needs on_error='skip'"),
            ({"check_first": "yes"}, "check_first must be True, False, or the CheckReport"),
            ({"check_first": True, "max_errors": 4}, r"5 files cannot be used, more than .*\(4\)"),
        ],
    )
    def test_refused(self, folder, options, message):
        with pytest.raises(ValueError, match=message):
            image_dataset_from_directory(folder, **self.OPTIONS, **{"on_error": "skip"} | options)

    @pytest.mark.slow
    def test_none_that_can_be_used(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "1.png").write_bytes(b"")
        with pytest.raises(ValueError, match=r"1 files cannot be used, all there are\. .*1\.png'"):
            self.skipping(tmp_path, check_first=True)


@pytest.mark.filterwarnings("ignore:Left out")
class TestDoors:
    @pytest.mark.slow
    def test_each_takes_the_policy(self, folder):
        frame = pd.DataFrame({"filename": [f"a/{i:02}.png" for i in range(N)]})
        classic, options = ImageDataGenerator(), {"on_error": "skip", "max_errors": 5}
        for dataset in (
            classic.flow_from_directory(folder, (3, 4), class_mode=None, **options),
            classic.flow_from_dataframe(
                frame, str(folder), target_size=(3, 4), class_mode=None, **options
            ),
            image_dataset_from_directory(folder, label_mode=None, image_size=(3, 4), **options),
            image_dataset_from_dataframe(
                frame, str(folder), label_mode=None, image_size=(3, 4), **options
            ),
        ):
            assert sum(len(x) for x in dataset.take(-1)) == N - 5
            assert len(dataset.skipped) == 5

    @pytest.mark.slow
    def test_each_takes_check_first(self, folder):
        frame = pd.DataFrame({"filename": [f"a/{i:02}.png" for i in range(N)]})
        classic, options = ImageDataGenerator(), {"on_error": "skip", "check_first": True}
        of_frame = {"class_mode": None, "target_size": (3, 4), **options}
        for dataset in (
            classic.flow_from_directory(folder, (3, 4), class_mode=None, **options),
            classic.flow_from_dataframe(frame, str(folder), **of_frame),
            image_dataset_from_dataframe(
                frame, str(folder), label_mode=None, image_size=(3, 4), **options
            ),
        ):
            assert (dataset.samples, len(dataset.skipped)) == (N - 5, 5)
            assert sum(len(x) for x in dataset.take(-1)) == N - 5


class TestRefused:
    def test_distribute(self, skipping):
        with pytest.raises(ValueError, match="distribute needs on_error='raise'"):
            skipping.distribute(service="grpc://localhost:1")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("ignore",), r"on_error must be one of 'raise', 'skip'.*'ignore'"),
            (("raise", 3), r"max_errors=3 needs on_error='skip'"),
            (("skip", -1), r"max_errors must be a count.*Received: max_errors=-1"),
            (("skip", 1.5), r"Received: max_errors=1\.5"),
            (("skip", "all"), r"Received: max_errors='all'"),
        ],
    )
    def test_policies(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            ErrorPolicy(*arguments)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_name_with_control_characters_is_escaped(on_error, tmp_path):
    name = "a\x07\x1b]0;title\x07\x9b\n"
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shown = r"a\x07\x1b]0;title\x07" + "\ufffd" + r"\n.png"
    dataset = image_dataset_from_directory(tmp_path, on_error=on_error, verbose=False)
    if on_error == "raise":
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            list(dataset)
        said = str(caught.value)
    else:
        with pytest.warns(UserWarning, match="Left out") as warned:
            list(dataset)
        said = str(warned[0].message)
        assert [path for path, _ in dataset.skipped] == dataset.filepaths
    assert f"{os.sep}{shown}'" in said
    assert not {"\x07", "\x1b", "\x9b"} & set(said)


class TestSkipList:
    def test_reports_each_index_once(self):
        skipped = SkipList()
        skipped.note(tf.constant([4, 2], tf.int64))
        assert skipped.unreported().tolist() == [2, 4]
        skipped.note(tf.constant([4, 9], tf.int64))
        assert skipped.unreported().tolist() == [9]
        assert skipped.indices().tolist() == [2, 4, 9]
