"""Callbacks of the training loop: validation, task weights, checkpoints."""

import dataclasses
import logging
import math
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from nar.data import TaskSchedule
from nar.model import Params
from nar.ownership import check_owned
from nar.training.checkpointing.store import CheckpointStore
from nar.training.loop.callback import Callback, Evaluation, StepReport, collect_states, selecting
from nar.training.loop.timing import SAVING, VALIDATING, Clock
from nar.training.state import TrainState

_logger = logging.getLogger(__name__)

ScoreFunction = Callable[[Params], Mapping[str, float]]
"""params -> scores by metric name; see `selecting`."""


TaskWeightFunction = Callable[[Mapping[str, float], int], Mapping[str, float]]
"""(validation score by task, step) -> sampling weight by task from then on."""


class Validate(Callback):
    """Adds an evaluation to the report every `every` steps and after the last one.

    The moving average of the parameters is evaluated, if there is one; scores of the parameters themselves
    are then added as `raw/NAME`, and never select a checkpoint.
    """

    def __init__(self, score: ScoreFunction, every: int, num_steps: int, clock: Clock) -> None:
        """Makes the callback.

        Args:
          score: computes scores of parameters.
          every: number of steps between validations.
          num_steps: number of steps of the run.
          clock: measures the time of validation.
        """
        self._score = score
        self._every = every
        self._num_steps = num_steps
        self._clock = clock

    def on_step(self, report: StepReport) -> StepReport | None:
        """Evaluates the state if the step is one of those."""
        if report.step % self._every and report.step != self._num_steps:
            return None
        jax.block_until_ready(report.state.params)
        start = time.perf_counter()
        with self._clock.measure(VALIDATING):
            scores = dict(self._score(report.state.eval_params))
            if report.state.ema_params is not None:
                raw = self._score(report.state.params)
                scores |= {f"raw/{name}": value for name, value in raw.items()}
        evaluation = Evaluation(scores, time.perf_counter() - start)
        if math.isnan(evaluation.score):
            _logger.warning(
                "step %d: %s, which selects the best checkpoint, is NaN",
                report.step,
                selecting(scores),
            )
        return dataclasses.replace(report, evaluation=evaluation)


class UpdateTaskWeights(Callback):
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

    def on_step(self, report: StepReport) -> StepReport | None:
        """Sets the weights if the step was evaluated, and adds them to the metrics.

        Raises:
          ValueError: if the function does not return one weight per task.
        """
        if report.evaluation is None:
            return None
        scores = {task: float(report.evaluation.scores[f"validation/{task}/score"]) for task in self._tasks}
        weights = self._weight_function(scores, report.step)
        if not isinstance(weights, Mapping) or set(weights) != set(self._tasks):
            raise ValueError(
                f"the task_sampling function must return a weight for each of {', '.join(self._tasks)}, "
                f"got {weights!r}"
            )
        self._task_schedule.set_weights(report.step, [weights[task] for task in self._tasks])
        return report.add_metrics({f"sampling/{task}": weights[task] for task in self._tasks})

    def state_dict(self) -> Mapping[str, Any]:
        """State of the task schedule."""
        return self._task_schedule.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the task schedule."""
        self._task_schedule.load_state_dict(state)


class CheckFolder(Callback):
    """Ends training after the step at which its folder was found to be moved, removed or replaced."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Makes the callback.

        Args:
          folder: an owned folder, see `nar.ownership`.
        """
        self._folder = folder

    def on_step(self, report: StepReport) -> None:
        """Raises LostFolderError if the folder is lost."""
        check_owned(self._folder)


class SaveCheckpoints(Callback):
    """Saves a checkpoint of each step that was evaluated, and of the last step of a session.

    It must come after the callbacks whose state it saves, so that their files are on disk before it.
    """

    def __init__(self, checkpoints: CheckpointStore, callbacks: Sequence[Callback], clock: Clock) -> None:
        """Makes the callback.

        Args:
          checkpoints: the checkpoints of the run.
          callbacks: callbacks whose state is saved, by name, in the metadata.
          clock: measures the time of saving.

        Raises:
          ValueError: if two callbacks have the same name, or a state cannot be saved.
        """
        collect_states(callbacks)
        self._checkpoints = checkpoints
        self._callbacks = tuple(callbacks)
        self._clock = clock
        self._is_saved = True

    def on_step(self, report: StepReport) -> None:
        """Saves if the step was evaluated."""
        self._is_saved = report.evaluation is not None
        if report.evaluation is not None:
            score = report.evaluation.seed_scores or report.evaluation.score
            with self._clock.measure(SAVING):
                self._checkpoints.save(report.state, score, collect_states(self._callbacks))

    def on_end(self, state: TrainState, interrupted: bool) -> None:
        """Saves the last step if that has not been done."""
        if not self._is_saved:
            self._checkpoints.save(state, None, collect_states(self._callbacks))
