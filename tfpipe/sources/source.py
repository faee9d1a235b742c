"""Sources: the columns of the samples of a directory, a dataframe, shards or arrays.

Nothing is decoded here and no TensorFlow graph is built.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from tfpipe.codecs.formats import Format, of_suffix
from tfpipe.sources import first_bytes, listing


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

    @cached_property
    def formats(self) -> frozenset[Format] | None:
        """The formats that all of the files are known to have; None: they may have any."""
        refused = [listing.join(self.directory, name) for name in self.refused]
        return first_bytes.formats_seen(self.paths, refused)

    @property
    def kind(self) -> Hashable:
        """What a graph that reads them depends on, besides their names."""
        return (Files, self.suffixes, self.formats, bool(self.refused))

    def take(self, rows: np.ndarray) -> Files:
        return replace(self, names=[self.names[row] for row in rows])


@dataclass(frozen=True)
class Stored:
    """How one field is stored in the records of shards.

    Attributes:
        encoding: "raw" (the values themselves), "jpeg" or "png".
        dtype: of the values as they are loaded: "uint8" (an image), "int32" or "float32" (a mask).
        shape: (H, W, C) of every value.
    """

    encoding: str
    dtype: str
    shape: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Records:
    """One field of the records in TFRecord files ("shards"), as `tfpipe pack` writes them.

    Attributes:
        shards: the files.
        shard: int32 [n], which of them holds each record.
        offset: int64 [n], the byte at which it begins.
        length: int64 [n], bytes of the whole record.
        header: int64 [n, 3], what it says of itself; see `record.Header`.
        names: the names of the image files that were packed.
        stored: how the field is stored.
        feature: the name of the field. Images and masks of the same samples are in the same records.
        refused: the shards that must not be opened, and why: a FIFO would hang its reader.
    """

    shards: Sequence[str]
    shard: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    header: np.ndarray
    names: Sequence[str]
    stored: Stored
    feature: str = "image"
    refused: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def stored_in(self) -> list[str]:
        """The files that the images are read from."""
        return list(self.shards)

    @property
    def shards_used(self) -> list[str]:
        """The shards that hold any of these records."""
        return [self.shards[number] for number in np.unique(self.shard).tolist()]

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
        encoding = self.stored.encoding
        return frozenset() if encoding == "raw" else frozenset({encoding})

    @property
    def formats(self) -> frozenset[Format]:
        """The formats in the records."""
        return frozenset(filter(None, map(of_suffix, self.suffixes)))

    @property
    def is_remote(self) -> bool:
        """Whether each read is a round trip to a server."""
        return bool(self.shards) and bool(listing.scheme(self.shards[0]))

    @property
    def kind(self) -> Hashable:
        """What a graph that reads them depends on, besides their places."""
        return (Records, self.feature, self.stored, self.is_remote, bool(self.refused))

    def take(self, rows: np.ndarray) -> Records:
        return replace(
            self,
            shard=self.shard[rows],
            offset=self.offset[rows],
            length=self.length[rows],
            header=self.header[rows],
            names=[self.names[row] for row in rows],
        )


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images in memory, [n, H, W, C]."""

    images: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @property
    def kind(self) -> Hashable:
        """What a graph that takes them depends on, besides their values."""
        return Arrays

    def take(self, rows: np.ndarray) -> Arrays:
        return Arrays(self.images[rows])


# Images; numbers or text, [n, ...]; or a list of class ids for each sample.
Column: TypeAlias = Files | Records | Arrays | np.ndarray | list[list[int]]


