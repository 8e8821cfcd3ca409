"""An exclusive file lock on a folder, such as a workdir: only one process at a time writes to it.

The system releases the lock when the process ends, so that a killed process leaves no stale lock.
"""

import contextlib
import datetime
import errno
import logging
import os
import pathlib
import platform
import re

import filelock

from nar.atomic_io import check_writable, write_text
from nar.ownership import HOLDER, LOCK, own_folder
from nar.reading import read_bytes, read_text

_logger = logging.getLogger(__name__)

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)

_HOLDER_TEXT = re.compile(rb"process \d+ on .*\n")


class Lock:
    """A context manager that holds the lock of a directory.

    Within it, nothing more is written to the directory once that was moved, removed or replaced, or its lock
    file was (`nar.ownership`).

    On a file system without locks it logs a warning, and the directory is not protected.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Creates the lock object; `directory` must exist."""
        self._directory = directory
        self._lock = _file_lock(directory)

    def __enter__(self) -> "Lock":
        """Acquires the lock.

        Raises:
          ValueError: if another process holds it; the message names that process.
        """
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise ValueError(
                f"{self._directory} is in use by {self._read_holder()}; "
                "wait for it to end, or choose another folder"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise OSError(error.errno, error.strerror, str(self._directory / LOCK)) from error
            message = "%s cannot be locked (%s): make sure that no other process writes to it"
            _logger.warning(message, self._directory, error)
        try:
            with contextlib.ExitStack() as stack:
                # First, since this thread may own a folder that was at this path before.
                stack.enter_context(own_folder(self._directory, self._directory / LOCK))
                self._write_holder()
                self._owned = stack.pop_all()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Releases the lock."""
        self._owned.close()
        self._lock.release()

    def _read_holder(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            return read_text(self._directory / HOLDER).strip() or "another process"
        return "another process"

    def _write_holder(self) -> None:
        """Writes the name of this process, unless a file of this name has other content."""
        path = self._directory / HOLDER
        if os.path.lexists(path) and not _HOLDER_TEXT.fullmatch(read_bytes(path)):
            return
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        write_text(path, f"process {os.getpid()} on {platform.node()} (since {now})\n")


def is_locked(directory: pathlib.Path) -> bool:
    """Returns True if a process holds the lock, here or on another machine that shares the directory."""
    if not (directory / LOCK).exists():
        return False
    try:
        with _file_lock(directory):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # The file system has no locks.
        return False


def _file_lock(directory: pathlib.Path) -> filelock.BaseFileLock:
    check_writable(directory / LOCK)
    # A "soft" lock would outlive a process that is killed on another machine.
    return filelock.FileLock(directory / LOCK, timeout=0, fallback_to_soft=False)
