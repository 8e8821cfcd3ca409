"""Ownership of folders: a process stops writing after its folder is moved, removed or replaced.

Files are written by path. If a run's folder is moved while it trains, and another run is started at its old
path, both would write to the new one. So the process that trains a run keeps its folder and lock file open,
and before each change checks that their paths still lead to them.
"""

import contextlib
import contextvars
import errno
import os
import pathlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

LOCK, HOLDER = ".lock", ".lock_holder"
"""Files of a folder's lock (`nar.runs.lock`): the locked one, and one that names the process that has it."""

_LOST = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ELOOP)


class LostFolderError(ValueError):
    """The folder that this process writes to was moved, removed or replaced."""


class _OwnedFolder:
    """A folder, and files or folders in it, that this process keeps open."""

    def __init__(self, folder: pathlib.Path, inside: tuple[pathlib.Path, ...]) -> None:
        self.folder = folder
        self._open: dict[pathlib.Path, int] = {}
        for path in (folder, *inside):
            try:
                self._open[path] = os.open(path, os.O_RDONLY)
            except PermissionError:  # Windows opens no folders.
                continue

    def check(self) -> None:
        """Raises LostFolderError if one of the paths leads elsewhere now.

        While a file is open, the system gives its number to no other one.
        """
        for path, number in self._open.items():
            try:
                same = os.path.samestat(os.stat(path), os.fstat(number))
            except OSError as error:
                if error.errno not in _LOST:
                    continue  # This says nothing about the folder.
                same = False
            if not same:
                raise LostFolderError(
                    f"{path} was moved, removed or replaced while this process was writing to {self.folder}: "
                    f"it stops, and writes nothing more there. {_describe_place(self._open, self.folder)}"
                )

    def close(self) -> None:
        for number in self._open.values():
            os.close(number)


def _describe_place(opened: dict[pathlib.Path, int], folder: pathlib.Path) -> str:
    """A sentence on the present place of the folder, if the system reports it."""
    place = ""
    if folder in opened:
        with contextlib.suppress(OSError):
            place = os.readlink(f"/proc/self/fd/{opened[folder]}")
    if place.endswith(" (deleted)"):
        return "The folder was removed"
    return f"The same command on its new place{f', {place},' if place else ''} resumes"


_OWNED: contextvars.ContextVar[Mapping[pathlib.Path, _OwnedFolder]] = contextvars.ContextVar(
    "owned", default=MappingProxyType({})
)
"""The owned folders by path; each thread has its own."""


@contextlib.contextmanager
def own_folder(folder: pathlib.Path, *inside: pathlib.Path) -> Iterator[None]:
    """Context in which `check_owned` fails for paths in a folder that has been replaced.

    Args:
      folder: an existing folder.
      *inside: files or folders in it that must remain the same, too.

    Raises:
      OSError: if one of them does not exist.
    """
    owned = _OwnedFolder(folder, inside)
    token = _OWNED.set({**_OWNED.get(), folder: owned})
    try:
        yield
    finally:
        _OWNED.reset(token)
        owned.close()


def check_owned(path: pathlib.Path) -> None:
    """Checks the folders of `own_folder` that contain `path`; to be called before each change of a file.

    Raises:
      LostFolderError: if one of them was moved, removed or replaced.
    """
    for folder, owned in _OWNED.get().items():
        if folder == path or folder in path.parents:
            owned.check()
