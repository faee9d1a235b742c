"""The tf.data service: a dispatcher and workers as real processes on this machine."""

import contextlib
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import ImageDataGenerator, ImageDataset
from tfpipe.cli import service as service_command
from tfpipe.distribute import service
from tfpipe.distribute.service import ServiceSpec, counted
from tfpipe.pipeline.feeds import Feeds
from tfpipe.sources.columns import column_bytes, in_file

N, BATCH = 41, 4


class Processes:
    """`tfpipe service` processes, which end with the test."""

    def __init__(self):
        self.running = []

    def launch(self, *arguments):
        command = [sys.executable, "-m", "tfpipe", "service", *map(str, arguments)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.running.append(process)
        return process

    def dispatcher(self, *arguments):
        """The process, and its address once it listens."""
        process = self.launch("dispatcher", *arguments)
        return process, self.ready(process, r"Dispatcher listens on (grpc://localhost:\d+)\n")

    def workers(self, address, count, *arguments):
        """Processes that are started side by side, once all of them listen."""
        processes = [
            self.launch("worker", "--dispatcher", address, *arguments) for _ in range(count)
        ]
        for process in processes:
            self.ready(process, r"Worker for localhost:\d+ listens on (localhost:\d+)\n")
        return processes

    def worker(self, address, *arguments):
        return self.workers(address, 1, *arguments)[0]

    @staticmethod
    def ready(process, expected):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        return re.fullmatch(expected, line)[1]

    def kill(self):
        for process in self.running:
            process.kill()
        for process in self.running:
            process.communicate()


@pytest.fixture
def processes():
    started = Processes()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def address():
    """A dispatcher with two workers."""
    started = Processes()
    with contextlib.ExitStack() as stack:
        stack.callback(started.kill)
        _, address = started.dispatcher()
        started.workers(address, 2)
        yield address


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture, write):
    """41 JPEG and PNG pictures of two classes; the target of one is its number."""
    top = tmp_path_factory.mktemp("service")
    for i in range(N):
        write(
            top / "ab"[i % 2] / f"é{i:02}.{('png', 'jpg')[i % 3 == 0]}", picture(12, 16, 3, seed=i)
        )
    return top


def flow(folder, rotation=0, **options):
    """Batches of (images, number of the file).

    Without a rotation, which each worker compiles anew for each epoch.
    """
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    frame = pd.DataFrame({"filename": names, "class": np.arange(len(names), dtype="float32")})
    options = {
        "class_mode": "raw",
        "target_size": (10, 11),
        "batch_size": BATCH,
        "seed": 6,
    } | options
    return ImageDataGenerator(rotation_range=rotation, rescale=1 / 255).flow_from_dataframe(
        frame, str(folder), **options
    )


def as_bytes(dataset):
    """The next epoch, as what trains on it sees it."""
    epoch = dataset.take(-1) if isinstance(dataset, tfpipe.Iterator) else dataset
    return [(x.numpy().tobytes(), tuple(y.numpy())) for x, y in epoch]


