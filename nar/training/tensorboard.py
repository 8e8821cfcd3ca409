"""Scalars for TensorBoard, written at once, so that what goes wrong is known at once."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2
from tensorboardX.summary import scalar

from nar.training.files import naming

_EVENT: Any = vars(event_pb2)["Event"]
_SESSION: Any = vars(event_pb2)["SessionLog"]


class Events:
    """A file of events in a folder; each session of a run has its own."""

    def __init__(self, folder: pathlib.Path, start: int) -> None:
        """Opens the file of a session that begins after step `start`, and makes later events void."""
        self._folder = folder
        with naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(folder / "events"), f".{os.getpid()}")
            if start:
                self._write(_EVENT(step=start + 1, session_log=_SESSION(status=_SESSION.START)))

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds a value by each name.

        Args:
          step: of all of them.
          values: by name.
          seconds: since 1970, the time of the event.

        Raises:
          OSError: naming the folder, if it cannot be written.
        """
        with naming(self._folder):
            for name, value in values.items():
                self._write(_EVENT(step=step, wall_time=seconds, summary=scalar(name, value)))
            self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        with naming(self._folder):
            self._writer.close()

    def _write(self, event: Any) -> None:
        self._writer.write_event(event)
