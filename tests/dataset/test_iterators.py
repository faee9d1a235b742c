"""What `ImageDataGenerator.flow...` returns, where it is more than the classic's iterator."""

import copy
from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

import tfpipe

Y = np.arange(10)


@pytest.fixture
def flow(picture):
    """flow(**options): ten images, batches of 4, in order."""
    images = np.stack([picture(5, 7, seed=i) for i in range(10)])

    def make(batch_size=4, augment=(), **options):
        options = {"shuffle": False, "seed": 3} | options
        return tfpipe.ImageDataGenerator(**dict(augment)).flow(images, Y, batch_size, **options)

    return make


def labels_of(batches):
    return [batch[1].tolist() for batch in batches]


def epoch_of(flow):
    return [y.numpy().tolist() for x, y in flow.take(-1)]


WHOLE = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


class TestTwoSides:
    def test_python_does_not_move_the_data_set(self, flow):
        ours, other = flow(shuffle=True), flow(shuffle=True)
        list(islice(ours, 5)), next(ours), ours[1], ours.reset(), ours.on_epoch_end()
        assert epoch_of(ours) == epoch_of(other)
        assert epoch_of(ours) == epoch_of(other) != epoch_of(flow(shuffle=True))

    def test_the_data_set_does_not_move_python(self, flow):
        ours = flow()
        next(ours)
        assert epoch_of(ours) == WHOLE
        assert ours.batch_index == 1
        assert labels_of([next(ours)]) == [WHOLE[1]]

    def test_seek_moves_both(self, flow):
        ours, other = flow(shuffle=True), flow(shuffle=True)
        second = [epoch_of(other), epoch_of(other)][1]
        ours.seek(1, 1)
        assert labels_of(islice(ours, 2)) == epoch_of(ours) == second[1:]
        ours.seek(1)
        assert ours[2][1].tolist() == second[2]

    def test_an_iterator_handed_to_a_function_is_one_epoch(self, flow):
        ours = flow()
        step = tf.function(lambda iterator: next(iterator)[1])
        iterator = iter(ours)
        found = []
        for _ in WHOLE:
            found.append(step(iterator).numpy().tolist())
        assert found == WHOLE
        with pytest.raises(tf.errors.OutOfRangeError):
            step(iterator)
        assert labels_of([next(iterator)]) == WHOLE[:1]  # Python's side has not moved

    def test_a_loop_in_a_function_that_runs_eagerly_is_one_epoch(self, flow):
        ours = flow()
        total = tf.Variable(0, dtype=tf.int64)

        @tf.function
        def run():
            for _, y in ours:
                total.assign_add(tf.reduce_sum(tf.cast(y, tf.int64)))

        tf.config.run_functions_eagerly(True)
        try:
            run()
        finally:
            tf.config.run_functions_eagerly(False)
        assert int(total) == Y.sum()
        assert len(list(islice(ours, 7))) == 7

    def test_the_functions_loop_over_tensors_of_one_epoch(self, animals):
        dataset = tfpipe.image_dataset_from_directory(animals, image_size=(6, 8), verbose=False)
        batches = list(dataset)
        assert sum(len(y) for _, y in batches) == 14
        assert all(tf.is_tensor(part) for batch in batches for part in batch)


class TestLoop:
    def test_has_the_attributes_of_the_flow(self, flow):
        iterator = iter(flow())
        next(iterator)
        assert iterator.batch_index == 1
        assert iterator.samples == 10
        assert not hasattr(iterator, "_no_such_name")

    def test_two_loops_are_one_sequence(self, flow):
        ours = flow()
        one, other = iter(ours), iter(ours)
        assert labels_of([next(one), next(other), next(ours)]) == WHOLE

    def test_a_checkpoint_keeps_its_place(self, flow, tmp_path):
        ours, other = flow(shuffle=True), flow(shuffle=True)
        loop = iter(ours)
        list(islice(loop, 4))
        path = tf.train.Checkpoint(loop=loop).save(str(tmp_path / "loop"))
        tf.train.Checkpoint(loop=iter(other)).restore(path).assert_consumed()
        assert labels_of(islice(other, 4)) == labels_of(islice(ours, 4))

    def test_is_as_the_flow(self, flow):
        iterator = iter(flow())
        assert len(iterator) == 3
        assert iterator[1][1].tolist() == WHOLE[1]
        iterator.batch_size = 5
        assert len(iterator) == 2
        assert iterator._filepaths == []

    def test_a_checkpoint_of_a_function_is_restored_before_its_first_step(self, flow, tmp_path):
        step = tf.function(lambda iterator: next(iterator)[1])
        loop, other = iter(flow()), iter(flow())
        step(loop), next(loop), next(loop)
        path = tf.train.Checkpoint(loop=loop).save(str(tmp_path / "loop"))
        tf.train.Checkpoint(loop=other).restore(path)
        assert step(other).numpy().tolist() == WHOLE[1]
        assert next(other)[1].tolist() == WHOLE[2]

    def test_a_checkpoint_keeps_the_place_of_a_function(self, flow, tmp_path):
        step = tf.function(lambda iterator: next(iterator)[1])
        loop, other = iter(flow()), iter(flow())
        step(loop)
        path = tf.train.Checkpoint(loop=loop).save(str(tmp_path / "loop"))
        step(other), step(other)
        tf.train.Checkpoint(loop=other).restore(path)
        assert step(other).numpy().tolist() == WHOLE[1]