class TestExactlyOnce:
    @pytest.mark.slow
    @pytest.mark.parametrize("with_manifest", [False, True])
    def test_every_batch_of_every_epoch_is_the_local_one(
        self, address, folder, tmp_path, with_manifest
    ):
        # With TensorFlow's operations, as on the workers, the last bits are equal as well.
        dataset = flow(folder, rotation=20).tuned(kernels="tensorflow")
        local = [as_bytes(dataset) for _ in range(3)]
        manifest = tmp_path / "manifest" if with_manifest else None
        dataset.seek(0)
        remote = dataset.distribute(service=address, manifest=manifest)
        epochs = [as_bytes(remote) for _ in range(3)]
        assert [sorted(epoch) for epoch in epochs] == [sorted(epoch) for epoch in local]
        assert len({tuple(epoch) for epoch in map(tuple, local)}) == 3

    @pytest.mark.slow
    def test_repeated(self, address, folder):
        local = [as_bytes(dataset) for dataset in [flow(folder)] for _ in range(3)]
        seen = as_bytes(flow(folder).distribute(service=address).repeat(3))
        epochs = [seen[i : i + 11] for i in range(0, 33, 11)]
        assert [sorted(epoch) for epoch in epochs] == [sorted(epoch) for epoch in local]

    @pytest.mark.slow
    def test_it_is_still_an_image_dataset(self, address, folder):
        dataset = ImageDataGenerator().flow_from_directory(
            folder, target_size=(10, 11), batch_size=BATCH, seed=6
        )
        remote = dataset.distribute(service=address)
        assert isinstance(remote, ImageDataset)
        assert (len(remote), remote.class_names) == (11, ["a", "b"])
        assert remote.class_mode == "categorical"
        assert remote.element_spec == dataset.element_spec
        np.testing.assert_array_equal(remote[3][0], dataset[3][0])

    @pytest.mark.slow
    def test_an_epoch_that_seek_chose(self, address, folder):
        dataset = flow(folder)
        remote = dataset.distribute(service=address)
        remote.seek(5)
        seen = as_bytes(remote)
        dataset.seek(5)  # of the one and of the other
        assert sorted(seen) == sorted(as_bytes(dataset))
        assert sorted(as_bytes(remote)) == sorted(as_bytes(flow(folder).starting_at(6)))
        dataset.seek(5, 2)
        with pytest.raises(
            ValueError, match=r"begins at the first batch.*Call seek\(epoch\) first"
        ):
            dataset.distribute(service=address)
        with pytest.raises(ValueError, match=r"begins at the first batch.*Received: batch=2"):
            remote.seek(5, 2)

    @pytest.mark.slow
    def test_fit(self, address, folder):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        remote = flow(folder).distribute(service=address)
        history = model.fit(remote, epochs=2, verbose=0, shuffle=False)
        assert np.isfinite(history.history["loss"]).all()
        assert model.optimizer.iterations == 22

    def test_arrays_with_weights_and_lists_of_labels(self, address, tmp_path):
        images = np.arange(7 * 2 * 3, dtype="float32").reshape(7, 2, 3, 1)
        dataset = ImageDataGenerator().flow(
            images, np.arange(7), sample_weight=np.arange(7) / 7, batch_size=3, seed=1
        )
        remote = dataset.distribute(service=address, manifest=tmp_path)
        for x, y, weights in remote:
            np.testing.assert_array_equal(x, images[y.numpy()])
            np.testing.assert_allclose(weights, y.numpy() / 7)

    @pytest.mark.slow
    def test_a_bad_file_is_named(self, address, folder, tmp_path, write, picture):
        for i in range(6):
            write(tmp_path / "a" / f"{i}.png", picture(5, 6, 3, seed=i))
        (tmp_path / "a" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
        remote = (
            ImageDataGenerator()
            .flow_from_directory(tmp_path, target_size=(5, 6), batch_size=2, shuffle=False)
            .distribute(service=address)
        )
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"a/3\.png': its PNG data are"):
            list(remote)


class TestParallelEpochs:
    @pytest.mark.slow
    def test_each_worker_gives_the_whole_epoch(self, address, folder):
        dataset = flow(folder)
        remote = dataset.distribute(service=address, mode="parallel_epochs")
        seen = as_bytes(remote)
        assert sorted(seen) == sorted(2 * as_bytes(dataset.starting_at(0)))

    @pytest.mark.slow
    def test_seek_and_subscripts_need_no_length(self, address, folder):
        remote = flow(folder).distribute(service=address, mode="parallel_epochs")
        with pytest.raises(TypeError, match="unknown"):
            len(remote)
        np.testing.assert_array_equal(remote[10][1], flow(folder)[10][1])
        remote.seek(4)
        dataset = flow(folder).starting_at(4)
        assert sorted(as_bytes(remote)) == sorted(2 * as_bytes(dataset))
        assert "11 batches of 4" in repr(remote)


