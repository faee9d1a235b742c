"""Lists the image formats: how their bytes begin, and which library reads each of them here.

`FORMATS` is the one table. What needs Python, what may hold more than 8 bits, the warnings, the
README's table and `tfpipe formats` all follow from it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tfpipe._version import __version__
from tfpipe.checks import warn_once
from tfpipe.installed import (
    FIRST_RELEASE,
    LAST_RELEASE,
    LAST_RELEASE_WITH_IO,
    Release,
    has_module,
    pip_install,
    tensorflow_release,
    tensorflow_version,
)

# The bytes at some offsets. A file that has all of them is in the format.
Magic: TypeAlias = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Library:
    """One library that decodes a format.

    Attributes:
        name: of the library.
        in_graph: it does so inside the graph; otherwise in a py_function.
        first, last: the TensorFlow releases from which and up to which it does.
        modules: what must be importable for it.
        feature: what Pillow must have been built with.
        extra: the extra of tfpipe that installs it.
    """

    name: str
    in_graph: bool = False
    first: Release = FIRST_RELEASE
    last: Release = (99, 0)
    modules: tuple[str, ...] = ()
    feature: str = ""
    extra: str = ""

    def fits(self, release: Release) -> bool:
        return self.first <= release <= self.last


@dataclass(frozen=True)
class Format:
    """One image format.

    Attributes:
        name: as people know it.
        suffixes: of its files, lower case, without the dot.
        magic: the ways in which its files begin.
        readers: the libraries that decode it, the best first.
        deep: its samples may have more than 8 bits, which the reader keeps.
        note: which part of it is read, for the table.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: tuple[Magic, ...]
    readers: tuple[Library, ...] = field(default=())
    deep: bool = False
    note: str = ""


def _at_start(*prefixes: bytes) -> tuple[Magic, ...]:
    return tuple(((0, prefix),) for prefix in prefixes)


CORE = Library("TensorFlow", in_graph=True)
CORE_WEBP = Library("TensorFlow", in_graph=True, first=(2, 20))
CORE_JXL = Library("TensorFlow", in_graph=True, first=(2, 21))
IO = Library(
    "tensorflow-io",
    in_graph=True,
    last=LAST_RELEASE_WITH_IO,
    modules=("tensorflow_io",),
    extra="io",
)
PILLOW = Library("Pillow", modules=("PIL",), extra="pillow")
PILLOW_WEBP = Library("Pillow", modules=("PIL",), feature="webp", extra="pillow")
PILLOW_AVIF = Library("Pillow", modules=("PIL",), feature="avif", extra="pillow")
PILLOW_JP2 = Library("Pillow", modules=("PIL",), feature="jpg_2000", extra="pillow")
PILLOW_JXL = Library("pillow-jxl-plugin", modules=("PIL", "pillow_jxl"), extra="jxl")
PILLOW_HEIF = Library("pillow-heif", modules=("PIL", "pillow_heif"), extra="heif")
PYDICOM = Library("pydicom", modules=("pydicom",), extra="dicom")

