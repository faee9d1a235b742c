"""The kinds of field that a sample has: image, mask, label.

Each is loaded from a column of a source, moved by the augmentation, and finished once per batch. The code
here must not know the order of an epoch, or how a data set is delivered.
"""
