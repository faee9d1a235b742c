"""What the fields of a sample have in common: their pixels, and how they are loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import tensorflow as tf

from tfpipe.sources.readers import Describe

# An image [H, W, C], and its mask [H, W, 1] if there is one.
Pixels: TypeAlias = tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Loader:
    """Loads the pixels of one sample.

    Attributes:
        load: index -> pixels.
        specs: static shapes [H, W, C] and dtypes of the pixels: the smallest that hold the truth.
        describe_failure: index -> path of the image and what is wrong with it; None where loading
            cannot fail.
    """

    load: Callable[[tf.Tensor], Pixels]
    specs: tuple[tf.TensorSpec, ...]
    describe_failure: Describe | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the image."""
        return tuple(self.specs[0].shape)