JPEG = Format(
    "JPEG", ("jpg", "jpeg", "jpe", "jfif"), _at_start(b"\xff\xd8\xff"), (CORE,), note="8 bits"
)
PNG = Format(
    "PNG", ("png",), _at_start(b"\x89PNG\r\n\x1a\n"), (CORE,), deep=True, note="1 to 16 bits"
)
GIF = Format("GIF", ("gif",), _at_start(b"GIF87a", b"GIF89a"), (CORE,), note="first frame")
BMP = Format(
    "BMP",
    ("bmp",),
    _at_start(b"BM"),
    (CORE,),
    note="1 to 32 bits, bit fields, RLE, OS/2, top-down",
)
WEBP = Format(
    "WebP",
    ("webp",),
    (((0, b"RIFF"), (8, b"WEBP")),),
    (CORE_WEBP, IO, PILLOW_WEBP),
    note="lossy and lossless; animated ones are refused",
)
TIFF = Format(
    "TIFF",
    ("tif", "tiff"),
    _at_start(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    (PILLOW,),
    deep=True,
    note="8, 16 and 32 bits, float; first page",
)
PNM = Format(
    "PPM, PGM, PBM",
    ("ppm", "pgm", "pbm", "pnm"),
    _at_start(b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"),
    (PILLOW,),
    deep=True,
    note="binary and plain, 1 to 16 bits",
)
AVIF = Format(
    "AVIF",
    ("avif",),
    (((4, b"ftypavif"),), ((4, b"ftypavis"),), ((4, b"ftypmif1"),)),
    (PILLOW_AVIF,),
    note="as 8 bits; first frame",
)
# The brand after "ftyp" is the format's own, or "mif1" or "msf1" for any of its kind: then the list of
# compatible brands, from byte 16 on, tells it from AVIF.
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs")
HEIF = Format(
    "HEIC, HEIF",
    ("heic", "heif", "hif"),
    (
        *(((4, b"ftyp" + brand),) for brand in _HEIC_BRANDS),
        *(
            ((4, b"ftyp" + brand), (place, b"heic"))
            for brand in (b"mif1", b"msf1")
            for place in (16, 20, 24, 28)
        ),
    ),
    (PILLOW_HEIF,),
    note="as 8 bits, upright; primary image",
)
JP2 = Format(
    "JPEG 2000",
    ("jp2", "j2k", "jpx", "jpf", "j2c", "jpc"),
    _at_start(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    (PILLOW_JP2,),
    deep=True,
    note="8 and 16 bits",
)
JXL = Format(
    "JPEG XL",
    ("jxl",),
    _at_start(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    (CORE_JXL, PILLOW_JXL),
    note="as 8 bits; first frame",
)
DICOM = Format(
    "DICOM",
    ("dcm", "dicom"),
    (((128, b"DICM"),),),
    (PYDICOM,),
    deep=True,
    note="gray and color; rescale and window applied; first frame",
)

FORMATS = (JPEG, PNG, GIF, BMP, WEBP, TIFF, PNM, HEIF, AVIF, JP2, JXL, DICOM)

# The order in which content is judged: a DICOM file may begin as a TIFF file does (PS3.10, 7.1).
BY_CONTENT = tuple(
    sorted(FORMATS, key=lambda f: FORMATS.index(TIFF) - 0.5 if f is DICOM else FORMATS.index(f))
)

KNOWN_SUFFIXES = tuple(suffix for f in FORMATS for suffix in f.suffixes)


def of_suffix(suffix: str) -> Format | None:
    """Returns the format that a file name's suffix promises.

    >>> of_suffix("tif").name, of_suffix("txt")
    ('TIFF', None)
    """
    return next((f for f in FORMATS if suffix in f.suffixes), None)


HEAD_BYTES = 132  # that tell every format


def of_content(head: bytes) -> Format | None:
    """Returns the format of a file, judging by its first `HEAD_BYTES`.

    >>> of_content(b"BM6").name
    'BMP'
    """
    return next((f for f in BY_CONTENT if any(begins_as(head, way) for way in f.magic)), None)


def begins_as(head: bytes, way: Magic) -> bool:
    """Whether some bytes begin in one way.

    >>> begins_as(b"RIFF....WEBP", WEBP.magic[0])
    True
    """
    return all(head[offset : offset + len(octets)] == octets for offset, octets in way)


@functools.cache
def is_installed(reader: Library) -> bool:
    """Whether this environment has the library, built with the feature that it needs."""
    if not all(has_module(module) for module in reader.modules):
        return False
    if reader.feature:
        from PIL import features

        return bool(features.check(reader.feature))
    return True


def library_of(
    known: Format,
    release: Release | None = None,
    installed: Callable[[Library], bool] = is_installed,
) -> Library | None:
    """Returns the library that decodes a format: the best that is installed, or None.

    >>> library_of(WEBP, (2, 17), lambda reader: True).name
    'tensorflow-io'
    >>> library_of(JXL, (2, 20), lambda reader: not reader.modules) is None
    True
    """
    release = release or tensorflow_release()
    fitting = (reader for reader in known.readers if reader.fits(release) and installed(reader))
    return next(fitting, None)


def decodes_in_graph(known: Format) -> bool:
    """Whether the graph itself decodes a format in this environment."""
    reader = library_of(known)
    return reader is not None and reader.in_graph


def needs_python(suffixes: Iterable[str]) -> bool:
    """Whether files with these suffixes may hold what only Python reads.

    A suffix that promises no format may stand for any format that an installed library reads.

    >>> needs_python({"jpg", "png"}), needs_python({"jpg", "tif"})
    (False, True)
    """
    known = {of_suffix(suffix) for suffix in suffixes}
    if None in known:
        return any(is_installed(r) for f in FORMATS for r in f.readers if not r.in_graph)
    return any(f is not None and not decodes_in_graph(f) for f in known)


def may_be_deep(suffixes: Iterable[str]) -> bool:
    """Whether files with these suffixes may hold more than 8 bits per sample.

    >>> may_be_deep({"jpg", "bmp"}), may_be_deep({"jpg", "png"})
    (False, True)
    """
    known = [of_suffix(suffix) for suffix in suffixes]
    return any(f is None or f.deep for f in known)


def description_of_libraries(suffixes: frozenset[str]) -> str:
    """Describes what decides, besides the files, which pixels are read: releases, and the decoder per format.

    A suffix that promises no format may stand for any of them.

    >>> description_of_libraries(frozenset({"bmp"})).partition(" ")[2]
    "[('BMP', 'TensorFlow')]"
    """
    promised = {of_suffix(suffix) for suffix in suffixes}
    known = FORMATS if None in promised else [f for f in FORMATS if f in promised]
    readers = [(f.name, reader.name if (reader := library_of(f)) else None) for f in known]
    return f"tfpipe-{__version__}/TensorFlow-{tensorflow_version()} {readers}"


def remedies(known: Format) -> str:
    """Says what to install for a format that nothing here reads.

    >>> remedies(PNM)
    'pip install "pillow>=10"'
    """
    ways = []
    for reader in known.readers:
        if reader.extra and reader.fits(tensorflow_release()):
            ways.append(pip_install(reader.extra))
        elif reader.fits(LAST_RELEASE) and not reader.fits(tensorflow_release()):
            ways.append(f"TensorFlow {reader.first[0]}.{reader.first[1]}")
    return " or ".join(dict.fromkeys(ways))


def without_reader(suffixes: Iterable[str]) -> dict[str, str]:
    """Returns the suffixes of formats that no installed library reads, each with what to install.

    >>> without_reader({"png", "txt", ""})
    {}
    """
    known = {suffix: of_suffix(suffix) for suffix in suffixes}
    return {
        suffix: f"no installed library reads {f.name}: {remedies(f)}"
        for suffix, f in known.items()
        if f is not None and library_of(f) is None
    }


def require_readers(suffixes: Iterable[str], names: Sequence[str]) -> None:
    """Checks at construction that the formats of some files can be read.

    Args:
        suffixes: the suffixes of the files.
        names: of the files; an error counts the ones that it is about.

    Raises:
        ImportError: no installed library reads a format; with suffix, number of files and remedy.

    Warns about formats that only Python reads.
    """
    by_library: dict[str, list[str]] = {}
    for suffix in sorted(suffixes):
        known = of_suffix(suffix)
        if known is None:
            continue
        reader = library_of(known)
        if reader is None:
            count = sum(name.lower().endswith(f".{suffix}") for name in names)
            raise ImportError(
                f"No installed library reads {known.name}: {count} file(s) end in "
                f"'.{suffix}'. Install one that does ({remedies(known)}), or leave these files out."
            )
        if not reader.in_graph:
            by_library.setdefault(reader.name, []).append(f"'.{suffix}'")
    for library, quoted in by_library.items():
        warn_of_python(library, f"Files with {', '.join(quoted)}")


def warn_of_python(library: str, files: str) -> None:
    """Warns of what it costs that a library decodes some files in Python."""
    warn_once(
        f"{files} are decoded by {library}, in Python: under the GIL, and not on a tf.data service "
        "worker. Convert them to PNG to keep them in the graph.",
    )
