"""Matched networks of nar and dm-clrs 2.0.3, with the same parameters and the same batch."""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.lib import multiply_adds
from experiments.benchmarks.lib.dm_clrs_network import DmClrsNetwork
from nar.algorithms import BUILT_IN, find_algorithm
from nar.data import bucket_length, count_microbatches, group_by_length, pad_steps, take
from nar.evaluation import Inference
from nar.model import Params
from nar.model.dm_clrs import convert_parameters
from nar.model.dm_clrs.layouts import LAYOUTS
from nar.runs.components import GraphComponents, build_graph_run
from nar.runs.config import ModelConfig, RunConfig, TrainingConfig
from nar.specs import Kind
from nar.traces import clrs30_sample
from nar.training import TrainState, make_train_step
from nar.training.train_step import stack_seeds

SEED = 3
LOSS_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.05}
"""Relative tolerance for equal losses, by precision of the network of nar."""


class Case(NamedTuple):
    """A network of the default recipe, and a batch of problems of one size."""

    algorithm: str
    processor: str
    size: int
    batch_size: int = 32
    hidden_size: int = 128

    def __str__(self) -> str:
        return f"{self.algorithm}, {self.processor}, n = {self.size}"


def matched_cases(
    algorithms: Sequence[str],
    processors: Sequence[str],
    sizes: Sequence[int],
    batch_size: int,
    hidden_size: int,
) -> list[Case]:
    """A case for each algorithm, processor and size.

    Raises:
      ValueError: if dm-clrs does not have one of them.
    """
    for kind, requested, known in (
        ("algorithm", algorithms, [algorithm.name for algorithm in BUILT_IN]),
        ("processor", processors, LAYOUTS),
    ):
        for name in requested:
            if name not in known:
                raise ValueError(f"dm-clrs has no {kind} {name!r}; it has {', '.join(known)}")
    choices = itertools.product(algorithms, processors, sizes)
    return [Case(*choice, batch_size, hidden_size) for choice in choices]


class Variant(NamedTuple):
    """Precision of the network of nar, and number of seeds that are trained at once."""

    precision: str = "float32"
    num_seeds: int = 1

    def __str__(self) -> str:
        words = [] if self.precision == "float32" else [self.precision]
        return "".join(f", {word}" for word in words + [f"{self.num_seeds} seeds"] * (self.num_seeds > 1))


DM_CLRS_VARIANT = Variant()
"""Variant of dm-clrs: float32, one seed at a time."""


