"""Which files there are: one scan a folder, local or behind a scheme such as gs://."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from tfpipe.checks import head, warn
from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.installed import tensorflow_io, tensorflow_version

# A file is read whole. Those of a listing are not asked for their size: that would be a call a file.
_MOST_BYTES_BEHIND_A_LINK = 2**31

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://")


class Folder(NamedTuple):
    """What one folder holds, by name, unsorted."""

    folders: list[str]
    linked_folders: list[str]
    files: list[str]
    irregular: list[str]  # FIFOs, devices, sockets, dangling links, loops: nothing to read safely


def scheme(path: str) -> str:
    """The file system that a path names, "" for a local one.

    >>> scheme("gs://bucket/train"), scheme("data/train")
    ('gs', '')
    """
    found = _SCHEME.match(path)
    return found.group(1) if found else ""


def require_filesystem(path: str) -> None:
    """Loads tensorflow-io where the scheme of `path` needs it; `ValueError` where nothing serves it."""
    name = scheme(path)
    registered = [s.decode() if isinstance(s, bytes) else s for s in _registered_schemes()]
    if not name or name in registered:
        return
    if tensorflow_io() is not None:
        registered = [s.decode() if isinstance(s, bytes) else s for s in _registered_schemes()]
        if name in registered:
            return
    raise ValueError(
        f"No file system is registered for {name}:// under TensorFlow {tensorflow_version()}. Received: "
        f"{path!r}. Registered: {', '.join(sorted(filter(None, registered)))}. "
        "tensorflow-io adds s3, az, http and hdfs to TensorFlow 2.16 and 2.17: "
        "pip install tensorflow-io==0.37.1."
    )


def _registered_schemes() -> Iterable[str | bytes]:
    return tf.io.gfile.get_registered_schemes()


def join(directory: str, *names: str) -> str:
    """`os.path.join`, which is right for schemes too; an absolute or schemed name stands alone.

    >>> join("data", "/abs/a.png"), join("data", "gs://b/a.png"), join("data", "cats", "a.png")
    ('/abs/a.png', 'gs://b/a.png', 'data/cats/a.png')
    """
    path = directory
    for name in names:
        path = name if scheme(name) else os.path.join(path, name)
    return path


def join_all(directory: str, names: Iterable[str]) -> list[str]:
    """`join` of one directory with each of many names; a million take a fifth of the time.

    >>> join_all("data", ["/abs/a.png", "gs://b/a.png", "cats/a.png"])
    ['/abs/a.png', 'gs://b/a.png', 'data/cats/a.png']
    """
    prefix = os.path.join(directory, "") if directory else ""
    return [
        prefix + name if name[:1] != os.sep and "://" not in name else join(directory, name)
        for name in names
    ]


def encode_all(paths: Iterable[str]) -> list[bytes]:
    """`os.fsencode` of many paths: the bytes of the file system; a name need not be UTF-8."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    return [path.encode(encoding, errors) for path in paths]


def suffixes_of(names: Iterable[str]) -> frozenset[str]:
    """The suffixes that occur, lower case, without the dot; "" for a name without one.

    >>> sorted(suffixes_of(["a/1.PNG", "b/2.png", "b.c/3", "b/.hidden"]))
    ['', 'png']
    """
    # Names of one suffix are alike from the letter before the last dot on: few are really looked at.
    examples = {name[name.rfind(".") - 1 :]: name for name in names}
    return frozenset(os.path.splitext(name)[1][1:].lower() for name in examples.values())


def scan(folder: str) -> Folder:
    """One listing of a folder. A local entry is asked with `stat` only where it is a link."""
    found = Folder([], [], [], [])
    if scheme(folder):
        for name in tf.io.gfile.listdir(folder):
            # Each isdir may be a round trip to the store: only what its name does not tell is asked.
            is_folder = name.endswith("/")
            name = name.rstrip("/")
            if not is_folder and not has_suffix(name, KNOWN_SUFFIXES):
                is_folder = tf.io.gfile.isdir(join(folder, name))
            (found.folders if is_folder else found.files).append(name)
        return found
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_file = _is_regular(entry)
                is_folder = not is_file and entry.is_dir()
            except OSError:  # a link that leads back to itself, or where nobody may look
                is_file = is_folder = False
            if is_file:
                found.files.append(entry.name)
            elif is_folder:
                linked = entry.is_symlink()
                (found.linked_folders if linked else found.folders).append(entry.name)
            else:
                found.irregular.append(entry.name)
    return found


def _is_regular(entry: os.DirEntry[str]) -> bool:
    # What the kernel shows as a file of terabytes, such as /proc/kcore, is met through links.
    return entry.is_file() and not (
        entry.is_symlink() and entry.stat().st_size > _MOST_BYTES_BEHIND_A_LINK
    )


def refusal(path: str) -> str | None:
    """Why a local path is nothing to read an image from; None where it is a regular file.

    >>> refusal("/dev/null"), refusal("no/such/file")
    ('it is a device, not a regular file', 'there is no such file')
    """
    if scheme(path):
        return None
    try:
        status = os.stat(path)
    except OSError as error:
        if not os.path.islink(path):
            return (
                "there is no such file" if error.errno == errno.ENOENT else _reason_to_refuse(error)
            )
        if error.errno == errno.ELOOP:
            return "it is a link that leads back to itself"
        return f"it is a link to what cannot be read: {_reason_to_refuse(error)}"
    if stat.S_ISREG(status.st_mode):
        if os.path.islink(path) and status.st_size > _MOST_BYTES_BEHIND_A_LINK:
            return f"it is a link to a file of {status.st_size:,} bytes"
        return None
    kinds = {
        stat.S_IFDIR: "folder",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "device",
        stat.S_IFBLK: "device",
    }
    kind = kinds.get(stat.S_IFMT(status.st_mode), "special file")
    return f"it is a {kind}, not a regular file"


