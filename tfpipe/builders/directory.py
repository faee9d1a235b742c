"""`image_dataset_from_directory`: Keras' function of this name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tfpipe import console
from tfpipe.builders import keras_checks as checks
from tfpipe.builders.options import (
    INFERRED,
    LABEL_MODE,
    KerasArguments,
    Options,
    deliver_found,
    door,
    label_spec,
    pipeline_spec,
    share_of,
    with_labels_beside,
)
from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.console import printable
from tfpipe.sources import listing
from tfpipe.sources.directory import from_directory, from_tree, masks_below
from tfpipe.sources.source import grouped

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfpipe.dataset.image_dataset import ImageDataset

DIRECTORY_LABEL_MODES = ("int", "categorical", "binary", "raw", "input")


@door(Options, decoding="keras")
def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = INFERRED,
    label_mode: str | None = LABEL_MODE,
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
    *,
    groups: Callable[[str], Any] | None = None,
    masks: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> ImageDataset | list[ImageDataset]:
    """Returns batches of the images below a directory, as Keras' function of this name does.

    Every argument up to `verbose` means what it means there. The keyword-only ones are tfpipe's.

    Args:
        directory: a local folder, or one with a scheme such as gs://.
        labels: "inferred" from the sub-folders; None: no labels; or a list with the label of each file, in
            the sorted order of the paths, so that sub-folders are not classes.
        label_mode: "int" (int32 [B]), "binary" (2 classes; float32 [B, 1]), "categorical" (float32
            [B, K]), "raw" (numbers given in `labels`, as they are), "input" (y is x) or None (no y).
        class_names: the sub-folders to take, in the order of their ids. Default: all, sorted.
        color_mode: "grayscale", "rgb" or "rgba".
        batch_size: samples per batch; the last batch may have fewer. None: samples without a batch dimension.
        image_size: (height, width) in pixels, or one int for both.
        shuffle: a new order each epoch, over all samples. False: sorted by path.
        seed: of the order, the split and the augmentation; None draws one as Keras does, from NumPy's global
            generator.
        validation_split: the fraction of the samples, 0 < fraction < 1, that is for validation: as many as
            Keras takes, int(fraction * samples) in floating point, 28 of 100 for 0.29.
        subset: "training", "validation", or "both" for a list of the two, the second not shuffled. Each has
            the samples that Keras' function chooses for the same seed.
        interpolation: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or
            "mitchellcubic".
        follow_links: follow links to folders.
        crop_to_aspect_ratio: first crop the center of each image to the aspect ratio of `image_size`.
        pad_to_aspect_ratio: pad to that ratio, with `fill_value`.
        data_format: "channels_last", "channels_first", or None for Keras' setting.
        format: "tf".
        verbose: print what was found; in a terminal, also show a progress bar if listing takes a while.
        groups: a function path -> group; no group is in both subsets (needs scikit-learn).
        masks: a directory with a mask for each image, under the same relative path except for the suffix.
            The augmentation moves it as it moves the image, without interpolation. y is the mask
            [B, H, W, 1], and sub-folders are not classes; if you also give `labels`, `label_mode` or
            `class_names`, y has the masks and the labels, see `targets`.

    Returns:
        An `ImageDataset` of x, (x, y) or (x, y, weights), or a list of two for "both". x is [B, H, W, C]
        in 0..255, float32 unless `dtype` says otherwise.

    Raises:
        FileNotFoundError: there is no such directory.
        ValueError: an argument is not one of those allowed; there are no images.
        ImportError: `stratify` or `groups` without scikit-learn.

    >>> import os, tempfile
    >>> import tensorflow as tf
    >>> folder = tempfile.mkdtemp()
    >>> for name in ("cat/1.png", "dog/2.png"):
    ...     os.mkdir(f"{folder}/{name[:3]}")
    ...     tf.io.write_file(f"{folder}/{name}", tf.io.encode_png(tf.zeros([4, 5, 3], tf.uint8)))
    >>> dataset = image_dataset_from_directory(folder, image_size=(2, 3), shuffle=False, verbose=False)
    >>> images, labels = dataset[0]
    >>> images.shape, labels.tolist(), dataset.class_names
    ((2, 2, 3, 3), [0, 1], ['cat', 'dog'])
    """
    arguments = KerasArguments(
        color_mode=color_mode,
        batch_size=batch_size,
        image_size=image_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        data_format=data_format,
    )
    checks.check_label_mode(label_mode, DIRECTORY_LABEL_MODES)
    beside = with_labels_beside(labels=labels, label_mode=label_mode, class_names=class_names)
    if (masks is not None and not beside) or (labels is None and label_mode != "input"):
        label_mode = None
    checks.check_labels(labels if label_mode in checks.LABELLED else None, class_names)
    spec = pipeline_spec(arguments, options)
    checks.check_format(format)
    share = share_of(arguments, options, label_mode)
    checks.check_group_function(groups)
    directory = os.fspath(directory)
    with console.shown(verbose):
        if label_mode in checks.LABELLED and isinstance(labels, str):
            checks.check_class_names(directory, class_names)
            source = from_directory(
                directory, KNOWN_SUFFIXES, classes=class_names, follow_links=follow_links
            )
        else:
            source = from_tree(directory, KNOWN_SUFFIXES, follow_links=follow_links)
            if label_mode in checks.LABELLED:
                source = checks.with_labels(source, labels, label_mode, directory)
        if masks is not None:
            found = masks_below(masks, source.images, KNOWN_SUFFIXES, follow_links=follow_links)
            source = source.with_columns(mask=found)
    if groups is not None:
        source = grouped(source, groups)
    where = f"in directory {printable(os.fspath(directory))}. Allowed formats: {KNOWN_SUFFIXES}"
    hint = "" if len(source) else _hint_if_flat(directory)
    return deliver_found(source, spec, label_spec(label_mode), share, where, verbose, hint)


def _hint_if_flat(directory: str | os.PathLike[str]) -> str:
    """Returns what to do if the images lie in the directory itself, to end a message; else ""."""
    names = listing.scan(os.fspath(directory)).files
    count = sum(listing.has_suffix(name, KNOWN_SUFFIXES) for name in names)
    if not count:
        return ""
    return (
        f". {count} image file(s) lie directly in it, and one folder per class is expected: pass the folder "
        "above it, or labels=None for images without classes."
    )
