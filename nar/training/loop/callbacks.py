"""What is done beside training: validation, checkpoints, progress."""

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

Score = Callable[[Params], dict[str, float]]
"""params -> scores by name; `validation/score` is the one that decides."""


TaskWeightFunction = Callable[[Mapping[str, float], int], Mapping[str, float]]
"""(score of each task on validation, step) -> sampling weight of each task from then on."""


class HasStateDict(Protocol):
    """Something whose memory is saved with each checkpoint, so that a resumed run knows what it knew."""

    def state_dict(self) -> dict[str, Any]:
        """Its memory as plain JSON, by a name of its own."""
        ...


class Validate:
    """Every so many steps, and at the last: scores on validation."""

    def __init__(
        self, score: Score, every: int, num_steps: int, early_stopping: EarlyStopping, clock: Clock
    ) -> None:
        """For a run of `num_steps` steps; it tells `early_stopping` the scores, `clock` the time."""
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
        """Nothing: the last step was scored, or the run will go on."""


class UpdateTaskWeights:
    """After each validation: gives tasks other sampling weights, by their scores."""

    def __init__(self, task_schedule: TaskSchedule, tasks: Sequence[str], weigh: TaskWeightFunction) -> None:
        """Makes the callback.

        Args:
          task_schedule: of the training data.
          tasks: their names, in the order of the turns.
          weigh: decides.
        """
        self._task_schedule = task_schedule
        self._tasks = tuple(tasks)
        self._weigh = weigh

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Changes the weights if there are scores, and adds them to the metrics.

        Raises:
          ValueError: if the function does not give each task a weight.
        """
        if SELECTION_METRIC not in metrics:
            return
        scores = {task: float(metrics[f"validation/{task}/score"]) for task in self._tasks}
        weights = self._weigh(scores, step)
        if not isinstance(weights, Mapping) or set(weights) != set(self._tasks):
            raise ValueError(
                f"the function of sampling must give a weight to each of {', '.join(self._tasks)}, "
                f"got {weights!r}"
            )
        self._task_schedule.set_weights(step, [weights[task] for task in self._tasks])
        metrics.update({f"sampling/{task}": np.float64(weights[task]) for task in self._tasks})

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Nothing."""


class SaveCheckpoints:
    """A checkpoint of each step that was scored, and of the one where the run was interrupted.

    It comes after the callbacks whose notes it saves: what they wrote is on disk before the checkpoint is.
    """

    def __init__(self, checkpoints: Checkpoints, stateful: Sequence[HasStateDict], clock: Clock) -> None:
        """Makes the callback, which saves the notes of all `memories` beside each state."""
        self._clock = clock
        self._checkpoints = checkpoints
        self._stateful = stateful

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Saves if there are scores."""
        if SELECTION_METRIC in metrics:
            per_seed = [float(metrics[name]) for name in metrics if name.startswith(PER_SEED)]
            with self._clock.measure(SAVING):
                self._checkpoints.save(state, per_seed or float(metrics[SELECTION_METRIC]), self._notes())

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Saves where the run was interrupted."""
        if interrupted:
            self._checkpoints.save(state, None, self._notes())

    def _notes(self) -> dict[str, Any]:
        return {name: value for one in self._stateful for name, value in one.state_dict().items()}


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
        if step % self._every == 0 or SELECTION_METRIC in metrics:
            self._shown["loss"] = f"{float(np.mean(metrics['loss'])):.3f}"
        if SELECTION_METRIC in metrics:
            self._shown["validation"] = f"{float(metrics[SELECTION_METRIC]):.2%}"
        self._bar.set_postfix(self._shown, refresh=False)
        self._bar.update()

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Closes the bar."""
        self._bar.close()
