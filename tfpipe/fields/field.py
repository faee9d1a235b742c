"""A sample as a record of named fields, and what each kind of field does on the way to the model.

    index -> loaded -> augmented (`cast`, `move`, `recolor`) -> preprocessed (`preprocess`)
          -> batch (`load`) -> mixed (`mix`) -> finished (`finish`) -> laid out

A new kind of field is a module of this package. The pipeline calls these verbs, and knows no kind by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from tfpipe.sources.readers import Describe
from tfpipe.transforms.mix import Mixture
from tfpipe.transforms.motion import Motion

# The fields of one sample, or of one batch, by name.
Record: TypeAlias = dict[str, tf.Tensor]

# The name of a field, or a tuple or a dict of names; these may be nested.
Names: TypeAlias = "str | tuple[Names, ...] | Mapping[str, Names]"

IMAGE = "image"  # the field that every sample has
STREAM = "augment"  # the random numbers of the augmentation of a sample


@dataclass(frozen=True)
class Finish:
    """What is done to a whole batch before the model is given it.

    Attributes:
        standardize: images -> images, in the dtype and the layout that the model is given.
        channels_first: whether the model is given [B, C, H, W].
    """

    standardize: Callable[[tf.Tensor], tf.Tensor]
    channels_first: bool

    def layout(self, images: tf.Tensor) -> tf.Tensor:
        """Returns [B, H, W, C] with the channels where the model expects them."""
        return tf.transpose(images, [0, 3, 1, 2]) if self.channels_first else images


@dataclass(frozen=True)
class Kind:
    """A kind of field. A verb that it does not define leaves the value as it is.

    Fields of pixels are loaded for each sample, by a `Loader`. All others are rows of a column, which are
    loaded for a whole batch.
    """

    def held(self, column: Any) -> Any:
        """Returns a column of a source as the graph holds it: numbers, or bytes in an object array."""
        return column

    def load(self, rows: tf.Tensor) -> tf.Tensor:
        """Makes the values of a batch from its rows of the column."""
        return rows

    def unmixable(self, column: Any) -> str | None:
        """Says what a column is that MixUp and CutMix cannot mix; None if they can."""
        return "labels that are not numbers"

    @property
    def stream(self) -> str:
        """The random numbers of its augmentation; fields of one stream are augmented alike."""
        return STREAM

    def cast(self, value: tf.Tensor, dtype: str) -> tf.Tensor:
        """Casts what the augmentation computes with; one sample."""
        return value

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        """Follows the geometry of the augmentation; one sample."""
        return value

    def recolor(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        """Follows the colors of the augmentation; one sample."""
        return value

    def preprocess(self, value: tf.Tensor, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Follows the user's function of an image; one sample."""
        return value

    def mix(self, batch: tf.Tensor, mixture: Mixture) -> tf.Tensor:
        """Follows MixUp or CutMix; a whole batch."""
        return batch

    def finish(self, batch: tf.Tensor, finish: Finish) -> tf.Tensor:
        """Prepares a whole batch for the model."""
        return batch


@dataclass(frozen=True)
class Loader:
    """Loads the fields of one sample that are made of pixels.

    Attributes:
        load: index -> record.
        specs: static shapes [H, W, C] and dtypes by name, the image first: the smallest dtypes that hold
            the truth.
        kinds: of the same fields.
        describe_failure: index -> path of the image and what is wrong with it; None where loading
            cannot fail.
    """

    load: Callable[[tf.Tensor], Record]
    specs: Mapping[str, tf.TensorSpec]
    kinds: Mapping[str, Kind]
    describe_failure: Describe | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the image."""
        return tuple(self.specs[IMAGE].shape)


@dataclass(frozen=True)
class Layout:
    """How the fields of a batch become what the model is given.

    Attributes:
        x: the name of a field, or a tuple or a dict of names.
        y: the same, or None.
        extras: what follows: the weights, the paths.

    >>> Layout("image", ("age", "sex")).arranged({"image": 1, "age": 2, "sex": 3})
    (1, (2, 3))
    >>> Layout("image", {"label": "class"}).arranged({"image": 1, "class": 2})
    (1, {'label': 2})
    >>> Layout("image").arranged({"image": 1})
    1
    """

    x: Names = IMAGE
    y: Names | None = None
    extras: tuple[Names, ...] = ()

    def arranged(self, record: Mapping[str, Any]) -> Any:
        """Returns x, (x, y) or (x, y, weights) of a record; a tuple of inputs without labels is (x,)."""
        names = (self.x, *(() if self.y is None else (self.y,)), *self.extras)
        parts = tuple(_of_names(record, part) for part in names)
        return parts if len(parts) > 1 or isinstance(self.x, tuple) else parts[0]


def listed(names: Names | None) -> list[str]:
    """Returns the names of fields in the order in which they are laid out.

    >>> listed({"masks": "mask", "labels": ("y_0", "y_1")})
    ['mask', 'y_0', 'y_1']
    """
    if names is None:
        return []
    if isinstance(names, str):
        return [names]
    parts = names.values() if isinstance(names, Mapping) else names
    return [name for part in parts for name in listed(part)]


def _of_names(record: Mapping[str, Any], names: Names) -> Any:
    if isinstance(names, str):
        return record[names]
    if isinstance(names, Mapping):
        return {key: _of_names(record, value) for key, value in names.items()}
    return tuple(_of_names(record, name) for name in names)
