"""Which formats there are, how their bytes begin, and what reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """One image format.

    Attributes:
        name: as people say it.
        suffixes: of its files, lower case, without the dot.
        magic: what its files begin with.
        in_graph: TensorFlow decodes it inside the graph; otherwise Pillow does, in a py_function.
        deep: its samples may have more than 8 bits.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...]
    in_graph: bool = True
    deep: bool = False


JPEG = Format("JPEG", ("jpg", "jpeg"), (b"\xff\xd8\xff",))
PNG = Format("PNG", ("png",), (b"\x89PNG\r\n\x1a\n",), deep=True)
BMP = Format("BMP", ("bmp",), (b"BM",))
GIF = Format("GIF", ("gif",), (b"GIF87a", b"GIF89a"))
TIFF = Format("TIFF", ("tif", "tiff"), (b"II*\0", b"MM\0*"), in_graph=False, deep=True)
PNM = Format("PPM", ("ppm",), (b"P6", b"P3"), in_graph=False, deep=True)

FORMATS = (JPEG, PNG, BMP, GIF, TIFF, PNM)
IN_GRAPH = tuple(f for f in FORMATS if f.in_graph)

KNOWN_SUFFIXES = tuple(suffix for f in FORMATS for suffix in f.suffixes)

# What the classic generator takes for an image; GIF is not among them.
CLASSIC_SUFFIXES = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")


def _of_suffix(suffix: str) -> Format | None:
    return next((f for f in FORMATS if suffix in f.suffixes), None)


def needs_pillow(suffixes: Iterable[str]) -> bool:
    """Whether files with these suffixes may hold what only Pillow reads.

    >>> needs_pillow({"jpg", "png"}), needs_pillow({"jpg", "tif"}), needs_pillow({""})
    (False, True, True)
    """
    known = [_of_suffix(suffix) for suffix in suffixes]
    return any(f is None or not f.in_graph for f in known)


def may_be_deep(suffixes: Iterable[str]) -> bool:
    """Whether files with these suffixes may hold more than 8 bits a sample.

    >>> may_be_deep({"jpg", "bmp"}), may_be_deep({"jpg", "png"})
    (False, True)
    """
    known = [_of_suffix(suffix) for suffix in suffixes]
    return any(f is None or f.deep for f in known)
