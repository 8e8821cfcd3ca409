"""Task schedule: assigns training steps to tasks in proportion to their sampling weights."""

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class ScheduledStep(NamedTuple):
    """The task that a training step is assigned to.

    Attributes:
      task: index of the task.
      task_step: number of earlier steps of this task.
    """

    task: int
    task_step: int


class TaskSchedule:
    """Assigns steps to tasks in proportion to their weights; with equal weights this is round robin.

    Smooth weighted round robin: at each step, every task gains its weight as credit; the task with the most
    credit (the first among equals) is scheduled and pays the sum of all weights. The schedule is
    deterministic, so that no task has a streak, and runs with different seeds train the same tasks at the
    same steps.

    Weights may change during training; `state_dict` has the whole state. Threads may share the object.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        """Starts at step 0.

        Args:
          weights: sampling weight of each task, until `set_weights` changes them.

        Raises:
          ValueError: if the weights are invalid.
        """
        check_weights(weights)
        self._lock = threading.Lock()
        self._version = 0
        self._last_before_change: tuple[int, ScheduledStep] | None = None
        self._restart(0, [0] * len(weights), weights)

    def _restart(self, step: int, steps_per_task: Sequence[int], weights: Sequence[float]) -> None:
        self._start = step
        self._initial_counts = list(steps_per_task)
        self._weights = [float(weight) for weight in weights]
        self._scheduled: list[ScheduledStep] = []
        self._counts = list(steps_per_task)
        self._credits = [0.0] * len(self._weights)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the result of `state_dict`."""
        if state:
            with self._lock:
                self._restart(state["step"], state["steps_per_task"], state["weights"])
                self._version += 1

    def __call__(self, step: int) -> ScheduledStep:
        """The task of step `step`, which must not be earlier than the step before the last weight change."""
        with self._lock:
            return self._scheduled_step(step)

    def _scheduled_step(self, step: int) -> ScheduledStep:
        if self._last_before_change and step == self._last_before_change[0]:
            return self._last_before_change[1]
        assert step >= self._start, (step, self._start)
        if len(set(self._weights)) == 1:
            rounds, task = divmod(step - self._start, len(self._weights))
            return ScheduledStep(task, self._initial_counts[task] + rounds)
        while len(self._scheduled) <= step - self._start:
            self._scheduled.append(self._next())
        return self._scheduled[step - self._start]

    def _next(self) -> ScheduledStep:
        self._credits = [credit + weight for credit, weight in zip(self._credits, self._weights, strict=True)]
        task = self._credits.index(max(self._credits))
        self._credits[task] -= sum(self._weights)
        self._counts[task] += 1
        return ScheduledStep(task, self._counts[task] - 1)

    def set_weights(self, step: int, weights: Sequence[float]) -> None:
        """Changes the weights from step `step` on, which must not be earlier than the last weight change.

        Raises:
          ValueError: if the weights are invalid.
        """
        check_weights(weights)
        if len(weights) != len(self._weights):
            raise ValueError(f"expected {len(self._weights)} sampling weights, got {len(weights)}")
        steps_per_task = self.steps_per_task(step)
        with self._lock:
            self._last_before_change = (
                (step - 1, self._scheduled_step(step - 1)) if step > self._start else self._last_before_change
            )
            self._restart(step, steps_per_task, weights)
            self._version += 1

    def steps_per_task(self, step: int) -> list[int]:
        """Steps of each task before `step`, which must not be earlier than the last weight change."""
        with self._lock:
            steps_per_task = list(self._initial_counts)
            for earlier in range(self._start, step):
                steps_per_task[self._scheduled_step(earlier).task] += 1
            return steps_per_task

    @property
    def version(self) -> int:
        """Number of weight changes so far; steps scheduled under an earlier version may be outdated."""
        return self._version

    def state_dict(self) -> dict[str, Any]:
        """JSON-serializable state; empty if weights were never changed."""
        if not self._version:
            return {}
        return {"step": self._start, "steps_per_task": self._initial_counts, "weights": self._weights}


def check_weights(weights: Sequence[float]) -> None:
    """Raises ValueError unless all weights are finite and non-negative, and at least one is positive."""
    for weight in weights:
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 <= weight < math.inf:
            raise ValueError(f"a sampling weight must be a number of at least 0, got {weight!r}")
    if not any(weights):
        raise ValueError("at least one sampling weight must be positive")
