"""Reading of files from anywhere: regular files only, archives that fit in memory, JSON of bounded depth.

A pipe or device in place of a file would block the reader, or never end. An archive of a few megabytes may
unpack to as many gigabytes of zeros.
"""

import collections
import errno
import json
import os
import stat
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

from nar.machine import memory_size

MAX_DEPTH = 100
"""Levels of lists and objects that JSON may have; files of nar have fewer than ten."""

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a regular file for reading, in binary mode; never waits for the writer of a pipe.

    Raises:
      ValueError: if it is a directory, pipe, socket or device.
      OSError: if it cannot be opened.
    """
    return open(path, "rb", opener=_open_without_waiting)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Reads a regular file; raises as `open_regular` does."""
    with open_regular(path) as file:
        return file.read()


def read_text(path: str | os.PathLike[str]) -> str:
    """Reads a regular file of UTF-8 text; raises as `open_regular` does, and ValueError for other bytes."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: it is not UTF-8 text: {error}") from None


def check_regular(path: str | os.PathLike[str], mode: int) -> None:
    """Raises ValueError unless `mode`, as `os.stat` returns it, is that of a regular file."""
    if not stat.S_ISREG(mode):
        kind = next((name for matches, name in _KINDS if matches(mode)), "a special file")
        raise ValueError(f"{os.fspath(path)} is {kind}, not a regular file")


def check_archive_size(archive: zipfile.ZipFile) -> None:
    """Raises ValueError if an archive is larger, unpacked, than half of the memory of this machine."""
    size = sum(member.file_size for member in archive.infolist())
    if size > memory_size() / 2:
        raise ValueError(f"unpacked, it has {size / 1e9:,.1f} GB, more than half of this machine's memory")


def _open_without_waiting(path: str, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except OSError as error:
        if error.errno == errno.ENXIO:  # Sockets cannot be opened.
            check_regular(path, os.stat(path).st_mode)
        raise
    try:
        check_regular(path, os.fstat(descriptor).st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def parse_json(text: str | bytes) -> Any:
    """Parses JSON of at most `MAX_DEPTH` levels, whose objects have each key once.

    Raises:
      ValueError: if it is not valid JSON, or deeper, or has a key twice.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError(f"it has more than {MAX_DEPTH} levels") from None
    level = [content]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return content
    raise ValueError(f"it has more than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice, _ = collections.Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"an object has the key {twice[:100]!r} twice")
    return content
