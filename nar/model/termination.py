"""Termination rules of a rollout: the length of the trace, a step budget, or learned halting.

Learned halting is that of PonderNet (Banino et al. 2021, arXiv 2107.05407). At step n = 1, 2, ... a halting
head predicts λ_n, the probability of stopping at that step given that the rollout has reached it, so that it
stops at step n with probability

    p_n = λ_n (1 - λ_1) ... (1 - λ_{n-1})

and at the step limit with the remaining probability. The training loss is the expected output loss, the sum
over n of p_n times the loss of the outputs of step n, plus a weight times KL(p ‖ truncated geometric
distribution).
"""

import dataclasses
import math
from typing import Protocol

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nar.model.decoders import DecoderInputs
from nar.model.hints import Values
from nar.model.loss_term import LossTerm
from nar.processors.layers.aggregation import max_with_ties
from nar.processors.layers.linear import Linear
from nar.traces import TraceBatch

Array = jax.Array


class Termination(Protocol):
    """A rule for the maximum number of steps of a rollout."""

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """Static upper bound on the number of steps, from the shapes of the batch."""
        ...

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """[B] int32, maximum number of steps of each sample, from its length and number of real nodes."""
        ...


@dataclasses.dataclass(frozen=True)
class FromTrace:
    """The number of steps of the trace: the protocol of CLRS-30 (arXiv 2205.15659)."""

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """The number of hint steps of the batch minus one; at least one."""
        del num_nodes
        return max(1, batch.num_steps - 1)

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """The length of each trace minus one; at least one."""
        del num_nodes
        return jnp.maximum(jnp.asarray(batch.lengths) - 1, 1)


MAX_BUDGET = 100_000
"""Largest part of a budget: steps, or steps per node."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """A number of steps linear in the number of nodes n: steps + steps_per_node · n, rounded up.

    Attributes:
      steps: constant term.
      steps_per_node: steps per real node.
    """

    steps: int = 0
    steps_per_node: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("steps", self.steps), ("steps_per_node", self.steps_per_node)):
            if not 0 <= value <= MAX_BUDGET:
                raise ValueError(f"budget {name} must be a number from 0 to {MAX_BUDGET}, got {value}")
        if not self.steps and not self.steps_per_node:
            raise ValueError("a budget must have positive steps or steps_per_node, got 0 for both")

    def num_steps(self, num_nodes: int) -> int:
        """Number of steps for a problem with this number of nodes; at least one."""
        return max(1, math.ceil(self.steps + self.steps_per_node * num_nodes - 1e-9))

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """The budget of the padded number of nodes."""
        del batch
        return self.num_steps(num_nodes)

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """The budget of each sample's real nodes."""
        budgets = np.array([self.num_steps(n) for n in range(num_nodes + 1)], np.int32)
        if batch.num_nodes is None:
            return jnp.full(batch.batch_size, budgets[num_nodes], jnp.int32)
        return jnp.asarray(budgets, jnp.int32)[batch.num_nodes]


@dataclasses.dataclass(frozen=True)
class Learned:
    """Learned halting; see the top of this file.

    Training takes all steps and weighs each by its halting probability. In evaluation a sample stops at the
    first step at which the cumulative probability p_1 + ... + p_n reaches `threshold`; 0.5 is the median.

    Attributes:
      budget: maximum number of steps.
      prior: success probability of the geometric prior, whose mean is 1 / prior without truncation.
      weight: weight of the KL divergence from the prior in the loss.
      threshold: cumulative halting probability at which evaluation stops.
    """

    budget: Budget = Budget()
    prior: float = 0.1
    weight: float = 0.01
    threshold: float = 0.5

    def __post_init__(self) -> None:
        for name in ("prior", "threshold"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"halting {name} must lie between 0 and 1, got {getattr(self, name)}")
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"halting weight must be a finite number >= 0, got {self.weight}")

    def max_steps(self, batch: TraceBatch, num_nodes: int) -> int:
        """The budget of the padded number of nodes."""
        return self.budget.max_steps(batch, num_nodes)

    def step_limits(self, batch: TraceBatch, num_nodes: int) -> Array:
        """The budget of each sample's real nodes."""
        return self.budget.step_limits(batch, num_nodes)

    def has_stopped(self, log_survival: Array) -> Array:
        """True where the cumulative halting probability has reached `threshold`.

        Args:
          log_survival: log-probability of not having stopped yet.
        """
        return log_survival <= math.log1p(-self.threshold)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Halting:
    """The distribution over halting steps, and the outputs at each; S is the maximum number of steps.

    Attributes:
      log_probabilities: [S, B], of stopping at each step; minus infinity after a sample's step limit.
      outputs: logits by name at each step, [S, B, ...].
    """

    log_probabilities: Array
    outputs: Values


class HaltingHead(hk.Module):
    """Halting head: logit λ = W [max over nodes of relu(V nodes), graph] + b, b initialized to the prior."""

    def __init__(self, hidden_size: int, prior: float, name: str = "halt") -> None:
        """Makes the head, an MLP with `hidden_size` hidden features."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._bias = math.log(prior / (1 - prior))

    def __call__(self, decoder_inputs: DecoderInputs) -> Array:
        """Returns the halting logits [B]."""
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
    """log p_n, [S, B]; each column of p sums to 1 at the sample's step limit, after which log p is -inf.

    Args:
      logits: [S, B], logits of λ.
      step_limits: [B], between 1 and S.
    """
    number = jnp.arange(1, len(logits) + 1)[:, None]
    before = jnp.pad(log_survivals(logits)[:-1], ((1, 0), (0, 0)))
    stops = jnp.where(number == step_limits[None], 0.0, jax.nn.log_sigmoid(logits))
    return jnp.where(number <= step_limits[None], before + stops, -jnp.inf)


def summarize_halting(
    rule: Learned, logits: Array, step_limits: Array, outputs: Values
) -> tuple[Halting, Array, LossTerm]:
    """Returns the distribution over halting steps, the steps [B] of evaluation, and the loss of the prior.

    Args:
      rule: the termination rule.
      logits: [S, B], logits of λ.
      step_limits: [B], between 1 and S.
      outputs: logits of the outputs at each step, by name, [S, B, ...].
    """
    log_p = log_halting(logits, step_limits)
    divergence = divergence_from_prior(log_p, step_limits, rule.prior)
    numbers = jnp.arange(1, len(logits) + 1)[:, None]
    stopped = rule.has_stopped(log_survivals(logits))
    steps = jnp.where(stopped, numbers, step_limits[None]).min(axis=0)
    loss = LossTerm(rule.weight * divergence.sum(), divergence.size)
    return Halting(log_p, outputs), steps, loss


def divergence_from_prior(log_p: Array, step_limits: Array, prior: float) -> Array:
    """KL(p ‖ q), [B], with q_n proportional to prior · (1 - prior)^(n-1) up to a sample's step limit."""
    number = jnp.arange(1, len(log_p) + 1)[:, None]
    log_stay = math.log1p(-prior)
    log_total = jnp.log(-jnp.expm1(step_limits * log_stay))
    log_q = math.log(prior) + (number - 1) * log_stay - log_total[None]
    counted = number <= step_limits[None]
    ratio = jnp.where(counted, log_p, 0.0) - log_q
    return jnp.where(counted, jnp.exp(log_p) * ratio, 0.0).sum(axis=0)
