"""Progress of a trial, read from its files."""

import dataclasses
import pathlib
from typing import Any

from experiments.sweeps.trial import Trial
from nar.metrics_file import intact_lines
from nar.runs.files import read_result
from nar.runs.lock import is_locked
from nar.training import Checkpoints
from nar.training.loop import VALIDATION_SCORE


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
    """Reads the progress of a trial, if its files have changed. Damaged files and lines count as missing."""

    def __init__(self, trial: Trial) -> None:
        """Does not read anything yet."""
        self._trial = trial
        self._file_states: list[tuple[float, int] | None] = []
        self._progress = Progress(0, None, None)

    def read(self) -> Progress:
        """Returns the current progress."""
        workdir = self._trial.workdir
        file_states = [_file_state(path) for path in (workdir.metrics, workdir.result)]
        if self._progress.result is None and file_states != self._file_states:
            self._file_states = file_states
            self._progress = self._read()
        return self._progress

    def _read(self) -> Progress:
        trial = self._trial
        lines = _lines(trial.workdir.metrics)
        best = max((line[VALIDATION_SCORE] for line in lines if VALIDATION_SCORE in line), default=None)
        if trial.workdir.is_finished(trial.steps):
            return Progress(trial.steps, best, read_result(trial.workdir.result))
        return Progress(int(lines[-1]["step"]) if lines else 0, best, None)


def _file_state(path: pathlib.Path) -> tuple[float, int] | None:
    """Time and size of a file; None if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime, status.st_size


def _lines(path: pathlib.Path) -> list[dict[str, float]]:
    """The undamaged lines of metrics so far."""
    try:
        return [line for _, line in intact_lines(path)]
    except (OSError, ValueError):
        return []


def saved_step(trial: Trial) -> int:
    """Step of the last checkpoint, from which the trial would resume; -1 without a checkpoint."""
    return max(Checkpoints(trial.workdir.checkpoints, read_only=True).all_steps(), default=-1)


def is_in_use(trial: Trial) -> bool:
    """Returns True if a process is training it, here or on another machine that shares the directory."""
    return is_locked(trial.workdir.path)
