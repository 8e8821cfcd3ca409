"""Mixtures of training problems and their curriculum, from `data.mixture` and `data.curriculum`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from nar.data import Task, TaskSchedule
from nar.data.mixture import Component, Mixture, Stage
from nar.data.task_schedule import check_weights
from nar.plugins import unknown_name
from nar.runs.components.problem_options import check_options, without_none
from nar.runs.config import RunConfig

COMPONENT_KEYS = ("weight", "sizes", "problem")
"""Keys of a component in `data.mixture`."""


def mix_tasks(config: RunConfig, tasks: Sequence[Task], schedule: TaskSchedule) -> tuple[Task, ...]:
    """Replaces the training problems of each task by the mixture of the config.

    Args:
      config: the config.
      tasks: the tasks with their own sizes and options, which components inherit.
      schedule: the task schedule, by which steps of training are steps of a task.

    Raises:
      ValueError: if a component, a weight or a step is invalid, or a component has no weight at any step.
    """
    components = read_components(config, tasks)
    stages = read_stages(config.data.curriculum, components)
    twice = [one for one, values in components.items() if "sizes" in values]
    for name, overrides in config.tasks.items():
        if "sizes" in overrides and twice:
            raise ValueError(f"tasks.{name}.sizes and data.mixture.{twice[0]}.sizes cannot both be given")
    starts = [schedule.steps_per_task(start) for start, _ in stages]
    return tuple(
        dataclasses.replace(
            task,
            mixture=Mixture(
                [_component(task, name, values) for name, values in components.items()],
                [
                    Stage(start[index], tuple(float(weights.get(name, 0.0)) for name in components))
                    for start, (_, weights) in zip(starts, stages, strict=True)
                ],
            ),
        )
        for index, task in enumerate(tasks)
    )


def read_components(config: RunConfig, tasks: Sequence[Task]) -> Mapping[str, Mapping[str, Any]]:
    """The components of `data.mixture` by name; raises ValueError if one is invalid."""
    components = config.data.mixture
    if not components:
        raise ValueError("data.curriculum needs components: give data.mixture")
    for name, values in components.items():
        key = f"data.mixture.{name}"
        if not name or "/" in name:
            raise ValueError(f"{key}: the name of a component has at least one character and no /")
        for one in values:
            if one not in COMPONENT_KEYS:
                raise ValueError(f"{key}: {unknown_name('key', one, COMPONENT_KEYS)}")
        if not isinstance(values.get("sizes", ()), tuple):
            raise ValueError(f"{key}.sizes must be a list of sizes, got {values['sizes']!r}")
        if not isinstance(values.get("problem", {}), Mapping):
            raise ValueError(f"{key}.problem must be a dictionary, got {values['problem']!r}")
        check_options(f"{key}.problem", values.get("problem", {}), [task.algorithm for task in tasks])
    return components


def read_stages(
    curriculum: Sequence[Any], components: Mapping[str, Mapping[str, Any]]
) -> list[tuple[int, Mapping[str, float]]]:
    """The first step of each stage, in training, and its weights by component.

    Raises:
      ValueError: if a stage is invalid, or a component has no weight in any stage.
    """
    first = {name: values.get("weight", 1.0) for name, values in components.items()}
    stages: list[tuple[int, Mapping[str, float]]] = [(0, first)]
    for stage in curriculum:
        valid = isinstance(stage, tuple) and len(stage) == 2 and isinstance(stage[1], Mapping)
        if not valid or type(stage[0]) is not int or stage[0] < 1:
            raise ValueError(
                "data.curriculum must have pairs of a step, at least 1, and a dictionary of weights, "
                f"such as (5000, {{'small': 1}}); got {stage!r}"
            )
        for name in stage[1]:
            if name not in components:
                raise ValueError(f"data.curriculum: {unknown_name('component', name, components)}")
        if stage[0] <= stages[-1][0]:
            raise ValueError(f"data.curriculum: step {stage[0]} comes after step {stages[-1][0]}")
        stages.append(stage)
    for start, weights in stages:
        try:
            check_weights([weights.get(name, 0.0) for name in components])
        except ValueError as error:
            where = f"data.curriculum, step {start}" if start else "data.mixture"
            raise ValueError(f"{where}: {error}") from None
    for name in components:
        if not any(weights.get(name, 0.0) for _, weights in stages):
            raise ValueError(f"data.mixture.{name} has weight 0 at every step")
    return stages


def _component(task: Task, name: str, values: Mapping[str, Any]) -> Component:
    """A component with the sizes and options of the task, where it has none of its own."""
    problem = task.algorithm.problem
    own = {option: value for option, value in values.get("problem", {}).items() if option in problem.options}
    options = without_none({**task.problem_options, **own})
    return Component(tuple(values.get("sizes", task.sizes)), options, name)
