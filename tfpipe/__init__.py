"""tfpipe: image files, dataframes and arrays as one tf.data graph, by the classic generator's names."""

from tfpipe._version import __version__
from tfpipe.dataset import ImageDataset
from tfpipe.generator import ImageDataGenerator

__all__ = ["ImageDataGenerator", "ImageDataset", "__version__"]
