"""Numbers: a target to regress, a further input of the model, a weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.fields.field import Kind
from tfpipe.transforms.mix import Mixture


@dataclass(frozen=True)
class Number(Kind):
    """Rows of numbers, [B, ...], in the dtype of their column."""

    def unmixable(self, column: Any) -> str | None:
        floats = np.asarray(column).dtype.kind == "f"
        return None if floats else "labels that are not floating-point numbers"

    def mix(self, batch: tf.Tensor, mixture: Mixture) -> tf.Tensor:
        return mixture.numbers(batch) if batch.dtype.is_floating else batch


@dataclass(frozen=True)
class Weight(Kind):
    """How much each sample counts, float [B]: a mixture counts as much as the sample itself."""
