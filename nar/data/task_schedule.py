"""Whose turn it is: each task has its share of the steps, as evenly as can be."""

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class ScheduledStep(NamedTuple):
    """One step of a task.

    Attributes:
      task: its index.
      number: how many turns it had before.
    """

    task: int
    number: int


class TaskSchedule:
    """Hands out steps to tasks in proportion to their weights; with equal weights that is round robin.

    At each step every task is owed its weight more; the one that is owed most, the first of equals, has its
    turn and pays the sum of all weights (smooth weighted round robin). Nothing is drawn at random, so that no
    task has a streak, and runs with different seeds train the same tasks at the same steps.

    Weights may change during training; `state_dict` has the whole state. Threads may share the object.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        """Starts at step 0.

        Args:
          weights: of each task, before the first change.

        Raises:
          ValueError: if the weights are not valid.
        """
        check_weights(weights)
        self._lock = threading.Lock()
        self._changes = 0
        self._last: tuple[int, ScheduledStep] | None = None
        self._start_from(0, [0] * len(weights), weights)

    def _start_from(self, step: int, numbers: Sequence[int], weights: Sequence[float]) -> None:
        self._start = step
        self._numbers_at_start = list(numbers)
        self._weights = [float(weight) for weight in weights]
        self._turns: list[ScheduledStep] = []
        self._numbers = list(numbers)
        self._owed = [0.0] * len(self._weights)

    def load_state_dict(self, metadata: Mapping[str, Any]) -> None:
        """Restores the state saved in the metadata of a checkpoint, if there is any."""
        memory = metadata.get("task_schedule")
        if memory:
            with self._lock:
                self._start_from(memory["step"], memory["numbers"], memory["weights"])
                self._changes += 1

    def __call__(self, step: int) -> ScheduledStep:
        """Whose turn step `step` is: any since the last change of weights, or the one before it."""
        with self._lock:
            return self._turn(step)

    def _turn(self, step: int) -> ScheduledStep:
        if self._last and step == self._last[0]:
            return self._last[1]
        assert step >= self._start, (step, self._start)
        if len(set(self._weights)) == 1:
            rounds, task = divmod(step - self._start, len(self._weights))
            return ScheduledStep(task, self._numbers_at_start[task] + rounds)
        while len(self._turns) <= step - self._start:
            self._turns.append(self._next())
        return self._turns[step - self._start]

    def _next(self) -> ScheduledStep:
        self._owed = [owed + weight for owed, weight in zip(self._owed, self._weights, strict=True)]
        task = self._owed.index(max(self._owed))
        self._owed[task] -= sum(self._weights)
        self._numbers[task] += 1
        return ScheduledStep(task, self._numbers[task] - 1)

    def set_weights(self, step: int, weights: Sequence[float]) -> None:
        """Gives the tasks other weights from a step on, which must not lie before the last change.

        Raises:
          ValueError: if the weights are not valid.
        """
        check_weights(weights)
        if len(weights) != len(self._weights):
            raise ValueError(f"{len(self._weights)} sampling weights are needed, got {len(weights)}")
        numbers = self.numbers(step)
        with self._lock:
            self._last = (step - 1, self._turn(step - 1)) if step > self._start else self._last
            self._start_from(step, numbers, weights)
            self._changes += 1

    def numbers(self, step: int) -> list[int]:
        """How many turns each task had before a step, which must not lie before the last change."""
        with self._lock:
            numbers = list(self._numbers_at_start)
            for earlier in range(self._start, step):
                numbers[self._turn(earlier).task] += 1
            return numbers

    @property
    def changes(self) -> int:
        """How often weights were changed: what was asked before a change may not hold behind it."""
        return self._changes

    def state_dict(self) -> dict[str, Any]:
        """To be saved with a checkpoint; nothing if weights were never changed."""
        if not self._changes:
            return {}
        memory = {"step": self._start, "numbers": self._numbers_at_start, "weights": self._weights}
        return {"task_schedule": memory}


def check_weights(weights: Sequence[float]) -> None:
    """Raises ValueError unless these are numbers of at least 0, and not all are 0."""
    for weight in weights:
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 <= weight < math.inf:
            raise ValueError(f"a sampling weight must be a number of at least 0, got {weight!r}")
    if not any(weights):
        raise ValueError("at least one sampling weight must be positive")
