"""The callback interface of the training loop, and the report of a step that callbacks receive."""

import dataclasses
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nar.training.devices.processes import is_first_process
from nar.training.state import TrainState

_logger = logging.getLogger(__name__)

VALIDATION_SCORE = "validation/score"
"""The mean validation score, which selects the best checkpoint unless there is a `SELECTION`."""

SELECTION = "validation/selection"
"""The value of the metric that selects the best checkpoint in place of the score: the largest is the best."""

PER_SEED = "/seed_index_"
"""Between the name of a validation score and the index of the seed that it is of."""


def selecting(scores: Mapping[str, float]) -> str:
    """Name of the score that selects the best checkpoint, among those of a validation."""
    return SELECTION if SELECTION in scores else VALIDATION_SCORE


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Validation scores after a step.

    Attributes:
      scores: scores by metric name, among them `VALIDATION_SCORE`.
      seconds: time that the evaluation took.
    """

    scores: Mapping[str, float]
    seconds: float = 0.0

    @property
    def score(self) -> float:
        """The score that selects the best checkpoint; with several seeds, the mean over them."""
        return float(self.scores[selecting(self.scores)])

    @property
    def seed_scores(self) -> list[float]:
        """The selecting score of each seed; empty if there is only one seed."""
        prefix = f"{selecting(self.scores)}{PER_SEED}"
        return [float(score) for name, score in self.scores.items() if name.startswith(prefix)]


@dataclasses.dataclass(frozen=True)
class StepReport:
    """A training step that has been dispatched. Reading one of its arrays waits for the device.

    Attributes:
      step: number of steps taken so far.
      task: name of the step's task.
      state: state after the step, from which the next one starts and whose buffers it reuses: arrays to be
        kept must be copied.
      metrics: scalars by name: `loss`, `loss/TASK/PROBE`, `gradient_norm`, `skipped` (1 if the update was
        rejected), and those that callbacks have added; with several seeds, one value per seed.
      finite: flags, see `FINITE` in `nar.training.train_step.finite_updates`.
      data_wait: seconds that the step waited for its batch.
      compilation_wait: seconds that it waited for the functions that `Callback.on_batch` returned.
      evaluation: validation scores, if they were computed after this step.
    """

    step: int
    task: str
    state: TrainState
    metrics: Mapping[str, Any]
    finite: Any = True
    data_wait: float = 0.0
    compilation_wait: float = 0.0
    evaluation: Evaluation | None = None

    def add_metrics(self, metrics: Mapping[str, Any]) -> "StepReport":
        """The report with more metrics, which are written to `metrics.jsonl` and to trackers.

        Raises:
          ValueError: if one is not a number, or an array of one number per seed.
        """
        for name, value in metrics.items():
            if not isinstance(value, float | int) and not hasattr(value, "dtype"):
                raise ValueError(f"metric {name!r} must be a number, got {value!r:.100}")
        return dataclasses.replace(self, metrics={**self.metrics, **metrics})


class Callback:
    """Base class of callbacks; every method does nothing unless it is overridden.

    In a run of several processes, callbacks that replace the state, stop training or communicate must be in
    all of them.
    """

    @property
    def name(self) -> str:
        """Key of the callback's state in checkpoints, unique in a run; by default the name of the class."""
        return type(self).__name__

    def on_batch(self, batch: Any, task: str, stream_key: str | None) -> Callable[[], object] | None:
        """Called in the prefetching thread for each batch, some steps before its own.

        Args:
          batch: the batch, on its devices.
          task: task of its step.
          stream_key: key of the chunked stream, for a chunk.

        Returns:
          A function for the loop to call before the step, e.g. to wait for background work; or None.
        """
        del batch, task, stream_key
        return None

    def should_stop(self) -> bool:
        """Returns whether training should end; called before each step."""
        return False

    def on_step(self, report: StepReport) -> StepReport | None:
        """Called after each step, in the order of the callbacks.

        Args:
          report: the step, as the callbacks before this one have left it.

        Returns:
          A changed report to be used from here on: with an evaluation, further metrics, or another state to
          continue from (`dataclasses.replace(report, state=...)`). None to leave it as it is.
        """
        del report
        return None

    def on_end(self, state: TrainState, interrupted: bool) -> None:
        """Called once, after the last step or where a signal interrupted the run."""

    def state_dict(self) -> Mapping[str, Any]:
        """JSON-serializable state, saved with each checkpoint; empty for the initial state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the result of `state_dict`; called before the first step of a resumed run."""


def collect_states(callbacks: Iterable[Callback]) -> dict[str, Any]:
    """The states of callbacks by name, for the metadata of a checkpoint; empty ones are left out.

    Raises:
      ValueError: if two callbacks have the same name, or a state cannot be stored.
    """
    states = [(callback.name, _state(callback)) for callback in callbacks]
    repeated = [name for name, count in Counter(name for name, _ in states).items() if count > 1]
    if repeated:
        raise ValueError(f"two callbacks are named {repeated[0]!r}; override the property `name` of one")
    return {name: state for name, state in states if state}


def _state(callback: Callback) -> dict[str, Any]:
    state = callback.state_dict()
    try:
        json.dumps(state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"callback {callback.name!r}: the result of state_dict must be JSON-serializable: {error}"
        ) from error
    if not isinstance(state, Mapping):
        raise ValueError(
            f"callback {callback.name!r}: state_dict must return a dictionary, got {state!r:.100}"
        )
    return dict(state)


def restore_states(callbacks: Iterable[Callback], metadata: Mapping[str, Any]) -> None:
    """Restores the states of callbacks from the metadata of a checkpoint.

    A callback without an entry keeps its initial state. An entry without a callback is ignored, with a
    warning in the first process, which has all callbacks of the run.
    """
    callbacks = list(callbacks)
    for callback in callbacks:
        if callback.name in metadata:
            callback.load_state_dict(metadata[callback.name])
    unknown = set(metadata) - {callback.name for callback in callbacks}
    if unknown and is_first_process():
        _logger.warning("the checkpoint has states of callbacks that this run lacks: %s", sorted(unknown))
