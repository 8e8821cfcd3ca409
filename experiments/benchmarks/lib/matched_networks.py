"""One network twice, ours and that of dm-clrs 2.0.3: the same parameters, and the same batch."""

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from configs import base
from experiments.benchmarks.lib import multiply_adds
from experiments.benchmarks.lib.dm_clrs_network import DmClrsNetwork
from experiments.cli.build import Config, Parts, assemble
from nar.algorithms import find_algorithm
from nar.data import bucket_length, count_microbatches, group_by_length, pad_steps, take
from nar.evaluation import Evaluator
from nar.model import Params
from nar.model.dm_clrs import convert_parameters
from nar.specs import Kind
from nar.traces import clrs30_sample
from nar.training import TrainState, make_train_step, stack_seeds

SEED = 3
SAME_LOSS = {"float32": 1e-3, "bfloat16": 0.05}
"""By precision of ours, the relative difference of two losses up to which they are the same."""


class Case(NamedTuple):
    """A network of the default recipe, and a batch of problems of one size."""

    algorithm: str
    processor: str
    size: int
    batch_size: int = 32
    hidden_size: int = 128

    def __str__(self) -> str:
        return f"{self.algorithm}, {self.processor}, n = {self.size}"


class Variant(NamedTuple):
    """How ours is trained: in what the network computes, and how many seeds at once."""

    precision: str = "float32"
    num_seeds: int = 1

    def __str__(self) -> str:
        words = [] if self.precision == "float32" else [self.precision]
        return "".join(f", {word}" for word in words + [f"{self.num_seeds} seeds"] * (self.num_seeds > 1))


AS_THEIRS = Variant()
"""As dm-clrs trains, in float32 and one seed at a time, whatever ours does."""


class Ours:
    """Our network and batch of a case.

    Traces are drawn as in training, and padded to the longest of them.
    """

    def __init__(self, case: Case, params: Params | None = None, how: Variant = AS_THEIRS) -> None:
        """Makes both; parameters are those of another network, or new ones."""
        self._task = case.algorithm
        self._parts: Parts = assemble(_config(case, how))
        self._traces = clrs30_sample(case.algorithm, case.size, case.batch_size, SEED, **options(case))
        algorithm = find_algorithm(case.algorithm)
        self._batch = self._parts.transforms.apply(algorithm, self._traces)
        self._params: Any = params or jax.jit(self._parts.model.init)(
            jax.random.key(SEED), {self._task: self._batch}
        )

    @property
    def is_noisy(self) -> bool:
        """Whether the loss of training is random, as that of permutations is."""
        spec = self._parts.tasks[0].spec
        probes = (*spec.outputs, *spec.hints)
        return any(probe.kind is Kind.PERMUTATION_POINTER for probe in probes)

    def step(self) -> Callable[[], float]:
        """A function that trains for one step, on the batch in its bucket, and returns the loss.

        Replicas all train on that batch.
        """
        parts, step = self._parts, self._parts.make_train_step()
        batch = pad_steps(
            group_by_length(self._batch, parts.grad_accumulation_steps), bucket_length(self._batch.num_steps)
        )
        state, leading = parts.devices.make_state(self._state), 0
        if parts.num_seeds > 1:
            batch = jax.tree.map(lambda leaf: np.stack([leaf] * parts.num_seeds), batch)
            state, leading = parts.devices.make_state(self._states), 1

        def train() -> float:
            nonlocal state
            state, metrics = step(state, parts.devices.put_batch(batch, leading), self._task)
            return float(np.mean(metrics["loss"]))

        return train

    def evaluation(self) -> Callable[[], Any]:
        """A function that predicts the batch and returns the decided outputs."""
        evaluator = Evaluator(self._parts.model, self._parts.transforms, self._batch.batch_size)
        return lambda: evaluator.predict(self._params, self._task, self._batch)

    def multiply_adds(self) -> int:
        """Of the matrix products of a training step, whose parts take the steps of their longest traces."""
        step = make_train_step(self._parts.model, self._parts.optimizer)
        state, batch = (
            jax.eval_shape(self._state),
            group_by_length(self._batch, self._parts.grad_accumulation_steps),
        )
        num_microbatches = count_microbatches(batch, self._parts.grad_accumulation_steps)
        of_one = sum(
            multiply_adds.count(
                lambda state, batch: step(state, batch, self._task),
                state,
                take(batch, slice(part, None, num_microbatches)),
            )
            for part in range(num_microbatches)
        )
        return self._parts.num_seeds * of_one

    def multiply_adds_of_evaluation(self) -> int:
        """Of the matrix products of predictions, where no trace takes steps for a longer one."""
        model, trace = self._parts.model, take(self._batch, slice(1))

        def of_one(num_steps: int) -> int:
            return multiply_adds.count(
                lambda params: model.apply(params, None, self._task, trace, False, num_steps).outputs,
                self._params,
            )

        taken = collections.Counter(np.maximum(self._batch.lengths - 1, 1).tolist())
        return sum(number * of_one(num_steps) for num_steps, number in taken.items())

    def _state(self) -> TrainState:
        step, key = jnp.zeros((), jnp.int32), jax.random.key(0)
        return TrainState(self._params, self._parts.optimizer.init(self._params), step, key)

    def _states(self) -> TrainState:
        """Those of replicas, with the same parameters and keys of their own."""
        one, number = self._state(), self._parts.num_seeds
        alike = stack_seeds([dataclasses.replace(one, step=None, key=None)] * number)
        return dataclasses.replace(alike, step=one.step, key=jax.random.split(one.key, number))


def make_pair(case: Case, how: Variant = AS_THEIRS) -> tuple[Ours, DmClrsNetwork]:
    """Both networks of a case, with the parameters of dm-clrs's."""
    theirs = DmClrsNetwork(*case, **their_options(case))
    specs = {case.algorithm: assemble(_config(case)).model.specs[case.algorithm]}
    return Ours(case, convert_parameters(theirs.params, case.processor, specs), how), theirs


def options(case: Case) -> dict[str, Any]:
    """Of the problems in training, those that dm-clrs has too."""
    (task,) = assemble(_config(case)).tasks
    return {key: value for key, value in task.problem_options.items() if key != "family"}


def their_options(case: Case) -> Mapping[str, Any]:
    """What `DmClrsNetwork` is told besides the case."""
    fixed = bool(find_algorithm(case.algorithm).fixed_hints)
    return {"seed": SEED, "options": options(case), "has_fixed_hints": fixed}


def _config(case: Case, how: Variant = AS_THEIRS) -> Config:
    config = base.get_config().to_dict()
    config["algorithms"] = (case.algorithm,)
    config["model"] |= {"processor": case.processor, "hidden_size": case.hidden_size}
    config["model"]["precision"] = how.precision
    config["training"] |= {"batch_size": case.batch_size, "num_seeds": how.num_seeds}
    return config
