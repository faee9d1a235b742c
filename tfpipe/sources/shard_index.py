"""The index of a folder of shards: `index.json`, checked when it is made and when it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfpipe.checks import MAX_PIXELS, check_one_of
from tfpipe.ops.color_modes import CHANNELS, COLOR_MODES
from tfpipe.sources.record import VERSION
from tfpipe.sources.source import Stored

RECORD_ENCODINGS = ("raw", "png", "jpeg")
_MASK_ENCODINGS = {"int32": ("raw", "png"), "float32": ("raw",)}  # by the dtype of the masks


@dataclass(frozen=True)
class Index:
    """The contents of `index.json`.

    Attributes:
        fields: how each field of a record is stored, the image first.
        color_mode: "grayscale", "rgb" or "rgba".
        class_names: in the order of their ids.
        splits: their names; the column "split" holds their numbers.
        shards: their file names.
        targets: the columns that the targets take: None without targets, () for lists of ids, one name
            for one array, several for outputs.
        fingerprint: a digest of what was packed, and how. The records name it by its `set_number`.
        vocabularies: the names of the ids of further columns of classes, by the name of the column.
        version: the version of the format.
    """

    fields: Mapping[str, Stored]
    color_mode: str
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    shards: tuple[str, ...]
    targets: tuple[str, ...] | None
    fingerprint: str
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: int = VERSION

    def __post_init__(self) -> None:
        check_fields(self.fields, self.color_mode)
        _check_distinct("class_names", self.class_names)
        for name, names in self.vocabularies.items():
            _check_distinct(f"vocabularies[{name!r}]", names)
        _check_distinct("splits", self.splits)
        _check_distinct("shards", self.shards)
        outside = [name for name in self.shards if not _is_plain(name)]
        if outside:
            raise ValueError(
                f"shards must be names of files in the same directory. Received: {outside[0]!r}."
            )
        if self.targets is not None and self.targets != names_of_targets(len(self.targets)):
            raise ValueError(f"targets must be names of columns. Received: {self.targets!r}.")
        if not isinstance(self.fingerprint, str):
            raise ValueError(f"fingerprint must be a str. Received: {self.fingerprint!r}.")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every image."""
        return self.fields["image"].shape

    @property
    def mask_dtype(self) -> str | None:
        """The dtype of the masks; None without masks."""
        return next((s.dtype for name, s in self.fields.items() if name != "image"), None)


def names_of_targets(count: int) -> tuple[str, ...]:
    """Returns the names of the columns of some targets.

    >>> names_of_targets(2)
    ('target0', 'target1')
    """
    return tuple(f"target{number}" for number in range(count))


def check_fields(fields: Mapping[str, Stored], color_mode: str) -> None:
    """Raises `ValueError` unless records can hold these fields.

    >>> check_fields({"image": Stored("raw", "uint8", (100_000, 100_000, 3))}, "rgb")
    Traceback (most recent call last):
    ValueError: Packed images must have at most 178956970 pixels. Received: 100000 x 100000.
    """
    check_one_of("color_mode", color_mode, COLOR_MODES)
    names = list(fields)
    masks = [name for name in names if name == "mask" or name.startswith("mask_")]
    if names != ["image", *masks]:
        raise ValueError(f"fields must be an image and its masks. Received: {names}.")
    image = fields["image"]
    _check_field_shape("image", image.shape, CHANNELS[color_mode])
    height, width, _ = image.shape
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"Packed images must have at most {MAX_PIXELS} pixels. Received: {height} x {width}."
        )
    check_one_of("encoding", image.encoding, RECORD_ENCODINGS)
    check_one_of("dtype", image.dtype, ("uint8",))
    for name in masks:
        mask = fields[name]
        _check_field_shape(name, mask.shape, 1)
        check_one_of("dtype", mask.dtype, tuple(_MASK_ENCODINGS))
        check_one_of("encoding", mask.encoding, _MASK_ENCODINGS[mask.dtype])
        if mask.shape[:2] != image.shape[:2] or mask.dtype != fields[masks[0]].dtype:
            raise ValueError(
                f"Masks must have the size of their images, and one dtype. Received: {mask}."
            )


def _check_field_shape(name: str, shape: Any, channels: int) -> None:
    if [type(size) for size in shape] != [int, int, int] or min(shape) < 1 or shape[-1] != channels:
        raise ValueError(
            f"The shape of {name!r} must be (height, width, {channels}). Received: {shape!r}."
        )


def _check_distinct(name: str, values: Sequence[Any]) -> None:
    plain = isinstance(values, tuple) and all(isinstance(v, str | int | float) for v in values)
    if not plain or len(set(values)) != len(values):
        raise ValueError(f"{name} must be distinct names. Received: {values!r}.")


def _is_plain(name: Any) -> bool:
    r"""Whether a name is a plain file name, so that the file is in the directory itself.

    >>> [_is_plain(name) for name in ("00000-of-00001.tfrecord", "../a", "/a", "..", "a\0", "gs://a")]
    [True, False, False, False, False, False]
    """
    return (
        isinstance(name, str)
        and os.path.basename(name) == name
        and name not in ("", os.curdir, os.pardir)
        and "\0" not in name
    )


def index_of_json(found: Any, path: str) -> Index:
    """Returns the index that a JSON file holds.

    Raises:
        ValueError: it has another version, or cannot be an index.
    """
    version = found.get("version") if isinstance(found, dict) else None
    if version != VERSION:
        raise ValueError(
            f"{path!r} has version {version!r} of the format, and this tfpipe reads {VERSION}. Pack "
            "again into an empty directory, or use the tfpipe that wrote it."
        )
    try:
        stored = {
            name: Stored(f["encoding"], f["dtype"], tuple(f["shape"]))
            for name, f in found["fields"].items()
        }
        lists = {name: tuple(found[name]) for name in ("class_names", "splits", "shards")}
        of_columns = {n: tuple(names) for n, names in found.get("vocabularies", {}).items()}
        targets = None if found["targets"] is None else tuple(found["targets"])
        others = {"fields": stored, "targets": targets, "vocabularies": of_columns}
        return Index(**{**found, **lists, **others})
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise ValueError(
            f"{path!r} is not an index of shards of this tfpipe: {err} Pack again into an empty "
            "directory."
        ) from err
