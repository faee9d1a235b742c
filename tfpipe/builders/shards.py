"""`image_dataset_from_shards`: packed images, with the arguments of the other functions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tfpipe.builders import keras_checks as checks
from tfpipe.builders.options import (
    DATAFRAME_LABEL_MODES,
    KerasArguments,
    ShardOptions,
    deliver_found,
    door,
    label_spec,
    pipeline_spec,
    share_of,
)
from tfpipe.checks import check_int, check_one_of
from tfpipe.sources import shards
from tfpipe.sources.shard_index import Index
from tfpipe.sources.source import Records, Source, grouped

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfpipe.dataset.image_dataset import ImageDataset


@door(ShardOptions)
def image_dataset_from_shards(
    directory: str | os.PathLike[str],
    split: str | None = None,
    label_mode: str | None = "packed",
    color_mode: str | None = None,
    batch_size: int | None = 32,
    image_size: Any = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
    *,
    host: tuple[int, int] = (0, 1),
    groups: Callable[[str], Any] | None = None,
    **options: Unpack[ShardOptions],
) -> ImageDataset | list[ImageDataset]:
    """Returns batches of the images that `pack`, or `tfpipe pack`, wrote.

    The samples are the packed ones, in the same order, with their masks, labels, weights, names and groups.
    Masks are y, or a part of it, as in the data set that was packed. A `validation_split` keeps the groups
    whole. Each epoch is shuffled over all samples, and can be resumed,
    augmented and distributed like any other.

    Args:
        directory: the folder of the shards, local or with a scheme such as gs://.
        split: the name of a split that was packed; None for all samples.
        label_mode: "packed": "int" for classes, "multi_label" for lists of classes, "raw" or "multi_output"
            for values, and no labels if none were packed; or one of the modes of
            `image_dataset_from_dataframe`.
        color_mode: None for the color mode of the packed images.
        image_size: (height, width); None for the size of the packed images, so that nothing is resized.
        host: (i, k): take only every k-th shard file from the i-th on, for host i of k hosts that each have,
            or should read, a part of the files. The shards are mixed, and of one size except the last.
        groups: a function from the name of a packed file, as in `dataset.filenames`, to its group; no group
            is in both subsets (needs scikit-learn). None for the groups that were packed.
        batch_size, shuffle, seed, validation_split, subset, interpolation, crop_to_aspect_ratio,
            pad_to_aspect_ratio, data_format, verbose: as for `image_dataset_from_directory`.

    Returns:
        An `ImageDataset` of x, (x, y) or (x, y, weights), or a list of two for "both".

    Raises:
        FileNotFoundError: there are no shards, packing them did not finish, or one of them is missing.
        ValueError: an argument is not one of those allowed; there is no such split.

    >>> import tempfile
    >>> import tensorflow as tf
    >>> import tfpipe
    >>> folder = tempfile.mkdtemp()
    >>> tf.io.gfile.makedirs(f"{folder}/photos/cat")
    >>> png = tf.io.encode_png(tf.zeros([8, 8, 3], tf.uint8))
    >>> tf.io.write_file(f"{folder}/photos/cat/1.png", png)
    >>> photos = tfpipe.image_dataset_from_directory(f"{folder}/photos", image_size=4, verbose=False)
    >>> _ = tfpipe.pack(photos, f"{folder}/packed")
    >>> packed = image_dataset_from_shards(f"{folder}/packed", verbose=False)
    >>> packed[0][0].shape, packed.class_names
    ((1, 4, 4, 3), ['cat'])
    """
    index, source, number = shards.read_index(os.fspath(directory))
    check_one_of("split", split, (None, *index.splits))
    source = source.take(_rows_of_host(source, number, index, split, host))
    arguments = KerasArguments(
        color_mode=color_mode if color_mode is not None else index.color_mode,
        batch_size=batch_size,
        image_size=image_size if image_size is not None else index.image_shape[:2],
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        data_format=data_format,
    )
    label_mode = _label_mode(label_mode, source)
    share = share_of(arguments, options, label_mode)
    checks.check_group_function(groups)
    if groups is not None:
        source = grouped(source, groups)
    spec = pipeline_spec(arguments, options)
    spec = replace(spec, mask_dtype=index.mask_dtype or spec.mask_dtype)
    source = shards.with_refusals(source, skips=spec.errors.skips)
    where = f"in the shards of {os.fspath(directory)!r}."
    return deliver_found(source, spec, label_spec(label_mode), share, where, verbose)


def _rows_of_host(
    source: Source, number: np.ndarray, index: Index, split: str | None, host: Any
) -> np.ndarray:
    """Returns the samples of a split that are in the shard files of a host."""
    if not isinstance(host, tuple | list) or len(host) != 2:
        raise ValueError(f"host must be (i, k), host i of k. Received: host={host!r}.")
    check_int("host[1]", host[1], 1)
    check_int("host[0]", host[0], 0)
    if host[0] >= host[1] or host[1] > max(len(index.shards), 1):
        raise ValueError(
            f"host must be (i, k) with i < k and k at most the number of shards, {len(index.shards)}. "
            f"Received: host={host!r}. Pack with fewer samples_per_shard for more hosts."
        )
    wanted = cast(Records, source.images).shard % host[1] == host[0]
    if split is not None:
        wanted &= number == index.splits.index(split)
    return np.flatnonzero(wanted)


def _label_mode(label_mode: str | None, source: Source) -> str | None:
    """Returns what "packed" means for these targets; checks that they allow any other label mode."""
    targets, has_classes = source.targets, bool(source.class_names)
    if targets is None:
        packed = None
    elif isinstance(targets, list):
        packed = "multi_label"
    elif isinstance(targets, tuple):
        packed = "multi_output"  # by their names, if they have any
    else:
        packed = "int" if has_classes else "raw"
    if label_mode == "packed":
        return packed
    checks.check_label_mode(label_mode, ("packed", *DATAFRAME_LABEL_MODES))
    of_classes = ("int", "binary", "categorical", "raw")
    possible = {
        "int": of_classes,
        "multi_label": ("multi_label",),
        "raw": ("raw",),
        "multi_output": ("multi_output",),
        None: (),
    }[packed]
    check_one_of("label_mode", label_mode, ("packed", *possible, "input", None))
    return label_mode
