"""`ImageDataset`: a tf.data.Dataset that can be subscripted, continued and resumed."""

import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

import tfpipe


@pytest.fixture(scope="module", params=["flow", "plain"])
def numbers(request):
    """numbers(n, **options): images whose first value is their index, labels likewise."""

    def make(n=10, **options):
        x = np.zeros([n, 2, 3, 1], np.float32)
        x[:, 0, 0, 0] = np.arange(n)
        options = {"batch_size": 4, "seed": 11} | options
        flow = tfpipe.ImageDataGenerator().flow(x, np.arange(n), **options)
        return flow if request.param == "flow" else tfpipe.ImageDataset(flow.source, flow.spec)

    return make


def epoch(dataset):
    """The next epoch of tensors: what `fit` sees of a flow, and any loop over other data sets."""
    return dataset.take(-1) if isinstance(dataset, tfpipe.Iterator) else dataset


def indices(batches):
    """The indices in some batches of `numbers`, one list a batch; images and labels must agree."""
    found = [(np.asarray(x)[:, 0, 0, 0].tolist(), np.asarray(y).tolist()) for x, y in batches]
    assert all(of_x == of_y for of_x, of_y in found)
    return [of_y for _, of_y in found]


def flat(batches):
    return [index for batch in indices(batches) for index in batch]


