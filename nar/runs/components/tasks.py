"""Builds the tasks of a run from its config: their data, loss weights and task schedule."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nar.algorithms import ALGORITHMS, Algorithm, find_algorithm
from nar.data import Task, TaskSchedule, Transforms
from nar.kinds import find_kind
from nar.plugins import Registry, did_you_mean, takes, unknown_name
from nar.runs.components.mixture import mix_tasks
from nar.runs.components.problem_options import check_options, without_none
from nar.runs.config import DataConfig, RunConfig
from nar.traces.neighbors import check_neighbor_lists
from nar.training.loop import TaskWeightFunction


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


TASK_OPTIONS: Mapping[str, tuple[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        "sizes": ("a list of sizes", lambda value: isinstance(value, list | tuple)),
        "batch_size": ("an integer of at least 1", lambda value: type(value) is int and value > 0),
        "problem": ("a dictionary", lambda value: isinstance(value, Mapping)),
        "loss_weight": ("a number of at least 0", _is_weight),
        "sampling_weight": ("a number of at least 0", _is_weight),
        "validation": ("a dictionary", lambda value: isinstance(value, Mapping)),
        "test": ("a dictionary", lambda value: isinstance(value, Mapping)),
    }
)
"""Options of one task in `config.tasks` -> (description of valid values, check)."""


def make_transforms(data: DataConfig, execution: str = "dense") -> Transforms:
    """Builds the transforms of a run.

    Raises:
      ValueError: if a kind is unknown, or has another format than the one it replaces.
    """
    try:
        return Transforms(
            random_positions=data.random_positions,
            fixed_hints_as_inputs=data.fixed_hints_as_inputs,
            cyclic_permutations=data.cyclic_permutations,
            reversed_pointers=data.reversed_pointers,
            kinds=tuple((find_kind(name), find_kind(other)) for name, other in data.kinds.items()),
            neighbor_lists=execution == "sparse",
        )
    except ValueError as error:
        raise ValueError(f"data.kinds: {error}") from None


def check_kinds(transforms: Transforms, tasks: Sequence[Task]) -> None:
    """Raises ValueError if a kind in `transforms.kinds` replaces no probe of any task."""
    without = dataclasses.replace(transforms, kinds=())
    used = {probe.kind for task in tasks for probe in without.spec(task.algorithm).values()}
    for kind, _ in transforms.kinds:
        if kind not in used:
            names = ", ".join(sorted(one.name for one in used))
            raise ValueError(f"data.kinds: no probe of this run is a {kind.name}; its kinds: {names}")


def make_tasks(config: RunConfig, transforms: Transforms) -> tuple[Task, ...]:
    """Builds one task per algorithm; each gets the problem options that its algorithm has.

    Raises:
      ValueError: if a name, a size or an option is invalid, or no algorithm of the run has an option.
    """
    names, data = config.algorithms, config.data
    algorithms = [find_algorithm(name) for name in names]
    if not names or len(set(algorithms)) != len(names):
        raise ValueError(f"algorithms must be at least one name, without duplicates; got {names}")
    own_names = [algorithm.name for algorithm in algorithms]
    check_tasks(config.tasks, own_names)
    if transforms.neighbor_lists:
        for algorithm in algorithms:
            try:
                check_neighbor_lists(transforms.spec(algorithm))
            except ValueError as error:
                raise ValueError(f"model.execution sparse, {algorithm.name}: {error}") from None
    for name in data.exceptions:
        if name not in ALGORITHMS and name not in own_names:
            raise ValueError(f"data.exceptions: {unknown_name('algorithm', name, [*own_names, *ALGORITHMS])}")
    defaults = DataConfig()
    given = {key: value for key, value in data.problem.items() if value != defaults.problem.get(key)}
    check_options("data.problem", given, algorithms)
    tasks = tuple(
        make_task(algorithm, data, config.tasks.get(algorithm.name, {}), defaults, transforms)
        for algorithm in algorithms
    )
    if not data.mixture and not data.curriculum:
        return tasks
    if data.curriculum and find_task_weighting(config.training.task_sampling):
        raise ValueError(
            f"data.curriculum changes weights at steps that training.task_sampling "
            f"{config.training.task_sampling!r} would move; use one of them"
        )
    return mix_tasks(config, tasks, make_task_schedule(config, tasks))


def make_task(
    algorithm: Algorithm,
    data: DataConfig,
    overrides: Mapping[str, Any],
    defaults: DataConfig,
    transforms: Transforms,
) -> Task:
    """Builds the task of one algorithm.

    An entry of `data.exceptions` applies only where the general value is still the default: a value that the
    user sets for all algorithms holds for this one too. `overrides` always apply.

    Args:
      algorithm: the algorithm to learn.
      data: the `data` section of the config.
      overrides: the entry of this task in `config.tasks`.
      defaults: the `data` section of the base config.
      transforms: the data transforms, shared by all tasks.

    Raises:
      ValueError: if an exception, a size or an option is invalid.
    """
    exception = data.exceptions.get(algorithm.name) or {}
    unknown = sorted(set(exception) - {"sizes", "problem"})
    if unknown:
        raise ValueError(f"data.exceptions.{algorithm.name}.{unknown[0]} is unknown; known: sizes, problem")
    sizes = data.sizes
    if sizes == defaults.sizes:
        sizes = tuple(exception.get("sizes") or sizes)
    options = {key: value for key, value in data.problem.items() if key in algorithm.problem.options}
    for key, value in (exception.get("problem") or {}).items():
        if key not in options or options[key] == defaults.problem.get(key):
            options[key] = value
    return Task(
        algorithm,
        tuple(overrides.get("sizes", sizes)),
        without_none({**options, **overrides.get("problem", {})}),
        transforms,
        overrides.get("batch_size"),
    )


def check_tasks(tasks: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> None:
    """Raises ValueError if `config.tasks` has an unknown task, an unknown option or an invalid value."""
    for name, overrides in tasks.items():
        if name not in names:
            raise ValueError(f"tasks.{name} is not one of the algorithms of the run: {', '.join(names)}")
        for option, value in overrides.items():
            if option not in TASK_OPTIONS:
                hint = did_you_mean(option, TASK_OPTIONS)
                raise ValueError(f"unknown tasks.{name}.{option}; known: {', '.join(TASK_OPTIONS)}{hint}")
            expected, is_valid = TASK_OPTIONS[option]
            if not is_valid(value):
                raise ValueError(f"tasks.{name}.{option} must be {expected}, got {value!r}")


def loss_weights(config: RunConfig) -> dict[str, float]:
    """The loss weights: `training.loss_weights` times those of `config.tasks`."""
    weights = dict(config.training.loss_weights)
    for name, overrides in config.tasks.items():
        if "loss_weight" in overrides:
            weights[name] = weights.get(name, 1.0) * overrides["loss_weight"]
    return weights


def make_task_schedule(config: RunConfig, tasks: Sequence[Task]) -> TaskSchedule:
    """Builds the task schedule from the initial sampling weights.

    Raises:
      ValueError: if a weight is invalid, or weights are given that round-robin would ignore.
    """
    given = {
        name: overrides["sampling_weight"]
        for name, overrides in config.tasks.items()
        if "sampling_weight" in overrides
    }
    if config.training.task_sampling == "round_robin" and given:
        raise ValueError(
            f"tasks.{min(given)}.sampling_weight has no effect with training.task_sampling=round_robin; "
            "set training.task_sampling=weighted"
        )
    try:
        return TaskSchedule([given.get(task.name, 1.0) for task in tasks])
    except ValueError as error:
        raise ValueError(f"tasks: {error}") from None


TASK_SAMPLINGS: Registry[TaskWeightFunction | None] = Registry(
    "training.task_sampling",
    {"round_robin": None, "weighted": None},
    is_valid=takes(2, options=False),
    path="module:FUNCTION",
)
"""Functions from scores to sampling weights, by name; None if the weights are constant."""


def find_task_weighting(sampling: Any) -> TaskWeightFunction | None:
    """The function of `training.task_sampling` from scores to weights; None if the weights are constant.

    Raises:
      ValueError: if the name is unknown.
    """
    return TASK_SAMPLINGS.find(sampling)