@dataclass(frozen=True, eq=False)
class Source:
    """The samples of a data set: columns by the names of their fields, in source order.

    Attributes:
        columns: "image", and what there is of the others. Labels are "label" (one column, where class ids are
            int32, or lists of class ids) or, for several outputs, "y_" and a number or a name each; "mask"
            has each sample's mask, and where there are several, "mask_" and a name each; "image_" and a
            number or a name is a further image; "weight" is float
            [n], and "weight_" and a name is the weight of one output; "misc_0" and so on are further inputs,
            and "feature_" and a name is a further input by its name.
        class_names: the name of each class id; empty if there are no classes.
        vocabularies: the names of the ids of further columns of classes, by the name of the column.
        groups: [n], which samples belong together, such as all of one patient; or None.
        frame_rows: int64 [n], the row of each sample in the dataframe; None without one.
        image_name: what the model's inputs by name call "image"; None: they have no names of their own.
        class_output: if outputs have names, the one whose classes count for splits, orders and weights.
        left_out: (path, reason) of each file that was found unusable, and is not among the samples.
    """

    columns: Mapping[str, Column]
    class_names: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    frame_rows: np.ndarray | None = None
    vocabularies: Mapping[Any, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()
    class_output: str | None = None
    image_name: str | None = None

    @classmethod
    def of(
        cls,
        images: Files | Records | Arrays,
        targets: Any = None,
        weights: np.ndarray | None = None,
        *,
        masks: Files | Records | Mapping[str, Files | Records] | None = None,
        misc: Sequence[np.ndarray] = (),
        **others: Any,
    ) -> Source:
        """Returns a source by the usual names.

        Args:
            images: the images.
            targets: one column, or a tuple of columns.
            weights: of the samples.
            masks: of the images: one for each, or several by their names.
            misc: further inputs.
            **others: further attributes.

        >>> source = Source.of(Arrays(np.zeros([2, 4, 4, 1])), (np.zeros(2), np.ones(2)))
        >>> list(source.columns), len(source.targets)
        (['image', 'y_0', 'y_1'], 2)
        """
        labels = enumerate(targets) if isinstance(targets, tuple) else ()
        columns: dict[str, Column | None] = {
            "image": images,
            **{f"misc_{number}": values for number, values in enumerate(misc)},
            **{f"y_{number}": values for number, values in labels},
            "label": None if isinstance(targets, tuple) else targets,
            **_mask_columns(masks),
            "weight": weights,
        }
        return cls({n: c for n, c in columns.items() if c is not None}, **others)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def images(self) -> Any:  # Files, Records or Arrays
        return self.columns["image"]

    @property
    def masks(self) -> dict[str, Any]:  # name of the column -> Files or Records
        return self.named("mask")

    @property
    def further_images(self) -> dict[str, Any]:  # name of the column -> Files
        return self.named("image_")

    @property
    def of_pixels(self) -> dict[str, Any]:
        """The columns that are loaded sample by sample: the image, further images, masks."""
        return {"image": self.images, **self.further_images, **self.masks}

    @property
    def weights(self) -> Any:  # float [n], or None
        return self.columns.get("weight")

    @property
    def targets(self) -> Any:
        """The labels: None, one column, or a tuple of columns."""
        outputs = self.named("y_")
        return tuple(outputs.values()) if outputs else self.columns.get("label")

    @property
    def classes(self) -> tuple[Any, tuple[str, ...]]:
        """The targets that are classes, and the names of these: those of `class_output`, if there is one."""
        if self.class_output is None:
            return self.targets, self.class_names
        names = self.vocabularies.get(self.class_output, ())
        return self.columns[f"y_{self.class_output}"], tuple(names)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs; [] if they have none, only numbers."""
        names = [name.removeprefix("y_") for name in self.named("y_")]
        return [] if all(name.isdigit() for name in names) else names

    @property
    def feature_names(self) -> list[str]:
        """The names of the further inputs that have a name."""
        return [name.removeprefix("feature_") for name in self.named("feature_")]

    def named(self, prefix: str) -> dict[str, Column]:
        """Returns the columns whose names begin with a prefix, such as "misc_"."""
        return {name: self.columns[name] for name in self.columns if name.startswith(prefix)}

    def with_columns(self, **columns: Any) -> Source:
        """Returns the same samples with other columns; None takes a column away."""
        changed = {**self.columns, **columns}
        return replace(self, columns={n: c for n, c in changed.items() if c is not None})

    def take(self, rows: Any) -> Source:
        """Returns the samples at `rows`, in that order; a slice of arrays is not copied."""
        return Source(
            {name: _taken(column, rows) for name, column in self.columns.items()},
            self.class_names,
            None if self.groups is None else self.groups[rows],
            None if self.frame_rows is None else self.frame_rows[rows],
            self.vocabularies,
            self.left_out,
            self.class_output,
            self.image_name,
        )


def _mask_columns(masks: Any) -> dict[str, Files | Records | None]:
    if isinstance(masks, Mapping):
        return {f"mask_{name}": files for name, files in masks.items()}
    return {"mask": masks}


def _taken(column: Column, rows: Any) -> Column:
    if isinstance(column, np.ndarray):
        return column[rows]
    if isinstance(column, list):
        return [column[row] for row in rows]
    return column.take(rows)


def joined(sources: Sequence[Source]) -> Source:
    """Joins the samples of several sources of files, in their order, with the classes of the first.

    Each sample keeps the row that it had in the dataframe of its own source, if all sources have one.

    Raises:
        ValueError: some have columns or groups that others do not have, or their targets differ in kind or
            in the names of their classes.
    """
    first, *others = sources
    if not others:
        return first
    kinds = {tuple((n, type(c)) for n, c in source.columns.items()) for source in sources}
    groups = [source.groups for source in sources if source.groups is not None]
    rows = [source.frame_rows for source in sources if source.frame_rows is not None]
    if len(kinds) > 1 or len(groups) not in (0, len(sources)):
        raise ValueError(
            "Data sets that are packed together must have targets of the same kind, and must all have or all "
            "lack weights, groups, and masks. (class_weights are only for training: pass them to "
            "image_dataset_from_shards instead.)"
        )
    if any(source.vocabularies != first.vocabularies for source in others):
        raise ValueError(
            "Data sets that are packed together must have the same classes in each column. Received: "
            f"{dict(first.vocabularies)} and {dict(others[0].vocabularies)}. Make the columns "
            "categorical, with the same categories in each table."
        )
    return Source(
        {name: _joined([source.columns[name] for source in sources]) for name in first.columns},
        first.class_names,
        np.concatenate(groups) if groups else None,
        np.concatenate(rows) if len(rows) == len(sources) else None,
        first.vocabularies,
        tuple(file for source in sources for file in source.left_out),
        first.class_output,
        first.image_name,
    )


def _joined(parts: Sequence[Any]) -> Column:
    if isinstance(parts[0], list):
        return [ids for part in parts for ids in part]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    # Files of several directories are joined by their paths; what must not be opened stays refused.
    refused = {
        listing.join(part.directory, name): reason
        for part in parts
        for name, reason in part.refused.items()
    }
    return Files("", [path for part in parts for path in part.paths], refused)


def grouped(source: Source, group_of: Callable[[str], Any]) -> Source:
    """Returns `source` with a group per sample: `group_of` its path, or of its file name if packed."""
    images = source.images
    if isinstance(images, Arrays):
        raise TypeError("A function of the path can only group files.")
    groups = np.empty(len(source), object)
    groups[:] = [group_of(p) for p in (images.paths if isinstance(images, Files) else images.names)]
    return replace(source, groups=groups)
