"""The paths of the samples."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfpipe.fields.field import Kind


@dataclass(frozen=True)
class Path(Kind):
    """Paths of files, string [B], in the bytes that the file system knows them by."""

    def held(self, column: Any) -> np.ndarray:
        return np.array([os.fsencode(path) for path in column], object)
