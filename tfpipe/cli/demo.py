"""`tfpipe demo`: the main job from start to end, on scanned digits, without a network connection."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfpipe.cli import interrupt, quiet
from tfpipe.console import printable

if TYPE_CHECKING:
    import keras

    from tfpipe import ImageDataset

SIZE = (8, 8)
PARITY_EPOCHS = 3
WANTED_ACCURACY = 0.95


@click.command(
    "demo",
    epilog="""\b
Examples:
  tfpipe demo                       everything in a temporary folder
  tfpipe demo --directory digits    keep the images in ./digits
""",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the images to, and keep.  [default: a temporary one, removed at the end]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Epochs of the network for the ten digits.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the order of the images and of the networks' initial weights.",
)
def demo_command(directory: Path | None, epochs: int, seed: int) -> None:
    """Train small networks on 1,797 scanned digits.

    Writes the digits as folders of PNG files, reads them with ImageDataGenerator from the folders and from
    a dataframe, trains a network on each, and measures the speed beside the classic generator's.
    Needs no network connection. The exit status is 1 if the validation accuracy is below 0.95.
    """
    start = time.perf_counter()
    click.secho("tfpipe demo", bold=True, nl=False)
    click.echo(": 1,797 scanned digits (E. Alpaydin, C. Kaynak, UCI, CC BY 4.0)")
    quiet.import_tensorflow()
    with folder(directory) as root:
        accuracy = run(root, epochs, seed)
    click.echo(f"\nDone in {time.perf_counter() - start:.0f} seconds. ", nl=False)
    click.echo(
        f"The images are in {printable(str(directory))}."
        if directory
        else "The images have been removed."
    )
    if accuracy < WANTED_ACCURACY:
        raise click.ClickException(
            f"the validation accuracy, {accuracy:.3f}, is below {WANTED_ACCURACY}. "
            "Train longer: --epochs 20."
        )


@contextlib.contextmanager
def folder(directory: Path | None) -> Iterator[Path]:
    """Yields the folder for the images: the user's, which stays, or a temporary one."""
    if directory is None:
        temporary = tempfile.TemporaryDirectory(prefix="tfpipe-demo-")
        with interrupt.cleaned_up(temporary.cleanup):
            yield Path(temporary.name)
    else:
        yield directory


def run(root: Path, epochs: int, seed: int) -> float:
    """Runs all steps; returns the validation accuracy of the network for the ten digits."""
    import keras

    keras.utils.set_random_seed(seed)
    names = write_images(root)
    training, validation = from_folders(root, seed)
    look(training)
    accuracy = train(digit_network(), training, validation, epochs)
    train(parity_network(), *from_frames(root, names, seed), PARITY_EPOCHS)
    compare_speed(root, training)
    return accuracy


def write_images(root: Path) -> list[str]:
    """Writes PNG files, one folder per class: step 1."""
    from tfpipe.cli import digits

    numbered_heading(1, "Image files")
    data = digits.read_digits()
    others = digits.strangers(root, digits.file_names(data.labels))
    if others:
        raise click.ClickException(
            f"{root} already holds files that are not the demo's, such as {others[0]}. "
            "Choose a --directory that is new or empty."
        )
    try:
        names = digits.write_folders(data, root)
    except OSError as err:
        raise click.ClickException(f"Cannot write the images: {err}") from err
    for part in ("train", "validation"):
        count = sum(name.startswith(part) for name in names)
        click.echo(f"{root / part}/<0 to 9>/: {count:,} PNG files of 8 x 8 pixels")
    return names


def from_folders(root: Path, seed: int) -> tuple[ImageDataset, ImageDataset]:
    """Reads ten classes from the names of the folders: step 2."""
    from tfpipe import ImageDataGenerator

    numbered_heading(2, "A generator from the folders")
    generator = ImageDataGenerator()
    options: Any = {"target_size": SIZE, "color_mode": "grayscale", "class_mode": "categorical"}
    training = generator.flow_from_directory(root / "train", seed=seed, **options)
    validation = generator.flow_from_directory(root / "validation", shuffle=False, **options)
    fact("class indices", training.class_indices)
    return training, validation


