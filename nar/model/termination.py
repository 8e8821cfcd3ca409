"""When a rollout ends: with the algorithm's trace, after a budget of steps, or when the network says so.

The network says so by the halting head of PonderNet (Banino et al. 2021, arXiv 2107.05407). At step n, from 1
on, it gives a probability λ_n to stop there, if the rollout has come so far:

    p_n = λ_n (1 - λ_1) ... (1 - λ_{n-1})

and stops for sure at the largest number of steps. It learns by the expected loss of the outputs, the sum over
n of p_n · loss of the outputs of step n, plus a weight times KL(p ‖ truncated geometric distribution).
"""

import dataclasses
import math
from typing import Protocol

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nar.model.decoders import DecoderInputs
from nar.processors import Linear, max_with_ties
from nar.traces import TraceBatch

Array = jax.Array


class Termination(Protocol):
    """How many steps a rollout takes at most."""

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """For how many steps there must be room, by the shapes of a batch alone."""
        ...

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """[B] int32, how many steps each sample takes at most, by its own length and number of real nodes."""
        ...


@dataclasses.dataclass(frozen=True)
class FromTrace:
    """As many steps as it takes to the last hint of the trace: CLRS-30's protocol (arXiv 2205.15659)."""

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """One less than the steps of the batch; at least one."""
        del num_nodes
        return max(1, batch.num_steps - 1)

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """One less than the length of each trace; at least one."""
        del num_nodes
        return jnp.maximum(jnp.asarray(batch.lengths) - 1, 1)


@dataclasses.dataclass(frozen=True)
class Budget:
    """A number of steps that depends on the number n of nodes alone: steps + steps_per_node · n, rounded up.

    Attributes:
      steps: whatever the size.
      steps_per_node: for each real node.
    """

    steps: int = 0
    steps_per_node: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("steps", self.steps), ("steps_per_node", self.steps_per_node)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} of a budget must be a number of at least 0, got {value}")
        if not self.steps and not self.steps_per_node:
            raise ValueError("a budget needs steps or steps_per_node")

    def num_steps(self, num_nodes: int) -> int:
        """For a problem of so many nodes; at least one."""
        return max(1, math.ceil(self.steps + self.steps_per_node * num_nodes - 1e-9))

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """The budget of the padded number of nodes."""
        del batch
        return self.num_steps(num_nodes)

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """The budget of each sample's real nodes."""
        budgets = np.array([self.num_steps(n) for n in range(num_nodes + 1)], np.int32)
        if batch.num_nodes is None:
            return jnp.full(batch.batch_size, budgets[num_nodes])
        return jnp.asarray(budgets)[batch.num_nodes]


@dataclasses.dataclass(frozen=True)
class Learned:
    """As many steps as the halting head decides; see the top of this file.

    In training every step is taken and weighed. In evaluation a sample stops at the first step at which the
    probability to have stopped, p_1 + ... + p_n, is at least `threshold`: with one half, at the median.

    Attributes:
      budget: the most steps that are taken.
      prior: probability of the geometric distribution, so that its mean without truncation is 1 / prior.
      weight: of the divergence from it.
      threshold: see above.
    """

    budget: Budget = Budget()
    prior: float = 0.1
    weight: float = 0.01
    threshold: float = 0.5

    def __post_init__(self) -> None:
        for name in ("prior", "threshold"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} of halting must lie between 0 and 1, got {getattr(self, name)}")
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"weight of halting must be a number of at least 0, got {self.weight}")

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """The largest number of steps of the padded number of nodes."""
        return self.budget.max_steps(batch, num_nodes)

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """The largest number of steps of each sample's real nodes."""
        return self.budget.step_limits(batch, num_nodes)

    def has_stopped(self, log_survival: Array) -> Array:
        """Whether a sample has stopped whose probability to go on has this logarithm."""
        return log_survival <= math.log1p(-self.threshold)


class HaltingHead(hk.Module):
    """The logit of λ: W [max over nodes of relu(V nodes), graph], its offset starting at the prior."""

    def __init__(self, hidden_size: int, prior: float, name: str = "halt") -> None:
        """Makes the head; it works in `hidden_size` features."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._bias = math.log(prior / (1 - prior))

    def __call__(self, decoder_inputs: DecoderInputs) -> Array:
        """[B]."""
        states = jax.nn.relu(Linear(self._hidden_size, name="nodes")(decoder_inputs.nodes))
        if decoder_inputs.mask is not None:
            states = jnp.where(decoder_inputs.mask[..., None], states, 0.0)
        logits = Linear(1, bias=self._bias, name="out").in_float32(
            max_with_ties(states), *decoder_inputs.graph
        )
        return logits[..., 0]


def log_survivals(logits: Array) -> Array:
    """log((1 - λ_1) ... (1 - λ_n)) after each step n, [S, B], from the logits of λ, [S, B]."""
    return jnp.cumsum(jax.nn.log_sigmoid(-logits), axis=0)


def log_halting(logits: Array, step_limits: Array) -> Array:
    """log p_n, [S, B]; minus infinity behind the limit of a sample, where the sum of p comes to 1.

    Args:
      logits: of λ, [S, B].
      step_limits: [B], 1 to S.
    """
    number = jnp.arange(1, len(logits) + 1)[:, None]
    before = jnp.pad(log_survivals(logits)[:-1], ((1, 0), (0, 0)))
    stops = jnp.where(number == step_limits[None], 0.0, jax.nn.log_sigmoid(logits))
    return jnp.where(number <= step_limits[None], before + stops, -jnp.inf)


def divergence_from_prior(log_p: Array, step_limits: Array, prior: float) -> Array:
    """KL(p ‖ q), [B], q_n being proportional to prior · (1 - prior)^(n-1) up to the limit of a sample."""
    number = jnp.arange(1, len(log_p) + 1)[:, None]
    log_stay = math.log1p(-prior)
    log_total = jnp.log(-jnp.expm1(step_limits * log_stay))
    log_q = math.log(prior) + (number - 1) * log_stay - log_total[None]
    counted = number <= step_limits[None]
    ratio = jnp.where(counted, log_p, 0.0) - log_q
    return jnp.where(counted, jnp.exp(log_p) * ratio, 0.0).sum(axis=0)
