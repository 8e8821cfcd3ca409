"""TensorBoard tracker (tensorboardX).

Events are written in the training thread and flushed at each line of metrics, so that a killed run loses none
and a full disk raises an error. `tensorboardX.SummaryWriter` promises neither: it queues events for a thread,
and once that thread has failed, training would wait for it forever. This tracker uses its parts.
"""

import contextlib
import importlib
import os
import pathlib
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nar.atomic_io import path_in_errors
from nar.ownership import check_owned
from nar.training.trackers.base import Session

FOLDER = "tensorboard"
"""Folder of event files in a workdir."""


class TensorBoard:
    """TensorBoard tracker, with one event file per session in the folder `tensorboard` of the workdir.

    All methods raise OSError if the file cannot be written; the message names it.
    """

    def __init__(self, session: Session) -> None:
        """Opens a new file for the session; TensorBoard will hide later events of earlier sessions."""
        with _without_torch():
            self._summary: Any = importlib.import_module("tensorboardX.summary")
            self._proto: Any = importlib.import_module("tensorboardX.proto.event_pb2")
            record_writer = importlib.import_module("tensorboardX.record_writer")
        folder, now = session.workdir / FOLDER, time.time()
        check_owned(folder)
        # TensorBoard recognizes event files by this prefix, and reads them in the order of their names.
        self._path = folder / f"events.out.tfevents.{now:.0f}.{platform.node()}.{os.getpid()}"
        with path_in_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file: Any = record_writer.RecordWriter(str(self._path))
        events = [self._proto.Event(wall_time=now, file_version="brain.Event:2")]
        if session.start:
            log = self._proto.SessionLog(status=self._proto.SessionLog.START)
            events.append(self._proto.Event(wall_time=now, step=session.start + 1, session_log=log))
        self._write(events)

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Logs metrics."""
        summaries = [self._summary.scalar(name, value) for name, value in values.items()]
        self._write([self._proto.Event(step=step, wall_time=seconds, summary=one) for one in summaries])

    def _write(self, events: Sequence[Any]) -> None:
        check_owned(self._path)
        try:
            with path_in_errors(self._path):
                for event in events:
                    self._file.write(event.SerializeToString())
                self._file.flush()
        except OSError:
            with contextlib.suppress(OSError):
                self._file.close()
            raise

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Does nothing: all metrics have been logged."""

    def close(self) -> None:
        """Closes the file."""
        with path_in_errors(self._path):
            self._file.close()


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
