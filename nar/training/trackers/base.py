"""The tracker interface. Trackers receive a run's metrics in addition to the files of its workdir."""

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from nar.atomic_io import read_json, write_json
from nar.ownership import check_owned

_logger = logging.getLogger(__name__)

FOLDER = "trackers"
"""Folder in a workdir with the run's id in each tracker."""


@dataclasses.dataclass(frozen=True)
class Session:
    """A session of a run: from its start, or from a resumption.

    Attributes:
      workdir: run directory.
      start: number of steps taken in earlier sessions.
      config: resolved config of the run, without the secrets in the options of trackers.
      versions: versions of the software that the result depends on, by name.
      options: options of the tracker, from the config.
    """

    workdir: pathlib.Path
    start: int
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    options: Mapping[str, Any]

    def persistent_id(self, name: str, make: Callable[[], str]) -> str:
        """The run's id in a tracker: that of its earlier sessions, or a new one.

        Args:
          name: name of the tracker.
          make: makes the id of a new run.
        """
        path = self.workdir / FOLDER / f"{name}.json"
        if path.exists():
            try:
                return _read_id(path)
            except (OSError, ValueError) as error:
                _logger.warning("%s: a new %s run is started", error, name)
        check_owned(path)
        new_id = make()
        path.parent.mkdir(exist_ok=True)
        write_json(path, {"id": new_id})
        return new_id


def _read_id(path: pathlib.Path) -> str:
    """The id in a file that `Session.persistent_id` wrote."""
    run_id = read_json(path).get("id")
    if not isinstance(run_id, str) or not run_id.isprintable() or not 0 < len(run_id) <= 200:
        raise ValueError(f"{path} is damaged: it has no id")
    return run_id


class Tracker(Protocol):
    """A tracker, opened by the first process only, before the first step of each session."""

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Logs the metrics of a line of `metrics.jsonl`.

        Args:
          step: number of steps taken.
          values: metrics by name, such as `loss`, `validation/score` or `steps_per_second`.
          seconds: time of the event, in seconds since 1970.
        """
        ...

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Logs the result of the finished run.

        Args:
          result: content of `result.json`.
          files: files of the workdir to keep: config, versions, metrics, result, curves.
        """
        ...

    def close(self) -> None:
        """Ends the session, whether the run has finished or not; may be called more than once."""
        ...


OpenTracker = Callable[[Session], Tracker]
"""Opens a tracker. ValueError and TypeError mean an error of the user's: the run does not start."""