class TestADataset:
    def test_is_one(self, numbers):
        dataset = numbers()
        assert isinstance(dataset, tf.data.Dataset)
        assert isinstance(dataset, tfpipe.ImageDataset)
        assert len(dataset) == 3
        assert dataset.cardinality().numpy() == 3
        x, y = dataset.element_spec
        assert (x.shape, x.dtype) == ((None, 2, 3, 1), tf.float32)
        assert (y.shape, y.dtype) == ((None,), tf.int64)

    def test_transformations(self, numbers):
        dataset = numbers(shuffle=False)
        assert [y.numpy().tolist() for _, y in dataset.take(1)] == [[0, 1, 2, 3]]
        doubled = dataset.map(lambda x, y: (x * 2, y * 2))
        assert flat(doubled) == list(range(0, 20, 2))
        assert len(doubled) == 3
        assert flat(dataset.unbatch().batch(3)) == list(range(10))
        assert len(list(dataset.repeat(2))) == 6

    def test_shuffle_is_the_flag_and_the_method(self, numbers):
        shuffled, plain = numbers(), numbers(shuffle=False)
        assert shuffled.shuffle == True  # noqa: E712
        assert plain.shuffle == False  # noqa: E712
        assert shuffled.shuffle
        assert not plain.shuffle
        assert (repr(shuffled.shuffle), repr(plain.shuffle)) == ("True", "False")
        mixed = plain.unbatch().batch(1).shuffle(10, seed=1)
        assert sorted(flat(mixed)) == list(range(10))
        batches = plain.shuffle(3, seed=2, reshuffle_each_iteration=False)
        assert sorted(indices(batches)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    def test_repr(self, small_dataset, numbers):
        assert re.fullmatch(
            r"<DirectoryIterator: 14 images of 3 classes from files in '.*'; 4 batches of 4; "
            r"image \(6, 8, 3\) float32; shuffle=True, seed=5>",
            repr(small_dataset()),
        )
        assert "10 images from arrays; 3 batches of 4; image (2, 3, 1)" in str(numbers())


class TestEpochs:
    def test_a_loop_ends_after_one(self, numbers):
        dataset = numbers(shuffle=False)
        for _ in range(2):
            assert indices(epoch(dataset)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    def test_each_is_a_new_permutation(self, numbers):
        dataset = numbers(30)
        orders = [flat(epoch(dataset)) for _ in range(4)]
        assert all(sorted(order) == list(range(30)) for order in orders)
        assert len({tuple(order) for order in orders}) == 4

    def test_equal_seeds_give_equal_orders(self, numbers):
        one, other, third = numbers(30), numbers(30), numbers(30, seed=12)
        orders = [flat(epoch(one)), flat(epoch(one))]
        assert [flat(epoch(other)), flat(epoch(other))] == orders
        assert flat(epoch(third)) not in orders

    def test_no_seed_draws_one(self, numbers):
        one, other = numbers(30, seed=None), numbers(30, seed=None)
        assert one.seed != other.seed
        assert flat(epoch(one)) != flat(epoch(other))
        assert flat(epoch(numbers(30, seed=one.seed))) == np.concatenate(indices(one[:])).tolist()

    def test_two_iterators_at_once(self, numbers):
        dataset = numbers(30)
        one, other = iter(epoch(dataset)), iter(epoch(dataset))
        both = [(next(one), next(other)) for _ in range(8)]
        orders = [flat(batches) for batches in zip(*both, strict=True)]
        assert all(sorted(order) == list(range(30)) for order in orders)
        assert orders[0] != orders[1]

    def test_more_samples_than_a_chunk(self):
        x = np.zeros([2500, 1, 2, 1], np.uint8)
        dataset = tfpipe.ImageDataGenerator().flow(x, np.arange(2500), batch_size=700, seed=1)
        seen = np.concatenate([y for _, y in dataset.as_numpy_iterator()])
        assert sorted(seen) == list(range(2500))
        np.testing.assert_array_equal(dataset[3][1], seen[2100:])


class TestErrors:
    def test_next_goes_on_behind_a_bad_file(self, animals, tmp_path):
        shutil.copytree(animals, tmp_path / "copy")
        dataset = tfpipe.ImageDataGenerator().flow_from_directory(
            tmp_path / "copy", (6, 8), batch_size=4, shuffle=False, class_mode="sparse"
        )
        Path(dataset.filepaths[5]).write_bytes(b"no image")
        seen = []
        for _ in range(5):
            try:
                seen.append((dataset.batch_index, len(next(dataset)[0])))
            except tf.errors.InvalidArgumentError as err:
                seen.append(dataset.filepaths[5] in str(err))
        assert seen == [(0, 4), True, (2, 4), (3, 2), (0, 4)]


class TestSubscript:
    def test_equals_the_first_epoch_bit_for_bit(self, small_dataset, assert_same):
        dataset = small_dataset()
        subscripts = [dataset[i] for i in (3, 0, 2)]
        first_epoch = [tuple(part.numpy() for part in batch) for batch in epoch(dataset)]
        next(dataset)
        subscripts.append(dataset[1])  # neither `for` nor `next` moves it
        for i, subscript in zip((3, 0, 2, 1), subscripts, strict=True):
            assert_same(subscript, first_epoch[i])

    def test_negative_and_slices(self, numbers):
        dataset = numbers(shuffle=False)
        assert indices([dataset[-1], dataset[-3]]) == [[8, 9], [0, 1, 2, 3]]
        assert indices(dataset[1:]) == [[4, 5, 6, 7], [8, 9]]
        assert indices(dataset[::-2]) == [[8, 9], [0, 1, 2, 3]]
        assert dataset[5:] == []
        assert indices([dataset[np.int64(1)]]) == [[4, 5, 6, 7]]

    @pytest.mark.parametrize("item", [3, -4, 10**9])
    def test_rejects_what_is_out_of_range(self, numbers, item):
        with pytest.raises(ValueError, match=f"retrieve element {item}, but .* length 3"):
            numbers()[item]

    @pytest.mark.parametrize("item", ["0", 1.0, None, True, (0, 1)])
    def test_rejects_what_is_no_number(self, numbers, item):
        with pytest.raises(TypeError, match="must be an int or a slice. Received: "):
            numbers()[item]

    def test_writable_arrays_in_a_plain_tuple(self, numbers):
        dataset = numbers()
        for batch in (dataset[0], next(dataset), dataset[:1][0]):
            assert type(batch) is tuple
            for array in batch:
                assert type(array) is np.ndarray
                assert array.flags.writeable
                array[:] = 0

    def test_input_mode_does_not_share_memory(self, small_dataset):
        dataset = small_dataset(class_mode="input")
        for x, y in (dataset[0], next(dataset)):
            np.testing.assert_array_equal(x, y)
            assert not np.shares_memory(x, y)


class TestNext:
    def test_goes_on_and_reshuffles(self, numbers):
        dataset = numbers(30)
        batches = [next(dataset) for _ in range(8)] + [dataset.next() for _ in range(8)]
        first, second = flat(batches[:8]), flat(batches[8:])
        assert sorted(first) == sorted(second) == list(range(30))
        assert first != second
        assert [first, second] == [flat(epoch(dataset)), flat(epoch(dataset))]

    def test_where_it_stands(self, numbers):
        dataset = numbers()
        assert (dataset.batch_index, dataset.total_batches_seen) == (0, 0)
        assert dataset.index_array is None
        stand, seen = [], []
        for _ in range(3):
            seen += flat([next(dataset)])
            stand.append((dataset.batch_index, dataset.total_batches_seen))
            order = dataset.index_array.tolist()
            assert seen == order[: len(seen)]
        assert sorted(order) == list(range(10))
        assert stand == [(1, 1), (2, 2), (0, 3)]
        assert flat([next(dataset)]) == dataset.index_array[:4].tolist()
        assert dataset.index_array.tolist() != order
        dataset[0]
        assert dataset.total_batches_seen == 5
        assert dataset.index_array.tolist() == order

    @pytest.mark.parametrize("shuffle", [True, False])
    def test_reads_and_stands_as_the_classic(self, classic, numbers, shuffle):
        dataset = numbers(shuffle=shuffle)
        images, labels = dataset.source.images.images, np.arange(10)
        theirs = classic().flow(images, labels, batch_size=4, shuffle=shuffle, seed=11)
        stands, batches = [], []
        for one in (dataset, theirs):
            calls = [next, next, type(one).reset, next, type(one).on_epoch_end, next]
            calls += [lambda one: one[2], next, type(one).reset, lambda one: one[0], next]
            stand, found = [], []
            for call in calls:
                batch = call(one)
                found += [] if batch is None else indices([batch])
                # The order itself is of another generator of random numbers.
                order = None if one.index_array is None else sorted(one.index_array.tolist())
                stand.append((one.batch_index, one.total_batches_seen, order))
            stands.append(stand)
            batches.append([len(batch) for batch in found] if shuffle else found)
        assert stands[0] == stands[1]
        assert batches[0] == batches[1]

    def test_reset_goes_to_the_next_epoch_unless_none_has_begun(self, numbers):
        dataset, other = numbers(30), numbers(30)
        orders = [indices(epoch(other)) for _ in range(2)]
        dataset.reset()
        assert indices([next(dataset), next(dataset)]) == orders[0][:2]
        dataset.reset()
        assert dataset.batch_index == 0
        dataset.reset()
        assert indices([next(dataset), next(dataset)]) == orders[1][:2]

    def test_on_epoch_end_gives_a_new_order_and_keeps_the_number(self, numbers):
        dataset, other = numbers(30), numbers(30)
        orders = [indices(epoch(other)) for _ in range(3)]
        assert indices([next(dataset), dataset[0]]) == [orders[0][0], orders[0][0]]
        dataset.on_epoch_end()
        assert dataset.batch_index == 1
        assert indices([next(dataset), dataset[0]]) == [orders[1][1], orders[1][0]]
        dataset.on_epoch_end()
        assert indices([dataset[0], next(dataset)]) == [orders[2][0], orders[2][2]]
        assert len({tuple(map(tuple, order)) for order in orders}) == 3

    def test_a_loop_in_between(self, numbers):
        dataset = numbers(shuffle=False)
        seen = indices([next(dataset)])
        list(epoch(dataset))
        assert seen + indices([next(dataset)]) == [[0, 1, 2, 3], [4, 5, 6, 7]]


class TestGlobalGenerators:
    def test_are_left_alone(self, small_dataset):
        def use():
            dataset = small_dataset()
            list(epoch(dataset))
            next(dataset)
            dataset[0]

        def states():
            _, keys, position, *_ = np.random.get_state()
            generator = tf.random.get_global_generator().state.numpy().tolist()
            return keys.tolist(), position, generator, random.getstate()

        tf.random.set_seed(3)
        expected = [tf.random.uniform([]).numpy(), tf.random.uniform([]).numpy()]
        tf.random.set_seed(3)
        drawn = [tf.random.uniform([]).numpy()]
        before = states()
        use()
        assert states() == before
        drawn.append(tf.random.uniform([]).numpy())
        assert drawn == expected

    def test_do_not_matter(self, numbers):
        np.random.seed(1)
        tf.random.set_seed(1)
        one = flat(epoch(numbers()))
        np.random.seed(2)
        tf.random.set_seed(2)
        assert flat(epoch(numbers())) == one


class TestParallelism:
    @pytest.mark.slow
    def test_does_not_change_a_byte(self, small_dataset):
        dataset = small_dataset()
        outputs = []
        for num_parallel_calls in (1, 2, 8):
            spec = replace(dataset.spec, num_parallel_calls=num_parallel_calls)
            copy = tfpipe.ImageDataset(dataset.source, spec)
            outputs.append(
                [(x.numpy().tobytes(), y.numpy().tobytes()) for _ in range(2) for x, y in copy]
            )
        assert outputs[0] == outputs[1] == outputs[2]
        assert outputs[0][:4] != outputs[0][4:]  # two epochs


class TestCheckpoint:
    @pytest.mark.slow
    def test_restored_equals_never_stopped(self, small_dataset, tmp_path):
        dataset = small_dataset(batch_size=2)
        list(epoch(dataset))  # so that the second epoch is the one interrupted
        iterator = iter(epoch(dataset))
        checkpoint = tf.train.Checkpoint(iterator=iterator)
        saved, batches = [], []
        for i in range(7):
            saved.append(checkpoint.write(str(tmp_path / str(i))))
            batches.append(next(iterator)[0].numpy().tobytes())
        for i in (0, 1, 6):
            again = iter(epoch(small_dataset(batch_size=2)))
            tf.train.Checkpoint(iterator=again).read(saved[i])
            rest = [x.numpy().tobytes() for x, _ in again]
            if i:
                assert rest == batches[i:]
            else:
                assert len(rest) == 7  # nothing was read, so the epoch was not chosen yet


def python_ops(dataset):
    """The names of the ops of a dataset's whole graph that call back into Python."""
    graph = graph_pb2.GraphDef.FromString(dataset._as_serialized_graph().numpy())
    nodes = list(graph.node)
    for function in graph.library.function:
        nodes += function.node_def
    assert any(node.op == "ReadFile" for node in nodes)  # the walk does reach the functions
    return {n.op for n in nodes if "PyFunc" in n.op or n.op.startswith("Generator")}


class TestGraph:
    @pytest.fixture
    def mixed(self, tmp_path, write):
        for name in ("1.jpg", "2.png", "3.bmp", "4.jpeg"):
            write(tmp_path / "a" / name)
        return tmp_path

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("color_mode", "interpolation"),
        [("rgb", "nearest"), ("rgba", "bicubic"), ("grayscale", "bilinear")],
    )
    def test_no_python_for_core_formats(self, mixed, color_mode, interpolation):
        dataset = tfpipe.ImageDataGenerator().flow_from_directory(
            mixed, color_mode=color_mode, target_size=(5, 7), interpolation=interpolation
        )
        assert dataset.samples == 4
        assert python_ops(dataset) == set()

    @pytest.mark.slow
    def test_no_python_for_gif(self, mixed, write, picture):
        # The classic's suffixes leave GIF out, so it comes by another name.
        write(mixed / "a/5.png", picture(9, 13), format="GIF")
        dataset = tfpipe.ImageDataGenerator().flow_from_directory(
            mixed, target_size=(5, 7), shuffle=False
        )
        assert dataset[0][0].shape == (5, 5, 7, 3)
        assert python_ops(dataset) == set()

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:.*Pillow")
    def test_the_walk_finds_python_where_there_is_some(self, mixed, write):
        write(mixed / "a/5.tif")
        dataset = tfpipe.ImageDataGenerator().flow_from_directory(mixed, target_size=(5, 7))
        assert python_ops(dataset) & {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
