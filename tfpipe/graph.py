"""How functions become parts of a tf.data graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Nothing here needs autograph's Python-to-graph translation, and tracing is twice as fast without.
as_is = tf.autograph.experimental.do_not_convert


def out_of_line(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one node of the graph, for what is rare.

    tf.data inlines every branch, and a node of a branch not taken still costs a microsecond or
    two for each sample: in line, the rare formats took longer than a small PNG itself.

    >>> twice = out_of_line(lambda x: 2 * x)
    >>> int(twice(tf.constant(3)))
    6
    """
    result: Callable[..., Any] = tf.function(
        function, autograph=False, experimental_attributes={"_noinline": True}
    )
    return result


def succeeds(function: Callable[[], Any]) -> tf.Tensor:  # bool scalar
    """Whether a function of tensors runs without an error, found by running it; in a graph too.

    >>> bool(succeeds(lambda: tf.io.read_file("no such file")))
    False
    """
    # The results leave the map: what only a control dependency holds there, the optimiser drops.
    tried = tf.data.Dataset.from_tensors(0).map(as_is(lambda _: tf.nest.flatten(function())))
    result: tf.Tensor = tried.ignore_errors().reduce(False, as_is(lambda *_: True))
    return result
