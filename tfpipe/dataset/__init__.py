"""`ImageDataset`: what tf.data, Keras' Sequence and resumed training ask of a data set.

This package delivers a plan. It must not know how the arguments were spelled.
"""
