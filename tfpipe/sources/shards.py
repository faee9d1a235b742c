"""Packed images on disk: TFRecord shards, and an index that finds every record.

    packed/
      00000-of-00012.tfrecord ...   records: image, masks, label (of numbers), weight, and a header each
      columns.npz                   one row per sample, in the order of the source that was packed
      index.json                    what the folder holds; written last: where it is, all is there

Labels that are text, lists of classes or several outputs, and groups, are in the columns only.
The records have an order of their own, mixed over all shards, so that any few of the shards are a fair
sample. The columns say where each record is, so the order of the source is as good to read in as any.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import tensorflow as tf

from tfpipe.sources import listing
from tfpipe.sources.npz import read_arrays
from tfpipe.sources.record import HEADER, set_number
from tfpipe.sources.shard_index import Index, index_of_json, names_of_targets
from tfpipe.sources.source import Records, Source

INDEX, COLUMNS = "index.json", "columns.npz"
_MOST_BYTES_A_RECORD = 2**31  # of a protocol buffer

# What a column is called that a user named, in the file of the columns.
_NAMED, _TEXT = "named:", "text:"


def write_index(directory: str, index: Index, source: Source, split: np.ndarray) -> None:
    """Writes the index of shards that are complete.

    Args:
        directory: where the shards are.
        index: what they hold.
        source: the samples, whose images are `Records`.
        split: int [n], the number of each sample's split in `index.splits`.
    """
    records = source.images
    if not isinstance(records, Records):
        raise TypeError("write_index needs Records.")
    columns: dict[str, Any] = {
        "shard": records.shard.astype(np.int32),
        "offset": records.offset,
        "length": records.length,
        "header": records.header,
        "split": np.asarray(split, np.int16),
        **_as_bytes("names", [os.fsencode(name) for name in records.names]),
        **_target_columns(targets_in_order(source)),
        **_columns_by_name(source),
    }
    if source.weights is not None:
        columns["weights"] = source.weights
    if source.groups is not None:
        columns["groups"] = _plain(source.groups)
    # Not with `allow_pickle=False`: before NumPy 2.1 that is one more column, and objects are pickled.
    objects = [name for name, column in columns.items() if column.dtype == object]
    if objects:
        raise ValueError(
            f"Columns to pack must hold numbers or text. Received columns of Python objects: {objects}. "
            "Convert them first."
        )
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    write_whole(listing.join(directory, COLUMNS), buffer.getvalue())
    text = json.dumps(asdict(index), indent=1, ensure_ascii=False)
    # The name of a folder need not be UTF-8: other bytes become escapes of JSON.
    write_whole(listing.join(directory, INDEX), text.encode(errors="backslashreplace"))


def partial_path(path: str) -> str:
    """Returns where a file is written until it is complete: no two writers have the same place."""
    return f"{path}.{uuid.uuid4().hex[:12]}.partial"


def write_whole(path: str, contents: bytes) -> None:
    """Writes a file that exists either completely or not at all."""
    partial = partial_path(path)
    with tf.io.gfile.GFile(partial, "wb") as file:
        file.write(contents)
    tf.io.gfile.rename(partial, path, overwrite=True)


def read_json(path: str) -> Any:
    """Reads a JSON file that `write_whole` wrote; raises `ValueError` if it has been damaged since."""
    contents = _contents(path)
    try:
        return json.loads(contents)
    except (ValueError, RecursionError) as err:  # from JSON, or from UTF-8
        raise ValueError(
            f"{path!r} is damaged: {err}. Replace it with an intact copy, or remove its directory "
            "and pack again."
        ) from err


def _contents(path: str) -> bytes:
    """Reads a file; raises `FileNotFoundError` if it is missing, or not a regular file."""
    refusal = _refusal(path)
    if refusal is not None:
        raise FileNotFoundError(f"Cannot read {path!r}: {refusal}. Put it back, or pack again.")
    with tf.io.gfile.GFile(path, "rb") as file:
        return bytes(file.read())


def read_index(directory: str) -> tuple[Index, Source, np.ndarray]:
    """Reads what `write_index` wrote: the index, all samples, and the number of each sample's split.

    Raises:
        FileNotFoundError: there is no index.
        ValueError: it has another version, is damaged, or is not an index at all.
    """
    listing.require_filesystem(directory)
    path = listing.join(directory, INDEX)
    if not tf.io.gfile.exists(path):
        raise FileNotFoundError(
            f"No {INDEX} in {directory!r}: nothing was packed there, or packing did not finish. "
            "Run `tfpipe pack SRC DEST`; after an interruption, it resumes where it stopped."
        )
    index = index_of_json(read_json(path), path)
    place = listing.join(directory, COLUMNS)
    try:
        columns = read_arrays(_contents(place))
        _check_columns(index, columns)
    except (ValueError, KeyError) as err:
        fault = f"there is no column {err}" if isinstance(err, KeyError) else err
        raise ValueError(
            f"{place!r} is damaged: {fault}. Replace it with an intact copy, or remove its directory and "
            "pack again."
        ) from err
    image, *others = index.fields.items()
    records = Records(
        [listing.join(directory, name) for name in index.shards],
        columns["shard"],
        columns["offset"],
        columns["length"],
        columns["header"],
        [os.fsdecode(name) for name in _from_bytes("names", columns)],
        image[1],
    )
    masks = {name: replace(records, feature=name, stored=stored) for name, stored in others}
    source = Source.of(
        records,
        _targets(index.targets, columns),
        columns.get("weights"),
        class_names=index.class_names,
        vocabularies=index.vocabularies,
        groups=columns["groups"].astype(object) if "groups" in columns else None,
    ).with_columns(**masks, **_by_name(columns))
    return index, source, columns["split"]


def with_refusals(source: Source, *, skips: bool) -> Source:
    """Returns the samples of shards, with a note of each shard that must not be opened.

    Args:
        source: of records. Shards that hold none of them may be missing, because they are on another host.
        skips: whether samples that cannot be used are left out.

    Raises:
        FileNotFoundError: without `skips`, a shard is missing, or not a regular file.
    """
    records: Records = source.images
    reasons = {path: _refusal(path) for path in records.shards_used}
    refused = {path: reason for path, reason in reasons.items() if reason is not None}
    if not refused:
        return source
    if not skips:
        path, reason = next(iter(refused.items()))
        raise FileNotFoundError(
            f"Cannot read {len(refused)} of the {len(reasons)} shards: {path!r}: {reason}. Put it back, or "
            "pack again into an empty directory; on_error='skip' leaves its samples out."
        )
    return source.with_columns(image=replace(records, refused=refused))


def _refusal(path: str) -> str | None:
    """Returns why a file must not be opened; None if it may be."""
    if listing.scheme(path):
        return None if tf.io.gfile.exists(path) else "there is no such file"
    return None if os.path.isfile(path) else listing.refusal(path)


def _check_columns(index: Index, columns: Mapping[str, np.ndarray]) -> None:
    """Raises `ValueError` unless the columns fit the index, and each other."""
    n = len(columns["shard"])
    _check_ids("shard", columns["shard"], n, len(index.shards))
    _check_ids("split", columns["split"], n, len(index.splits))
    _check_ids("offset", columns["offset"], n, 2**63)
    _check_ids("length", columns["length"], n, _MOST_BYTES_A_RECORD)
    _check_ids("names_lengths", columns["names_lengths"], n, len(columns["names"]) + 1)
    if columns["names_lengths"].sum() != len(columns["names"]):
        raise ValueError("the names have other lengths")
    header = columns["header"]
    if header.shape != (n, len(HEADER)) or header.dtype != np.int64:
        raise ValueError(f"the headers are {header.dtype} {header.shape}")
    if n and set(header[:, HEADER.index("set")].tolist()) != {set_number(index.fingerprint)}:
        raise ValueError(f"it belongs to another {INDEX}")
    if (np.diff(header[:, HEADER.index("index")]) <= 0).any():
        raise ValueError("a sample is there twice")
    for name in (*(index.targets or ()), *({"weights", "groups"} & columns.keys())):
        if columns[name].ndim < 1 or len(columns[name]) != n:
            raise ValueError(f"{name!r} has shape {columns[name].shape} for {n} samples")
    for name, column in _by_name(columns).items():
        if column.ndim < 1 or len(column) != n:
            raise ValueError(f"{name!r} has shape {column.shape} for {n} samples")
    if "weights" in columns and (
        columns["weights"].ndim != 1 or columns["weights"].dtype.kind not in "fiu"
    ):
        raise ValueError(f"the weights are {columns['weights'].dtype}")
    _check_labels(index, columns, n)


def _check_labels(index: Index, columns: Mapping[str, np.ndarray], n: int) -> None:
    """Raises `ValueError` unless labels are ids of the classes, where there are classes."""
    classes = len(index.class_names)
    if index.targets is None:
        return
    if not index.targets:  # lists of ids
        _check_ids("id_counts", columns["id_counts"], n, len(columns["ids"]) + 1)
        _check_ids("ids", columns["ids"], int(columns["id_counts"].sum()), classes)
        return
    if columns["one_target"].shape or columns["one_target"].dtype != bool:
        raise ValueError("'one_target' is not True or False")
    if classes:
        _check_ids("labels", columns[index.targets[0]], n, classes)


def _check_ids(name: str, values: np.ndarray, n: int, below: int) -> None:
    """Raises `ValueError` unless there are n whole numbers, 0 or more and below a limit."""
    if values.shape != (n,) or values.dtype.kind not in "iu":
        raise ValueError(f"{name!r} is {values.dtype} {values.shape} for {n} values")
    if n and not 0 <= int(values.min()) <= int(values.max()) < below:
        raise ValueError(f"{name!r} has values outside 0 to {below - 1}")


def target_names(targets: Any) -> tuple[str, ...] | None:
    """Returns the columns that some targets take: None without targets, () for lists of ids.

    >>> target_names(None), target_names([[0], [1, 2]]), target_names((np.zeros(2), np.zeros(2)))
    (None, (), ('target0', 'target1'))
    """
    if targets is None:
        return None
    if isinstance(targets, list):
        return ()
    return names_of_targets(len(_outputs(targets)))


def targets_in_order(source: Source) -> Any:
    """Returns the targets that have no names, which columns in the order of the outputs hold."""
    return None if source.output_names else source.targets


def _columns_by_name(source: Source) -> dict[str, np.ndarray]:
    """Returns the columns that users named, as a file holds them: outputs, their weights, further inputs."""
    names = [f"y_{name}" for name in source.output_names]
    names += [*source.named("weight_"), *source.named("feature_")]
    columns: dict[str, np.ndarray] = {}
    for name in names:
        values: Any = source.columns[name]
        if values.dtype.kind in "OU":
            columns |= _as_bytes(f"{_TEXT}{name}", [text.encode() for text in values.tolist()])
        else:
            columns[f"{_NAMED}{name}"] = values
    return columns


def _by_name(columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns the columns of a `Source` that a file of `_columns_by_name` holds."""
    found: dict[str, Any] = {}
    for name in columns:
        if name.startswith(_NAMED):
            found[name.removeprefix(_NAMED)] = columns[name]
        elif name.startswith(_TEXT) and f"{name}_lengths" in columns:
            texts = _from_bytes(name, columns)
            found[name.removeprefix(_TEXT)] = np.array([text.decode() for text in texts], object)
    return found


