"""`ImageDataset`: what tf.data, Keras' Sequence and a resumed training ask of a data set.

What is here delivers a plan. It must not know how the arguments were spelled.
"""