class TestSharedJob:
    """Two trainers of one job, in one process: a share each of every epoch."""

    @staticmethod
    def trainers(address, folder, name, **options):
        return [
            flow(folder, **options).distribute(service=address, job_name=name) for _ in range(2)
        ]

    @pytest.mark.slow
    def test_two_trainers_share_each_epoch(self, address, folder):
        one, two = self.trainers(address, folder, "shared")
        local = flow(folder)
        for _ in range(2):
            open_loops, seen = [iter(one), iter(two)], ([], [])
            while open_loops:
                for loop, batches in zip(list(open_loops), seen, strict=False):
                    batch = next(loop, None)
                    if batch is None:
                        open_loops.remove(loop)
                    else:
                        batches.append((batch[0].numpy().tobytes(), tuple(batch[1].numpy())))
            assert sorted(seen[0] + seen[1]) == sorted(as_bytes(local))
            assert min(len(batches) for batches in seen) > 0

    @pytest.mark.slow
    def test_a_late_trainer_is_given_what_is_left(self, address, folder):
        one, two = self.trainers(address, folder, "late")
        assert len(as_bytes(one)) == 11
        assert as_bytes(two) == []
        assert len(as_bytes(two)) == 11

    @pytest.mark.slow
    def test_the_two_parts_of_a_split_are_two_jobs(self, address, folder):
        options = {"image_size": 8, "batch_size": 4, "seed": 1, "verbose": False}
        parts = tfpipe.image_dataset_from_directory(
            folder, labels=None, validation_split=0.5, subset="both", **options
        )
        seen = [
            sum(len(batch) for batch in part.distribute(service=address, job_name="parts"))
            for part in parts
        ]
        assert seen == [21, 20]

    @pytest.mark.slow
    def test_other_data_is_another_job(self, address, folder):
        one, _ = self.trainers(address, folder, "other")
        other, _ = self.trainers(address, folder, "other", seed=7)
        assert len(as_bytes(one)) == len(as_bytes(other)) == 11

    @pytest.mark.slow
    def test_the_same_names_in_another_folder_are_another_job(self, address, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "other")
        one, other = (
            flow(top, seed=6).distribute(service=address, job_name="folders")
            for top in (folder, tmp_path / "other")
        )
        assert len(as_bytes(one)) == len(as_bytes(other)) == 11

    def test_the_length_of_a_share_is_unknown(self, address, folder):
        one, _ = self.trainers(address, folder, "length")
        assert one.cardinality() == tf.data.UNKNOWN_CARDINALITY


