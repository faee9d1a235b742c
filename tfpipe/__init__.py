"""tfpipe: image files, dataframes and arrays as one tf.data graph, by the classic generator's names."""

from tfpipe._version import __version__
from tfpipe.augment import Augment
from tfpipe.dataset import ImageDataset
from tfpipe.generator import ImageDataGenerator
from tfpipe.standardize import Standardize

__all__ = ["ImageDataGenerator", "ImageDataset", "Augment", "Standardize", "__version__"]
