"""What is done beside training: validation, checkpoints, logs, progress."""

import json
import math
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import tensorboardX
from tqdm import tqdm

from nar.model import Params
from nar.training.checkpoints import Checkpoints
from nar.training.patience import Patience
from nar.training.state import TrainState
from nar.training.step import Metrics
from nar.training.workdir import write_text

Validate = Callable[[Params], dict[str, float]]
"""params -> scores by name; `validation/score` is the one that decides."""

DECIDING = "validation/score"
VALIDATION_SECONDS = "validation/seconds"


class Clock:
    """Seconds of a run over all its sessions."""

    def __init__(self, before: float = 0.0) -> None:
        """Starts now, with so many seconds behind it."""
        self._start = time.perf_counter() - before

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._start


class ValidateAndSave:
    """Every so many steps, and at the last: scores on validation, and a checkpoint with that score."""

    def __init__(
        self,
        validate: Validate,
        checkpoints: Checkpoints,
        every: int,
        num_steps: int,
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Makes the hook for a run of `num_steps` steps; it tells `patience` the scores."""
        self._validate = validate
        self._checkpoints = checkpoints
        self._every = every
        self._num_steps = num_steps
        self._clock = clock
        self._patience = patience

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Adds the scores to the metrics."""
        if step % self._every and step != self._num_steps:
            return
        jax.block_until_ready(state.params)
        start = time.perf_counter()
        scores = self._validate(state.evaluated)
        metrics.update({name: np.float64(value) for name, value in scores.items()})
        metrics[VALIDATION_SECONDS] = np.float64(time.perf_counter() - start)
        self._patience.hear(scores[DECIDING])
        self._checkpoints.save(state, scores[DECIDING], self._notes())

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Saves where the run was interrupted."""
        if interrupted:
            self._checkpoints.save(state, None, self._notes())

    def _notes(self) -> dict[str, Any]:
        return {"seconds": self._clock.seconds(), **self._patience.notes()}


class WriteMetrics:
    """Every so many steps, and whenever there are scores: a line in `metrics.jsonl` and a TensorBoard event.

    Losses are means over the steps since the last line.

    Raises:
      FloatingPointError: if a loss is not finite, naming it.
    """

    def __init__(
        self,
        path: pathlib.Path,
        tensorboard: pathlib.Path,
        every: int,
        batch_size: int,
        start: int,
        clock: Clock,
    ) -> None:
        """Opens the files, and drops lines behind the step `start` from which a run goes on."""
        keep_lines(path, start)
        self._path = path
        self._events = tensorboardX.SummaryWriter(str(tensorboard), purge_step=start + 1 if start else None)
        self._every = every
        self._batch_size = batch_size
        self._clock = clock
        self._pending: list[Metrics] = []
        self._since = time.perf_counter()

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Keeps the metrics until the next line is due."""
        self._pending.append(metrics)
        if step % self._every and DECIDING not in metrics:
            return
        means = _means(jax.device_get(self._pending))
        now = time.perf_counter()
        rate = len(self._pending) / (now - self._since - means.get(VALIDATION_SECONDS, 0.0))
        self._pending, self._since = [], now
        for name, value in means.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"{name} is {value} at step {step} or in the steps before it")
        line = {
            "step": step,
            **means,
            "steps_per_second": rate,
            "examples_per_second": rate * self._batch_size,
            "seconds": self._clock.seconds(),
        }
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in line.items():
            if name != "step":
                self._events.add_scalar(name, value, step)

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Closes the events."""
        self._events.close()


class ShowProgress:
    """A bar with the loss, the latest validation score and the time left."""

    def __init__(self, start: int, num_steps: int, every: int = 10) -> None:
        """Opens the bar; the loss is read every so many steps."""
        self._every = every
        self._shown: dict[str, str] = {}
        self._bar = tqdm(
            total=num_steps, initial=start, desc="training", unit="step", dynamic_ncols=True, mininterval=0.5
        )

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Moves the bar."""
        if step % self._every == 0 or DECIDING in metrics:
            self._shown["loss"] = f"{float(metrics['loss']):.3f}"
        if DECIDING in metrics:
            self._shown["validation"] = f"{float(metrics[DECIDING]):.2%}"
        self._bar.set_postfix(self._shown, refresh=False)
        self._bar.update()

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Closes the bar."""
        self._bar.close()


def keep_lines(path: pathlib.Path, last_step: int) -> None:
    """Drops the lines of a metrics file that lie behind a step, or are damaged."""
    if not path.exists():
        return
    kept = [line for line in path.read_text().splitlines() if _step_of(line) <= last_step]
    write_text(path, "".join(f"{line}\n" for line in kept))


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return math.inf


def _means(rows: list[Mapping[str, Any]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
