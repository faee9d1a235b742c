"""Lists files with one scan per folder, local or with a scheme such as gs://.

TensorFlow takes seconds to import, so it is imported only when the first path with a scheme comes.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tfpipe.checks import head, warn
from tfpipe.codecs.formats import KNOWN_SUFFIXES
from tfpipe.console import printable
from tfpipe.installed import tensorflow_io, tensorflow_version

# Files are read whole. Listed files are not asked for their size, since that is one call per file.
_MOST_BYTES_BEHIND_A_LINK = 2**31

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://")


class Folder(NamedTuple):
    """The entries of one folder, by name, unsorted."""

    folders: list[str]
    linked_folders: list[str]
    files: list[str]
    irregular: list[str]  # FIFOs, devices, sockets, dangling links, loops: nothing to read safely


def scheme(path: str) -> str:
    """Returns the file system that a path names, "" for a local one.

    >>> scheme("gs://bucket/train"), scheme("data/train")
    ('gs', '')
    """
    found = _SCHEME.match(path)
    return found.group(1) if found else ""


def require_filesystem(path: str) -> None:
    """Loads tensorflow-io if the scheme of `path` needs it; raises `ValueError` if nothing serves it."""
    name = scheme(path)
    if not name:
        return
    registered = [s.decode() if isinstance(s, bytes) else s for s in _registered_schemes()]
    if name in registered:
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
    import tensorflow as tf

    return tf.io.gfile.get_registered_schemes()


def file_errors(path: str) -> tuple[type[Exception], ...]:
    """Returns the exceptions of reading a path: with a scheme, TensorFlow's too.

    >>> file_errors("data/train")
    (<class 'OSError'>,)
    """
    if not scheme(path):
        return (OSError,)
    import tensorflow as tf

    return (OSError, tf.errors.OpError)


def join(directory: str, *names: str) -> str:
    """Joins like `os.path.join`, also with schemes; an absolute name, or one with a scheme, stands alone.

    >>> join("data", "/abs/a.png"), join("data", "gs://b/a.png"), join("data", "cats", "a.png")
    ('/abs/a.png', 'gs://b/a.png', 'data/cats/a.png')
    """
    path = directory
    for name in names:
        path = name if scheme(name) else os.path.join(path, name)
    return path


def join_all(directory: str, names: Iterable[str]) -> list[str]:
    """Joins one directory with each of many names; a million take a fifth of the time of `join`.

    >>> join_all("data", ["/abs/a.png", "gs://b/a.png", "cats/a.png"])
    ['/abs/a.png', 'gs://b/a.png', 'data/cats/a.png']
    """
    prefix = os.path.join(directory, "") if directory else ""
    return [
        prefix + name if name[:1] != os.sep and "://" not in name else join(directory, name)
        for name in names
    ]


def encode_all(paths: Iterable[str]) -> list[bytes]:
    """Encodes many paths like `os.fsencode`, as the file system's bytes; a name need not be UTF-8."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    return [path.encode(encoding, errors) for path in paths]


def suffixes_of(names: Iterable[str]) -> frozenset[str]:
    """Returns the suffixes that occur, lower case, without the dot; "" for a name without one.

    >>> sorted(suffixes_of(["a/1.PNG", "b/2.png", "b.c/3", "b/.hidden"]))
    ['', 'png']
    """
    # Names with the same suffix are alike from the letter before the last dot on, so few are split.
    examples = {name[name.rfind(".") - 1 :]: name for name in names}
    return frozenset(os.path.splitext(name)[1][1:].lower() for name in examples.values())


def scan(folder: str) -> Folder:
    """Lists one folder, with a `stat` only for local entries that are links."""
    found = Folder([], [], [], [])
    if scheme(folder):
        import tensorflow as tf

        for name in tf.io.gfile.listdir(folder):
            # Each isdir may be a round trip to the store, so it is called only if the name does not tell.
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
            except OSError:  # a link back to itself, or to a place without access
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
    # Files that the kernel shows as terabytes, such as /proc/kcore, are found through links.
    return entry.is_file() and not (
        entry.is_symlink() and entry.stat().st_size > _MOST_BYTES_BEHIND_A_LINK
    )