class TestLooks:
    def test_the_first_look_is_what_fit_sees(self, flow):
        ours = flow(augment={"rotation_range": 30})
        first = ours[1][0]
        np.testing.assert_array_equal(first, list(ours.take(-1))[1][0])
        assert not np.array_equal(ours[1][0], first)
        np.testing.assert_array_equal(flow(augment={"rotation_range": 30})[1][0], first)

    def test_are_functions_of_their_number(self, flow):
        one, other = (flow(augment={"rotation_range": 30}) for _ in range(2))
        looks = [one[0][0] for _ in range(3)]
        other[1], other[2]
        for look in looks:
            np.testing.assert_array_equal(other[0][0], look)
        assert len({look.tobytes() for look in looks}) == 3

    def test_without_augmentation_are_all_alike(self, flow):
        ours = flow()
        np.testing.assert_array_equal(ours[1][0], ours[1][0])

    def test_mixed_batches_are_mixed_again(self, picture):
        generator = tfpipe.ImageDataGenerator()
        generator.mixup_alpha = 0.4
        images = np.stack([picture(5, 7, seed=i) for i in range(4)])
        ours = generator.flow(images, np.eye(4, dtype="float32"), seed=1)
        assert not np.array_equal(ours[0][1], ours[0][1])

    def test_rows_of_my_own_are_drawn_anew(self, flow):
        ours = flow(augment={"rotation_range": 30})
        first = next(ours)[0]
        pick = ours._get_batches_of_transformed_samples
        np.testing.assert_array_equal(pick(np.arange(4))[0], first)
        looks = [pick(rows)[0][0] for rows in ([0, 1], [0, 2], [0, 3, 4, 5, 6])]
        assert len({look.tobytes() for look in [first[0], *looks]}) == 4

    def test_repeated_rows_differ(self, flow):
        ours = flow(augment={"rotation_range": 30})
        images = ours._get_batches_of_transformed_samples([2] * 6)[0]
        assert len({image.tobytes() for image in images}) == 6
        ours.index_array = [3] * 10
        assert len({image.tobytes() for image in ours[0][0]}) == 4

    def test_go_on_in_another_order_or_batch_size(self, flow):
        ours = flow(batch_size=10, augment={"rotation_range": 30})
        looks = [ours[0][0]]
        ours.index_array = Y
        looks.append(ours[0][0])
        ours.save_to_dir = None
        looks.append(ours[0][0])
        assert len({look.tobytes() for look in looks}) == 3

    def test_show_is_none(self, flow, tmp_path):
        pytest.importorskip("matplotlib")
        ours = flow(augment={"rotation_range": 30}, save_to_dir=tmp_path)
        ours.show(2, standardized=True)
        assert ours.total_batches_seen == 0
        assert list(tmp_path.iterdir()) == []
        np.testing.assert_array_equal(ours[0][0], flow(augment={"rotation_range": 30})[0][0])


