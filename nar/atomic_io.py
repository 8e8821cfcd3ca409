"""Writing of files: whole files atomically, lines at the end of a file, and JSON files with a checksum.

Whatever writes a file does it here. Only regular files are replaced or extended: a device, pipe or directory
is an error, and a symbolic link is followed.
"""

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import IO, Any, BinaryIO

from nar.ownership import HOLDER, check_owned
from nar.reading import check_regular, parse_json, read_bytes

_CHECKSUM = "sha256"
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}\.part", re.DOTALL)


def local_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """A path of the local file system as a user means it: `~` is the home directory.

    Raises:
      ValueError: if it is empty, has a null character, or is an address such as gs://bucket/run.
    """
    text = os.fspath(path)
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is not a path")
    if _ADDRESS.match(text):
        raise ValueError(
            f"{text} is an address, not a path of this machine's file system; mount the storage, "
            "and give the directory"
        )
    try:
        return pathlib.Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text}: there is no such home directory; give the whole path") from None


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(gs|s3|hdfs|https?|file):/")
"""Start of an address, also after `pathlib` has joined its slashes."""


@contextlib.contextmanager
def path_in_errors(path: pathlib.Path) -> Iterator[None]:
    """Context in which every OSError names `path`; errors raised while writing to an open file do not."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextlib.contextmanager
def atomic_write(path: pathlib.Path) -> Iterator[BinaryIO]:
    """Opens a temporary file that atomically replaces `path` when the context exits without an error.

    If `path` is a symbolic link, the file that it points to is replaced.

    Raises:
      ValueError: if there is something other than a regular file.
      OSError: if the file cannot be written; names `path`, which is left unchanged.
      LostFolderError: if it is in a folder that is no longer this process's; see `nar.ownership`.
    """
    check_owned(path)
    with path_in_errors(path):
        target = _target(path)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        try:
            with _create_locked(temporary) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            check_owned(path)
            _target(target)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            check_owned(path)  # A lost folder is what the error is about.
            raise


def _create_locked(path: pathlib.Path) -> BinaryIO:
    """Creates a file and locks it; again if `remove_abandoned_files` removed it before it was locked."""
    while True:
        file = path.open("xb")
        try:
            if not _lock(file, wait=True) or _is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _is_at(file: BinaryIO, path: pathlib.Path) -> bool:
    """Returns True if an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def open_to_append(path: pathlib.Path, mode: str = "ab") -> Iterator[IO[bytes]]:
    """Opens a file for appending in binary mode ("ab", or "a+b" to read it, too), created if missing.

    Raises:
      ValueError: if there is something other than a regular file.
      OSError: if the file cannot be written; names `path`.
      LostFolderError: if it is in a folder that is no longer this process's; see `nar.ownership`.
    """
    check_owned(path)
    with path_in_errors(path):
        _target(path)
        with path.open(mode) as file:
            check_owned(path)  # Otherwise it may be another run's that was moved there since.
            yield file


def check_writable(path: pathlib.Path) -> None:
    """Raises ValueError if there is a directory, pipe, socket or device, which no file replaces."""
    with path_in_errors(path):
        _target(path)


def _target(path: pathlib.Path) -> pathlib.Path:
    """The file that a write to `path` replaces or extends; ValueError if it is not a regular file."""
    target = pathlib.Path(os.path.realpath(path)) if path.is_symlink() else path
    with contextlib.suppress(FileNotFoundError):
        check_regular(path, target.stat().st_mode)
    return target


def set_aside(path: pathlib.Path, name: str) -> pathlib.Path:
    """Renames a file, or whatever is there, to an unused name in its folder, which is returned as a path."""
    check_owned(path)
    aside = unused_path(path.with_name(name))
    with path_in_errors(path):
        path.rename(aside)
    return aside


def unused_path(path: pathlib.Path) -> pathlib.Path:
    """The path, or the first of PATH.2, PATH.3, ... where there is nothing."""
    others = (path.with_name(f"{path.name}.{number}") for number in itertools.count(2))
    return next(one for one in itertools.chain([path], others) if not os.path.lexists(one))


def temporary_files(folder: pathlib.Path, names: re.Pattern[str]) -> list[pathlib.Path]:
    """Temporary files that `atomic_write` left in a folder because its process was killed.

    Args:
      folder: where to look.
      names: matches the whole names of the files that the caller writes there, in addition to that of the
        holder of its lock; others are not its own.
    """
    found = []
    for path in folder.iterdir():
        match = _TEMPORARY.fullmatch(path.name)
        is_own = match and (match["name"] == HOLDER or names.fullmatch(match["name"]))
        if is_own and path.is_file() and not path.is_symlink():
            found.append(path)
    return found


def remove_temporary_files(folder: pathlib.Path, names: re.Pattern[str]) -> None:
    """Removes `temporary_files`; nothing else in the folder is touched."""
    check_owned(folder)
    for path in temporary_files(folder, names):
        path.unlink(missing_ok=True)


def remove_abandoned_files(folder: pathlib.Path) -> None:
    """Removes temporary files whose process is gone, from a folder that other processes may be writing to."""
    for path in temporary_files(folder, re.compile(".+", re.DOTALL)):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if _lock(file):
                path.unlink()


def _lock(file: BinaryIO, *, wait: bool = False) -> bool:
    """Locks a file until it is closed; False if this system or disk has no locks.

    If the file is locked already, it waits, or without `wait` returns False.
    """
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError):
        return False
    return True


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file atomically."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object atomically, together with a checksum of its content."""
    content = json.loads(json.dumps(content))
    write_text(path, json.dumps({**content, _CHECKSUM: _checksum(content)}, indent=2) + "\n")


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Reads a JSON object, verifies its checksum and removes it.

    Raises:
      ValueError: if the file is not a JSON object or does not match its checksum.
      OSError: if the file cannot be read.
    """
    try:
        content = parse_json(read_bytes(path))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it is not a JSON object")
    expected = content.pop(_CHECKSUM, None)
    if expected is not None and expected != _checksum(content):
        raise ValueError(
            f"{path} is damaged: its content does not match its {_CHECKSUM} "
            f"(if you edited it by hand, remove the entry {_CHECKSUM})"
        )
    return content


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