def look(training: ImageDataset, count: int = 4) -> None:
    """Shows the first batch, read by subscript."""
    from tfpipe.cli import digits

    images, labels = training[0]
    names = training.class_names or ()
    first = [names[number] for number in labels.argmax(axis=1)]
    fact("first batch", f"training[0] of {len(training)}")
    fact("  images", f"{images.shape} {images.dtype}, {images.min():g} to {images.max():g}")
    fact("  labels", f"{labels.shape} {labels.dtype}, one-hot: {' '.join(first[:16])} ...")
    click.echo(f"\n{digits.sketch(images[:count])}")


def train(
    model: keras.Model, training: ImageDataset, validation: ImageDataset, epochs: int
) -> float:
    """Fits a network and returns its validation accuracy."""
    click.echo()
    # The bar goes back over itself; in a file or a pipe one line per epoch reads better.
    verbose = 1 if sys.stdout.isatty() else 2
    with warnings.catch_warnings():
        # Keras 3.15 warns about its own default, shuffle=True, whenever `fit` is given a tf.data set.
        warnings.filterwarnings("ignore", "`shuffle=True` was passed", UserWarning)
        history = model.fit(training, validation_data=validation, epochs=epochs, verbose=verbose)
    accuracy = float(history.history["val_accuracy"][-1])
    click.echo("validation accuracy: ", nl=False)
    click.secho(f"{accuracy:.3f}", bold=True)
    return accuracy


def from_frames(root: Path, names: list[str], seed: int) -> tuple[ImageDataset, ImageDataset]:
    """Reads two classes from a column of a dataframe: step 3."""
    from tfpipe import ImageDataGenerator
    from tfpipe.cli import digits

    numbered_heading(3, "A generator from a dataframe: is the digit odd?")
    frames = [
        digits.parity_frame([name for name in names if name.startswith(part)])
        for part in ("train", "validation")
    ]
    click.echo(f"{frames[0].head(3).to_string(index=False)}\n...")
    generator = ImageDataGenerator()
    options: Any = {"target_size": SIZE, "color_mode": "grayscale", "class_mode": "binary"}
    training = generator.flow_from_dataframe(frames[0], root, seed=seed, **options)
    validation = generator.flow_from_dataframe(frames[1], root, shuffle=False, **options)
    fact("class indices", training.class_indices)
    return training, validation


def compare_speed(root: Path, training: ImageDataset) -> None:
    """Measures images per second, beside the classic generator on the same folder: step 4."""
    from tfpipe.cli import speed

    numbered_heading(4, "Speed: whole epochs over the training folder, median")
    epochs: dict[str, Any] = {"tfpipe": lambda: speed.read_all(training)}
    classic = speed.classic_generator()
    if classic:
        batches = speed.classic_batches(
            classic, str(root / "train"), target_size=SIZE, color_mode="grayscale"
        )
        epochs["classic"] = lambda: speed.read_all_classic(batches)
    rates = speed.images_per_second(epochs, training.samples)
    fact("tfpipe", f"{rates['tfpipe']:>7,.0f} images/s")
    if classic:
        fact("classic", f"{rates['classic']:>7,.0f} images/s")
        fact("ratio", f"{rates['tfpipe'] / rates['classic']:>7.2f}")
    else:
        fact("classic", "not measured, because it needs Pillow: pip install pillow")
    click.echo("Images this small measure the cost per file, not per pixel.")


def digit_network() -> keras.Model:
    """Builds a small convolutional network for ten classes."""
    from keras import layers

    return compiled_network(layers.Dense(10, activation="softmax"), "categorical_crossentropy")


def parity_network() -> keras.Model:
    """Builds the same network for two classes."""
    from keras import layers

    return compiled_network(layers.Dense(1, activation="sigmoid"), "binary_crossentropy")


def compiled_network(head: keras.layers.Layer, loss: str) -> keras.Model:
    """Builds the network from its last layer, and compiles it with the loss that belongs to it."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((*SIZE, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            head,
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.002), loss=loss, metrics=["accuracy"])
    return model


def numbered_heading(number: int, text: str) -> None:
    click.secho(f"\n{number}. {text}", fg="cyan", bold=True)


def fact(name: str, value: object) -> None:
    click.echo(f"{name + ':':<15} {value}")
