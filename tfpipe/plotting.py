"""Pictures to look at: a batch as a grid, an augmentation beside its original, the classes as bars.

Everything returns a `Picture`, a matplotlib figure that a notebook displays and `savefig` writes. No window
is opened, and no global state of matplotlib is touched.
"""

from __future__ import annotations

import functools
import html
import io
import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tfpipe import seeds
from tfpipe.checks import check_int
from tfpipe.console import printable
from tfpipe.fields.image import read_image
from tfpipe.installed import require_matplotlib
from tfpipe.keywords import suggests
from tfpipe.transforms import draws, motion
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.captions import caption

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 1.9  # inches
_BAR = 0.28  # inches
_LINE = 0.125  # inches, of a title
_GAP = 0.03  # inches, beside an image
_LINES_OF_CAPTION = 99  # all of them, since a caption that is cut off does not say what happened
# For class 1, 2, ... of a mask; they differ in brightness, too.
_MASK_COLOURS = np.array(
    [(20, 120, 255), (255, 210, 0), (190, 40, 220), (0, 150, 60), (230, 14, 14), (0, 230, 230)],
    np.uint16,
)


@functools.cache
def picture_class() -> Any:
    """Returns `Picture`: matplotlib's figure, which a notebook shows although pyplot does not know it."""
    require_matplotlib("Pictures need")
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    return Picture


def show_batch(batch: Any, class_names: Any, n: int, *, stretch: bool = False) -> Any:
    """Shows the first `n` images of a batch in a figure, with their labels as titles.

    Args:
        batch: x, (x, y) or (x, y, weights) as NumPy; x is [B, H, W, C], or a list or a dict that begins with
            it. Several images of a sample are side by side.
        class_names: of the labels; [] if they have none; by name, for outputs by name.
        n: the number of images; a larger one shows the whole batch.
        stretch: see `for_the_eye`.
    """
    check_int("n", n, 1)
    x, y = batch[:2] if isinstance(batch, tuple) else (batch, None)
    images, *further = (values[:n] for values in _images_of(x))
    masks, labels = masks_and_labels(y)
    titles = [label_text(sample_of(labels, place), class_names) for place in range(len(images))]
    shown = for_the_eye(images, stretch=stretch)
    for number, mask in enumerate(masks):
        mask = mask[: len(images)]
        if not np.array_equal(mask, images):  # else y is x, for an autoencoder
            # One of several masks has a color of its own.
            shown = with_mask(shown, mask if len(masks) == 1 else (mask > 0) * (number + 1))
    for values in further:
        other = for_the_eye(values, stretch=stretch)
        if other.shape[-1] != shown.shape[-1]:  # a mask has colored the first
            other = np.repeat(other, 3, -1) if other.shape[-1] == 1 else other[..., :3]
        shown = np.concatenate([shown, other], axis=2)
    return grid(shown, titles)


def _images_of(x: Any) -> list[np.ndarray]:
    """Returns the images of the inputs of a batch: the first one, and all others of its shape."""
    if not isinstance(x, dict | list | tuple):
        return [x]
    inputs = list(x.values()) if isinstance(x, dict) else list(x)
    return [values for values in inputs if np.shape(values) == np.shape(inputs[0])]


def masks_and_labels(y: Any) -> tuple[list[np.ndarray], Any]:
    """Returns the masks of a batch, and its labels or None.

    >>> mask = np.zeros([2, 4, 4, 1])
    >>> masks, labels = masks_and_labels({"segmentation_masks": mask, "labels": [0, 1]})
    >>> len(masks), labels
    (1, [0, 1])
    """
    if isinstance(y, dict) and "segmentation_masks" in y and "labels" in y:
        return masks_and_labels(y["segmentation_masks"])[0], y["labels"]
    if isinstance(y, dict):
        masks = {name: values for name, values in y.items() if is_mask(values)}
        return list(masks.values()), {n: v for n, v in y.items() if n not in masks} or None
    if isinstance(y, list) and len(y) == 2 and (is_mask(y[0]) or isinstance(y[0], dict)):
        return masks_and_labels(y[0])[0], y[1]
    return ([y], None) if is_mask(y) else ([], y)


