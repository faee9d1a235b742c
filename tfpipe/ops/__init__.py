"""Pure functions of tensors: resize, warp, colors.

This package knows images only as tensors: no files, no samples, no data sets. Each function runs eagerly, in
a `tf.function` and inside `Dataset.map`, and draws nothing at random.
"""