@contextlib.contextmanager
def losses_told(seen, epoch=0):
    """Whatever the block does not see of an epoch is told, with its number, and nothing else is."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    lost = N - len(seen)
    expected = [f"gave {len(seen)} of the {N} samples of epoch {epoch}: {lost} were lost"]
    found = [re.search(r"gave .*? were lost", str(w.message)) for w in told]
    assert [match and match[0] for match in found] == expected * (lost > 0)


class TestFaults:
    @pytest.mark.slow
    def test_a_worker_that_is_killed_for_good(self, processes, folder):
        dispatcher, address = processes.dispatcher("--worker-timeout", 2)
        victim, _ = processes.workers(address, 2)
        remote = flow(folder, batch_size=1).distribute(service=address)
        seen = []
        with losses_told(seen):
            for number, (_, y) in enumerate(remote):
                seen += y.numpy().tolist()
                if number == 5:
                    victim.kill()
        assert len(set(seen)) == len(seen)
        assert set(seen) <= set(range(N))
        # What the victim had in hand: an image a request, the batches made ahead and those in work.
        assert len(seen) >= N - 12
        for _ in range(2):
            assert sorted(y for _, ys in remote for y in ys.numpy().tolist()) == list(range(N))
        dispatcher.terminate()
        _, err = dispatcher.communicate(timeout=30)
        assert re.search(
            r"Worker localhost:\d+ has not answered for 2 s; epochs end without it", err
        )

    @pytest.mark.slow
    def test_without_any_worker_the_epoch_waits(self, processes, folder):
        _, address = processes.dispatcher("--worker-timeout", 1)
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        only = processes.worker(address, "--port", port)
        remote = flow(folder, batch_size=1).distribute(service=address)
        seen = []
        with losses_told(seen):
            for number, (_, y) in enumerate(remote):
                seen += y.numpy().tolist()
                if number == 5:
                    only.kill()
                    only.wait()
                    time.sleep(3)  # longer than the timeout: the dispatcher knows that it is gone
                    processes.worker(address, "--port", port)
        assert len(set(seen)) == len(seen)
        assert len(seen) >= N - 12

    @pytest.mark.slow
    def test_a_worker_that_is_killed_and_started_again(self, processes, folder):
        _, address = processes.dispatcher()
        processes.worker(address)
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        victim = processes.worker(address, "--port", port)
        remote = flow(folder, batch_size=1).distribute(service=address)
        seen = []
        with losses_told(seen):
            for number, (_, y) in enumerate(remote):
                seen += y.numpy().tolist()
                if number == 10:
                    victim.send_signal(signal.SIGKILL)
                    victim.wait()
                    processes.worker(address, "--port", port)
        assert len(set(seen)) == len(seen)
        assert len(seen) > 10
        assert set(seen) <= set(range(N))
        assert sorted(y for _, ys in remote for y in ys.numpy().tolist()) == list(range(N))

    @pytest.mark.slow
    def test_a_dispatcher_that_is_killed_and_started_again(self, processes, folder, tmp_path):
        first, address = processes.dispatcher("--work-dir", tmp_path / "journal")
        port = address.rpartition(":")[2]
        processes.workers(address, 2)
        remote = flow(folder, batch_size=1).distribute(service=address)
        seen = []
        with losses_told(seen):
            for number, (_, y) in enumerate(remote):
                seen += y.numpy().tolist()
                if number == 10:
                    first.send_signal(signal.SIGKILL)
                    first.wait()
                    processes.dispatcher("--work-dir", tmp_path / "journal", "--port", port)
        assert len(set(seen)) == len(seen)
        assert set(seen) <= set(range(N))
        assert sorted(y for _, ys in remote for y in ys.numpy().tolist()) == list(range(N))

    @pytest.mark.slow
    def test_a_dispatcher_that_forgot_its_journal(self, processes, folder):
        """Started again without --work-dir, it gives tasks of the epoch before to workers that remember."""
        first, address = processes.dispatcher()
        port = address.rpartition(":")[2]
        processes.workers(address, 2)
        remote = flow(folder, batch_size=1).distribute(service=address)
        for epoch in range(4):
            seen = []
            with losses_told(seen, epoch):
                seen += [y for _, ys in remote for y in ys.numpy().tolist()]
            assert len(set(seen)) == len(seen)
            if epoch == 1:
                first.kill()
                first.wait()
                processes.dispatcher("--port", port)

    @pytest.mark.slow
    def test_sigterm_ends_them_with_status_0(self, processes):
        dispatcher, address = processes.dispatcher()
        for process in (processes.worker(address), dispatcher):
            process.terminate()
            out, err = process.communicate(timeout=60)
            assert (process.returncode, out) == (0, ""), err

    def test_a_worker_says_that_it_waits(self, processes):
        waiting = processes.launch("worker", "--dispatcher", "localhost:1")
        assert waiting.stderr.readline() == "Waiting for the dispatcher at localhost:1\n"

    @pytest.mark.slow
    def test_ctrl_c_ends_a_worker_that_waits(self, processes):
        waiting = processes.launch("worker", "--dispatcher", "localhost:1")
        waiting.stderr.readline()
        time.sleep(15)  # TensorFlow is imported, and the worker looks for its dispatcher
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=20)
        assert waiting.returncode == 130, err
        assert err.endswith("\nInterrupted.\n")

    def test_waiting_ends_when_something_listens(self, monkeypatch):
        with socket.socket() as later:
            later.bind(("localhost", 0))
            monkeypatch.setattr(service_command.time, "sleep", lambda seconds: later.listen())
            service_command._wait_for("localhost", later.getsockname()[1])

    def test_a_port_that_is_taken(self, address):
        command = ["dispatcher", "--port", address.rpartition(":")[2]]
        result = subprocess.run(
            [sys.executable, "-m", "tfpipe", "service", *command],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 1
        assert f"Error: Port {command[-1]} is not available:" in result.stderr


class TestLosses:
    """What is lost on the way is told at the end of the epoch; no process dies for that here."""

    @staticmethod
    def told(dataset, kept, position=0):
        plan = dataset._plan
        begin = (tf.constant(3, tf.int64), tf.constant(position, tf.int64))
        return counted(dataset.take(-1).take(kept), plan, *begin)

    @pytest.mark.slow
    @pytest.mark.parametrize("options", [{}, {"class_mode": None}])
    def test_of_every_batch_nothing_is_said(self, folder, options):
        dataset = flow(folder, shuffle=False, **options)
        whole = list(dataset.take(-1).as_numpy_iterator())
        dataset.seek(0)
        again = self.told(dataset, 99)
        assert again.element_spec == dataset.element_spec
        tf.nest.map_structure(np.testing.assert_array_equal, list(again.as_numpy_iterator()), whole)

    def test_the_number_of_lost_samples(self, folder):
        dataset = flow(folder)
        with pytest.warns(UserWarning, match=r"gave 36 of the 41 samples of epoch 3: 5 were lost"):
            assert len(list(self.told(dataset, 9))) == 9
        with pytest.warns(UserWarning, match=r"gave 0 of the 41 samples of epoch 3: 41 were lost"):
            assert len(list(self.told(dataset, 0))) == 0

    @pytest.mark.slow
    def test_samples_without_batches(self, folder):
        dataset = tfpipe.image_dataset_from_directory(
            folder, image_size=(4, 5), batch_size=None, seed=1, verbose=False
        )
        assert len(list(self.told(dataset, 99))) == 41
        with pytest.warns(UserWarning, match="gave 38 of the 41 samples of epoch 3: 3 were lost"):
            assert len(list(self.told(dataset, 38))) == 38

    def test_of_the_rest_of_an_epoch(self, folder):
        dataset = flow(folder)
        dataset.seek(3, 9)
        assert len(list(self.told(dataset, 99, position=36))) == 2

    def test_a_loop_that_is_left_early_lost_nothing(self, folder):
        assert len(list(self.told(flow(folder), 9).take(5))) == 5


class TestNobodyThere:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(service, "_PATIENCE", 0.5)

    def test_an_error_within_seconds(self, folder):
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(
            ConnectionError, match=rf"'grpc://localhost:{port}' within 0.5 s: .+Start"
        ):
            flow(folder).distribute(service=f"grpc://localhost:{port}")

    def test_a_server_that_never_answers(self, folder):
        with socket.create_server(("localhost", 0)) as silent:
            address = f"grpc://localhost:{silent.getsockname()[1]}"
            with pytest.raises(ConnectionError, match="No dispatcher of a tf.data service answers"):
                flow(folder).distribute(service=address)

    @pytest.mark.slow
    def test_a_worker_is_no_dispatcher(self, folder, processes):
        _, address = processes.dispatcher()
        process = processes.launch("worker", "--dispatcher", address)
        worker = processes.ready(process, r"Worker for localhost:\d+ listens on (localhost:\d+)\n")
        with pytest.raises(ConnectionError, match="is not the dispatcher"):
            flow(folder).distribute(service=f"grpc://{worker}")

    @pytest.mark.slow
    def test_a_dispatcher_without_workers(self, folder, processes):
        _, address = processes.dispatcher()
        with pytest.warns(UserWarning, match="has no workers yet. A loop waits until there is one"):
            flow(folder).distribute(service=address)


class TestRefused:
    def test_what_only_python_reads(self, tmp_path, write, picture):
        write(tmp_path / "a" / "one.tif", picture(5, 6, 3))
        with pytest.warns(UserWarning, match="decoded by Pillow"):
            dataset = ImageDataGenerator().flow_from_directory(tmp_path)
        with pytest.raises(ValueError, match=r"cannot run Python.*Python decodes \(\.tif\)"):
            dataset.distribute(service="grpc://localhost:1")

    def test_a_numpy_function(self, folder):
        def only_numpy(image):
            return np.ascontiguousarray(image)[::-1].copy()

        generator = ImageDataGenerator(preprocessing_function=only_numpy)
        with pytest.warns(UserWarning, match="only_numpy"):
            dataset = generator.flow_from_directory(folder)
        with pytest.raises(ValueError, match="preprocessing_function only_numpy"):
            dataset.distribute(service="grpc://localhost:1")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"service": "localhost:5000"},
                r"grpc://host:port'\. Received: service='localhost:5000'",
            ),
            ({"service": "grpc://localhost"}, "Received: service='grpc://localhost'"),
            ({"service": 5000}, "Received: service=5000"),
            ({"service": "grpc://a:1", "mode": "once"}, r"mode must be one of .*'exactly_once'"),
            (
                {"service": "grpc://a:1", "job_name": ""},
                "job_name must be .* Received: job_name=''",
            ),
            ({}, "a strategy or a service"),
        ],
    )
    def test_arguments(self, folder, options, message):
        with pytest.raises(ValueError, match=message):
            flow(folder).distribute(**options)

    def test_what_is_distributed_already(self, address, folder):
        remote = flow(folder).distribute(service=address)
        with pytest.raises(ValueError, match="already distributed"):
            remote.distribute(tf.distribute.get_strategy())

    def test_pickle_of_what_is_distributed(self, address, folder):
        remote = flow(folder).distribute(service=address)
        with pytest.raises(TypeError, match=r"distributed data set cannot be pickled.*distribute"):
            pickle.dumps(remote)

    def test_columns_too_large_for_a_graph(self):
        images = np.zeros([70, 64, 64, 1], np.float32)
        with pytest.raises(ValueError, match="manifest=DIRECTORY"):
            ImageDataGenerator().flow(images).distribute(service="grpc://localhost:1")


class TestColumns:
    VALUES = (
        np.arange(12, dtype="float32").reshape(4, 3),
        np.array([b"a", "é\n".encode(), b"\xff", b""], object),
        np.array([3, 1, 2], "int64"),
    )

    @pytest.mark.parametrize("values", VALUES)
    def test_rows_in_graph_and_in_file_are_equal(self, values, tmp_path):
        indices = tf.constant([[2, 0], [1, 2]], tf.int64)
        expected = values[indices.numpy()]
        for column in (Feeds().column(values), in_file(values, str(tmp_path))):
            np.testing.assert_array_equal(column(indices), expected)
            dataset = tf.data.Dataset.from_tensors(indices).repeat(3).map(column)
            for rows in dataset:
                np.testing.assert_array_equal(rows, expected)

    def test_the_graph_stays_small(self, tmp_path):
        paths = np.array([b"some/long/directory/%07d.jpg" % i for i in range(100_000)], object)
        assert column_bytes(paths) == 3_100_000

        def graph_size(column):
            dataset = tf.data.Dataset.range(5).map(column)
            return len(dataset._as_serialized_graph().numpy())

        assert graph_size(Feeds().column(paths)) > 3_100_000
        assert graph_size(in_file(paths, str(tmp_path))) < 5_000

    @pytest.mark.slow
    def test_of_a_million_paths(self, tmp_path):
        paths = np.array([b"some/long/directory/%07d.jpg" % i for i in range(1_000_000)], object)
        column = in_file(paths, str(tmp_path))
        dataset = tf.data.Dataset.from_tensors(tf.constant([999_999, 0], tf.int64)).map(column)
        assert len(dataset._as_serialized_graph().numpy()) < 5_000
        assert next(iter(dataset)).numpy().tolist() == [paths[999_999], paths[0]]

    def test_the_same_column_is_one_file(self, tmp_path):
        for _ in range(2):
            in_file(np.arange(5), str(tmp_path))
        in_file(np.arange(6), str(tmp_path))
        assert len(list(tmp_path.iterdir())) == 2


class TestServiceSpec:
    def test_repr_and_equality(self):
        assert ServiceSpec("grpc://a:1") == ServiceSpec("grpc://a:1", "exactly_once")