class NarNetwork:
    """Network of nar and batch of a case.

    Traces are sampled as in training, and padded to the longest.
    """

    def __init__(self, case: Case, params: Params | None = None, variant: Variant = DM_CLRS_VARIANT) -> None:
        """Makes network and batch; parameters are given, or initialized."""
        self._task = case.algorithm
        self._components: GraphComponents = build_graph_run(_config(case, variant))
        self._traces = clrs30_sample(case.algorithm, case.size, case.batch_size, SEED, **options(case))
        algorithm = find_algorithm(case.algorithm)
        self._batch = self._components.transforms.apply(algorithm, self._traces)
        self._params: Any = params or jax.jit(self._components.model.init)(
            jax.random.key(SEED), {self._task: self._batch}
        )

    @property
    def has_random_loss(self) -> bool:
        """True if the training loss is random, as for permutations (Gumbel noise)."""
        spec = self._components.tasks[0].spec
        probes = (*spec.outputs, *spec.hints)
        return any(probe.kind is Kind.PERMUTATION_POINTER for probe in probes)

    def step(self) -> Callable[[], float]:
        """Makes a function that runs one training step on the bucketed batch and returns the loss.

        All seeds train on the same batch.
        """
        components, step = self._components, self._components.make_train_step()
        batch = pad_steps(
            group_by_length(self._batch, components.grad_accumulation_steps),
            bucket_length(self._batch.num_steps),
        )
        state, leading = components.devices.make_state(self._state), 0
        if components.num_seeds > 1:
            batch = jax.tree.map(lambda leaf: np.stack([leaf] * components.num_seeds), batch)
            state, leading = components.devices.make_state(self._states), 1

        def train() -> float:
            nonlocal state
            state, metrics = step(state, components.devices.put_batch(batch, leading), self._task)
            return float(np.mean(metrics["loss"]))

        return train

    def evaluation(self) -> Callable[[], Any]:
        """Makes a function that predicts the batch and returns the decoded outputs."""
        inference = Inference(self._components.model, self._components.transforms, self._batch.batch_size)
        return lambda: inference.run_transformed(self._params, self._task, self._batch)

    def multiply_adds(self) -> int:
        """Multiply-adds of a training step, each micro-batch taking the steps of its longest trace."""
        step = make_train_step(self._components.model, self._components.optimizer)
        state, batch = (
            jax.eval_shape(self._state),
            group_by_length(self._batch, self._components.grad_accumulation_steps),
        )
        num_microbatches = count_microbatches(batch, self._components.grad_accumulation_steps)
        per_seed = sum(
            multiply_adds.count(
                lambda state, batch: step(state, batch, self._task),
                state,
                take(batch, slice(index, None, num_microbatches)),
            )
            for index in range(num_microbatches)
        )
        return self._components.num_seeds * per_seed

    def multiply_adds_of_evaluation(self) -> int:
        """Multiply-adds of predictions, each trace taking only its own steps."""
        model, trace = self._components.model, take(self._batch, slice(1))

        def per_trace(num_steps: int) -> int:
            return multiply_adds.count(
                lambda params: model.apply(params, None, self._task, trace, False, num_steps).outputs,
                self._params,
            )

        counts = collections.Counter(np.maximum(self._batch.lengths - 1, 1).tolist())
        return sum(count * per_trace(num_steps) for num_steps, count in counts.items())

    def _state(self) -> TrainState:
        step, key = jnp.zeros((), jnp.int32), jax.random.key(0)
        return TrainState(self._params, self._components.optimizer.init(self._params), step, key)

    def _states(self) -> TrainState:
        """Stacked state of all seeds, with the same parameters and different keys."""
        state, num_seeds = self._state(), self._components.num_seeds
        stacked = stack_seeds([dataclasses.replace(state, step=None, key=None)] * num_seeds)
        return dataclasses.replace(stacked, step=state.step, key=jax.random.split(state.key, num_seeds))


def make_matched_networks(case: Case, variant: Variant = DM_CLRS_VARIANT) -> tuple[NarNetwork, DmClrsNetwork]:
    """Makes both networks of a case, with the parameters of that of dm-clrs."""
    dm_clrs = DmClrsNetwork(*case, **dm_clrs_options(case))
    specs = {case.algorithm: build_graph_run(_config(case)).model.specs[case.algorithm]}
    return NarNetwork(case, convert_parameters(dm_clrs.params, case.processor, specs), variant), dm_clrs


def options(case: Case) -> dict[str, Any]:
    """Problem options in training that dm-clrs has too."""
    (task,) = build_graph_run(_config(case)).tasks
    return {key: value for key, value in task.problem_options.items() if key != "family"}


def dm_clrs_options(case: Case) -> Mapping[str, Any]:
    """Keyword arguments of `DmClrsNetwork` for a case."""
    fixed = bool(find_algorithm(case.algorithm).fixed_hints)
    return {"seed": SEED, "options": options(case), "has_fixed_hints": fixed}


def _config(case: Case, variant: Variant = DM_CLRS_VARIANT) -> RunConfig:
    return RunConfig(
        algorithms=(case.algorithm,),
        model=ModelConfig(
            processor=case.processor, hidden_size=case.hidden_size, precision=variant.precision
        ),
        training=TrainingConfig(batch_size=case.batch_size, num_seeds=variant.num_seeds),
    )
