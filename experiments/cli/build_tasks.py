"""From a config to the tasks of a run: their data, their weights, and whose turn it is."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from configs import base
from nar.algorithms import Algorithm, find_algorithm
from nar.data import Task, TaskSchedule, Transforms
from nar.plugins import load_attribute
from nar.runs.build_model import Config
from nar.training import TaskWeightFunction


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


OPTIONS: Mapping[str, tuple[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        "sizes": ("a list of sizes", lambda value: isinstance(value, list | tuple)),
        "batch_size": ("an integer of at least 1", lambda value: type(value) is int and value > 0),
        "problem": ("a dictionary", lambda value: isinstance(value, Mapping)),
        "loss_weight": ("a number of at least 0", _is_weight),
        "sampling_weight": ("a number of at least 0", _is_weight),
    }
)
"""What a config may say about one task, in `config.tasks`: what it must be, and whether it is."""


def make_tasks(config: Config, transforms: Transforms) -> tuple[Task, ...]:
    """A task for each algorithm, with those problem options that it has.

    Raises:
      ValueError: if a name, a size or an option is not valid, or if no algorithm has an option.
    """
    names, data = config["algorithms"], config["data"]
    names = (names,) if isinstance(names, str) else tuple(names)
    algorithms = [find_algorithm(name) for name in names]
    if not names or len(set(algorithms)) != len(names):
        raise ValueError(f"algorithms must name each algorithm once, and at least one; got {names}")
    check_tasks(config["tasks"], [algorithm.name for algorithm in algorithms])
    usual = base.get_config().to_dict()["data"]
    for option, value in data["problem"].items():
        known = {name for algorithm in algorithms for name in algorithm.problem.options}
        if option not in known and not _same(value, usual["problem"].get(option)):
            raise ValueError(
                f"data.problem.{option}: none of {', '.join(names)} has such an option; "
                f"known: {', '.join(sorted(known)) or 'none'}"
            )
    return tuple(
        make_task(algorithm, data, config["tasks"].get(algorithm.name, {}), usual, transforms)
        for algorithm in algorithms
    )


def make_task(
    algorithm: Algorithm, data: Config, own: Mapping[str, Any], usual: Config, transforms: Transforms
) -> Task:
    """The task of one algorithm.

    Its exceptions from the recipe count only where the config leaves the general value as usual: what a user
    sets for all algorithms is meant for this one too. What is said of the task itself counts in any case.

    Args:
      algorithm: what is learned.
      data: that part of the config.
      own: what the config says of this task.
      usual: `data` of the base config.
      transforms: of all tasks.

    Raises:
      ValueError: if an exception, a size or an option is not valid.
    """
    exception = data["exceptions"].get(algorithm.name, {})
    unknown = sorted(set(exception) - {"sizes", "problem"})
    if unknown:
        raise ValueError(f"data.exceptions.{algorithm.name}.{unknown[0]}: known are sizes and problem")
    sizes = tuple(data["sizes"])
    if sizes == tuple(usual["sizes"]):
        sizes = tuple(exception.get("sizes", sizes))
    options = {key: value for key, value in data["problem"].items() if key in algorithm.problem.options}
    for key, value in exception.get("problem", {}).items():
        if key not in options or _same(options[key], usual["problem"].get(key)):
            options[key] = value
    return Task(
        algorithm,
        tuple(own.get("sizes", sizes)),
        {**options, **own.get("problem", {})},
        transforms,
        own.get("batch_size"),
    )


def check_tasks(tasks: Config, names: Sequence[str]) -> None:
    """Raises ValueError if `config.tasks` names what is not trained, an unknown option or a bad number."""
    for name, own in tasks.items():
        if name not in names:
            raise ValueError(f"tasks.{name} is not one of the algorithms of the run: {', '.join(names)}")
        if not isinstance(own, Mapping):
            raise ValueError(f"tasks.{name} must be a dictionary, got {own!r}")
        for option, value in own.items():
            if option not in OPTIONS:
                raise ValueError(f"unknown tasks.{name}.{option}; known: {', '.join(OPTIONS)}")
            wanted, is_valid = OPTIONS[option]
            if not is_valid(value):
                raise ValueError(f"tasks.{name}.{option} must be {wanted}, got {value!r}")


def loss_weights(config: Config) -> dict[str, float]:
    """`training.loss_weights`, those of `config.tasks` among them."""
    weights = dict(config["training"]["loss_weights"])
    for name, own in config["tasks"].items():
        if "loss_weight" in own:
            weights[name] = weights.get(name, 1.0) * own["loss_weight"]
    return weights


def make_task_schedule(config: Config, tasks: Sequence[Task]) -> TaskSchedule:
    """Whose turn it is before any score is known.

    Raises:
      ValueError: if a weight is not valid, or weights are given that would not be used.
    """
    key = "sampling_weight"
    given = {name: own[key] for name, own in config["tasks"].items() if key in own}
    if config["training"]["task_sampling"] == "round_robin" and given:
        raise ValueError(
            f"tasks.{min(given)}.sampling_weight has no effect with training.task_sampling=round_robin; "
            "set training.task_sampling=weighted"
        )
    try:
        return TaskSchedule([given.get(task.name, 1.0) for task in tasks])
    except ValueError as error:
        raise ValueError(f"tasks: {error}") from None


def find_task_weighting(sampling: Any) -> TaskWeightFunction | None:
    """The function of `training.task_sampling` that decides by scores; None if weights stay as they are.

    Raises:
      ValueError: if it is unknown.
    """
    if sampling in ("round_robin", "weighted"):
        return None
    if not isinstance(sampling, str) or ":" not in sampling:
        raise ValueError(
            f"unknown training.task_sampling {sampling!r}; known: round_robin, weighted, or module:FUNCTION"
        )
    return load_attribute(sampling, "training.task_sampling", callable)


def _same(first: Any, second: Any) -> bool:
    """Equal, a list being equal to a tuple: configs come from Python or from JSON."""
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return list(first) == list(second)
    return first == second
