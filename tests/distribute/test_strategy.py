"""Batches shared out among the replicas of a tf.distribute strategy."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfpipe
from tfpipe import ImageDataGenerator, ImageDataset
from tfpipe.distribute.strategy import Replicas, replica_epochs
from tfpipe.pipeline.cursor import Cursor


def flow(n, batch_size, **options):
    """An image data set whose images and labels are their own number."""
    images = np.arange(n, dtype="float32").reshape(n, 1, 1, 1)
    return ImageDataGenerator().flow(images, np.arange(n), batch_size=batch_size, seed=3, **options)


def labels(dataset):
    """The labels of the next epoch, as what trains on it sees it."""
    epoch = dataset.take(-1) if isinstance(dataset, tfpipe.Iterator) else dataset
    return [y.numpy().tolist() for _, y in epoch]


class TestReplicas:
    def test_parts_of_every_count_are_disjoint_and_complete(self):
        for of in range(1, 17):
            for n in range(1, 201):
                size = 1 + n % 3
                positions, parts = [], 0
                for first in range(of):
                    replica = Replicas(first, 1, of)
                    begins = range(first * size, n, of * size)
                    positions += [p for b in begins for p in range(b, min(b + size, n))]
                    assert replica.parts(n, of * size) == len(begins), (replica, n)
                    parts += len(begins)
                assert sorted(positions) == list(range(n))
                assert Replicas(0, of, of).parts(n, of * size) == parts

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("n", "workers", "replicas"), [(23, 2, 2), (9, 2, 4), (40, 4, 4), (5, 3, 6)]
    )
    def test_workers_give_the_parts_of_the_same_global_batches(self, n, workers, replicas):
        batch_size, count = 2 * replicas, replicas // workers
        dataset = flow(n, batch_size)
        for _ in range(2):
            shares = [Replicas(w * count, count, replicas) for w in range(workers)]
            epoch = int(dataset._cursor.epoch)
            streams = [
                labels(replica_epochs(dataset._plan, Cursor.new(epoch), share)) for share in shares
            ]
            lengths = [share.parts(n, batch_size) for share in shares]
            assert [len(stream) for stream in streams] == lengths
            for number, batch in enumerate(labels(dataset)):
                parts = [
                    part
                    for stream in streams
                    for part in stream[number * count : (number + 1) * count]
                ]
                assert np.concatenate(parts).tolist() == batch

    def test_begins_where_the_cursor_is(self):
        dataset = flow(23, 4)
        expected = labels(dataset.starting_at(2, 3))
        shares = [
            replica_epochs(dataset._plan, Cursor.new(2, 3 * dataset.batch_size), Replicas(r, 1, 2))
            for r in (0, 1)
        ]
        first, second = map(labels, shares)
        assert [a + b for a, b in zip(first, second, strict=True)] == expected

    def test_rejects_what_is_outside(self):
        with pytest.raises(
            ValueError,
            match=r"^Replicas must lie within the 2 that share.*Replicas\(first=1, count=2, of=2\)",
        ):
            Replicas(1, 2, 2)

    def test_others_are_not_read(self, tmp_path, write, picture):
        for i in range(8):
            write(tmp_path / "a" / f"{i}.png", picture(5, 6, 3, seed=i))
        dataset = ImageDataGenerator().flow_from_directory(
            tmp_path, target_size=(5, 6), batch_size=4, shuffle=False
        )
        for i in (2, 3, 6, 7):  # the second replica's
            (tmp_path / "a" / f"{i}.png").unlink()
        share = replica_epochs(dataset._plan, Cursor.new(), Replicas(0, 1, 2))
        assert [len(x) for x, _ in share] == [2, 2]


class TestDropRemainder:
    def test_static_shapes(self):
        dataset = flow(10, 4)
        dropping = ImageDataset(dataset.source, replace(dataset.spec, drop_remainder=True))
        assert len(dropping) == 2
        assert dropping.element_spec[0].shape == (4, 1, 1, 1)
        assert labels(dropping) == labels(dataset)[:2]

    def test_on_replicas(self):
        dataset = flow(10, 4)
        dropping = ImageDataset(dataset.source, replace(dataset.spec, drop_remainder=True))
        share = replica_epochs(dropping._plan, Cursor.new(), Replicas(1, 1, 2))
        assert share.element_spec[0].shape == (2, 1, 1, 1)
        assert labels(share) == [batch[2:] for batch in labels(dropping)]


# What every worker begins with: `index`, `count` and `strategy`.
HEAD = """
import json, os, sys
index, ports, devices = int(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
count = len(ports)
if count > 1:
    os.environ["TF_CONFIG"] = json.dumps({
        "cluster": {"worker": [f"localhost:{port}" for port in ports]},
        "task": {"type": "worker", "index": index},
    })
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
if count > 1:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
else:
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(devices)])
from tfpipe import ImageDataGenerator
"""

# Prints, for each global batch, the samples of the worker's replicas.
LOOP = """
images = np.arange(23, dtype="float32").reshape(23, 1, 1, 1)
try:
    ImageDataGenerator().flow(images, batch_size=7).distribute(strategy)