def _reason_to_refuse(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def suffix(name: str) -> str:
    """The suffix of a file name, lower case, without the dot; "" where there is none.

    >>> suffix("a/Photo.JPG"), suffix("a.b/photo")
    ('jpg', '')
    """
    return os.path.splitext(name)[1][1:].lower()


def has_suffix(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a file name ends in a dot and one of `suffixes`, in any case.

    >>> has_suffix("a/Photo.JPG", ("jpg", "png")), has_suffix("oddpng", ("jpg", "png"))
    (True, False)
    """
    return suffix(name) in suffixes


def require_directory(directory: str) -> None:
    """Raises `FileNotFoundError` or `NotADirectoryError` unless `directory` is a folder."""
    require_filesystem(directory)
    if not tf.io.gfile.exists(directory):
        raise FileNotFoundError(f"No such directory: {directory!r}. Expected a folder of images.")
    if not tf.io.gfile.isdir(directory):
        raise NotADirectoryError(f"Not a directory: {directory!r}. Expected a folder of images.")


def walk(top: str, follow_links: bool = False) -> Iterator[tuple[str, Folder]]:
    """(path relative to `top`, contents) of `top` and of every folder below it, in no order.

    Dot-folders are left out (`.ipynb_checkpoints` holds copies of real images). A folder to which links
    lead back on its own way is not listed again.
    """
    real = os.path.realpath(top)
    waiting = [("", real, frozenset({real}))]
    while waiting:
        relative, real, way = waiting.pop()
        folder = scan(join(top, relative) if relative else top)
        yield relative, folder
        inside = {name: os.path.join(real, name) for name in folder.folders}
        if follow_links:
            linked = folder.linked_folders
            inside |= {name: os.path.realpath(os.path.join(real, name)) for name in linked}
        for name, target in inside.items():
            if not name.startswith(".") and target not in way:
                beyond = way | {target} if follow_links else way
                waiting.append((os.path.join(relative, name), target, beyond))


def image_files(
    top: str,
    suffixes: Sequence[str],
    follow_links: bool = False,
    advance: Callable[[int], None] = lambda files: None,
) -> list[str]:
    """The images below a folder, relative to it, ordered by folder and then by name.

    `advance` is told how many files each folder has. Warns of entries that have an image's name but
    are no regular files: they are left out.
    """
    folders = []
    irregular: list[str] = []
    for relative, folder in walk(top, follow_links):
        folders.append((relative, folder.files))
        advance(len(folder.files))
        irregular += [join(relative, n) for n in folder.irregular if has_suffix(n, suffixes)]
    if irregular:
        warn(
            f"Left out {len(irregular)} file(s) in {top!r} that cannot be read as files (FIFO, "
            f"device, socket, dangling link or loop of links): {head(sorted(irregular))}.",
        )
    endings = tuple(f".{suffix}" for suffix in suffixes)
    found = []
    for relative, names in sorted(folders):
        prefix = os.path.join(relative, "") if relative else ""
        # `has_suffix` of each would take longer than the scan: with endings, only dot-files are apart.
        images = [name for name in names if name.lower().endswith(endings) and name[0] != "."]
        found += [prefix + name for name in sorted(images)]
    return found


class Entries:
    """What stands at some paths: one scan a folder, not one `stat` a path."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._closed: set[str] = set()  # those that may be entered, but not listed

    def is_file(self, path: str) -> bool:
        """Whether it is a regular file, through links."""
        folder, name = os.path.split(path)
        return name in self._of(folder)[0] or (folder in self._closed and os.path.isfile(path))

    def irregular_in(self, folder: str) -> frozenset[str]:
        """What else stands in a folder: folders, FIFOs, devices, links to nothing."""
        return self._of(folder)[1]

    def _of(self, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        if folder not in self._folders:
            try:
                found = scan(folder or ".")
            except (OSError, tf.errors.OpError) as err:
                found = Folder([], [], [], [])
                if isinstance(err, PermissionError):
                    self._closed.add(folder)
            others = found.folders + found.linked_folders + found.irregular
            self._folders[folder] = frozenset(found.files), frozenset(others)
        return self._folders[folder]


def irregular(paths: Sequence[str]) -> set[str]:
    """Those of some paths at which something stands that is no regular file.

    >>> irregular(["/dev/null", "/dev/no such file", "no such folder/a.png"])
    {'/dev/null'}
    """
    entries = Entries()
    # Paths with their last slash: most have nothing irregular, and no path is looked at twice.
    folders = {path[: path.rfind(os.sep) + 1] for path in paths}
    standing = {
        folder + name for folder in folders for name in entries.irregular_in(folder[:-1] or folder)
    }
    return standing.intersection(paths) if standing else standing


def are_files(paths: Iterable[str]) -> list[bool]:
    """Whether each path is a regular file."""
    entries = Entries()
    return [entries.is_file(path) for path in paths]
