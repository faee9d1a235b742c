"""Says where headers hold the size and the orientation of an image, and reads them in plain Python.

The tables here are the only ones: `headers` and `exif` make the constants of their graph functions from them.
What reads bytes here gives the answers of the graph, so a command that decodes nothing needs no TensorFlow.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tfpipe.codecs.formats import GIF, JPEG, PNG, WEBP, Format, Magic, begins_as, of_content

# Segments or chunks of a file that are looked at; a hostile one could hold millions.
MOST_PARTS = 20_000


class HeaderNumber(NamedTuple):
    """A number in a header: value // divisor % modulus + plus of some bytes."""

    offset: int
    size: int
    big_endian: bool = False
    divisor: int = 1
    modulus: int = 2**32
    plus: int = 0

    def read(self, head: bytes) -> int:
        r"""Reads the number; 0 if the bytes end before it does.

        >>> HeaderNumber(1, 2, big_endian=True).read(b"\0\1\2")
        258
        """
        if len(head) < self.offset + self.size:
            return 0
        octets = head[self.offset : self.offset + self.size]
        value = int.from_bytes(octets, "big" if self.big_endian else "little")
        value = min(value, 2**32 - value)  # BMP: a negative height is the other way up
        return value // self.divisor % self.modulus + self.plus


PNG_WIDTH, PNG_HEIGHT = HeaderNumber(16, 4, True), HeaderNumber(20, 4, True)

# (how the file begins, width, height) of headers that have the size at a fixed place. The first match counts.
# Source: PNG, 11.2.1; GIF89a, 18; BITMAPCOREHEADER and BITMAPINFOHEADER of the Windows GDI; the WebP
# container specification and RFC 6386, 9.1.
SIZED_HEADERS: tuple[tuple[Magic, HeaderNumber, HeaderNumber], ...] = (
    (PNG.magic[0], PNG_WIDTH, PNG_HEIGHT),
    (GIF.magic[0], HeaderNumber(6, 2), HeaderNumber(8, 2)),
    (GIF.magic[1], HeaderNumber(6, 2), HeaderNumber(8, 2)),
    (((0, b"BM"), (14, b"\x0c\0\0\0")), HeaderNumber(18, 2), HeaderNumber(20, 2)),
    (((0, b"BM"),), HeaderNumber(18, 4), HeaderNumber(22, 4)),
    (
        (*WEBP.magic[0], (12, b"VP8X")),
        HeaderNumber(24, 3, plus=1),
        HeaderNumber(27, 3, plus=1),
    ),
    (
        (*WEBP.magic[0], (12, b"VP8L")),
        HeaderNumber(21, 4, modulus=2**14, plus=1),
        HeaderNumber(21, 4, divisor=2**14, modulus=2**14, plus=1),
    ),
    (
        (*WEBP.magic[0], (12, b"VP8 ")),
        HeaderNumber(26, 2, modulus=2**14),
        HeaderNumber(28, 2, modulus=2**14),
    ),
)

# The frame header of a JPEG file. C4, C8 and CC are other markers; F7 is the one of JPEG-LS.
# Source: ITU-T T.81, B.1.1.3 and B.2.2; T.87, C.1.1.
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_FRAME_HEIGHT, _FRAME_WIDTH = HeaderNumber(5, 2, True), HeaderNumber(7, 2, True)
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xDA)})  # no length follows them
_MARKER = re.compile(rb"\xff([^\x00\xff])")


class FileParts(NamedTuple):
    """How the files of a format are divided into parts, and which part holds the EXIF data.

    Attributes:
        begin: where the first part begins.
        offset, size, big_endian: of the number in each part that gives its length.
        plus: the bytes of a part that its length does not count.
        even: whether parts are padded to an even length.
        exif: how the part with the EXIF data begins.
        data: where the data begin in it.
        prefix: what some files write before the data.
        earlier: JPEG's markers of the parts that may come before it; empty: any part may.
    """

    begin: int
    offset: int
    size: int
    big_endian: bool = False
    plus: int = 0
    even: bool = False
    exif: Magic = ()
    data: int = 0
    prefix: bytes = b""
    earlier: tuple[int, ...] = ()

    @property
    def shown(self) -> int:
        """The number of bytes that tell how long a part is, and whether it holds EXIF data."""
        ends = (offset + len(octets) for offset, octets in self.exif)
        return max(self.offset + self.size, *ends, 0)


# Source: the EXIF standard (CIPA DC-008), 4.6.4 A; PNG, eXIf; the WebP container specification.
EXIF_PARTS: dict[Format, FileParts] = {
    JPEG: FileParts(
        begin=2,
        offset=2,
        size=2,
        big_endian=True,
        plus=2,
        exif=((0, b"\xff\xe1"), (4, b"Exif\0\0")),
        data=10,
        earlier=(*range(0xE0, 0xF0), 0xFE),  # APPn, and comments
    ),
    PNG: FileParts(
        begin=8, offset=0, size=4, big_endian=True, plus=12, exif=((4, b"eXIf"),), data=8
    ),
    WEBP: FileParts(
        begin=12,
        offset=4,
        size=4,
        plus=8,
        even=True,
        exif=((0, b"EXIF"),),
        data=8,
        prefix=b"Exif\0\0",
    ),
}
ORIENTATION_TAG = 0x0112
# Type of the value -> its bytes: short and long.
ORIENTATION_TYPES = {3: 2, 4: 4}