class TestAttributes:
    @pytest.mark.parametrize(
        ("name", "value", "remedy"),
        [
            ("classes", [0], "Make another data set"),
            ("filenames", [], "Make another data set"),
            ("n", 3, "Make another data set"),
            ("samples", 3, "Make another data set"),
            ("class_indices", {}, "Make another data set"),
            ("target_size", (3, 4), "flow"),
            ("color_mode", "rgba", "flow"),
            ("directory", "x", "flow"),
            ("data_format", "channels_first", "ImageDataGenerator"),
            ("dtype", "uint8", "ImageDataGenerator"),
        ],
    )
    def test_of_the_graph_cannot_be_set(self, small_dataset, name, value, remedy):
        dataset = small_dataset()
        before = getattr(dataset, name)
        with pytest.raises(AttributeError, match=f"^{name} tells what .*{remedy}"):
            setattr(dataset, name, value)
        after = getattr(dataset, name)
        assert np.array_equal(after, before) if name == "classes" else after == before

    def test_that_can_be_set_change_both_sides(self, flow):
        ours = flow()
        next(ours)
        ours.batch_size = 5
        assert len(ours) == 2
        assert epoch_of(ours) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
        assert labels_of([next(ours)]) == [[5, 6, 7, 8, 9]]
        ours.shuffle, ours.seed = True, 8
        assert ours.shuffle
        assert ours.seed == 8
        assert epoch_of(ours) == epoch_of(flow(5, shuffle=True, seed=8).starting_at(1))

    def test_that_can_be_set_keep_the_place(self, flow, tmp_path):
        ours, other = flow(shuffle=True), flow(shuffle=True)
        before = labels_of(islice(ours, 4))[-1], ours[2][1].tolist(), ours.index_array.tolist()
        ours.save_to_dir = tmp_path
        assert (ours.batch_index, ours.total_batches_seen) == (1, 5)
        assert ours.index_array.tolist() == before[2]
        assert ours[2][1].tolist() == before[1]  # of the first epoch, as before
        assert next(ours)[1].tolist() == list(islice(other, 5))[-1][1].tolist()

    def test_a_bad_value_changes_nothing(self, flow):
        ours = flow()
        with pytest.raises(ValueError, match="batch_size"):
            ours.batch_size = 0
        assert ours.batch_size == 4
        assert epoch_of(ours) == WHOLE

    def test_saving_can_be_turned_on_and_off(self, flow, tmp_path):
        ours = flow(save_prefix="a", save_format="jpeg")
        assert ours.save_to_dir is None
        assert ours.save_prefix == "a"
        assert ours.save_format == "jpeg"
        ours.save_to_dir = tmp_path / "new"
        ours[0]
        assert len(list((tmp_path / "new").glob("a_*.jpeg"))) == 4
        ours.save_to_dir = None
        ours[1]
        assert len(list((tmp_path / "new").iterdir())) == 4

    def test_index_array_can_be_changed_in_place(self, flow):
        ours = flow(shuffle=True)
        assert ours.index_array is None
        next(ours)
        ours.index_array[:] = Y[::-1]
        assert labels_of([next(ours), ours[0]]) == [[5, 4, 3, 2], [9, 8, 7, 6]]
        assert ours.index_array.tolist() == Y[::-1].tolist()

    def test_index_array_after_predict(self, flow):
        ours, other = flow(shuffle=True), flow(shuffle=True)
        assert np.concatenate(epoch_of(ours)).tolist() == ours.index_array.tolist()
        assert np.concatenate(epoch_of(ours)).tolist() == ours.index_array.tolist()
        next(other)
        assert other.index_array.tolist() != ours.index_array.tolist()

    def test_saved_files_are_those_of_the_batches_that_were_given(self, flow, tmp_path):
        ours = flow(2, save_to_dir=tmp_path)
        for count in (2, 4, 6):
            next(ours)
            assert len(list(tmp_path.iterdir())) == count

    def test_an_order_stays_when_something_else_is_set(self, flow):
        ours = flow()
        ours.index_array = Y[::-1]
        ours.batch_size = 5
        assert ours[0][1].tolist() == [9, 8, 7, 6, 5]

    def test_samples_by_index(self, flow):
        ours = flow()
        x, y = ours._get_batches_of_transformed_samples([])
        assert x.shape == (0, 5, 7, 3)
        assert y.shape == (0,)
        assert ours._get_batches_of_transformed_samples([-1, 0])[1].tolist() == [9, 0]
        with pytest.raises(IndexError):
            ours._get_batches_of_transformed_samples([10])

    @pytest.mark.parametrize(("order", "error"), [([0, 1], ValueError), ([10] * 10, IndexError)])
    def test_an_order_is_checked(self, flow, order, error):
        with pytest.raises(error):
            flow().index_array = order

    def test_subscripts_in_a_row_save_nothing_else(self, flow, tmp_path):
        ours = flow(2, save_to_dir=tmp_path)
        for number in range(3):
            ours[number]
            assert len(list(tmp_path.iterdir())) == 2 * number + 2

    def test_x_is_as_in_the_batches(self):
        images = np.full([2, 3, 4, 1], 200.6)
        ours = tfpipe.ImageDataGenerator(dtype="uint8").flow(images, shuffle=False)
        np.testing.assert_array_equal(ours.x, ours[0])

    def test_batch_index_must_be_a_number(self, flow):
        with pytest.raises(ValueError, match="batch_index"):
            flow().batch_index = -1