def _outputs(targets: Any) -> tuple[np.ndarray, ...]:
    return targets if isinstance(targets, tuple) else (targets,)


def _target_columns(targets: Any) -> dict[str, np.ndarray]:
    names = target_names(targets)
    if names is None:
        return {}
    if not names:
        counts = np.array([len(ids) for ids in targets], np.int32)
        return {"ids": np.array([i for ids in targets for i in ids], np.int32), "id_counts": counts}
    columns = {}
    for name, values in zip(names, _outputs(targets), strict=True):
        is_text = values.dtype == object
        columns[name] = values.astype(str) if is_text else values
    return {**columns, "one_target": np.array(not isinstance(targets, tuple))}


def _targets(names: Sequence[str] | None, columns: dict[str, np.ndarray]) -> Any:
    if names is None:
        return None
    if not names:
        ends = np.cumsum(columns["id_counts"])
        return [part.tolist() for part in np.split(columns["ids"], ends[:-1])] if len(ends) else []
    values = tuple(columns[name] for name in names)
    return values[0] if columns["one_target"] else values


def _plain(groups: np.ndarray) -> np.ndarray:
    """Returns groups as an array of numbers or text, which a file can hold without pickling.

    >>> _plain(np.array([1, 2], object)).tolist(), _plain(np.array(["a", 1], object)).tolist()
    ([1, 2], ["'a'", '1'])
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in groups]
    is_plain = {type(value) for value in values} in ({int}, {float}, {str})
    return np.array(values if is_plain else [repr(value) for value in values])


def _as_bytes(name: str, texts: Sequence[bytes]) -> dict[str, np.ndarray]:
    # NumPy's own text columns take as much space for every row as for the longest.
    lengths = np.array([len(text) for text in texts], np.int32)
    return {name: np.frombuffer(b"".join(texts), np.uint8), f"{name}_lengths": lengths}


def _from_bytes(name: str, columns: Mapping[str, np.ndarray]) -> list[bytes]:
    everything = columns[name].tobytes()
    ends = np.cumsum(columns[f"{name}_lengths"]).tolist()
    return (
        [everything[first:end] for first, end in zip([0, *ends[:-1]], ends, strict=True)]
        if ends
        else []
    )
