"""Tools around a data set: check and survey a source, pack it into shards.

What is here uses data sets as any user would. It must not know the command line.
"""
