"""tfpipe: image files, dataframes and arrays as one tf.data graph, by the classic generator's names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tfpipe._version import __version__

if TYPE_CHECKING:
    from tfpipe.augment import Augment
    from tfpipe.crossval import folds
    from tfpipe.dataset import ImageDataset
    from tfpipe.functional import image_dataset_from_dataframe, image_dataset_from_directory
    from tfpipe.functional_shards import image_dataset_from_shards
    from tfpipe.generator import ImageDataGenerator
    from tfpipe.inspection import CheckReport, check
    from tfpipe.inventory import Problem
    from tfpipe.packing import pack
    from tfpipe.plotting import plot_augmentation
    from tfpipe.resume import ResumableFit
    from tfpipe.standardize import Standardize

__all__ = [
    "ImageDataGenerator",
    "image_dataset_from_directory",
    "image_dataset_from_dataframe",
    "folds",
    "ImageDataset",
    "Augment",
    "Standardize",
    "ResumableFit",
    "check",
    "CheckReport",
    "Problem",
    "plot_augmentation",
    "pack",
    "image_dataset_from_shards",
    "__version__",
]

# Imported when first asked for (PEP 562): TensorFlow takes seconds to import, which `tfpipe --help`
# need not wait for, and logs at once unless the command line quiets it first.
_HOMES = {
    "ImageDataGenerator": "tfpipe.generator",
    "image_dataset_from_directory": "tfpipe.functional",
    "image_dataset_from_dataframe": "tfpipe.functional",
    "folds": "tfpipe.crossval",
    "ImageDataset": "tfpipe.dataset",
    "Augment": "tfpipe.augment",
    "Standardize": "tfpipe.standardize",
    "ResumableFit": "tfpipe.resume",
    "check": "tfpipe.inspection",
    "CheckReport": "tfpipe.inspection",
    "Problem": "tfpipe.inventory",
    "plot_augmentation": "tfpipe.plotting",
    "pack": "tfpipe.packing",
    "image_dataset_from_shards": "tfpipe.functional_shards",
}
_MODULES = ("layers", "formats")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"tfpipe.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
