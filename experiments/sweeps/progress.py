"""Progress of a trial, read from its files."""

import dataclasses
from typing import Any

from experiments.sweeps.trial import Trial
from nar.atomic_io import read_json
from nar.runs.lock import is_locked
from nar.training import Checkpoints
from nar.training.loop import VALIDATION_SCORE, read_lines


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of a trial.

    Attributes:
      step: last logged step.
      best: best validation score so far; None before the first evaluation.
      result: content of `result.json` of a finished trial; None before.
    """

    step: int
    best: float | None
    result: dict[str, Any] | None


class ProgressReader:
    """Reads the progress of a trial, if its files have changed."""

    def __init__(self, trial: Trial) -> None:
        """Does not read anything yet."""
        self._trial = trial
        self._file_state: tuple[float, int] | None = None
        self._progress = Progress(0, None, None)

    def read(self) -> Progress:
        """Returns the current progress."""
        if self._progress.result is not None:
            return self._progress
        trial, path = self._trial, self._trial.workdir.metrics
        if trial.workdir.is_finished(trial.steps):
            result = read_json(trial.workdir.result)
            self._progress = Progress(trial.steps, self._best(), result)
        elif path.exists():
            status = path.stat()
            file_state = status.st_mtime, status.st_size
            if file_state != self._file_state:
                self._file_state = file_state
                self._progress = Progress(self._step(), self._best(), None)
        return self._progress

    def _step(self) -> int:
        lines = self._lines()
        return int(lines[-1]["step"]) if lines else 0

    def _best(self) -> float | None:
        return max(
            (line[VALIDATION_SCORE] for line in self._lines() if VALIDATION_SCORE in line), default=None
        )

    def _lines(self) -> list[dict[str, float]]:
        """Lines of metrics so far; empty while the last one is incomplete."""
        try:
            return read_lines(self._trial.workdir.metrics)
        except (OSError, ValueError):
            return []


def saved_step(trial: Trial) -> int:
    """Step of the last checkpoint, from which the trial would resume; -1 without a checkpoint."""
    return max(Checkpoints(trial.workdir.checkpoints, read_only=True).all_steps(), default=-1)


def is_in_use(trial: Trial) -> bool:
    """Returns True if a process is training it, here or on another machine that shares the directory."""
    return is_locked(trial.workdir.path)
