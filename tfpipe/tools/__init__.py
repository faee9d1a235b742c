"""Tools around a data set: check and survey a source, pack it into shards.

`check` and `pack` make a `Source` and a `PipelineSpec` of their own, and read the images through an
`ImageDataset`; `survey` reads headers only. They must not know the command line.
"""