except ValueError as err:
    print("REFUSED", err)
dataset = ImageDataGenerator().flow(images, np.arange(23), batch_size=8, seed=3)
batches = dataset.distribute(strategy)

@tf.function
def total(y):
    return strategy.reduce("SUM", strategy.run(lambda y: tf.reduce_sum(y), (y,)), axis=None)

for epoch in range(2):
    for _, y in batches:
        parts = np.concatenate(strategy.experimental_local_results(y)).tolist()
        print("LINE", json.dumps([epoch, parts, int(total(y))]), flush=True)
"""

# Prints the labels that the worker was given, and which of its files it has opened.
READS = """
import pathlib
folder = pathlib.Path(sys.argv[4]) / str(index)
dataset = ImageDataGenerator().flow_from_directory(
    folder, target_size=(4, 4), class_mode="sparse", batch_size=8, seed=3
)
given = []
for _, y in dataset.distribute(strategy):
    given += np.concatenate(strategy.experimental_local_results(y)).astype(int).tolist()
opened = [int(path.parent.name) for path in folder.glob("*/0.png") if path.stat().st_atime > 1]
print("LINE", json.dumps([given, sorted(opened)]), flush=True)
"""

FIT = """
import tf_keras
images = np.random.default_rng(0).random((24, 3, 4, 1), np.float32)
generator = ImageDataGenerator(horizontal_flip=True)
dataset = generator.flow(images, np.arange(24) % 5, batch_size=8, seed=3)
with strategy.scope():
    model = tf_keras.Sequential([
        tf_keras.layers.Flatten(input_shape=(3, 4, 1)),
        tf_keras.layers.Dense(1, kernel_initializer="ones"),
    ])
    model.compile(tf_keras.optimizers.legacy.SGD(0.01), "mse")
endless = dataset.distribute(strategy, epochs=None)
history = model.fit(endless, steps_per_epoch=len(dataset), epochs=3, verbose=0)
weights = [value.tolist() for value in model.get_weights()]
print("LINE", json.dumps([history.history["loss"], weights]), flush=True)
"""


# Prints the samples of each epoch that the worker was given by a strategy that knows nothing of tfpipe.
PLAIN = """
images = np.arange(24, dtype="float32").reshape(24, 1, 1, 1)
dataset = ImageDataGenerator().flow(images, np.arange(24), batch_size=8, seed=3)
batches = strategy.experimental_distribute_dataset(dataset.map(lambda x, y: (x, y)))
for epoch in range(2):
    given = [np.concatenate(strategy.experimental_local_results(y)).tolist() for _, y in batches]
    print("LINE", json.dumps([epoch, sum(given, []), len(given)]), flush=True)
"""


def run_workers(script, count, devices=1, *arguments, ours=True):
    """The lines that each worker printed; `ours`: tfpipe, and not tf.data, shares out the samples."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    environment = {**os.environ, "PYTHONPATH": str(Path(tfpipe.__file__).parents[1])}
    given = [json.dumps(ports), str(devices), *map(str, arguments)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HEAD + script, str(index), *given],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    try:
        results = [process.communicate(timeout=150) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, err) in zip(processes, results, strict=True):
        assert process.returncode == 0, err[-3000:]
        assert not ours or "auto-shard" not in err.lower()
        assert not ours or "AUTO sharding" not in err
    return [out.splitlines() for out, _ in results]


def parsed(lines):
    return [json.loads(line[5:]) for line in lines if line.startswith("LINE ")]