def is_mask(y: Any) -> bool:
    """Whether the labels of a batch are one value per pixel, [B, H, W, 1]."""
    return isinstance(y, np.ndarray) and y.ndim == 4 and y.shape[-1] == 1


def with_mask(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Overlays images with the classes of their masks, as half-transparent colors; class 0 stays clear.

    Args:
        images: uint8 [n, H, W, 1, 3 or 4].
        masks: [n, H, W, 1]: class ids, or floats in 0..1, where values above 0.5 are class 1.

    Returns:
        uint8 [n, H, W, 3].

    >>> white = np.full([1, 1, 2, 3], 255, np.uint8)
    >>> with_mask(white, np.array([[[[0], [1]]]])).tolist()
    [[[[255, 255, 255], [137, 187, 255]]]]
    """
    ids = np.round(masks[..., 0]).astype(np.int64)
    colours = _MASK_COLOURS[(ids - 1) % len(_MASK_COLOURS)]
    rgb = np.repeat(images, 3, -1) if images.shape[-1] == 1 else images[..., :3]
    mixed = (rgb.astype(np.uint16) + colours) // 2
    return np.where(ids[..., None] == 0, rgb, mixed).astype(np.uint8)


@suggests
def plot_augmentation(
    path: str | os.PathLike[str],
    augment: Augment | Mapping[str, Any] | Any,
    n: int = 7,
    *,
    seed: int = 0,
) -> Figure:
    """Shows one image beside `n` random transforms of it, each with its parameters as a title.

    A title names each argument that changed the image, and says by how much: in degrees, in pixels, as a
    factor, or as a part of the width and of the height. "unchanged" means that nothing was done to the image.

    Args:
        path: path of an image file.
        augment: an `Augment`, its arguments as a dict, or an `ImageDataGenerator`.
        n: number of transforms to draw.
        seed: seed of the transforms.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: a range is not allowed, or mixes images; or the file is not an image that can be read.

    >>> import tempfile
    >>> path = f"{tempfile.mkdtemp()}/1.png"
    >>> tf.io.write_file(path, tf.io.encode_png(tf.zeros([40, 60, 3], tf.uint8)))
    >>> figure = plot_augmentation(path, {"rotation_range": 20}, n=3)
    >>> len(figure.axes)
    4
    """
    check_int("n", n, 1)
    ranges = as_augment(augment)
    if ranges.mixes:
        raise ValueError(
            "mixup_alpha and cutmix_alpha mix the images of a batch, but this is one image. Received: "
            f"mixup_alpha={ranges.mixup_alpha!r}, cutmix_alpha={ranges.cutmix_alpha!r}. Leave them out, or "
            "look at a batch: image_dataset_from_directory(..., augment=...).show()."
        )
    image = tf.constant(_read_picture(os.fspath(path)))
    key = seeds.stream_key(seeds.as_seed(seed), "augment")
    zero = tf.constant(0, tf.int64)
    images, titles = [tf.cast(image, tf.float32)], ["original"]
    for place in range(n):  # as the pipeline draws for the samples of its first epoch
        sample_key = seeds.sample_key(key, zero, tf.constant(place, tf.int64))
        params = draws.draw(ranges, sample_key, *image.shape[:2])
        images.append(motion.apply(image, params, ranges))
        titles.append(caption(params, *image.shape[:2]))
    shown = tf.stack(images).numpy()
    if image.dtype == tf.uint8:  # what leaves 0..255 is cut off, as it is when a file is saved
        shown = np.clip(np.round(shown), 0, 255).astype(np.uint8)
    return grid(for_the_eye(shown), titles, lines=_LINES_OF_CAPTION)


def as_augment(augment: Any) -> Augment:
    """Returns the ranges of an `Augment`, of a dict of its arguments, or of a generator.

    >>> as_augment({"rotation_range": 20}) == Augment(rotation_range=20)
    True
    """
    if isinstance(augment, Augment):
        return augment
    if isinstance(augment, Mapping):
        return Augment(**augment)
    if isinstance(getattr(augment, "augment", None), Augment):
        return augment.augment
    raise TypeError(
        "augment must be an Augment, a dict of its arguments, or an ImageDataGenerator. "
        f"Received: {type(augment).__name__}."
    )


def _read_picture(path: str) -> np.ndarray:  # [H, W, 3], 0..255
    """Reads an image file at its own size."""
    try:
        return read_image(path).numpy()
    except ValueError as err:
        raise ValueError(f"Cannot read the image file {path!r}: {err}") from None


def for_the_eye(images: np.ndarray, stretch: bool = False) -> np.ndarray:
    """Converts images to uint8 [n, H, W, 1, 3 or 4] in a range that shows what is in them.

    Args:
        images: [n, H, W, C] of any range: 0..255 stays, 0..1 is scaled, anything else is stretched.
        stretch: whether to stretch every image from its own range to 0..255.

    >>> for_the_eye(np.array([[[[-1.0], [1.0]]]])).ravel().tolist()
    [0, 255]
    """
    values = np.asarray(images)
    shown = {2: 1}.get(values.shape[-1], min(values.shape[-1], 3))  # gray with alpha; many channels
    values = values[..., : 4 if values.shape[-1] == 4 else shown].astype(np.float32)
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if stretch or low < 0 or high > 255:
        each = tuple(range(1, values.ndim))
        low, high = values.min(each, keepdims=True), values.max(each, keepdims=True)
        values = (values - low) / np.maximum(high - low, 1e-6) * 255
    elif images.dtype != np.uint8 and high <= 1:
        values = values * 255
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def sample_of(y: Any, place: int) -> Any:
    """Returns the label of one sample of a batch, or None if the batch has no labels."""
    if y is None:
        return None
    if isinstance(y, dict):
        return {name: part[place] for name, part in y.items()}
    return [part[place] for part in y] if isinstance(y, list) else y[place]


def label_text(label: Any, class_names: Any) -> str:
    """Formats a label as a title: names of classes if they are known, numbers if they are values.

    Args:
        label: of one sample: one-hot or multi-hot [K], a class id (also as [1]), a value, or a list or a dict
            of outputs.
        class_names: of the data set, [] if it has none; by name, for a dict of outputs.

    >>> names = ["cat", "dog", "emu"]
    >>> label_text(np.array([0, 1, 0]), names), label_text(np.float32(2), names)
    ('dog', 'emu')
    >>> label_text(np.array([1.0]), names[:2])
    'dog'
    >>> label_text(np.array([0.7, 0, 0.3]), names), label_text(np.float32(0.25), [])
    ('cat 0.7, emu 0.3', '0.25')
    """
    if label is None:
        return ""
    if isinstance(label, dict):
        names = class_names if isinstance(class_names, dict) else {}
        return "; ".join(f"{n}: {label_text(part, names.get(n, []))}" for n, part in label.items())
    if isinstance(label, list):
        return "; ".join(label_text(part, []) for part in label)
    value = np.asarray(label)
    if value.ndim == 0:
        if class_names and value.dtype.kind in "fiu" and float(value).is_integer():
            return class_names[int(value)]
        return f"{float(value):.4g}" if value.dtype.kind == "f" else str(value)
    if value.ndim > 1:
        return ""  # an image or a mask
    if len(value) == 1 and len(class_names) > 1:
        return label_text(value[0], class_names)  # the id of one of two classes, in a column
    if class_names and len(value) == len(class_names):
        present = [(class_names[k], share) for k, share in enumerate(value.tolist()) if share]
        return ", ".join(n if share == 1 else f"{n} {share:.2g}" for n, share in present) or "none"
    return ", ".join(label_text(part, []) for part in value[:4]) + (
        " ..." if len(value) > 4 else ""
    )


def grid(images: np.ndarray, titles: Sequence[str], lines: int = 3) -> Any:
    """Arranges images with titles in rows, as a figure.

    Args:
        images: uint8 [n, H, W, 1, 3 or 4].
        titles: one per image.
        lines: the most lines of a title; the rest of a longer one is cut off.
    """
    titles = [
        textwrap.fill(printable(title), 30, max_lines=lines, placeholder=" …") for title in titles
    ]
    count, height, width = images.shape[:3]
    columns = columns_for(count, height / width)
    cell_height = _CELL * height / width
    rows = [titles[first : first + columns] for first in range(0, count, columns)]
    tops = [0.125 + _LINE * max(title.count("\n") + 1 for title in row) for row in rows]
    size = (columns * _CELL, sum(tops) + len(rows) * cell_height)
    # Placed here, since no layout of matplotlib leaves room for titles of several lines above images.
    figure = picture_class()(figsize=size, dpi=120)
    for place, (image, title) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(place, columns)
        low = size[1] - sum(tops[: row + 1]) - (row + 1) * cell_height
        inches = (column * _CELL + _GAP, low + _GAP, _CELL - 2 * _GAP, cell_height - 2 * _GAP)
        axis = figure.add_axes([inch / size[way % 2] for way, inch in enumerate(inches)])
        axis.set_axis_off()
        axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(title, fontsize=7, pad=2, parse_math=False)
    return figure


def columns_for(count: int, ratio: float) -> int:
    """Finds the number of columns that shows `count` images about 4 wide by 3 high, with few empty places.

    Args:
        count: number of images.
        ratio: height of one image divided by its width.

    >>> columns_for(16, 1), columns_for(8, 0.66), columns_for(9, 1), columns_for(7, 1)
    (4, 3, 3, 4)
    """

    def fault(columns: int) -> float:
        rows = -(-count // columns)
        empty = (rows * columns - count) / count
        return abs(math.log(rows * (ratio + 0.15) / columns / 0.75)) + 4 * empty

    return min(range(1, min(count, 8) + 1), key=fault)


def class_counts(class_names: Sequence[str], targets: Any, samples: int) -> pd.DataFrame:
    """Counts the samples of each class: a frame with the columns samples and share, by class name.

    Args:
        class_names: in the order of their ids.
        targets: class ids [n], or a list of lists of them, where a sample counts for each of its classes.
        samples: n.

    Raises:
        ValueError: there are no classes.

    >>> class_counts(["cat", "dog"], np.array([0, 1, 1, 1]), 4)["share"].tolist()
    [0.25, 0.75]
    """
    if not class_names:
        raise ValueError(
            "class_distribution needs classes, but this data set has none: its labels are values, or "
            "it has no labels. Use a class_mode of 'categorical', 'binary' or 'sparse'."
        )
    ids = (
        [number for label in targets for number in label] if isinstance(targets, list) else targets
    )
    counts = np.bincount(np.asarray(ids, np.int64), minlength=len(class_names))
    kind: Any = object  # the str of pandas 3 must be UTF-8
    index = pd.Index(list(class_names), kind, name="class")
    return pd.DataFrame({"samples": counts, "share": counts / max(samples, 1)}, index=index)


def class_bars(counts: pd.DataFrame) -> Any:
    """Draws `class_counts` as horizontal bars, with the figures beside them."""
    figure = picture_class()(figsize=(6, 0.7 + _BAR * len(counts)), dpi=120, layout="constrained")
    axis = figure.subplots()
    bars = axis.barh(range(len(counts)), counts["samples"], height=0.7)
    names = [printable(str(name)) for name in counts.index]
    axis.set_yticks(range(len(counts)), labels=names, parse_math=False)  # a name may have a $
    pairs = zip(counts["samples"], counts["share"], strict=True)
    axis.bar_label(bars, [f"{n:,}  ({share:.0%})" for n, share in pairs], padding=3, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.18, y=0.02)
    axis.set_xlabel("samples")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def html_table(caption: str, rows: Mapping[str, str]) -> str:
    """Formats names and values as a small HTML table, for notebooks.

    >>> html_table("Zoo", {"<animals>": "3"})
    "<table><caption>Zoo</caption><tr><th style='text-align:left'>&lt;animals&gt;</th>\
<td style='text-align:left'>3</td></tr></table>"
    """
    left = "style='text-align:left'"
    texts = [(html.escape(key, quote=False), html.escape(rows[key], quote=False)) for key in rows]
    cells = "".join(f"<tr><th {left}>{key}</th><td {left}>{text}</td></tr>" for key, text in texts)
    return f"<table><caption>{html.escape(caption)}</caption>{cells}</table>"