def image_size_of(head: bytes) -> tuple[int, int] | None:
    r"""Reads (height, width) of a JPEG, PNG, GIF, BMP or WebP file.

    Args:
        head: the first bytes of the file. 32 are enough, except for JPEG, where the size comes after metadata
            of any length.

    Returns:
        None for other formats, if the bytes end before the size, and if a side is 0. For GIF, it is the size
        of the logical screen.

    >>> image_size_of(b"GIF89a\x05\x00\x03\x00")
    (3, 5)
    """
    if any(begins_as(head, way) for way in JPEG.magic):
        return jpeg_size_of(head)
    for way, width, height in SIZED_HEADERS:
        if begins_as(head, way):
            return _size_or_none(head, height, width)
    return None


def jpeg_size_of(contents: bytes) -> tuple[int, int] | None:
    """Reads (height, width) from the frame header of a JPEG or JPEG-LS file; None if there is none.

    Bytes between segments are skipped, and the number of segments is not limited, as in libjpeg. Otherwise a
    file could hide a size that its decoder finds.
    """
    place = 2
    while match := _MARKER.search(contents, place):
        marker, place = match[1][0], match.end()
        if marker in _FRAME_MARKERS:
            return _size_or_none(contents[place - 2 : place + 7], _FRAME_HEIGHT, _FRAME_WIDTH)
        if marker not in _BARE_MARKERS:
            place += max(int.from_bytes(contents[place : place + 2], "big"), 2)
    return None


def _size_or_none(head: bytes, height: HeaderNumber, width: HeaderNumber) -> tuple[int, int] | None:
    size = height.read(head), width.read(head)
    return size if all(size) else None


def orientation_of(contents: bytes) -> int:
    """Reads the orientation, 1 to 8, from the EXIF data of a JPEG, PNG or WebP file; 1 if it has none.

    Args:
        contents: the whole file, or as much of it as should be searched.

    >>> orientation_of(b"no image")
    1
    """
    known = of_content(contents[:132])
    if known not in EXIF_PARTS:
        return 1
    begin = _begin_of_exif(contents, EXIF_PARTS[known])
    return _orientation_in_tiff(contents, begin) if begin else 1


def _begin_of_exif(contents: bytes, parts: FileParts) -> int:
    """Finds where the TIFF header of the EXIF data begins; 0 if it is nowhere."""
    place = parts.begin
    part = _with_zeros(contents, place, parts.shown)
    for _ in range(MOST_PARTS):
        may_pass = not parts.earlier or (part[0] == 0xFF and part[1] in parts.earlier)
        if place >= len(contents) or not may_pass or begins_as(part, parts.exif):
            break
        number = part[parts.offset : parts.offset + parts.size]
        length = int.from_bytes(number, "big" if parts.big_endian else "little")
        length = _as_int32(length)
        length = _as_int32((length + length % 2 if parts.even else length) + parts.plus)
        place = min(place + length, len(contents)) if length > 0 else len(contents)
        part = _with_zeros(contents, place, parts.shown)
    # If any part may come before it, the walk ends at it or at the end of the file.
    found = begins_as(part, parts.exif) if parts.earlier else place < len(contents)
    begin = place + parts.data
    if contents[begin : begin + len(parts.prefix)] == parts.prefix:
        begin += len(parts.prefix)
    return begin if found else 0


def _orientation_in_tiff(contents: bytes, begin: int) -> int:
    """Reads the orientation from the TIFF structure at a place of a file."""
    is_big = contents[begin : begin + 2] == b"MM"

    def number(place: int, size: int) -> int:
        return int.from_bytes(_with_zeros(contents, place, size), "big" if is_big else "little")

    directory = _as_int32(begin + number(begin + 4, 4))
    count = number(max(directory, 0), 2)
    first = max(_as_int32(directory + 2), 0)
    result = 1
    for entry in range(first, min(first + 12 * count, len(contents)) - 11, 12):
        if number(entry, 2) == ORIENTATION_TAG:  # the last one counts, as for Pillow
            size = ORIENTATION_TYPES.get(number(entry + 2, 2), 0)
            value = number(entry + 8, size) if number(entry + 4, 4) == 1 else 0
            result = value if 1 <= value <= 8 else 1
    return result


def _with_zeros(contents: bytes, place: int, count: int) -> bytes:
    """Returns some bytes of a file, with zeros after its end, as the graph reads them."""
    return contents[place : place + count].ljust(count, b"\0")


def _as_int32(value: int) -> int:
    """Wraps a number of a hostile file around, as the graph does."""
    return (value + 2**31) % 2**32 - 2**31
