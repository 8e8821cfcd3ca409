"""An exclusive file lock on a workdir: only one process at a time writes to it.

The kernel releases the lock when the process ends, so that a killed process leaves no stale lock.
"""

import datetime
import errno
import fcntl
import logging
import os
import pathlib
import platform

from nar.atomic_io import path_in_errors

_logger = logging.getLogger(__name__)

LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class Lock:
    """A context manager that holds the lock of a directory.

    On a file system without locks it logs a warning, and the directory is not protected.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Creates the lock object; `directory` must exist."""
        self._directory = directory

    def __enter__(self) -> "Lock":
        """Acquires the lock.

        Raises:
          ValueError: if another process holds it; the message names that process.
        """
        path = self._directory / LOCK
        with path_in_errors(path):
            self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write_holder(path)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise ValueError(
                f"{self._directory} is in use by {holder}; wait for it to end, or choose another workdir"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                self._file.close()
                raise
            _logger.warning(
                "%s cannot be locked (%s): make sure that no other process writes to it",
                self._directory,
                error,
            )
        return self

    def __exit__(self, *error: object) -> None:
        """Releases the lock."""
        self._file.close()

    def _write_holder(self, path: pathlib.Path) -> None:
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        with path_in_errors(path):
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {platform.node()} (since {now})\n")
            self._file.flush()
