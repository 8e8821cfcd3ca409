"""Standard output and error that never raise: with any encoding, and after their reader exits."""

import errno
import io
import os
import sys
from typing import Any

_STANDARD_ERROR = 2
"""Number of the open file."""


class _Tolerant(io.FileIO):
    """A file that discards what is written after its reader has exited: a closed pipe or terminal.

    Standard error discards whatever cannot be written, on a full disk for one: it has no results. Standard
    output raises one error, which names it, and discards the rest.
    """

    def __init__(self, number: int) -> None:
        """Opens a file by its number, which remains open when this object is closed."""
        super().__init__(number, "wb", closefd=False)
        self._is_terminal = self.isatty()  # A closed one no longer says so.
        self._has_failed = False

    def write(self, data: Any) -> int:
        """Writes, or pretends to."""
        try:
            return super().write(data) or 0
        except OSError as error:
            is_closed = error.errno == errno.EPIPE or (error.errno == errno.EIO and self._is_terminal)
            if is_closed or self._has_failed or self.fileno() == _STANDARD_ERROR:
                return len(data)
            self._has_failed = True
            raise OSError(error.errno, error.strerror, "standard output") from error


def make_streams_tolerant() -> None:
    """Makes standard output and error tolerant; may be called again.

    Characters that their encoding doesn't have are replaced by question marks; what is written to a closed
    pipe (`2>&1 | head -1`), a closed terminal or a closed stream (`>&-`) is discarded. So is what standard
    error cannot write for any other reason.
    """
    sys.stdout, sys.stderr = _tolerant(sys.stdout), _tolerant(sys.stderr)


def _tolerant(stream: Any) -> Any:
    if stream is None:
        return _text(os.open(os.devnull, os.O_WRONLY), "utf-8", line_buffering=False)
    try:
        stream.flush()
        return _text(stream.fileno(), stream.encoding, stream.line_buffering)
    except (AttributeError, OSError, ValueError):
        return stream  # not a file, as in notebooks


def _text(number: int, encoding: str, line_buffering: bool) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(_Tolerant(number))
    return io.TextIOWrapper(buffer, encoding=encoding, errors="replace", line_buffering=line_buffering)
