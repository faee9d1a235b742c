"""Reads the arrays of an .npz file without trusting it: nothing is allocated that the file does not hold."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib

import numpy as np

_OF_LITERALS = (tokenize.TokenError, SyntaxError, MemoryError)  # and RecursionError, a RuntimeError


def read_arrays(contents: bytes) -> dict[str, np.ndarray]:
    """Returns the arrays in the bytes of a file that `np.savez` wrote, which does not compress them.

    `np.load` allocates what a header asks for, and decompresses to any size.

    Raises:
        ValueError: the file is damaged, compressed, or holds Python objects.

    >>> file = io.BytesIO()
    >>> np.savez(file, rows=np.arange(3))
    >>> read_arrays(file.getvalue())["rows"].tolist()
    [0, 1, 2]
    """
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            members = archive.infolist()
            # Members may overlap, so that many of them share the same bytes.
            if sum(member.file_size for member in members) > len(contents):
                raise ValueError("its arrays are larger than the file")
            return {m.filename.removesuffix(".npy"): _array_of(archive.read(m)) for m in members}
    # NumPy reads a header as Python's literals.
    except (*_OF_LITERALS, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError) as err:
        raise ValueError(str(err)) from err


def _array_of(contents: bytes) -> np.ndarray:
    """Returns the array in the bytes of an .npy file."""
    file = io.BytesIO(contents)
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"an array has version {version} of its format")
    shape, is_fortran, dtype = readers[version](file)
    size = math.prod(shape)
    if dtype.hasobject or dtype.names or min(shape, default=0) < 0:
        raise ValueError(f"an array has dtype {dtype} and shape {shape}")
    if size * dtype.itemsize != len(contents) - file.tell():
        raise ValueError(f"an array of {dtype} {shape} has {len(contents) - file.tell()} bytes")
    values = np.frombuffer(contents, dtype, size, file.tell()) if size else np.zeros(0, dtype)
    return values.reshape(shape, order="F" if is_fortran else "C")
