"""What a run is: the samples, what is done to them, the model and its optimizer, as texts to compare.

An entry is a text, or a list of texts, one per sample or layer. What changes no value has none: threads,
prefetch, a cache, the number of epochs, file times and the folder's own path, since the same files may be
mounted elsewhere. A version may add entries: only entries that both fingerprints have are compared.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tfpipe.ops.kernels import chosen
from tfpipe.pipeline.spec import PipelineSpec
from tfpipe.sources import listing
from tfpipe.sources.source import Arrays, Files, Records, Source

# Part ("data", "model", "optimizer"), name, value.
Fingerprint: TypeAlias = dict[str, dict[str, str | list[str]]]

_FORMAT = 1
# Arrays beyond this many bytes count by evenly spread samples.
_DIGESTED_BYTES = 2**26
# Sizes of files are read in threads, since each may be a round trip to a network disk.
_SIZE_THREADS, _AT_ONCE = 16, 1024

_WITHOUT_EFFECT = re.compile(
    r"(num_parallel_calls|prefetch|cache|ram_budget|deterministic|save|image\.decode\.max_pixels"
    r"|errors\.max_errors|errors\.check_first)(\.|$)"
)
# Parts of Keras' configurations that differ between two processes that do the same: names count up, a seed
# may be drawn, code has the paths of its files.
_OF_THE_PROCESS = {
    *("name", "seed", "code", "shared_object_id", "build_config", "inbound_nodes"),
    *("module", "registered_name"),
}
_LETTERS = 120  # letters of a value in a message


class Change(NamedTuple):
    """One entry that differs: its part, and what a message says about it."""

    part: str
    name: str
    text: str


def of_data(source: Source, spec: PipelineSpec) -> dict[str, str | list[str]]:
    """Returns the entries of some samples and of what is done to them.

    >>> entries = of_data(Source.of(Arrays(np.zeros([2, 4, 4, 1]))), PipelineSpec(batch_size=8, seed=1))
    >>> entries["columns"], entries["batch_size"], "prefetch" in entries
    ('image', '8', False)
    """
    entries: dict[str, str | list[str]] = {
        name: value for name, value in _settings_in("", spec) if not _WITHOUT_EFFECT.match(name)
    }
    entries["kernels"] = chosen(spec.kernels).name
    entries["columns"] = ", ".join(source.columns)
    entries["class_names"] = [str(name) for name in source.class_names]
    for name, column in source.columns.items():
        if isinstance(column, Files):
            entries["files" if name == "image" else f"files of {name}"] = _files(column)
        elif isinstance(column, Records):
            entries["records" if name == "image" else f"records of {name}"] = _records(column)
        else:
            values = column.images if isinstance(column, Arrays) else column
            entries[name] = _digest_of(values)
    return entries


def of_model(model: Any) -> dict[str, str | list[str]]:
    """Returns the entries of a Keras model: its layers, their settings, and the loss."""
    layers = model._flatten_layers(include_self=False)
    entries: dict[str, str | list[str]] = {"loss": as_text(getattr(model, "loss", None))}
    names = []
    for number, layer in enumerate(layers):
        names.append(type(layer).__name__)
        named = f"layer {number} ({names[-1]})"
        entries[f"{named}.compute_dtype"] = str(getattr(layer, "compute_dtype", ""))
        entries |= {f"{named}.{name}": value for name, value in _settings_in("", _config(layer))}
    entries["layers"] = names
    shapes = [f"{variable.dtype} {list(variable.shape)}" for variable in model.variables]
    return {**entries, "variables": shapes}


def of_optimizer(optimizer: Any) -> dict[str, str | list[str]]:
    """Returns the entries of a Keras optimizer: its class and its settings, such as the learning rate."""
    settings = {f"optimizer.{name}": value for name, value in _settings_in("", _config(optimizer))}
    return {"optimizer": type(optimizer).__name__, **settings}


def changes_between(before: Fingerprint, now: Fingerprint) -> list[Change]:
    """Lists the entries that differ, with what they were and what they are.

    >>> changes_between({"data": {"batch_size": "4", "gone": "1"}}, {"data": {"batch_size": "8"}})
    [Change(part='data', name='batch_size', text='batch_size: 4 -> 8')]
    """
    return [
        Change(part, name, f"{name}: {_change(entries[name], now[part][name])}")
        for part, entries in before.items()
        for name in entries
        if name in now.get(part, {}) and entries[name] != now[part][name]
    ]


def _change(before: str | list[str], now: str | list[str]) -> str:
    if isinstance(before, str) or isinstance(now, str):
        return f"{_cut(str(before))} -> {_cut(str(now))}"
    if sorted(before) == sorted(now):
        text = f"{len(before)} in another order"
    else:
        text = f"{len(before)} -> {len(now)}"
    shared = min(len(before), len(now))
    first = next((i for i in range(shared) if before[i] != now[i]), shared)
    old, new = ([*values, "nothing"][min(first, len(values))] for values in (before, now))
    return f"{text}, the first that differs is number {first}: {_cut(old)} -> {_cut(new)}"


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}..."


def as_bytes(fingerprint: Fingerprint) -> bytes:
    content = json.dumps({"format": _FORMAT, "entries": fingerprint}).encode()
    return gzip.compress(content, compresslevel=1, mtime=0)


def from_bytes(content: bytes) -> Fingerprint:
    """Returns what `as_bytes` was given.

    Raises:
        ValueError: the bytes are damaged, or of a later version.

    >>> from_bytes(as_bytes({"data": {"seed": "1"}}))
    {'data': {'seed': '1'}}
    """
    try:
        loaded = json.loads(gzip.decompress(content))
        if loaded["format"] != _FORMAT:
            raise ValueError(f"format {loaded['format']!r}, not {_FORMAT}")
        entries: Fingerprint = loaded["entries"]
    except (OSError, EOFError, KeyError, TypeError, ValueError) as err:
        raise ValueError(f"not a fingerprint of this version: {err}") from err
    except Exception as err:  # zlib.error, which has no other base
        raise ValueError(f"not a fingerprint: {err}") from err
    return entries


# Columns.


def _files(column: Files) -> list[str]:
    """Returns the name of each file below a folder in common, and its size.

    A file with a scheme counts by its name alone, since each size would be a round trip to the store.
    """
    names = list(column.names)
    if names and all(map(os.path.isabs, names)):
        top = os.path.commonpath([os.path.dirname(name) for name in names])
        names = [os.path.relpath(name, top) for name in names]
    paths = column.paths
    parts = [paths[first : first + _AT_ONCE] for first in range(0, len(paths), _AT_ONCE)]
    with ThreadPoolExecutor(_SIZE_THREADS) as pool:
        sizes = [size for part in pool.map(_shown_sizes, parts) for size in part]
    return [f"{name!r}{size}" for name, size in zip(names, sizes, strict=True)]


def _shown_sizes(paths: Sequence[str]) -> list[str]:
    return [_shown_size(path) for path in paths]


def _shown_size(path: str) -> str:
    if listing.scheme(path):
        return ""
    try:
        return f" ({os.stat(path).st_size} bytes)"
    except OSError:
        return " (missing)"


def _records(column: Records) -> str:
    """Returns a digest of the index of some records, and of the names and sizes of their shards."""
    digest = hashlib.sha256(repr((column.feature, column.stored)).encode())
    for values in (column.shard, column.offset, column.length, column.header):
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(repr(list(column.names)).encode())
    shards = [f"{os.path.basename(path)}{_shown_size(path)}" for path in column.shards]
    digest.update(repr(shards).encode())
    return f"{len(column)} in {len(shards)} shards, digest {digest.hexdigest()[:12]}"


def _digest_of(values: Any) -> str:
    """Returns the shape, the dtype and a digest of some values; of evenly spread ones if they are large.

    >>> _digest_of(np.zeros([2, 3], np.uint8))
    'uint8 [2, 3], digest b0f66adc8364'
    """
    if not isinstance(values, np.ndarray):
        return f"{len(values)} lists, digest {_short_digest(repr(list(values)).encode())}"
    step = -(-values.nbytes // _DIGESTED_BYTES) or 1
    some = values[::step]
    content = repr(some.tolist()).encode() if values.dtype == object else some.tobytes()
    which = "digest" if step == 1 else f"digest of one in {step}"
    return f"{values.dtype} {list(values.shape)}, {which} {_short_digest(content)}"


def _short_digest(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


# Settings.


def _settings_in(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields the settings in nested specifications and dicts, by names with dots."""
    parts: Mapping[str, Any] | None = None
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, Mapping):
        parts = {str(key): part for key, part in value.items()}
    if parts is None:
        yield name, as_text(value)
        return
    for key, part in parts.items():
        yield from _settings_in(f"{name}.{key}" if name else key, part)


def as_text(value: Any) -> str:
    """Returns a value as text that is the same in every process."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float | np.floating):
        # Keras keeps a learning rate as float32, which is 0.01 to the user, not 0.009999999776482582.
        single = np.float32(value)
        if float(value).is_integer():
            return str(int(value))
        return str(single if float(single) == float(value) else float(value))
    if isinstance(value, np.ndarray) and value.size > 1:
        return _digest_of(value)
    if hasattr(value, "numpy"):
        return as_text(value.numpy())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{', '.join(map(as_text, value))}]"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_config"):
        return f"{type(value).__name__}({', '.join(f'{n}={v}' for n, v in _settings_in('', _config(value)))})"
    # Without the address of an object.
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _config(thing: Any) -> dict[str, Any]:
    """Returns the configuration of an object of Keras', without what differs between processes."""
    try:
        return _cleaned(thing.get_config())
    except Exception:  # a class of the user's own, which need not have one
        return {}


def _cleaned(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(name): _cleaned(value) if isinstance(value, Mapping) else value
        for name, value in config.items()
        if name not in _OF_THE_PROCESS
    }
