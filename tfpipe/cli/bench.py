"""`tfpipe bench`: images per second on the user's own folder, beside the loaders it replaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from tfpipe.cli import quiet, speed, text


@click.command(
    "bench",
    epilog="""\b
Examples:
  tfpipe bench photos                                a folder of classes, at 224x224
  tfpipe bench photos --image-size 299 --batch-size 64 --rounds 9
  tfpipe bench photos --augment                      with rotation, shifts, zoom and a flip
  tfpipe bench photos --json | jq .rates.tfpipe
""",
)
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False))
@click.option(
    "--image-size",
    type=text.Size(),
    default="224",
    show_default=True,
    help="Size to resize images to.",
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images per batch."
)
@click.option(
    "--images",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Largest number of images per epoch.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Epochs measured per loader; the median counts.",
)
@click.option("--augment", is_flag=True, help="Random transforms; leaves out Keras' function.")
@click.option("--json", "as_json", is_flag=True, help="Result as one JSON object.")
@click.option("--quiet", "-q", "is_quiet", is_flag=True, help="No progress bar.")
def bench_command(
    directory: str,
    image_size: tuple[int, int],
    batch_size: int,
    images: int,
    rounds: int,
    augment: bool,
    as_json: bool,
    is_quiet: bool,
) -> None:
    """Measure the speed on your own images.

    DIR has one folder per class. tfpipe, the classic generator and Keras' image_dataset_from_directory
    take turns: one epoch each to warm up, then one per round. Nothing is written.
    """
    with text.plain_messages():
        from tfpipe.tools import first_look

        first_look.check_source(directory)
    quiet.import_tensorflow()
    with text.plain_messages(), speed.silence():
        from tfpipe import console

        loaders, count = _loaders(directory, image_size, batch_size, images, augment)
        with console.shown(not is_quiet):
            total = len(loaders) * (rounds + 1)
            with console.bar("Measuring", total) as advance:
                rates = speed.images_per_second(loaders, count, rounds, lambda: advance(1))
    if as_json:
        found = {"images": count, "rounds": rounds, "augment": augment, "rates": rates}
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{count:,} images per epoch, at {image_size[0]}x{image_size[1]}, in images/s:")
    for name, rate in rates.items():
        times = f"{rate / rates['classic']:>7.2f} times the classic" if "classic" in rates else ""
        click.echo(f"  {name:<9}{rate:>9,.1f}{times}")
    if "classic" not in rates:
        click.echo(
            "The classic generator was not measured, because it needs Pillow: pip install pillow"
        )


_AUGMENT = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "zoom_range": 0.1,
    "horizontal_flip": True,
}


def _loaders(
    directory: str, size: tuple[int, int], batch_size: int, images: int, augment: bool
) -> tuple[dict[str, Callable[[], object]], int]:
    """Returns a function per loader that reads one epoch, and the number of images in it."""
    import keras

    import tfpipe

    transforms: dict[str, Any] = _AUGMENT if augment else {}
    batch_size = min(batch_size, images)
    options: dict[str, Any] = {"target_size": size, "batch_size": batch_size}
    ours = tfpipe.ImageDataGenerator(**transforms).flow_from_directory(directory, **options)
    if not len(ours):
        raise ValueError(f"No images found in {directory!r}. Expected one folder per class.")
    batches = min(len(ours), images // batch_size)
    part = ours.take(batches)
    loaders: dict[str, Callable[[], object]] = {"tfpipe": lambda: speed.read_all(part)}
    classic = speed.classic_generator()
    if classic is not None:
        flow = classic(**transforms).flow_from_directory(directory, **options)
        loaders["classic"] = lambda: speed.read_all_classic(flow, batches)
    if not augment:
        theirs = keras.utils.image_dataset_from_directory(
            directory, label_mode="categorical", image_size=size, batch_size=batch_size
        ).take(batches)
        loaders["keras"] = lambda: speed.read_all(theirs)
    return loaders, min(ours.samples, batches * batch_size)
