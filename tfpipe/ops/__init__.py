"""Pure functions of tensors: resize, warp, colors.

What is here knows images as tensors and nothing else: no files, no samples, no data sets. Each function
runs eagerly, in a `tf.function` and inside `Dataset.map`, and draws nothing at random.
"""