def refusal(path: str) -> str | None:
    """Returns why no image can be read from a local path; None if it is a regular file.

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
        return f"it is a link to something that cannot be read: {_reason_to_refuse(error)}"
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
    """Returns the suffix of a file name, lower case, without the dot; "" if it has none.

    >>> suffix("a/Photo.JPG"), suffix("a.b/photo")
    ('jpg', '')
    """
    return os.path.splitext(name)[1][1:].lower()


def suffixes_in_words(suffixes: Mapping[str, int]) -> str:
    """Says how many files have which suffix, the most frequent first.

    >>> suffixes_in_words({"txt": 1, "cr2": 12, "": 2})
    '12 .cr2, 2 without a suffix, 1 .txt'
    """
    ranked = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(
        f"{count:,} {f'.{printable(name)}' if name else 'without a suffix'}"
        for name, count in ranked
    )


def has_suffix(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a file name ends in a dot and one of `suffixes`, in any case.

    >>> has_suffix("a/Photo.JPG", ("jpg", "png")), has_suffix("oddpng", ("jpg", "png"))
    (True, False)
    """
    return suffix(name) in suffixes


def require_directory(directory: str) -> None:
    """Raises `FileNotFoundError` or `NotADirectoryError` unless `directory` is a folder."""
    exists, is_folder = os.path.exists, os.path.isdir
    if scheme(directory):
        import tensorflow as tf

        require_filesystem(directory)
        exists, is_folder = tf.io.gfile.exists, tf.io.gfile.isdir
    if not exists(directory):
        raise FileNotFoundError(f"No such directory: {directory!r}. Expected a folder of images.")
    if not is_folder(directory):
        raise NotADirectoryError(f"Not a directory: {directory!r}. Expected a folder of images.")


def walk(top: str, follow_links: bool = False) -> Iterator[tuple[str, Folder]]:
    """Yields (path relative to `top`, contents) for `top` and every folder below it, in no order.

    Dot-folders are left out (`.ipynb_checkpoints` holds copies of real images). A link that leads back to
    one of the folders that it is inside is not followed.
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
    advance: Callable[[int], object] = lambda files: None,
    others: Counter[str] | None = None,
) -> list[str]:
    """Lists the images below a folder, relative to it, ordered by folder and then by name.

    `advance` is called with the number of files in each folder. `others` counts the other files, by suffix.
    Entries that have an image's name but are not regular files are left out, with a warning.
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
        # `has_suffix` for each would take longer than the scan; `endswith` differs only for dot-files.
        visible = [name for name in names if name[0] != "."]
        images = [name for name in visible if name.lower().endswith(endings)]
        found += [prefix + name for name in sorted(images)]
        if others is not None and len(images) < len(visible):
            others.update(map(suffix, set(visible).difference(images)))
    return found


class Entries:
    """A lookup of what is at some paths, with one scan per folder instead of one `stat` per path."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._closed: set[str] = set()  # folders that may be entered, but not listed

    def is_file(self, path: str) -> bool:
        """Whether `path` is a regular file, or a link to one."""
        folder, name = os.path.split(path)
        return name in self._of(folder)[0] or (folder in self._closed and os.path.isfile(path))

    def irregular_in(self, folder: str) -> frozenset[str]:
        """Returns what else is in a folder: folders, FIFOs, devices, dangling links."""
        return self._of(folder)[1]

    def _of(self, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        if folder not in self._folders:
            try:
                found = scan(folder or ".")
            except file_errors(folder) as err:
                found = Folder([], [], [], [])
                if isinstance(err, PermissionError):
                    self._closed.add(folder)
            others = found.folders + found.linked_folders + found.irregular
            self._folders[folder] = frozenset(found.files), frozenset(others)
        return self._folders[folder]


def irregular(paths: Sequence[str]) -> set[str]:
    """Returns the paths that exist but are not regular files.

    >>> irregular(["/dev/null", "/dev/no such file", "no such folder/a.png"])
    {'/dev/null'}
    """
    entries = Entries()
    # Folders keep their last slash: most hold nothing irregular, and no path is looked at twice.
    folders = {path[: path.rfind(os.sep) + 1] for path in paths}
    standing = {
        folder + name for folder in folders for name in entries.irregular_in(folder[:-1] or folder)
    }
    return standing.intersection(paths) if standing else standing


def are_files(paths: Iterable[str]) -> list[bool]:
    """Whether each path is a regular file."""
    entries = Entries()
    return [entries.is_file(path) for path in paths]
