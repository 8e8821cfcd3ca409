"""Scalars for TensorBoard, written at once, so that what goes wrong is known at once."""

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
    """Events in the folder `tensorboard` of a workdir."""

    def __init__(self, session: Session) -> None:
        """Opens a file of its own for the session.

        Raises:
          OSError: naming the file, if it cannot be written, as all else here does.
        """
        self._events = Events(session.workdir / "tensorboard", session.start)

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds values."""
        self._events.add(step, values, seconds)

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Nothing: TensorBoard shows what was added step by step."""

    def close(self) -> None:
        """Closes the file."""
        self._events.close()


class Events:
    """A file of events in a folder; each session of a run has its own."""

    def __init__(self, folder: pathlib.Path, start: int) -> None:
        """Opens the file of a session that begins after step `start`, and makes later events void."""
        now = time.time()
        # TensorBoard knows its files by their first words, and reads them in the order of their names.
        self._path = folder / f"events.out.tfevents.{now:.0f}.{platform.node()}.{os.getpid()}"
        with path_in_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
        self._write(_EVENT(wall_time=now, file_version="brain.Event:2"))
        if start:
            restart = _SESSION(status=_SESSION.START)
            self._write(_EVENT(wall_time=now, step=start + 1, session_log=restart))

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds a value by each name.

        Args:
          step: of all of them.
          values: by name.
          seconds: since 1970, the time of the event.

        Raises:
          OSError: naming the file, if it cannot be written.
        """
        for name, value in values.items():
            self._write(_EVENT(step=step, wall_time=seconds, summary=scalar(name, value)))
        with path_in_errors(self._path):
            self._file.flush()

    def close(self) -> None:
        """Closes the file, if that was not done."""
        with path_in_errors(self._path):
            self._file.close()

    def _write(self, event: Any) -> None:
        """A record: its length and its bytes, each with a checksum."""
        content = event.SerializeToString()
        length = struct.pack("<Q", len(content))
        with path_in_errors(self._path):
            self._file.write(length + _checksum(length) + content + _checksum(content))


def _checksum(content: bytes) -> bytes:
    return struct.pack("<I", masked_crc32c(content))
