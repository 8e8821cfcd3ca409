"""TensorBoard event files, written immediately, so that errors are raised immediately."""

import os
import pathlib
import platform
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import masked_crc32c
from tensorboardX.summary import scalar

from nar.atomic_io import path_in_errors
from nar.training.trackers.base import Session

_EVENT: Any = vars(event_pb2)["Event"]
_SESSION: Any = vars(event_pb2)["SessionLog"]


class TensorBoard:
    """TensorBoard tracker, with event files in the folder `tensorboard` of the workdir.

    All methods raise OSError if the file cannot be written; the message names it.
    """

    def __init__(self, session: Session) -> None:
        """Opens a new file for the session."""
        self._events = Events(session.workdir / "tensorboard", session.start)

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Logs metrics."""
        self._events.add(step, values, seconds)

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Does nothing: all metrics have been logged."""

    def close(self) -> None:
        """Closes the file."""
        self._events.close()


class Events:
    """Event file of a session."""

    def __init__(self, folder: pathlib.Path, start: int) -> None:
        """Opens a new file in a folder.

        Args:
          folder: folder of the event files, created if missing.
          start: number of steps taken in earlier sessions; TensorBoard will hide their later events.
        """
        now = time.time()
        # TensorBoard recognizes event files by this prefix, and reads them in the order of their names.
        self._path = folder / f"events.out.tfevents.{now:.0f}.{platform.node()}.{os.getpid()}"
        with path_in_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
        self._write(_EVENT(wall_time=now, file_version="brain.Event:2"))
        if start:
            restart = _SESSION(status=_SESSION.START)
            self._write(_EVENT(wall_time=now, step=start + 1, session_log=restart))

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds scalar events.

        Args:
          step: number of steps taken.
          values: values by tag.
          seconds: time of the events, in seconds since 1970.

        Raises:
          OSError: if the file cannot be written; the message names it.
        """
        for name, value in values.items():
            self._write(_EVENT(step=step, wall_time=seconds, summary=scalar(name, value)))
        with path_in_errors(self._path):
            self._file.flush()

    def close(self) -> None:
        """Closes the file; may be called more than once."""
        with path_in_errors(self._path):
            self._file.close()

    def _write(self, event: Any) -> None:
        """Writes a TFRecord: the length and the content, each followed by its checksum."""
        content = event.SerializeToString()
        length = struct.pack("<Q", len(content))
        with path_in_errors(self._path):
            self._file.write(length + _checksum(length) + content + _checksum(content))


def _checksum(content: bytes) -> bytes:
    return struct.pack("<I", masked_crc32c(content))
