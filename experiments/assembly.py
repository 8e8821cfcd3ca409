"""From a config to the parts of the library; all of a config is checked here, before any work starts."""

import dataclasses
import difflib
import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from configs import base
from experiments.config_types import check_type
from experiments.network import Config, check_weights, make_net_config
from experiments.optimisation import check_patterns, optimiser_of
from experiments.parts import RunParts
from nar.algorithms import Algorithm, find_algorithm
from nar.batches import Task, TrainingStream, Transforms
from nar.evaluation import Evaluator, Scores, score_split
from nar.model import Model, Params, make_model
from nar.training import Devices, StepFunction, TrainState, check_parts, init_state, make_step

FREE = (
    "data.problem",
    "data.exceptions",
    "model.processor_options",
    "training.loss_weights",
    "training.optimiser_options",
    "training.schedule_options",
)
"""Parts of a config whose keys the problem, the algorithm, the processor or the optimiser decides upon."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a config stands for.

    Attributes:
      tasks: what is trained.
      transforms: of all tasks.
      model: the network.
      optimiser: of training.
      loss_weights: of training, by name.
      average_decay: of the moving average of the parameters; 0 for none.
      accumulate: in how many parts a batch is taken.
      stream: the training data.
      devices: where to train.
      evaluation_batch_size: traces that are predicted at once.
    """

    tasks: tuple[Task, ...]
    transforms: Transforms
    model: Model
    optimiser: optax.GradientTransformation
    loss_weights: Mapping[str, float]
    average_decay: float
    accumulate: int
    stream: TrainingStream
    devices: Devices
    evaluation_batch_size: int

    def make_step(self) -> StepFunction:
        """The compiled step of training."""
        return make_step(self.model, self.optimiser, self.loss_weights, self.average_decay, self.accumulate)

    def make_evaluator(self) -> Evaluator:
        """What the functions of scoring need."""
        return Evaluator(self.model, self.transforms, self.evaluation_batch_size, self.devices)

    def score_split(self, evaluator: Evaluator, params: Params, split: str) -> Scores:
        """Scores on a whole split: "val" while training, "test" at its end."""
        return score_split(evaluator, params, split)


def assemble(config: Config, devices: Devices | None = None) -> Parts:
    """The parts of a run.

    Args:
      config: of the run.
      devices: where it is to run; by default on all there are.

    Raises:
      ValueError: if anything in the config is not valid.
    """
    check_keys(config, base.get_config().to_dict())
    data, training = config["data"], config["training"]
    for key in ("steps", "batch_size", "log_every", "checkpoint_every"):
        check_positive(f"training.{key}", training[key])
    check_positive("evaluation.batch_size", config["evaluation"]["batch_size"])
    for key in ("hidden_size", "message_passing_steps"):
        check_positive(f"model.{key}", config["model"][key])
    transforms = Transforms(
        random_positions=data["random_positions"],
        fixed_hints_as_inputs=data["fixed_hints_as_inputs"],
        cyclic_permutations=data["cyclic_permutations"],
    )
    tasks = make_tasks(config["algorithms"], data, transforms)
    devices = devices or Devices.all()
    devices.check_batch_size(training["batch_size"])
    check_parts(training["batch_size"], training["accumulate"], devices.mesh.size)
    model = make_model(make_net_config(config["model"]), {task.name: task.spec for task in tasks})
    stream = TrainingStream(
        tasks, training["batch_size"], training["seed"], devices.process, devices.num_processes
    )
    check_weights(training["loss_weights"], model, stream)
    optimiser = optimiser_of(training)
    check_patterns(training, model, stream)
    return Parts(
        tasks=tasks,
        transforms=transforms,
        model=model,
        optimiser=optimiser,
        loss_weights=training["loss_weights"],
        average_decay=training["average_decay"],
        accumulate=training["accumulate"],
        stream=stream,
        devices=devices,
        evaluation_batch_size=config["evaluation"]["batch_size"],
    )


def new_state(parts: RunParts, seed: int) -> TrainState:
    """The state before the first step, on all devices."""
    # Of the batches only the shapes matter; all processes must trace the same function.
    batches = {
        task.name: jax.tree.map(np.zeros_like, parts.stream.batch(step))
        for step, task in enumerate(parts.tasks)
    }
    return parts.devices.make_state(
        functools.partial(
            init_state, parts.model, parts.optimiser, batches, seed, averaged=parts.average_decay > 0
        )
    )


def make_tasks(names: Any, data: Config, transforms: Transforms) -> tuple[Task, ...]:
    """A task for each algorithm, with those problem options that it has.

    Raises:
      ValueError: if a name, a size or an option is not valid, or if no algorithm has an option.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    algorithms = [find_algorithm(name) for name in names]
    if not names or len(set(algorithms)) != len(names):
        raise ValueError(f"algorithms must name each algorithm once, and at least one; got {names}")
    usual = base.get_config().to_dict()["data"]
    for option, value in data["problem"].items():
        known = {name for algorithm in algorithms for name in algorithm.problem.options}
        if option not in known and not _same(value, usual["problem"].get(option)):
            raise ValueError(
                f"data.problem.{option}: none of {', '.join(names)} has such an option; "
                f"known: {', '.join(sorted(known)) or 'none'}"
            )
    return tuple(make_task(algorithm, data, usual, transforms) for algorithm in algorithms)


def make_task(algorithm: Algorithm, data: Config, usual: Config, transforms: Transforms) -> Task:
    """The task of one algorithm.

    Its exceptions from the recipe count only where the config leaves the general value as usual: what a user
    sets for all algorithms is meant for this one too.

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
    return Task(algorithm, sizes, options, transforms)


def _same(first: Any, second: Any) -> bool:
    """Equal, a list being equal to a tuple: configs come from Python or from JSON."""
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return list(first) == list(second)
    return first == second


def check_keys(config: Config, known: Config, prefix: str = "") -> None:
    """Raises ValueError on a key that the base config does not have, naming the nearest one that it has."""
    for key, value in config.items():
        path = f"{prefix}{key}"
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(known)}"
            raise ValueError(f"unknown config key {path}; {hint}")
        if isinstance(known[key], Mapping) != isinstance(value, Mapping):
            raise ValueError(f"config key {path} has the wrong type: {value!r}")
        check_type(path, value, known[key])
        if isinstance(value, Mapping) and path not in FREE:
            check_keys(value, known[key], f"{path}.")
    missing = [f"{prefix}{key}" for key in known if key not in config]
    if missing:
        raise ValueError(f"config key {missing[0]} is missing")


def check_positive(name: str, value: Any) -> None:
    """Raises ValueError unless the value of a key is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
