"""`tfpipe pack`: writes a source of image files once, as shards that are fast to read."""

from __future__ import annotations

import time
from typing import Any

import click

from tfpipe.cli import quiet, text
from tfpipe.console import printable


@click.command(
    "pack",
    epilog="""\b
Examples:
  tfpipe pack photos packed                      a folder of classes, at 256x256
  tfpipe pack photos packed --image-size 224 --encoding jpeg --processes 4
  tfpipe pack photos packed --splits             photos/train/<class>, photos/test/<class>, ...
  tfpipe pack labels.csv gs://bucket/packed --x-col path --y-col label
  tfpipe pack photos packed --masks masks        images with masks of the same names
and in the training program:
  training = tfpipe.image_dataset_from_shards("packed")
""",
)
@click.argument("source", metavar="SRC", type=click.Path())
@click.argument("destination", metavar="DEST", type=click.Path())
@text.table_options(y_col=True)
@click.option(
    "--weight-col", metavar="COLUMN", help="Column with the sample weights (tables only)."
)
@click.option(
    "--masks",
    metavar="DIR",
    help="Folder with the masks, named like the images (directories only).",
)
@click.option(
    "--mask-col",
    metavar="COLUMN",
    multiple=True,
    help="Column with the paths of the masks (tables only); once per mask.",
)
@click.option(
    "--mask-dtype",
    type=click.Choice(["int32", "float32"]),
    default="int32",
    show_default=True,
    help="Values of the masks: class ids, or gray values in 0..1.",
)
@click.option("--labels", is_flag=True, help="Labels beside the masks.")
@click.option(
    "--splits",
    is_flag=True,
    help="One split per folder in SRC, named after it and with one folder per class.",
)
@click.option(
    "--validation-split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="FRACTION",
    help="Fraction for validation; packs two splits, training and validation.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the split.")
@click.option(
    "--keep-duplicates-together",
    is_flag=True,
    help="Files of equal content in one split; with --validation-split.",
)
@click.option(
    "--image-size",
    type=text.Size(),
    default="256",
    show_default=True,
    help="Size to resize images to.",
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
    type=click.Choice(["bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5"]),
    default="bilinear",
    show_default=True,
    help="Resize method; antialiased if the kernel can be.",
)
@click.option("--crop", is_flag=True, help="Center crop, which keeps the aspect ratio.")
@click.option(
    "--encoding",
    type=click.Choice(["raw", "png", "jpeg"]),
    default="raw",
    show_default=True,
    help="Encoding of the pixels: raw is the fastest to read; png is lossless and smaller; jpeg is the "
    "smallest, with losses.",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="JPEG quality."
)
@click.option(
    "--samples-per-shard",
    type=click.IntRange(1),
    help="Images per file.  [default: 128 MiB of pixels]",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that write at once, each with its own threads.",
)
@click.option(
    "--on-error",
    type=click.Choice(["raise", "skip"]),
    default="raise",
    show_default=True,
    help="Response to a file that cannot be used: stop, or leave it out.",
)
@click.option("--quiet", "-q", "is_quiet", is_flag=True, help="No progress bar.")
def pack_command(source: str, destination: str, is_quiet: bool, **options: Any) -> None:
    """Write images as shards, decoded and resized, with their masks and labels.

    SRC is a directory with one folder per class, or a .csv or .parquet file. DEST gets TFRecord files and
    an index. If packing was stopped, run the same command again: it keeps the shards that are finished.
    """
    start = time.perf_counter()
    with text.plain_messages():
        _check_early(source, destination, options)
    quiet.import_tensorflow()
    remedy = "Leave out such files with --on-error skip, or find all of them with `tfpipe check`."
    with text.plain_messages(about_files=remedy):
        import tfpipe

        names = ("encoding", "quality", "samples_per_shard", "processes")
        count = tfpipe.pack(
            _datasets(source, options),
            destination,
            **{name: options[name] for name in names},
            verbose=not is_quiet,
        )
    click.echo(
        f"{count:,} images are in {printable(destination)} after {time.perf_counter() - start:.0f} seconds."
    )


def _check_early(source: str, destination: str, options: dict[str, Any]) -> None:
    """Checks the options together, and the paths, before TensorFlow is imported."""
    from tfpipe.sources import listing, table
    from tfpipe.tools import first_look

    masks, mask_col = options["masks"], list(options["mask_col"])
    is_table = table.is_table(source)
    if (masks and is_table) or (mask_col and not is_table):
        raise click.UsageError("--masks is for a directory, --mask-col for a table.")
    if options["labels"] and not (masks or mask_col):
        raise click.UsageError(
            "--labels needs --masks or --mask-col: else there are labels anyway."
        )
    if options["splits"] and options["validation_split"]:
        raise click.UsageError("--splits and --validation-split exclude each other.")
    if options["keep_duplicates_together"] and not options["validation_split"]:
        raise click.UsageError("--keep-duplicates-together needs --validation-split.")
    y_col = options["y_col"] if options["labels"] or not mask_col else None
    columns = {"x_col": options["x_col"], "y_col": y_col, "weight_col": options["weight_col"]}
    first_look.check_source(source, options["directory"], {**columns, "mask_col": mask_col or None})
    first_look.check_destination(source, destination)
    if masks and not listing.scheme(masks):
        listing.require_directory(masks)


def _datasets(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Returns the data sets to pack, by the names of their splits."""
    import tfpipe
    from tfpipe.sources import listing, table
    from tfpipe.sources.directory import class_folders

    share, masks = options["validation_split"], options.get("masks")
    mask_col, labels = list(options.get("mask_col", ())), options.get("labels")
    common: dict[str, Any] = {
        "image_size": options["image_size"],
        "color_mode": options["color_mode"],
        "interpolation": options["interpolation"],
        "crop_to_aspect_ratio": options["crop"],
        "antialias": True,
        "decoding": "exact",
        "on_error": options["on_error"],
        "seed": options["seed"],
        "verbose": False,
    }
    if share:
        common |= {"validation_split": share, "subset": "both"}
    if options.get("keep_duplicates_together"):
        common["keep_duplicates_together"] = "exact"
    if masks or mask_col:
        common |= {"mask_dtype": options["mask_dtype"]} | ({"label_mode": "int"} if labels else {})
    if options["splits"]:
        names = class_folders(source)
        if not names:
            raise ValueError(
                f"With --splits, SRC must hold one folder per split. Found none in {source!r}."
            )
        return {
            name: tfpipe.image_dataset_from_directory(
                listing.join(source, name),
                masks=listing.join(masks, name) if masks else None,
                follow_links=options["follow_links"],
                **common,
            )
            for name in names
        }
    if table.is_table(source):
        found = tfpipe.image_dataset_from_dataframe(
            source,
            options["directory"],
            x_col=options["x_col"],
            mask_col=mask_col[0] if len(mask_col) == 1 else mask_col or None,
            weight_col=options["weight_col"],
            **({} if mask_col and not labels else {"y_col": options["y_col"]}),
            **common,
        )
    else:
        found = tfpipe.image_dataset_from_directory(
            source, masks=masks, follow_links=options["follow_links"], **common
        )
    return {"training": found[0], "validation": found[1]} if share else {"all": found}
