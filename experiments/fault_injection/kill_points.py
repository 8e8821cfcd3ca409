"""Moments in the life of a process that trains, at which it may be killed."""

import dataclasses
import os
import pathlib
import random
import subprocess
import time
from collections.abc import Callable

from nar.runs.workdir import Workdir

_PAUSE = 0.0003


@dataclasses.dataclass
class Life:
    """One process that trains.

    Attributes:
      process: that trains.
      workdir: of the run.
      steps: of the whole run.
      seconds: how long it may take to start, and to score at its end.
    """

    process: subprocess.Popen[bytes]
    workdir: Workdir
    steps: int
    seconds: tuple[float, float]

    def __post_init__(self) -> None:
        self._files = set(names_in(self.workdir.checkpoints))
        self.first = saved_steps(self.workdir)

    def wait(self, seconds: float) -> None:
        """Waits so long, or until the process ends."""
        end = time.monotonic() + seconds
        self.wait_for(lambda: time.monotonic() >= end)

    def wait_for(self, happens: Callable[[], bool]) -> None:
        """Waits until something happens, or the process ends."""
        while self.process.poll() is None and not happens():
            time.sleep(_PAUSE)

    def has_saved(self) -> bool:
        """Whether there is a new checkpoint, beside that of the state before the first step."""
        return bool(saved_steps(self.workdir) - self.first - {0})

    def is_saving(self) -> bool:
        """Whether a checkpoint is being written, or was when the process was killed."""
        new = set(names_in(self.workdir.checkpoints)) - self._files
        return any(name.startswith(".step") for name in new)


def names_in(folder: pathlib.Path) -> list[str]:
    """Names of the files in a folder; none if it is not there."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def saved_steps(workdir: Workdir) -> set[int]:
    """Steps of the checkpoints that there are."""
    names = [name.removeprefix("step_").removesuffix(".npz") for name in names_in(workdir.checkpoints)]
    return {int(name) for name in names if name.isdigit()}


# Moments: each waits for one of its kind.


def at_the_start(life: Life, draw: random.Random) -> None:
    """While it imports, compiles and restores."""
    life.wait(draw.uniform(0, life.seconds[0]))


def in_training(life: Life, draw: random.Random) -> None:
    """Some time after its first new checkpoint."""
    life.wait_for(life.has_saved)
    life.wait(draw.uniform(0, 0.5))


def while_it_saves(life: Life, draw: random.Random) -> None:
    """While a checkpoint is half-written, or just was."""
    if draw.random() < 0.7:
        life.wait_for(life.has_saved)
    life.wait_for(life.is_saving)
    life.wait(draw.choice((0, 0, draw.uniform(0, 0.003))))


def at_the_end(life: Life, draw: random.Random) -> None:
    """While it scores the best checkpoint, draws curves and writes the result."""
    life.wait_for(lambda: life.steps in saved_steps(life.workdir))
    life.wait(draw.uniform(0, life.seconds[1]))


MOMENTS = (at_the_start, in_training, while_it_saves, at_the_end)


def draw_moment(life: Life, draw: random.Random) -> Callable[[Life, random.Random], None]:
    """A moment; the end is only waited for when it is near."""
    is_late = max(life.first, default=0) > 0.7 * life.steps
    return draw.choices(MOMENTS, (3, 3, 3, 4 if is_late else 0))[0]
