"""How much memory the buffers of a data set take, and the budget that they must fit in."""

from __future__ import annotations

import tensorflow as tf

from tfpipe.cache import MEMORY, nbytes
from tfpipe.parallelism import default_parallel_calls
from tfpipe.specs import PipelineSpec

# Batches beside those of `prefetch`: one that is filled, two that are finished, one that is used.
_UNDER_WAY = 4


def held_bytes(spec: PipelineSpec, pixels: tuple[tf.TensorSpec, ...], n: int) -> dict[str, int]:
    """The bytes that a data set of `n` samples holds at most, by what holds them.

    Args:
        spec: what is done to the samples.
        pixels: shapes and dtypes of one loaded sample.
        n: samples that a cache in memory would keep.

    The images in work before they are resized are not in it: `num_parallel_calls` times the largest.

    >>> spec = PipelineSpec(batch_size=32, prefetch=2, num_parallel_calls=3, cache="memory")
    >>> held_bytes(spec, (tf.TensorSpec([10, 10, 3], tf.uint8),), 1000)
    {'batches': 230400, 'samples': 7200, 'cache': 300000}
    """
    values = sum(image.shape.num_elements() for image in pixels)
    width = max(tf.as_dtype(spec.dtype).size, tf.as_dtype(spec.compute_dtype).size)
    in_work = spec.num_parallel_calls or default_parallel_calls()
    return {
        "batches": (spec.prefetch + _UNDER_WAY) * spec.together * values * width,
        # One that is loaded, one that the user's function or the saving of images has in hand.
        "samples": 2 * in_work * values * width,
        "cache": n * nbytes(pixels) if spec.cache == MEMORY else 0,
    }


def check_budget(spec: PipelineSpec, pixels: tuple[tf.TensorSpec, ...], n: int) -> None:
    """Raises `ValueError` where a data set may hold more than `spec.ram_budget`."""
    if spec.ram_budget is None:
        return
    held = held_bytes(spec, pixels, n)
    if sum(held.values()) > spec.ram_budget:
        parts = ", ".join(f"{name} {size:,}" for name, size in held.items())
        remedy = "cache=DIRECTORY instead of 'memory', or " if held["cache"] else ""
        raise ValueError(
            f"ram_budget={spec.ram_budget:,} bytes is less than this data set may hold, "
            f"{sum(held.values()):,}: {parts}. Choose {remedy}a smaller batch_size, prefetch, "
            "num_parallel_calls or image size."
        )
