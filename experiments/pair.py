"""One network twice, ours and that of dm-clrs 2.0.3: the same parameters, and the same batch."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from configs import base
from experiments import multiply_adds
from experiments.assembly import Config, Parts, assemble
from experiments.rival import Theirs
from nar.algorithms import find_algorithm
from nar.batches import bucket_length, deal, pad_steps
from nar.evaluation import Evaluator
from nar.model import Params
from nar.model.dm_clrs import convert_parameters
from nar.specs import Kind
from nar.traces import clrs30_sample
from nar.training import TrainState, make_step

SEED = 3
SAME_LOSS = 1e-3
"""Relative difference of two losses up to which they are the same."""


class Case(NamedTuple):
    """A network of the default recipe, and a batch of problems of one size."""

    algorithm: str
    processor: str
    size: int
    batch_size: int = 32
    hidden_size: int = 128

    def __str__(self) -> str:
        return f"{self.algorithm}, {self.processor}, n = {self.size}"


class Ours:
    """Our network and batch of a case.

    Traces are drawn as in training, and padded to the longest of them.
    """

    def __init__(self, case: Case, params: Params | None = None) -> None:
        """Makes both; parameters are those of another network, or new ones."""
        self._task = case.algorithm
        self._parts: Parts = assemble(_config(case))
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
        """A function that trains for one step, on the batch in its bucket, and returns the loss."""
        parts, step = self._parts, self._parts.make_step()
        batch = pad_steps(deal(self._batch, parts.accumulate), bucket_length(self._batch.num_steps))
        state = parts.devices.make_state(self._state)

        def train() -> float:
            nonlocal state
            state, metrics = step(state, parts.devices.put_batch(batch), self._task)
            return float(metrics["loss"])

        return train

    def evaluation(self) -> Callable[[], Any]:
        """A function that predicts the batch and returns the decided outputs."""
        evaluator = Evaluator(self._parts.model, self._parts.transforms, self._batch.batch_size)
        return lambda: evaluator.decide(self._params, self._task, self._batch)

    def multiply_adds(self) -> int:
        """Of the matrix products of a training step."""
        step = make_step(self._parts.model, self._parts.optimiser)
        state = jax.eval_shape(self._state)
        return multiply_adds.count(lambda state, batch: step(state, batch, self._task), state, self._batch)

    def _state(self) -> TrainState:
        step, key = jnp.zeros((), jnp.int32), jax.random.key(0)
        return TrainState(self._params, self._parts.optimiser.init(self._params), step, key)


def make_pair(case: Case) -> tuple[Ours, Theirs]:
    """Both networks of a case, with the parameters of dm-clrs's."""
    theirs = Theirs(*case, **their_options(case))
    specs = {case.algorithm: assemble(_config(case)).model.specs[case.algorithm]}
    return Ours(case, convert_parameters(theirs.params, case.processor, specs)), theirs


def options(case: Case) -> dict[str, Any]:
    """Of the problems in training, those that dm-clrs has too."""
    (task,) = assemble(_config(case)).tasks
    return {key: value for key, value in task.problem_options.items() if key != "family"}


def their_options(case: Case) -> Mapping[str, Any]:
    """What `Theirs` is told besides the case."""
    fixed = bool(find_algorithm(case.algorithm).fixed_hints)
    return {"seed": SEED, "options": options(case), "has_fixed_hints": fixed}


def _config(case: Case) -> Config:
    config = base.get_config().to_dict()
    config["algorithms"] = (case.algorithm,)
    config["model"] |= {"processor": case.processor, "hidden_size": case.hidden_size}
    config["training"] |= {"batch_size": case.batch_size}
    return config
