"""The tf.data service: a dispatcher and workers as real processes on this machine."""

import contextlib
import re
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tfpipe import ImageDataGenerator, ImageDataset
from tfpipe.columns import in_file, in_graph, nbytes
from tfpipe.service import ServiceSpec

N, BATCH = 41, 4


class Processes:
    """`tfpipe service` processes, which end with the test."""

    def __init__(self):
        self.running = []

    def start(self, *arguments):
        """The process and what it says once it is ready."""
        command = [sys.executable, "-m", "tfpipe", "service", *map(str, arguments)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.running.append(process)
        line = process.stdout.readline()
        assert line, process.stderr.read()
        return process, line

    def dispatcher(self, *arguments):
        process, line = self.start("dispatcher", *arguments)
        return process, re.fullmatch(r"Dispatcher listens on (grpc://localhost:\d+)\n", line)[1]

    def worker(self, address, *arguments):
        process, line = self.start("worker", "--dispatcher", address, *arguments)
        assert re.fullmatch(r"Worker for localhost:\d+ listens on localhost:\d+\n", line), line
        return process

    def kill(self):
        for process in self.running:
            process.kill()
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
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(started.kill)
        _, address = started.dispatcher()
        started.worker(address)
        started.worker(address)
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


def flow(folder, **options):
    """Batches of (images, number of the file)."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    frame = pd.DataFrame({"filename": names, "class": np.arange(len(names), dtype="float32")})
    options = {
        "class_mode": "raw",
        "target_size": (10, 11),
        "batch_size": BATCH,
        "seed": 6,
    } | options
    return ImageDataGenerator(rotation_range=20, rescale=1 / 255).flow_from_dataframe(
        frame, str(folder), **options
    )


def as_bytes(dataset):
    return [(x.numpy().tobytes(), tuple(y.numpy())) for x, y in dataset]


class TestExactlyOnce:
    @pytest.mark.parametrize("with_manifest", [False, True])
    def test_every_batch_of_every_epoch_is_the_local_one(
        self, address, folder, tmp_path, with_manifest
    ):
        dataset = flow(folder)
        local = [as_bytes(dataset) for _ in range(3)]
        manifest = tmp_path / "manifest" if with_manifest else None
        remote = dataset.distribute(service=address, manifest=manifest)
        epochs = [as_bytes(remote) for _ in range(3)]
        assert [sorted(epoch) for epoch in epochs] == [sorted(epoch) for epoch in local]
        assert len({tuple(epoch) for epoch in map(tuple, local)}) == 3

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

    def test_an_epoch_that_seek_chose(self, address, folder):
        dataset = flow(folder)
        remote = dataset.distribute(service=address)
        remote.seek(5)
        dataset.seek(5)
        assert sorted(as_bytes(remote)) == sorted(as_bytes(dataset))
        with pytest.raises(ValueError, match=r"begins at the first batch.*Received: batch=2"):
            remote.seek(5, 2)

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

    def test_a_bad_file_is_named(self, address, folder, tmp_path, write, picture):
        for i in range(6):
            write(tmp_path / "a" / f"{i}.png", picture(5, 6, 3, seed=i))
        (tmp_path / "a" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
        remote = (
            ImageDataGenerator()
            .flow_from_directory(tmp_path, target_size=(5, 6), batch_size=2, shuffle=False)
            .distribute(service=address)
        )
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"a/3\.png': its PNG data is damaged"
        ):
            list(remote)


class TestParallelEpochs:
    def test_each_worker_gives_the_whole_epoch(self, address, folder):
        dataset = flow(folder)
        remote = dataset.distribute(service=address, mode="parallel_epochs")
        seen = as_bytes(remote)
        assert sorted(seen) == sorted(2 * as_bytes(dataset))


class TestFaults:
    @pytest.mark.slow
    def test_a_worker_that_is_killed_and_started_again(self, processes, folder):
        _, address = processes.dispatcher()
        processes.worker(address)
        with socket.create_server(("localhost", 0)) as free:
            port = free.getsockname()[1]
        victim = processes.worker(address, "--port", port)
        remote = flow(folder, batch_size=1).distribute(service=address)
        seen = []
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

    def test_a_dispatcher_that_is_killed_and_started_again(self, processes, folder, tmp_path):
        first, address = processes.dispatcher("--work-dir", tmp_path / "journal")
        port = address.rpartition(":")[2]
        processes.worker(address)
        processes.worker(address)
        remote = flow(folder, batch_size=1).distribute(service=address)
        seen = []
        for number, (_, y) in enumerate(remote):
            seen += y.numpy().tolist()
            if number == 10:
                first.send_signal(signal.SIGKILL)
                first.wait()
                processes.dispatcher("--work-dir", tmp_path / "journal", "--port", port)
        assert len(set(seen)) == len(seen)
        assert set(seen) <= set(range(N))
        assert sorted(y for _, ys in remote for y in ys.numpy().tolist()) == list(range(N))

    @pytest.mark.parametrize("role", ["dispatcher", "worker"])
    def test_sigterm_ends_it_with_status_0(self, processes, role):
        process, address = processes.dispatcher()
        if role == "worker":
            process = processes.worker(address)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, ""), err

    def test_a_port_that_is_taken(self, processes):
        _, address = processes.dispatcher()
        command = ["dispatcher", "--port", address.rpartition(":")[2]]
        result = subprocess.run(
            [sys.executable, "-m", "tfpipe", "service", *command],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 1
        assert f"Error: Port {command[-1]} cannot be had:" in result.stderr


class TestRefused:
    def test_what_only_python_reads(self, tmp_path, write, picture):
        write(tmp_path / "a" / "one.tif", picture(5, 6, 3))
        with pytest.warns(UserWarning, match="decoded by Pillow"):
            dataset = ImageDataGenerator().flow_from_directory(tmp_path)
        with pytest.raises(ValueError, match=r"cannot run Python.*Pillow decodes \(\.tif\)"):
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
            ({}, "a strategy or a service"),
        ],
    )
    def test_arguments(self, folder, options, message):
        with pytest.raises(ValueError, match=message):
            flow(folder).distribute(**options)

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
        for column in (in_graph(values), in_file(values, str(tmp_path))):
            np.testing.assert_array_equal(column(indices), expected)
            dataset = tf.data.Dataset.from_tensors(indices).repeat(3).map(column)
            for rows in dataset:
                np.testing.assert_array_equal(rows, expected)

    def test_the_graph_stays_small(self, tmp_path):
        paths = np.array([b"some/long/directory/%07d.jpg" % i for i in range(100_000)], object)
        assert nbytes(paths) == 3_100_000

        def graph_size(column):
            dataset = tf.data.Dataset.range(5).map(column)
            return len(dataset._as_serialized_graph().numpy())

        assert graph_size(in_graph(paths)) > 3_100_000
        assert graph_size(in_file(paths, str(tmp_path))) < 5_000

    def test_the_same_column_is_one_file(self, tmp_path):
        for _ in range(2):
            in_file(np.arange(5), str(tmp_path))
        in_file(np.arange(6), str(tmp_path))
        assert len(list(tmp_path.iterdir())) == 2


class TestServiceSpec:
    def test_repr_and_equality(self):
        assert ServiceSpec("grpc://a:1") == ServiceSpec("grpc://a:1", "exactly_once")