class TestDoor:
    @pytest.mark.parametrize(
        "change",
        [
            lambda flow: flow.tuned(prefetch=1),
            lambda flow: flow.starting_at(0, 2),
            copy.deepcopy,
        ],
    )
    def test_is_kept(self, small_dataset, change):
        flow = small_dataset()
        next(flow), next(flow)
        other = change(flow)
        assert type(other) is tfpipe.DirectoryIterator
        assert other.class_mode == "categorical"
        assert other.batch_index == 2
        np.testing.assert_array_equal(next(other)[0], next(flow)[0])
        assert other.image_data_generator is flow.image_data_generator

    def test_is_left_by_what_makes_tensors(self, small_dataset):
        flow = small_dataset()
        for other in (flow.map(lambda x, y: x), flow.take(1), flow.prefetch(1)):
            assert not isinstance(other, tfpipe.Iterator)
            assert all(tf.is_tensor(x) for x in tf.nest.flatten(list(other)))

    def test_iterators_are_not_made_by_hand(self, animals):
        generator = tfpipe.ImageDataGenerator()
        for args, keywords in (
            ((animals, generator), {}),
            ((), {"directory": animals, "image_data_generator": generator}),
        ):
            with pytest.raises(TypeError, match="DirectoryIterator is what .*flow"):
                tfpipe.DirectoryIterator(*args, target_size=(6, 8), **keywords)


class TestNoImages:
    @pytest.fixture
    def empty(self, tmp_path):
        (tmp_path / "cat").mkdir()
        return tfpipe.ImageDataGenerator().flow_from_directory(tmp_path)

    @pytest.mark.parametrize(
        "read",
        [
            next,
            lambda flow: flow[0],
            lambda flow: next(iter(flow)),
            lambda flow: list(flow.take(1)),
            lambda flow: flow.map(lambda x, y: x),
        ],
    )
    def test_says_where_it_looked(self, empty, tmp_path, read):
        with pytest.raises(ValueError, match=r"no images.*pass classes=\['.'\]") as caught:
            read(empty)
        assert str(tmp_path) in str(caught.value)

    def test_can_be_described(self, empty):
        assert len(empty) == 0
        assert empty.samples == 0
        assert empty.filenames == []
        assert empty.image_shape == (256, 256, 3)
        assert "0 images" in repr(empty)


class TestSkipped:
    @pytest.fixture
    def bad(self, tmp_path, write):
        """bad(**options): ten files of which two are bad, in batches of four."""
        for i in range(10):
            write(tmp_path / "in" / "a" / f"{i}.png")
        for i in (1, 5):
            (tmp_path / "in" / "a" / f"{i}.png").write_bytes(b"bad")

        def make(**options):
            return tfpipe.ImageDataGenerator().flow_from_directory(
                tmp_path / "in",
                target_size=(6, 8),
                batch_size=4,
                class_mode="sparse",
                shuffle=False,
                on_error="skip",
                **options,
            )

        return make

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:Left out")
    def test_epochs_go_on_where_each_batch_is_saved(self, bad, tmp_path):
        ours = bad(save_to_dir=tmp_path / "out")
        assert [len(next(ours)[1]) for _ in range(6)] == [4, 4, 4, 4, 4, 4]

    @pytest.mark.filterwarnings("ignore:Left out")
    def test_epochs_go_on_after_a_jump(self, bad):
        ours = bad()
        assert [len(next(ours)[1]) for _ in range(2)] == [4, 4]
        ours.batch_index = 2
        assert len(next(ours)[1]) == 4
        assert ours.batch_index == 1

    @pytest.mark.filterwarnings("ignore:Left out")
    def test_stay_known_when_something_is_set(self, bad):
        ours = bad()
        next(ours), next(ours), next(ours)
        known = ours.skipped
        ours.batch_size = 2
        assert ours.skipped == known != []
