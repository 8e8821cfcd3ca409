"""Mixture of training problems: components with weights, which may change over training (a curriculum)."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nar.data.task_schedule import ScheduledStep, TaskSchedule

MAX_COMPONENTS = 256
"""Most components of a mixture."""


@dataclasses.dataclass(frozen=True, eq=False)
class Component:
    """Training problems of one distribution.

    Steps of the component cycle through its sizes.

    Attributes:
      sizes: problem sizes, used cyclically.
      problem_options: options of the problem sampler.
      name: name of the component; empty if it is the only one.
    """

    sizes: tuple[int, ...]
    problem_options: Mapping[str, Any]
    name: str = ""

    def size(self, step: int) -> int:
        """Problem size of a step of the component."""
        return self.sizes[step % len(self.sizes)]

    def stream_step(self, step: int) -> int:
        """Number of earlier steps of the component with the same size."""
        cycles, position = divmod(step, len(self.sizes))
        size = self.sizes[position]
        return cycles * self.sizes.count(size) + self.sizes[:position].count(size)


class Stage(NamedTuple):
    """A stage of a curriculum.

    Attributes:
      start: its first step, counted among the steps of the task.
      weights: weight of each component.
    """

    start: int
    weights: tuple[float, ...]


class Mixture:
    """Components, to which the steps of a task are assigned in proportion to their weights.

    The assignment is a function of the step alone, the same for all seeds, so that there is no state to save.
    Each stage uses a `TaskSchedule`.

    Attributes:
      components: the components.
      stages: the stages in order; the first one starts at step 0.
    """

    def __init__(self, components: Sequence[Component], stages: Sequence[Stage]) -> None:
        """Schedules nothing yet.

        Raises:
          ValueError: if the stages are out of order, a weight is invalid, or there are too many components.
        """
        if not 1 <= len(components) <= MAX_COMPONENTS:
            raise ValueError(f"a mixture has 1 to {MAX_COMPONENTS} components, got {len(components)}")
        starts = [stage.start for stage in stages]
        if not starts or starts[0] != 0 or starts != sorted(starts):
            raise ValueError(f"stages must start at step 0 and be in order, got {starts}")
        self.components, self.stages = tuple(components), tuple(stages)
        self._schedule_of_stage = functools.cache(self._make_schedule)
        for stage in stages:
            TaskSchedule(stage.weights)

    def __call__(self, task_step: int) -> ScheduledStep:
        """Index of the component of a step of the task, and the number of earlier steps of the component."""
        number = max(number for number, stage in enumerate(self.stages) if stage.start <= task_step)
        return self._schedule_of_stage(number)(task_step)

    def _make_schedule(self, number: int) -> TaskSchedule:
        """Schedule of a stage, which continues the counts of the stages before it."""
        stage = self.stages[number]
        schedule = TaskSchedule(stage.weights)
        if number:
            counts = self._schedule_of_stage(number - 1).steps_per_task(stage.start)
            schedule.load_state_dict(
                {"step": stage.start, "steps_per_task": counts, "weights": stage.weights}
            )
        return schedule
