"""Points at which a training process is killed; each function returns once the process is there."""

import dataclasses
import random
from collections.abc import Callable

from experiments.fault_injection.script_process import ScriptProcess
from nar.runs.workdir import Workdir
from nar.training import Checkpoints
from nar.training.checkpointing import partial_files

_SHORT_PAUSE = 0.0003
"""Seconds between looks at a folder; a small checkpoint is written in a few milliseconds."""


@dataclasses.dataclass
class TrainingProcess:
    """A running training process.

    Attributes:
      process: the process.
      workdir: directory of the run.
      steps: number of training steps of the whole run.
      seconds: upper bounds on the times of start-up and final evaluation.
    """

    process: ScriptProcess
    workdir: Workdir
    steps: int
    seconds: tuple[float, float]

    def __post_init__(self) -> None:
        self._partial_files = partial_files(self.workdir.checkpoints)
        self.first = saved_steps(self.workdir)

    def has_saved(self) -> bool:
        """Returns whether this process has written a checkpoint, not counting that of step 0."""
        return bool(saved_steps(self.workdir) - self.first - {0})

    def is_saving(self) -> bool:
        """Returns whether a checkpoint is being written, or was when the process was killed."""
        return bool(partial_files(self.workdir.checkpoints) - self._partial_files)


def saved_steps(workdir: Workdir) -> set[int]:
    """Steps of the existing checkpoints."""
    return set(Checkpoints(workdir.checkpoints, read_only=True).all_steps())


def during_startup(training: TrainingProcess, rng: random.Random) -> None:
    """Waits for a random time of start-up: compilation, restoring."""
    training.process.wait_seconds(rng.uniform(0, training.seconds[0]))


def during_training(training: TrainingProcess, rng: random.Random) -> None:
    """Waits for a random time after the first new checkpoint."""
    training.process.wait_until(training.has_saved)
    training.process.wait_seconds(rng.uniform(0, 0.5))


def during_save(training: TrainingProcess, rng: random.Random) -> None:
    """Waits until a checkpoint is being written, or was just written."""
    if rng.random() < 0.7:
        training.process.wait_until(training.has_saved)
    training.process.wait_until(training.is_saving, _SHORT_PAUSE)
    training.process.wait_seconds(rng.choice((0, 0, rng.uniform(0, 0.003))))


def during_evaluation(training: TrainingProcess, rng: random.Random) -> None:
    """Waits for a random time of final evaluation, plotting and writing of the result."""
    training.process.wait_until(lambda: training.steps in saved_steps(training.workdir))
    training.process.wait_seconds(rng.uniform(0, training.seconds[1]))


KILL_POINTS = (during_startup, during_training, during_save, during_evaluation)


def draw_kill_point(
    training: TrainingProcess, rng: random.Random
) -> Callable[[TrainingProcess, random.Random], None]:
    """Draws a kill point; final evaluation only if the run is near its end."""
    is_late = max(training.first, default=0) > 0.7 * training.steps
    return rng.choices(KILL_POINTS, (3, 3, 3, 4 if is_late else 0))[0]
