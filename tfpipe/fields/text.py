"""Text: captions, questions, and whatever else a model tokenizes in the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfpipe.fields.field import Kind


@dataclass(frozen=True)
class Text(Kind):
    r"""One str per sample, given to the model as UTF-8: string [B].

    >>> Text().held(["Käse", "no cheese"]).tolist()
    [b'K\xc3\xa4se', b'no cheese']
    """

    def held(self, column: Any) -> np.ndarray:
        others = [row for row, text in enumerate(column) if not isinstance(text, str)]
        if others:
            raise ValueError(
                f"A column of text must have a str in every row. Received {len(others)} other value(s), the "
                f"first in row {others[0]}: {column[others[0]]!r}. Drop these rows, or fill them with ''."
            )
        return np.array([text.encode() for text in column], object)

    def unmixable(self, column: Any) -> str:
        return "text"
