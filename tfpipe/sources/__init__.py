"""The samples of a data set, and where their bytes are: directories, tables, arrays and shards.

A `Source` is a set of columns in one order. These modules list, split and read bytes; they must not know
what the images are resized to, or how batches are made.
"""
