"""Where an epoch stands: which sample is at a position, and which position a batch begins at."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfpipe.pipeline import Plan


def order_of(plan: Plan, epoch: int) -> np.ndarray:  # int64 [length]
    """The indices of the samples in the order of one epoch."""
    with tf.device("CPU:0"):
        positions = tf.range(plan.length, dtype=tf.int64)
        return plan.index_at(positions, tf.constant(epoch, tf.int64)).numpy()


def place_after(plan: Plan, epoch: int, position: int, batches: int) -> int:
    """The position of an epoch that is reached `batches` batches after another position.

    Files that were left out stand between them, as far as they are known: of those that no loop
    has come to yet, nothing is.

    Args:
        plan: of the data set.
        epoch: 0 is the first.
        position: place of a sample in the order of the epoch.
        batches: how many were read from there.
    """
    reached = position + batches * plan.spec.batch_size
    if plan.skipping is not None and batches:
        left_out = np.isin(order_of(plan, epoch), plan.skipping.skipped.indices())
        for place in np.flatnonzero(left_out).tolist():
            reached += position <= place < reached
    return min(reached, plan.end)
