"""`tfpipe service`: the processes of a tf.data service, which prepares batches on other hosts."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tfpipe.cli import interrupt, quiet

_PAUSE = 0.5  # seconds between two looks for the dispatcher


@click.group(
    "service",
    epilog="""\b
Example, with two workers, each command on a host of its own:
  tfpipe service dispatcher --port 5000 --work-dir /var/lib/tfpipe
  tfpipe service worker --dispatcher first-host:5000 --host second-host
  tfpipe service worker --dispatcher first-host:5000 --host third-host
and in the training program:
  model.fit(dataset.distribute(service="grpc://first-host:5000"), ...)
""",
)
def service_command() -> None:
    """Prepare batches in other processes or on other hosts (tf.data service)."""


@service_command.command(
    "dispatcher",
    epilog="""\b
Examples:
  tfpipe service dispatcher                          on a free port, which is printed
  tfpipe service dispatcher --port 5000 --work-dir /var/lib/tfpipe
""",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0: a free one."
)
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for a journal; a dispatcher that is started again with it resumes where it was.",
)
@click.option(
    "--worker-timeout",
    type=click.FloatRange(min=0),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="Time after which epochs end without a worker that does not answer. 0: they wait for it.",
)
def dispatcher_command(port: int, work_dir: Path | None, worker_timeout: float) -> None:
    """Run the dispatcher, which hands out the work.

    One dispatcher serves all trainers. Ends on SIGTERM with status 0.
    """
    _check_free(port)
    _import_tensorflow()
    from tfpipe.distribute import service as servers

    if work_dir is not None:
        work_dir.mkdir(parents=True, exist_ok=True)
    journal = None if work_dir is None else str(work_dir)
    with (
        _started("dispatcher", lambda: servers.start_dispatcher(port, journal)) as address,
        _watched(address, worker_timeout),
    ):
        _wait(f"Dispatcher listens on {address}")


@service_command.command(
    "worker",
    epilog="""\b
Examples:
  tfpipe service worker --dispatcher localhost:5000
  tfpipe service worker --dispatcher first-host:5000 --host second-host --port 5001
""",
)
@click.option("--dispatcher", required=True, metavar="HOST:PORT", help="Address of the dispatcher.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0: a free one."
)
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Name by which trainers reach this worker.",
)
def worker_command(dispatcher: str, port: int, host: str) -> None:
    """Run a worker, which reads, decodes and augments.

    Start as many workers as the trainers keep busy. They must see the files at the same paths as the
    trainers. Ends on SIGTERM with status 0.
    """
    address = dispatcher.removeprefix("grpc://")
    name, _, number = address.rpartition(":")
    if not name or not number.isdigit():
        raise click.BadParameter(
            f"must be HOST:PORT. Received: {dispatcher!r}.", param_hint="--dispatcher"
        )
    _check_free(port)
    click.echo(f"Waiting for the dispatcher at {address}", err=True)
    _import_tensorflow()
    _wait_for(name.strip("[]"), int(number))
    from tfpipe.distribute import service as servers

    with _started("worker", lambda: servers.start_worker(address, host, port)) as own_address:
        _wait(f"Worker for {address} listens on {own_address}")


def _wait_for(host: str, port: int) -> None:
    """Waits until something listens at an address, in Python, where Ctrl-C and SIGTERM are heard.

    TensorFlow's server would wait for its dispatcher with Python's lock held, so that nothing else runs.
    """
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), _PAUSE):
            return
        time.sleep(_PAUSE)


def _check_free(port: int) -> None:
    """Refuses a port in use: gRPC lets two servers listen on it, and each would get some calls."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as err:
            raise click.ClickException(f"Port {port} is not available: {err.strerror}.") from err


def _import_tensorflow() -> None:
    """Imports TensorFlow, and the ops of tensorflow-io if installed: workers must know them all."""
    quiet.import_tensorflow()
    from tfpipe import installed

    is_supported = installed.tensorflow_release() <= installed.LAST_RELEASE_WITH_IO
    if is_supported and installed.has_module("tensorflow_io"):
        quiet.import_silently("tensorflow_io")


@contextlib.contextmanager
def _started(name: str, start: Any) -> Any:
    """Yields the address of a server that runs for as long as the block does."""
    try:
        server, address = start()
    except Exception as err:  # TensorFlow raises whatever gRPC said
        raise click.ClickException(f"The {name} cannot be started: {err}") from err
    with interrupt.cleaned_up(server._stop):
        yield address


@contextlib.contextmanager
def _watched(address: str, patience: float) -> Iterator[None]:
    """Ends epochs without workers that are lost, for as long as the block runs."""
    if not patience:
        yield
        return
    from tfpipe.distribute.lost_workers import Watch

    watch = Watch(
        address.removeprefix("grpc://"), patience, say=lambda line: click.echo(line, err=True)
    )
    with watch, interrupt.cleaned_up(watch.stop):
        yield


def _wait(message: str) -> None:
    """Prints that all is ready, and waits for SIGTERM.

    `server.join` would keep Python from seeing signals. A handler that sets a `threading.Event` deadlocks
    if the signal comes while `wait` holds the event's lock, as it did for one in three that were sent at
    once.
    """
    heard, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(
        tell
    )  # written by the C handler, in whichever thread the signal is delivered
    signal.signal(signal.SIGTERM, lambda *_: None)
    click.echo(message)  # whoever reads it may send the signal at once
    os.read(heard, 1)
