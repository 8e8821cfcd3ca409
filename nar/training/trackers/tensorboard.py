"""TensorBoard tracker (tensorboardX).

Events are written in the training thread and flushed at each line of metrics, so that a killed run loses none
and a full disk raises an error. `tensorboardX.SummaryWriter` promises neither: it queues events for a thread,
and once that thread has failed, training would wait for it forever. This is the writer beneath it.
"""

import contextlib
import importlib
import os
import pathlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nar.atomic_io import path_in_errors
from nar.training.trackers.base import Session

FOLDER = "tensorboard"
"""Folder of event files in a workdir."""


class TensorBoard:
    """TensorBoard tracker, with one event file per session in the folder `tensorboard` of the workdir.

    All methods raise OSError if the file cannot be written; the message names the folder.
    """

    def __init__(self, session: Session) -> None:
        """Opens a new file for the session; TensorBoard will hide later events of earlier sessions."""
        with _without_torch():
            self._summary: Any = importlib.import_module("tensorboardX.summary")
            self._proto: Any = importlib.import_module("tensorboardX.proto.event_pb2")
            event_file_writer = importlib.import_module("tensorboardX.event_file_writer")
        self._folder = session.workdir / FOLDER
        with path_in_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            prefix, suffix = str(self._folder / "events"), f".{os.getpid()}"
            self._writer: Any = event_file_writer.EventsWriter(prefix, suffix)
            if session.start:
                log = self._proto.SessionLog(status=self._proto.SessionLog.START)
                restart = self._proto.Event(step=session.start + 1, wall_time=time.time(), session_log=log)
                self._writer.write_event(restart)
            self._writer.flush()
        self._is_open = True

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Logs metrics."""
        summaries = [self._summary.scalar(name, value) for name, value in values.items()]
        with path_in_errors(self._folder):
            for summary in summaries:
                event = self._proto.Event(step=step, wall_time=seconds, summary=summary)
                self._writer.write_event(event)
            self._writer.flush()

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Does nothing: all metrics have been logged."""

    def close(self) -> None:
        """Closes the file."""
        if self._is_open:
            self._is_open = False
            with path_in_errors(self._folder):
                self._writer.close()


@contextlib.contextmanager
def _without_torch() -> Iterator[None]:
    """Context in which `import torch` fails: tensorboardX imports it, for seconds, if it is installed."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        del sys.modules["torch"]