class TestStrategies:
    @pytest.mark.slow
    @pytest.mark.parametrize(("workers", "devices"), [(1, 2), (2, 1), (4, 1)])
    def test_same_samples_in_the_same_global_batches(self, workers, devices):
        dataset = flow(23, 8)
        expected = [(epoch, batch) for epoch in range(2) for batch in labels(dataset)]
        printed = run_workers(LOOP, workers, devices)
        refused = (
            f"REFUSED batch_size must be a multiple of the {workers * devices} replicas that share each "
            "batch. Received: batch_size=7."
        )
        assert all(refused in lines for lines in printed)
        seen = [parsed(lines) for lines in printed]  # epoch, samples, sum over all workers
        assert [len(worker) for worker in seen] == [len(expected)] * workers
        for (epoch, batch), *parts in zip(expected, *seen, strict=True):
            assert {part[0] for part in parts} == {epoch}
            assert np.concatenate([part[1] for part in parts]).tolist() == batch
            assert {part[2] for part in parts} == {sum(batch)}

    @pytest.mark.slow
    def test_each_worker_opens_only_its_files(self, tmp_path, write, picture):
        write(tmp_path / "probe.png", picture(4, 4, 3))
        os.utime(tmp_path / "probe.png", (1, time.time()))
        (tmp_path / "probe.png").read_bytes()
        if (tmp_path / "probe.png").stat().st_atime == 1:
            pytest.skip("this file system does not note when a file is read")
        for worker in range(2):
            for i in range(22):
                path = tmp_path / str(worker) / f"{i:02}" / "0.png"
                write(path, picture(4, 4, 3, seed=i))
                os.utime(path, (1, path.stat().st_mtime))  # so that a read moves it
        printed = run_workers(READS, 2, 1, tmp_path)
        (given, opened), (others, opened_there) = [parsed(lines)[0] for lines in printed]
        assert sorted(given + others) == list(range(22))  # each sample once, by one of the two
        assert opened == sorted(given)
        assert opened_there == sorted(others)

    @pytest.mark.slow
    @pytest.mark.parametrize(("workers", "devices"), [(1, 1), (1, 2), (2, 1)])
    def test_without_distribute_no_sample_comes_twice(self, workers, devices):
        seen = [parsed(lines) for lines in run_workers(PLAIN, workers, devices, ours=False)]
        for epoch, *parts in zip(range(2), *seen, strict=True):
            assert [(number, batches) for number, _, batches in parts] == [(epoch, 3)] * workers
            assert sorted(np.concatenate([given for _, given, _ in parts])) == list(range(24))

    def test_one_process_need_not_share(self):
        off = tf.data.experimental.AutoShardPolicy.OFF
        for dataset in (flow(23, 8), flow(23, 8).take(2)):
            assert dataset.options().experimental_distribute.auto_shard_policy == off

    @pytest.mark.slow
    def test_fit_of_tf_keras_over_two_workers(self):
        """It learns what one process learns."""
        (alone,), (one,), (other,) = map(parsed, run_workers(FIT, 1) + run_workers(FIT, 2))
        assert one == other
        for a, b in zip(tf.nest.flatten(alone), tf.nest.flatten(one), strict=True):
            assert a == pytest.approx(b, rel=1e-5)

    @pytest.mark.slow
    def test_each_loop_is_the_next_epoch(self):
        """Also where each has a `distribute` of its own, and between loops that have none."""
        dataset, strategy = flow(23, 8), tf.distribute.get_strategy()
        expected = [labels(flow(23, 8).starting_at(epoch)) for epoch in range(5)]
        seen = [labels(dataset.distribute(strategy)) for _ in range(2)]
        seen.append(labels(dataset))
        batches = dataset.distribute(strategy)
        assert [*seen, labels(batches), labels(batches)] == expected
        dataset.seek(2)
        assert labels(batches) == expected[2]

    def test_epochs_in_one_loop(self):
        dataset = flow(23, 8)
        expected = [batch for _ in range(3) for batch in labels(dataset)]
        dataset.seek(0)
        several = dataset.distribute(tf.distribute.get_strategy(), epochs=3)
        assert labels(several) == expected
        dataset.seek(1)
        endless = dataset.distribute(tf.distribute.get_strategy(), epochs=None)
        assert [
            y.numpy().tolist() for _, (_, y) in zip(range(6), endless, strict=False)
        ] == expected[3:]


class TestRejects:
    def test_epochs(self):
        strategy = tf.distribute.get_strategy()
        with pytest.raises(ValueError, match=r"epochs must be an int >= 1. Received: epochs=0"):
            flow(4, 2).distribute(strategy, epochs=0)
        with pytest.raises(ValueError, match=r"epochs is for a strategy. Received: epochs=2"):
            flow(4, 2).distribute(service="grpc://localhost:1", epochs=2)

    def test_no_strategy(self):
        with pytest.raises(TypeError, match="must be a tf.distribute.Strategy. Received: str"):
            flow(4, 2).distribute("mirrored")

    def test_both(self):
        with pytest.raises(ValueError, match="one of them, not both"):
            flow(4, 2).distribute(tf.distribute.get_strategy(), service="grpc://a:1")

    def test_mixtures_of_single_samples(self):
        generator = ImageDataGenerator()
        generator.mixup_alpha = 0.4
        one_hot = np.eye(4, dtype="float32")
        dataset = generator.flow(np.zeros([4, 2, 3, 1], "float32"), one_hot, batch_size=1)
        with pytest.raises(
            ValueError, match=r"batch_size=1 leaves each of the 1 replicas a single sample"
        ):
            dataset.distribute(tf.distribute.get_strategy())
