"""Callbacks of the training loop: validation, task weights, checkpoints, progress bar."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np
from tqdm import tqdm

from nar.data import TaskSchedule
from nar.model import Params
from nar.training.checkpointing.checkpoints import Checkpoints
from nar.training.loop.early_stopping import EarlyStopping
from nar.training.loop.metrics import PER_SEED, SELECTION_METRIC, VALIDATION_SECONDS
from nar.training.loop.timing import SAVING, VALIDATING, Clock
from nar.training.state import TrainState
from nar.training.train_step.update import Metrics

ScoreFunction = Callable[[Params], dict[str, float]]
"""params -> scores by name; `validation/score` selects the best checkpoint."""


TaskWeightFunction = Callable[[Mapping[str, float], int], Mapping[str, float]]
"""(validation score by task, step) -> sampling weight by task from then on."""


class HasStateDict(Protocol):
    """An object whose state is saved in the metadata of each checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """JSON-serializable state, under a key that no other object uses."""
        ...


class Validate:
    """Computes validation scores every `every` steps and after the last one."""

    def __init__(
        self, score: ScoreFunction, every: int, num_steps: int, early_stopping: EarlyStopping, clock: Clock
    ) -> None:
        """Makes the callback.

        Args:
          score: computes scores of parameters.
          every: number of steps between validations.
          num_steps: number of steps of the run.
          early_stopping: updated with each score.
          clock: measures the time of validation.
        """
        self._clock = clock
        self._score = score
        self._every = every
        self._num_steps = num_steps
        self._early_stopping = early_stopping

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Adds the scores to the metrics."""
        if step % self._every and step != self._num_steps:
            return
        jax.block_until_ready(state.params)
        start = time.perf_counter()
        with self._clock.measure(VALIDATING):
            scores = self._score(state.eval_params)
        metrics.update({name: np.float64(value) for name, value in scores.items()})
        metrics[VALIDATION_SECONDS] = np.float64(time.perf_counter() - start)
        self._early_stopping.update(scores[SELECTION_METRIC])

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Does nothing: the last step was scored, or the run will be resumed."""


class UpdateTaskWeights:
    """Sets the sampling weights of the tasks after each validation, depending on their scores."""

    def __init__(
        self, task_schedule: TaskSchedule, tasks: Sequence[str], weight_function: TaskWeightFunction
    ) -> None:
        """Makes the callback.

        Args:
          task_schedule: schedule of the training data.
          tasks: names of the tasks, in the order of the schedule.
          weight_function: computes the weights.
        """
        self._task_schedule = task_schedule
        self._tasks = tuple(tasks)
        self._weight_function = weight_function

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Sets the weights if there are scores, and adds them to the metrics.

        Raises:
          ValueError: if the function does not return one weight per task.
        """
        if SELECTION_METRIC not in metrics:
            return
        scores = {task: float(metrics[f"validation/{task}/score"]) for task in self._tasks}
        weights = self._weight_function(scores, step)
        if not isinstance(weights, Mapping) or set(weights) != set(self._tasks):
            raise ValueError(
                f"the task_sampling function must return a weight for each of {', '.join(self._tasks)}, "
                f"got {weights!r}"
            )
        self._task_schedule.set_weights(step, [weights[task] for task in self._tasks])
        metrics.update({f"sampling/{task}": np.float64(weights[task]) for task in self._tasks})

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Does nothing."""


class SaveCheckpoints:
    """Saves a checkpoint of each step that was scored, and of the step at which the run was interrupted.

    It must come after the callbacks whose state it saves, so that their files are on disk before it.
    """

    def __init__(self, checkpoints: Checkpoints, stateful: Sequence[HasStateDict], clock: Clock) -> None:
        """Makes the callback.

        Args:
          checkpoints: the checkpoints of the run.
          stateful: objects whose state is saved in the metadata.
          clock: measures the time of saving.
        """
        self._clock = clock
        self._checkpoints = checkpoints
        self._stateful = stateful

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Saves if there are scores."""
        if SELECTION_METRIC in metrics:
            per_seed = [float(metrics[name]) for name in metrics if name.startswith(PER_SEED)]
            with self._clock.measure(SAVING):
                self._checkpoints.save(state, per_seed or float(metrics[SELECTION_METRIC]), self._metadata())

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Saves the last step if the run was interrupted."""
        if interrupted:
            self._checkpoints.save(state, None, self._metadata())

    def _metadata(self) -> dict[str, Any]:
        return {name: value for one in self._stateful for name, value in one.state_dict().items()}


class ShowProgress:
    """Progress bar with the loss, the latest validation score and the remaining time."""

    def __init__(self, start: int, num_steps: int, every: int = 10) -> None:
        """Opens the bar.

        Args:
          start: number of steps already taken.
          num_steps: number of steps of the run.
          every: number of steps between updates of the loss, which wait for the device.
        """
        self._every = every
        self._postfix: dict[str, str] = {}
        self._bar = tqdm(
            total=num_steps, initial=start, desc="training", unit="step", dynamic_ncols=True, mininterval=0.5
        )

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Advances the bar."""
        if step % self._every == 0 or SELECTION_METRIC in metrics:
            self._postfix["loss"] = f"{float(np.mean(metrics['loss'])):.3f}"
        if SELECTION_METRIC in metrics:
            self._postfix["validation"] = f"{float(metrics[SELECTION_METRIC]):.2%}"
        self._bar.set_postfix(self._postfix, refresh=False)
        self._bar.update()

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Closes the bar."""
        self._bar.close()
