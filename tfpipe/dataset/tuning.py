"""How the samples of a data set are prepared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict

from tfpipe.pipeline.resources import AUTOTUNE
from tfpipe.pipeline.spec import PipelineSpec


class PreparationOptions(TypedDict, total=False):
    """How samples are prepared."""

    num_parallel_calls: int | None
    prefetch: int | None
    cache: str | os.PathLike[str] | None
    ram_budget: int | None
    kernels: str


class TuningOptions(PreparationOptions, total=False):
    """The options of `ImageDataset.tuned`."""

    decoding: str


def prepared(spec: PipelineSpec, options: Mapping[str, Any]) -> PipelineSpec:
    """Returns a specification with some of the `TuningOptions` changed.

    >>> prepared(PipelineSpec(prefetch=5, cache="memory"), {"prefetch": None, "cache": None}).prefetch
    2
    """
    changes = dict(options)
    decoding = changes.pop("decoding", None)
    if decoding is not None and spec.image is not None:
        decode = replace(spec.image.decode, decoding=decoding)
        changes["image"] = replace(spec.image, decode=decode)
    if changes.get("num_parallel_calls") == AUTOTUNE:
        changes["num_parallel_calls"] = None
    if changes.get("prefetch", 0) is None:
        changes["prefetch"] = PipelineSpec.prefetch
    if isinstance(changes.get("cache"), os.PathLike):
        changes["cache"] = os.fspath(changes["cache"])
    return replace(spec, **changes)
