"""Labels: from the columns of a source to fields of a batch, in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_one_of
from tfpipe.fields.field import IMAGE, Names
from tfpipe.sources.columns import ColumnMaker
from tfpipe.transforms.augment import Augment

LABEL = "label"  # the name of the field
LABEL_ENCODINGS = ("one_hot", "index", "index_column", "value", "outputs", "image", None)

# Classes whose ids, from 0 on, a dtype holds exactly.
_EXACT = {"uint8": 256, "bfloat16": 257, "float16": 2049, "float32": 2**24 + 1}


@dataclass(frozen=True)
class LabelSpec:
    """How the targets of a batch are encoded.

    Attributes:
        encoding: "one_hot" (class ids, or lists of them, to [B, K]), "index" (class ids as numbers
            [B]), "index_column" (the same, [B, 1]), "value" (one column as it is), "outputs" (a tuple
            of columns as they are), "image" (the images) or None (no labels).
        dtype: of "one_hot", "index" and "index_column" labels. The others keep the dtype of their column.
        num_classes: K.
    """

    encoding: str | None = None
    dtype: str = "float32"
    num_classes: int = 0

    def __post_init__(self) -> None:
        check_one_of("encoding", self.encoding, LABEL_ENCODINGS)
        most = _EXACT.get(self.dtype, self.num_classes)
        if self.encoding in ("index", "index_column") and self.num_classes > most:
            raise ValueError(
                f"Class ids as {self.dtype} are exact for up to {most} classes. Received: "
                f"{self.num_classes} classes. Choose dtype='float32', or one-hot labels."
            )


def check_mixable(
    augment: Augment, label: LabelSpec, targets: Any, *, has_masks: bool = False
) -> None:
    """Raises `ValueError` unless the labels are numbers that a mixture of two samples can share.

    Args:
        augment: the augmentation; without MixUp and CutMix, any labels pass.
        label: the encoding of the targets.
        targets: of a `Source`.
        has_masks: whether masks are among the targets.
    """
    if not augment.mixes:
        return
    name = "mixup_alpha" if augment.mixup_alpha else "cutmix_alpha"
    if not has_masks and label.encoding == "one_hot" and tf.as_dtype(label.dtype).is_floating:
        return
    if not has_masks and label.encoding == "value" and np.asarray(targets).dtype.kind == "f":
        return
    received = {
        None: "no labels",
        "index": "class ids (binary, sparse or int labels)",
        "index_column": "class ids (binary labels)",
        "image": "the images themselves as labels",
        "outputs": "several labels per sample",
        "one_hot": f"one-hot labels of dtype {label.dtype}",
        "value": "labels that are not floating-point numbers",
    }[label.encoding]
    received = "masks" if has_masks else received
    raise ValueError(
        f"{name} gives each sample a share of another sample's label, so labels must be one-hot or "
        f"multi-hot vectors, or floating-point numbers. Received: {received}. Ask for categorical or "
        "multi-label labels of a float dtype, or leave it out."
    )


def label_fields(
    spec: LabelSpec, targets: Any, column: ColumnMaker
) -> dict[str, Callable[[tf.Tensor], tf.Tensor]]:
    """Returns the fields that labels take, by name: functions of the indices of a batch, int64 [B].

    Args:
        spec: the encoding.
        targets: the target column(s) of a `Source`.
        column: how the graph reads them, such as `Feeds.column`.

    >>> from tfpipe.pipeline.feeds import Feeds
    >>> fields = label_fields(LabelSpec("one_hot", num_classes=3), [[0, 2], [1]], Feeds().column)
    >>> fields["label"](tf.constant([1, 0], tf.int64)).numpy().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    """
    if spec.encoding in (None, "image"):  # the image is loaded already
        return {}
    if spec.encoding == "outputs":
        return {f"y_{number}": column(values) for number, values in enumerate(targets)}
    if spec.encoding == "one_hot" and isinstance(targets, list):
        lists = column(padded(targets))
        return {LABEL: lambda indices: multi_hot(lists(indices), spec)}
    rows = column(targets)
    encoded: dict[str | None, Callable[[tf.Tensor], tf.Tensor]] = {
        "one_hot": lambda indices: tf.one_hot(rows(indices), spec.num_classes, dtype=spec.dtype),
        "index": lambda indices: tf.cast(rows(indices), spec.dtype),
        "index_column": lambda indices: tf.cast(rows(indices), spec.dtype)[:, tf.newaxis],
        "value": rows,
    }
    return {LABEL: encoded[spec.encoding]}


def names_of_labels(spec: LabelSpec, fields: Iterable[str]) -> Names | None:
    """Returns the name of the field that the labels are, or the names; `fields` are the names that they take.

    >>> names_of_labels(LabelSpec("image"), []), names_of_labels(LabelSpec("index"), ["label"])
    ('image', 'label')
    """
    if spec.encoding is None:
        return None
    if spec.encoding == "outputs":
        return tuple(fields)
    return IMAGE if spec.encoding == "image" else LABEL


def padded(lists: Sequence[Sequence[int]]) -> np.ndarray:
    """Pads lists of class ids with -1, to int32 [n, longest].

    >>> padded([[0, 2], [1]]).tolist()
    [[0, 2], [1, -1]]
    """
    result = np.full([len(lists), max(map(len, lists), default=0)], -1, np.int32)
    for row, ids in zip(result, lists, strict=True):
        row[: len(ids)] = ids
    return result


def multi_hot(ids: tf.Tensor, spec: LabelSpec) -> tf.Tensor:
    """Encodes class ids, int32 [B, (any)], as [B, K] of zeros and ones; -1 stands for no class."""
    rows = tf.one_hot(ids, spec.num_classes, dtype=spec.dtype)
    return tf.minimum(tf.reduce_sum(rows, axis=1), 1)  # a maximum over no ids would be -inf
