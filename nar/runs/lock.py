"""The lock of a workdir: one process at a time writes to it.

The kernel holds it for the life of the process, so that none is left behind by one that was killed.
"""

import datetime
import errno
import fcntl
import os
import pathlib
import platform

from absl import logging

from nar.atomic_io import path_in_errors

LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class Lock:
    """Holds the lock of a folder while inside `with`.

    On a file system that has no locks it warns, and then nobody watches over the folder.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        """Names the folder, which must exist."""
        self._folder = folder

    def __enter__(self) -> "Lock":
        """Takes the lock.

        Raises:
          ValueError: if another process has it, naming it.
        """
        path = self._folder / LOCK
        with path_in_errors(path):
            self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign(path)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise ValueError(
                f"{self._folder} is in use by {holder}; wait for it to end, or choose another workdir"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                self._file.close()
                raise
            logging.warning(
                "%s cannot be locked (%s): make sure that no other process writes to it", self._folder, error
            )
        return self

    def __exit__(self, *error: object) -> None:
        """Gives the lock back."""
        self._file.close()

    def _sign(self, path: pathlib.Path) -> None:
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        with path_in_errors(path):
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {platform.node()} (since {now})\n")
            self._file.flush()
