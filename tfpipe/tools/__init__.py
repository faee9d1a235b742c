"""Tools around a data set: check and survey a source, pack it into shards.

These modules use data sets as any user would. They must not know the command line.
"""
