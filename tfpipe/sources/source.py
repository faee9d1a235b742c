"""Sources: columns of images, targets and weights, from a directory, a dataframe, shards or arrays.

Nothing is decoded here and no TensorFlow graph is built.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from tfpipe.sources import listing


@dataclass(frozen=True, eq=False)
class Files:
    """Image files: their names as given, relative to `directory` unless they are absolute.

    Attributes:
        refused: the names that must not be opened, and why: a FIFO would hang its reader.
    """

    directory: str
    names: Sequence[str]
    refused: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def stored_in(self) -> list[str]:
        """The files that the images are read from."""
        return self.paths

    @cached_property
    def paths(self) -> list[str]:
        return listing.join_all(self.directory, self.names)

    @cached_property
    def suffixes(self) -> frozenset[str]:
        """The suffixes that occur, lower case, without the dot; "" for a name without one."""
        return listing.suffixes_of(self.names)

    @property
    def kind(self) -> Hashable:
        """What a graph that reads them depends on, besides their names."""
        return (Files, self.suffixes, bool(self.refused))

    def take(self, rows: np.ndarray) -> Files:
        return replace(self, names=[self.names[row] for row in rows])


@dataclass(frozen=True, eq=False)
class Records:
    """Images in the records of TFRecord files ("shards"), as `tfpipe pack` writes them.

    Attributes:
        shards: the files.
        shard: int32 [n], which of them holds each image.
        offset: int64 [n], the byte at which its record begins.
        length: int64 [n], bytes of the whole record.
        names: the names of the image files that were packed.
        encoding: "raw" (uint8 pixels), "jpeg" or "png".
        shape: (H, W, C) of every image.
    """

    shards: Sequence[str]
    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    names: Sequence[str]
    encoding: str
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def stored_in(self) -> list[str]:
        """The files that the images are read from."""
        return list(self.shards)

    @property
    def directory(self) -> str:
        return os.path.dirname(self.shards[0]) if self.shards else ""

    @property
    def paths(self) -> list[str]:
        """The shard of each image, and the name of the image file that was packed."""
        numbers = self.shard.tolist()
        return [f"{self.shards[s]}: {name}" for s, name in zip(numbers, self.names, strict=True)]

    @property
    def suffixes(self) -> frozenset[str]:
        """The formats in the records, as `Files.suffixes` names them."""
        return frozenset() if self.encoding == "raw" else frozenset({self.encoding})

    @property
    def raw_shape(self) -> tuple[int, int, int] | None:
        """(H, W, C) if the bytes of an image are its pixels, else None."""
        return self.shape if self.encoding == "raw" else None

    @property
    def is_remote(self) -> bool:
        """Whether each read is a round trip to a server."""
        return bool(self.shards) and bool(listing.scheme(self.shards[0]))

    @property
    def kind(self) -> Hashable:
        """What a graph that reads them depends on, besides their places."""
        return (Records, self.encoding, self.shape, self.is_remote)

    def take(self, rows: np.ndarray) -> Records:
        return replace(
            self,
            shard=self.shard[rows],
            offset=self.offset[rows],
            length=self.length[rows],
            names=[self.names[row] for row in rows],
        )


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images in memory, [n, H, W, C], with further inputs [n, ...] that travel with them."""

    images: np.ndarray
    misc: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def kind(self) -> Hashable:
        """What a graph that takes them depends on, besides their values."""
        return (Arrays, len(self.misc))

    def take(self, rows: np.ndarray) -> Arrays:
        return Arrays(self.images[rows], tuple(column[rows] for column in self.misc))


@dataclass(frozen=True, eq=False)
class Source:
    """The samples of a data set, column by column, in source order.

    Attributes:
        images: `Files`, `Records` or `Arrays`.
        targets: None, one column [n, ...] (class ids are int32), a tuple of columns, or for
            multi-label samples a list of lists of class ids.
        weights: one weight per sample, or None.
        masks: the file of each sample's mask, or None.
        class_names: the name of each class id; empty if there are no classes.
        groups: [n], which samples belong together, such as all of one patient; or None.
        frame_rows: int64 [n], the row of each sample in the dataframe; None without one.
    """

    images: Files | Records | Arrays
    targets: Any = None
    weights: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    masks: Files | None = None
    frame_rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Source:
        """Returns the samples at `rows`, in that order."""
        return replace(
            self,
            images=self.images.take(rows),
            targets=take_targets(self.targets, rows),
            weights=None if self.weights is None else self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
            masks=None if self.masks is None else self.masks.take(rows),
            frame_rows=None if self.frame_rows is None else self.frame_rows[rows],
        )


def take_targets(targets: Any, rows: np.ndarray) -> Any:
    """Returns the targets at `rows`, in the form they came in."""
    if targets is None:
        return None
    if isinstance(targets, tuple):
        return tuple(column[rows] for column in targets)
    if isinstance(targets, list):
        return [targets[row] for row in rows]
    return targets[rows]


def joined(sources: Sequence[Source]) -> Source:
    """Joins the samples of several sources of files, in their order, with the classes of the first.

    Each sample keeps the row that it had in the dataframe of its own source, if all sources have one.

    Raises:
        ValueError: some have targets, weights, groups or masks and others do not, or their targets differ
            in kind.
    """
    first, *others = sources
    if not others:
        return first
    files = [source.images for source in sources if isinstance(source.images, Files)]
    masks = [source.masks for source in sources if source.masks is not None]
    rows = [source.frame_rows for source in sources if source.frame_rows is not None]
    targets = [source.targets for source in sources]
    weights = [source.weights for source in sources if source.weights is not None]
    groups = [source.groups for source in sources if source.groups is not None]
    kinds = {type(target) for target in targets}
    if len(kinds) > 1 or any(
        len(column) not in (0, len(sources)) for column in (weights, groups, masks)
    ):
        raise ValueError(
            "Data sets that are packed together must have targets of the same kind, and must all have or all "
            "lack weights, groups, and masks. (class_weights are only for training: pass them to "
            "image_dataset_from_shards instead.)"
        )
    return Source(
        _joined_files(files),
        _joined_targets(targets),
        np.concatenate(weights) if weights else None,
        first.class_names,
        np.concatenate(groups) if groups else None,
        _joined_files(masks) if masks else None,
        np.concatenate(rows) if len(rows) == len(sources) else None,
    )


def _joined_files(parts: Sequence[Files]) -> Files:
    """Joins files of several directories by their paths; what must not be opened stays refused."""
    refused = {
        listing.join(part.directory, name): reason
        for part in parts
        for name, reason in part.refused.items()
    }
    return Files("", [path for part in parts for path in part.paths], refused)


def _joined_targets(targets: Sequence[Any]) -> Any:
    if targets[0] is None:
        return None
    if isinstance(targets[0], list):
        return [ids for part in targets for ids in part]
    if isinstance(targets[0], tuple):
        return tuple(np.concatenate(columns) for columns in zip(*targets, strict=True))
    return np.concatenate(targets)


def grouped(source: Source, group_of: Callable[[str], Any]) -> Source:
    """Returns `source` with a group per sample: `group_of` its path, or of its file name if packed."""
    images = source.images
    if isinstance(images, Arrays):
        raise TypeError("A function of the path can only group files.")
    groups = np.empty(len(source), object)
    groups[:] = [group_of(p) for p in (images.paths if isinstance(images, Files) else images.names)]
    return replace(source, groups=groups)
