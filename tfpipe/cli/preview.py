"""`tfpipe preview`: a picture of what the model will see."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import click

from tfpipe.cli import quiet, text
from tfpipe.console import printable


class Ranges(click.ParamType):
    """`rotation_range=20,zoom_range=(0.8,1.2),fill_mode=reflect` as a dict.

    >>> Ranges().convert("rotation_range=20,fill_mode=reflect", None, None)
    {'rotation_range': 20, 'fill_mode': 'reflect'}
    """

    name = "ranges"

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        try:
            call = ast.parse(f"f({value})", mode="eval").body
            if not isinstance(call, ast.Call) or call.args or not call.keywords:
                raise ValueError
            return {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}
        except (ValueError, SyntaxError):
            self.fail(
                f"must look like rotation_range=20,horizontal_flip=True. Received: {value!r}."
            )


def _literal(node: ast.expr) -> Any:
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)


@click.command(
    "preview",
    epilog="""\b
Examples:
  tfpipe preview photos -o grid.png
  tfpipe preview photos -o augmented.png --augment rotation_range=20,zoom_range=0.2
  tfpipe preview labels.csv --x-col path --y-col label --size 128x96 -n 9
  tfpipe preview photos/cat/1.jpg --augment "brightness_range=(0.5,1.5),fill_mode=reflect"
""",
)
@click.argument("source", metavar="SRC", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="preview.png",
    show_default=True,
    help="Picture to write; its suffix (.png, .svg, .pdf, ...) decides the format.",
)
@text.table_options(y_col=True)
@click.option(
    "--size", type=text.Size(), default="224x224", show_default=True, help="Size of each image."
)
@click.option(
    "--color-mode",
    type=click.Choice(["grayscale", "rgb", "rgba"]),
    default="rgb",
    show_default=True,
    help="Color mode to decode to.",
)
@click.option(
    "--interpolation",
    type=click.Choice(["nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"]),
    default="nearest",
    show_default=True,
    help="Resize method, by Pillow's names.",
)
@click.option(
    "-n",
    "count",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    help="Images to show.",
)
@click.option(
    "--augment",
    type=Ranges(),
    metavar="NAME=VALUE,...",
    help="Random transforms, by the names of ImageDataGenerator: one image beside N draws of it.",
)
@click.option(
    "--draws",
    type=click.IntRange(1, 64),
    default=7,
    show_default=True,
    metavar="N",
    help="Number of random transforms (with --augment).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of the order and of the transforms.",
)
def preview_command(
    source: str,
    output: Path,
    x_col: str,
    y_col: str,
    directory: str | None,
    follow_links: bool,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    count: int,
    augment: dict[str, Any] | None,
    draws: int,
    seed: int,
) -> None:
    """Write a picture of a batch, with its labels, as the model will see it.

    SRC is a directory with one folder per class, a .csv or .parquet file, or what `tfpipe pack` wrote; with
    --augment it may be an image, but not packed. With --augment the picture shows one image, the first of
    the shuffled order (or SRC itself), beside random transforms of it.
    """
    with text.plain_messages():
        from tfpipe.sources.table import is_table
        from tfpipe.tools import first_look
        from tfpipe.transforms.augment import Augment

        first_look.check_picture(str(output))
        if augment is not None:
            Augment(**augment)
        is_image = augment is not None and os.path.isfile(source) and not is_table(source)
        is_packed = augment is None and first_look.packed_set(source) is not None
        if not is_image and not is_packed:
            first_look.check_source(source, directory, {"x_col": x_col})
    options: dict[str, Any]
    quiet.import_tensorflow()
    with text.plain_messages():
        import tfpipe
        from tfpipe.console import silent

        if is_packed:
            options = {"batch_size": count, "seed": seed, "verbose": False}
            path, figure = source, tfpipe.image_dataset_from_shards(source, **options).show(count)
        elif is_image:
            path, figure = source, tfpipe.plot_augmentation(source, augment, draws, seed=seed)
        else:
            options = {
                "target_size": size,
                "color_mode": color_mode,
                "interpolation": interpolation,
                "batch_size": count,
                "seed": seed,
            }
            with silent():  # it would print "Found ... images"
                dataset = read(source, x_col, y_col, directory, follow_links, options)
            if not dataset.samples:
                raise ValueError(f"No images found in {source!r}.")
            if augment is None:
                path, figure = source, dataset.show(count)
            else:
                path = dataset.filepaths[next(dataset.index_generator)[0]]
                figure = tfpipe.plot_augmentation(path, augment, draws, seed=seed)
        figure.savefig(output)
    click.echo(
        f"{printable(str(output))}: {'random transforms of ' if augment is not None else ''}"
        f"{printable(path)}"
    )


def read(
    source: str,
    x_col: str,
    y_col: str,
    directory: str | None,
    follow_links: bool,
    options: dict[str, Any],
) -> Any:
    """Reads the data set of a directory or a table; without labels if it has none."""
    import pandas as pd

    from tfpipe import ImageDataGenerator
    from tfpipe.sources.table import all_strings, is_table, read_frame
    from tfpipe.tools import inventory

    generator = ImageDataGenerator()
    if not is_table(source):
        dataset = generator.flow_from_directory(source, follow_links=follow_links, **options)
        if dataset.samples:
            return dataset
        images = inventory.list_directory(source, follow_links).images  # at its top, unclassified
        frame = pd.DataFrame({x_col: images}, dtype=object)
    else:
        frame = read_frame(source, [x_col, y_col])
    mode, column = None, None
    if y_col in frame.columns:
        mode, column = ("categorical" if all_strings(frame[y_col]) else "raw"), y_col
    return generator.flow_from_dataframe(
        frame, directory, x_col=x_col, y_col=column, class_mode=mode, **options
    )
