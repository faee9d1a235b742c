"""Labels: class ids as the model is given them, and what the doors make of their targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.checks import check_one_of
from tfpipe.fields.field import IMAGE, Kind, Names, listed
from tfpipe.fields.number import Number
from tfpipe.transforms.augment import Augment
from tfpipe.transforms.mix import Mixture

LABEL = "label"  # the name of the field
OUTPUT = "y_"  # several are this and a number, or a name, each
LABEL_ENCODINGS = ("one_hot", "index", "index_column", "value", "outputs", "image", None)

# Classes whose ids, from 0 on, a dtype holds exactly.
_EXACT = {"uint8": 256, "bfloat16": 257, "float16": 2049, "float32": 2**24 + 1}


@dataclass(frozen=True)
class LabelSpec:
    """How the targets of a batch are encoded.

    Attributes:
        encoding: "one_hot" (class ids, or lists of them, to [B, K]), "index" (class ids as numbers
            [B]), "index_column" (the same, [B, 1]), "value" (one column as it is), "outputs" (a tuple
            of columns as they are, or a dict by name), "image" (the images) or None (no labels).
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


@dataclass(frozen=True)
class Label(Kind):
    """Class ids, one per sample or a list of them, encoded for the model.

    Attributes:
        encoding: "one_hot", "index" or "index_column"; see `LabelSpec`.
        dtype: of the batch.
        num_classes: K.

    >>> Label("one_hot", num_classes=3).load(tf.constant([[0, 2], [1, -1]])).numpy().tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """

    encoding: str
    dtype: str = "float32"
    num_classes: int = 0

    def held(self, column: Any) -> Any:
        return padded(column) if isinstance(column, list) else column

    def load(self, rows: tf.Tensor) -> tf.Tensor:
        if self.encoding == "index":
            return tf.cast(rows, self.dtype)
        if self.encoding == "index_column":
            return tf.cast(rows, self.dtype)[:, tf.newaxis]
        encoded = tf.one_hot(rows, self.num_classes, dtype=self.dtype)
        if rows.shape.rank == 1:
            return encoded
        # -1 stands for no class. A maximum over no ids would be -inf.
        return tf.minimum(tf.reduce_sum(encoded, axis=1), 1)

    def unmixable(self, column: Any) -> str | None:
        if self.encoding == "one_hot":
            floats = tf.as_dtype(self.dtype).is_floating
            return None if floats else f"one-hot labels of dtype {self.dtype}"
        which = "binary, sparse or int" if self.encoding == "index" else "binary"
        return f"class ids ({which} labels)"

    def mix(self, batch: tf.Tensor, mixture: Mixture) -> tf.Tensor:
        return mixture.numbers(batch)


def kinds_of_targets(spec: LabelSpec, targets: Iterable[str]) -> dict[str, Kind]:
    """Returns the kinds of the columns that are targets, by name.

    Args:
        spec: the encoding.
        targets: the names of the outputs of a `Source`.

    >>> kinds_of_targets(LabelSpec("outputs"), ["y_0", "y_age"]), kinds_of_targets(LabelSpec("image"), [])
    ({'y_0': Number(), 'y_age': Number()}, {})
    """
    if spec.encoding in (None, "image"):  # the image is loaded already
        return {}
    if spec.encoding == "outputs":
        return dict.fromkeys(targets, Number())
    if spec.encoding == "value":
        return {LABEL: Number()}
    return {LABEL: Label(spec.encoding, spec.dtype, spec.num_classes)}


def names_of_labels(spec: LabelSpec, fields: Iterable[str]) -> Names | None:
    """Returns the name of the field that the labels are, or the names; `fields` are the names that they take.

    >>> names_of_labels(LabelSpec("image"), []), names_of_labels(LabelSpec("index"), ["label"])
    ('image', 'label')
    >>> names_of_labels(LabelSpec("outputs"), ["y_age"]), names_of_labels(LabelSpec("outputs"), ["y_0"])
    ({'age': 'y_age'}, ('y_0',))
    """
    if spec.encoding is None:
        return None
    if spec.encoding == "outputs":
        fields = list(fields)
        names = [name.removeprefix(OUTPUT) for name in fields]
        numbered = all(name.isdigit() for name in names)
        return tuple(fields) if numbered else dict(zip(names, fields, strict=True))
    return IMAGE if spec.encoding == "image" else LABEL


def check_mixable(
    augment: Augment, y: Names | None, kinds: Mapping[str, Kind], columns: Mapping[str, Any]
) -> None:
    """Raises `ValueError` unless the labels are numbers that a mixture of two samples can share.

    Args:
        augment: the augmentation; without MixUp and CutMix, any labels pass.
        y: the names of the fields that are the labels.
        kinds: of all fields, by name.
        columns: of a `Source`.
    """
    if not augment.mixes:
        return
    names = listed(y)
    reasons = [kinds[name].unmixable(columns.get(name)) for name in names]
    received = next((reason for reason in reasons if reason is not None), None)
    if not names:
        received = "no labels"
    elif received is None and len(names) > 1:
        received = "several labels per sample"
    if received is None:
        return
    name = "mixup_alpha" if augment.mixup_alpha else "cutmix_alpha"
    raise ValueError(
        f"{name} gives each sample a share of another sample's label, so labels must be one-hot or "
        f"multi-hot vectors, or floating-point numbers. Received: {received}. Ask for categorical or "
        "multi-label labels of a float dtype, or leave it out."
    )


def padded(lists: Sequence[Sequence[int]]) -> np.ndarray:
    """Pads lists of class ids with -1, to int32 [n, longest].

    >>> padded([[0, 2], [1]]).tolist()
    [[0, 2], [1, -1]]
    """
    result = np.full([len(lists), max(map(len, lists), default=0)], -1, np.int32)
    for row, ids in zip(result, lists, strict=True):
        row[: len(ids)] = ids
    return result
