"""How far a trial is, as its files say."""

import dataclasses
import errno
import fcntl
from typing import Any

from experiments.cli.status import is_finished
from experiments.sweeps.trial import Trial
from nar.runs.lock import LOCK
from nar.training import Checkpoints, read_json
from nar.training.loop.metrics import SELECTION_METRIC, read_lines


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a trial has to show.

    Attributes:
      step: the last one that was logged.
      best: the best score on validation so far; None if it was not scored yet.
      result: of a finished trial, as `result.json` has it; None before.
    """

    step: int
    best: float | None
    result: dict[str, Any] | None


class Watcher:
    """Reads a trial's files when they have changed."""

    def __init__(self, trial: Trial) -> None:
        """Reads nothing yet."""
        self._trial = trial
        self._seen: tuple[float, int] | None = None
        self._progress = Progress(0, None, None)

    def look(self) -> Progress:
        """How far the trial is now."""
        if self._progress.result is not None:
            return self._progress
        trial, path = self._trial, self._trial.workdir.metrics
        if is_finished(trial.workdir, trial.steps):
            result = read_json(trial.workdir.result)
            self._progress = Progress(trial.steps, self._best(), result)
        elif path.exists():
            status = path.stat()
            seen = status.st_mtime, status.st_size
            if seen != self._seen:
                self._seen = seen
                self._progress = Progress(self._step(), self._best(), None)
        return self._progress

    def _step(self) -> int:
        lines = self._lines()
        return int(lines[-1]["step"]) if lines else 0

    def _best(self) -> float | None:
        return max(
            (line[SELECTION_METRIC] for line in self._lines() if SELECTION_METRIC in line), default=None
        )

    def _lines(self) -> list[dict[str, float]]:
        """The lines so far; none while one is only half there."""
        try:
            return read_lines(self._trial.workdir.metrics)
        except (OSError, ValueError):
            return []


def saved_step(trial: Trial) -> int:
    """The step from which the trial would go on; -1 if it would begin."""
    return max(Checkpoints(trial.workdir.checkpoints, read_only=True).steps, default=-1)


def is_in_use(trial: Trial) -> bool:
    """Whether some process trains it, here or on another machine that has the same folder."""
    path = trial.workdir.path / LOCK
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EACCES)
    return False
