"""Which samples there are, and where their bytes lie: directories, tables, arrays and shards.

A `Source` is columns in one order. What is here lists, splits and reads bytes; it must not know what the
images are resized to, or how batches are made.
"""
