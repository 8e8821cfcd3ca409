"""What a tracker is: something that shows a run's metrics to people, beside the files of its workdir."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from absl import logging

from nar.atomic_io import read_json, write_json

FOLDER = "trackers"
"""In a workdir: what trackers remember of it."""


@dataclasses.dataclass(frozen=True)
class Session:
    """What a tracker is told when a run begins, or goes on.

    Attributes:
      workdir: folder of the run.
      start: steps that were taken before.
      config: of the run, resolved.
      versions: of all that its result depends on, by name.
      options: of this tracker, from the config.
    """

    workdir: pathlib.Path
    start: int
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    options: Mapping[str, Any]

    def persistent_id(self, name: str, make: Callable[[], str]) -> str:
        """What the run is called by a tracker: as in its sessions before, or else what `make` says now.

        Args:
          name: of the tracker.
          make: a name for a new run.
        """
        path = self.workdir / FOLDER / f"{name}.json"
        if path.exists():
            try:
                return str(read_json(path)["id"])
            except (KeyError, ValueError) as error:
                logging.warning("%s: a new run is begun at %s", error, name)
        made = make()
        path.parent.mkdir(exist_ok=True)
        write_json(path, {"id": made})
        return made


class Tracker(Protocol):
    """It is opened once a session, by the first process alone, before the first step."""

    def add(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Adds a value by each name, as a line of `metrics.jsonl` has them.

        Args:
          step: of all of them.
          values: by name, such as `loss`, `validation/score` or `steps_per_second`.
          seconds: since 1970, the time of the event.
        """
        ...

    def finish(self, result: Mapping[str, Any], files: Sequence[pathlib.Path]) -> None:
        """Adds what came of the run, which is over.

        Args:
          result: as `result.json` has it.
          files: of the workdir that are worth keeping: config, versions, metrics, result, curves.
        """
        ...

    def close(self) -> None:
        """Ends the session, be the run over or interrupted; it may be called more than once."""
        ...


OpenTracker = Callable[[Session], Tracker]
"""Opens a tracker. ValueError and TypeError are for what the user got wrong: the run does not begin."""
