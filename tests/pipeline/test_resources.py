"""As many samples in work at once as it says, here and on the workers of a tf.data service."""

import threading

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe.distribute import service
from tfpipe.distribute.service import plan_for_service
from tfpipe.graph import mapped
from tfpipe.ops.kernels import why_not_native
from tfpipe.ops.xla import xla_has_own_threads
from tfpipe.pipeline import pipeline
from tfpipe.pipeline.resources import (
    AUTOTUNE,
    Parallelism,
    default_parallel_calls,
    on_any_host,
    on_this_host,
)

MANY = default_parallel_calls() + 17  # and more than the 16 that AUTOTUNE means at most by itself

CASES = [
    (on_this_host(MANY, False), MANY),
    (on_any_host(MANY), MANY),
    (Parallelism(AUTOTUNE, MANY), MANY),
    (on_any_host(None), default_parallel_calls() - 1),
]


class Meeting:
    """A function of a sample that returns only when `count` of them are in work at once."""

    def __init__(self, count):
        self.everybody = threading.Barrier(count)

    def __call__(self, value):
        self.everybody.wait(timeout=30)  # else raises BrokenBarrierError
        return value

    def dataset(self, parallelism):
        numbers = tf.data.Dataset.range(2 * self.everybody.parties)
        meetings = mapped(
            numbers, lambda x: tf.numpy_function(self, [x], tf.int64), parallelism.calls
        )
        return meetings.with_options(pipeline.options_of(parallelism))


@pytest.fixture(scope="module")
def address():
    """A dispatcher and a worker in this process: they can run Python."""
    dispatcher, target = service.start_dispatcher(0, work_dir=None)
    worker, _ = service.start_worker(target.removeprefix("grpc://"), "localhost", 0)
    yield target
    worker._stop()
    dispatcher._stop()


class TestParallelism:
    @pytest.mark.parametrize(("parallelism", "count"), CASES)
    def test_so_many_are_in_work_at_once(self, parallelism, count):
        assert sum(1 for _ in Meeting(count).dataset(parallelism)) == 2 * count

    @pytest.mark.slow
    @pytest.mark.parametrize(("parallelism", "count"), CASES)
    def test_on_a_worker_too(self, parallelism, count, address):
        dataset = Meeting(count).dataset(parallelism)
        dataset = dataset.apply(tf.data.experimental.service.distribute("parallel_epochs", address))
        assert sum(1 for _ in dataset) == 2 * count

    def test_a_host_whose_cores_are_not_known_uses_its_own(self):
        assert on_any_host(None) == Parallelism(AUTOTUNE, None)

    def test_threads_are_those_of_tf_data_where_none_waits(self):
        calls = default_parallel_calls()
        assert on_this_host(None, False) == on_this_host(calls, False) == Parallelism(calls, None)
        assert on_this_host(None, True) == Parallelism(calls, calls + 1)
        assert on_this_host(calls + 1, False) == Parallelism(calls + 1, calls + 2)

    def test_threads_are_never_fewer_than_those_of_tf_data(self):
        assert on_this_host(1, True) == Parallelism(1, default_parallel_calls() + 1)


class TestOfADataset:
    @pytest.mark.filterwarnings("ignore:preprocessing_function only_numpy takes only NumPy")
    def test_num_parallel_calls(self):
        meeting, begun = Meeting(MANY), threading.Event()

        def only_numpy(image):
            assert type(image) is np.ndarray  # a tensor, which is tried first, is refused
            return meeting(image) if begun.is_set() else image  # it is tried at construction

        generator = tfpipe.ImageDataGenerator(preprocessing_function=only_numpy)
        flow = generator.flow(np.zeros([2 * MANY, 4, 4, 3], np.float32), batch_size=MANY)
        dataset = flow.tuned(num_parallel_calls=MANY)
        begun.set()
        assert len(list(dataset.take(-1))) == 2

    @pytest.mark.slow
    def test_threads_of_its_own(self, small_dataset):
        assert threads(small_dataset()) is None
        assert threads(small_dataset().tuned(num_parallel_calls=1)) is None
        assert threads(small_dataset().tuned(num_parallel_calls=MANY)) == MANY + 1

    def test_compiled_code_may_make_threads_wait(self):
        flow = tfpipe.ImageDataGenerator(rotation_range=20).flow(np.zeros([4, 4, 4, 3]))
        expected = default_parallel_calls() + 1 if xla_has_own_threads() else None
        assert threads(flow.tuned(kernels="tensorflow")) == expected
        assert threads(flow) == (expected if why_not_native() else None)  # nothing is compiled

    def test_the_users_own_number_wins(self, small_dataset):
        options = tf.data.Options()
        options.threading.private_threadpool_size = 5
        tuned = small_dataset().tuned(num_parallel_calls=MANY)
        assert threads(tuned.with_options(options)) == 5

    @pytest.mark.parametrize("calls", [None, 3])
    def test_on_a_service_it_is_not_the_trainers_cores_that_count(self, small_dataset, calls):
        dataset = small_dataset().tuned(num_parallel_calls=calls)
        plan = plan_for_service(dataset.source, dataset._plan, dataset._inner, None)
        assert plan.parallelism == on_any_host(calls)


def threads(dataset):
    return dataset.options().threading.private_threadpool_size
