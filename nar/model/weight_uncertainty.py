"""Weight uncertainty by Bayes by backprop (Blundell et al. 2015, arXiv 1505.05424).

A network has a distribution over its parameters.

Each parameter `w` has a normal distribution with mean `w` and standard deviation softplus(`w_rho`), another
parameter next to it. A training step draws all parameters once, and the loss gets a weight times

    KL(N(w, σ²) ‖ N(0, s²)), summed over the parameters: log(s / σ) + (σ² + w²) / (2 s²) - 1/2

In evaluation a network has the means. `sample_weights` draws networks, the members of an ensemble.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nar.model.init import Params
from nar.model.loss_term import LossTerm
from nar.model.predictions import Predictions

Array = jax.Array

SUFFIX = "_rho"
"""Suffix of the names of parameters that determine deviations."""

LOSS = "weight_uncertainty"
"""Name of the auxiliary loss."""


@dataclasses.dataclass(frozen=True)
class WeightUncertainty:
    """Options of the distribution over parameters.

    Attributes:
      deviation: initial standard deviation σ of all parameters.
      prior: standard deviation s of the prior.
      weight: weight of the divergence from the prior; 1 / number of training samples in a variational bound.
    """

    deviation: float = 0.01
    prior: float = 0.1
    weight: float = 1e-5

    def __post_init__(self) -> None:
        """Checks the options."""
        for name in ("deviation", "prior"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f"weight_uncertainty {name} must be a positive number, got {getattr(self, name)}"
                )
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"weight_uncertainty weight must be a finite number >= 0, got {self.weight}")


Init = Callable[[Array, Mapping[str, Any]], Params]
Apply = Callable[..., Predictions]


def with_weight_uncertainty(init: Init, apply: Apply, options: WeightUncertainty) -> tuple[Init, Apply]:
    """Adds a distribution over parameters to the functions `init` and `apply` of a `nar.model.Model`."""

    def init_with_deviations(key: Array, batches: Mapping[str, Any]) -> Params:
        rho = math.log(math.expm1(options.deviation))

        def add(leaves: Mapping[str, Array]) -> dict[str, Array]:
            return {**leaves, **{f"{name}{SUFFIX}": jnp.full_like(w, rho) for name, w in leaves.items()}}

        return _map_modules(add, init(key, batches))

    def apply_to_sample(
        params: Params,
        key: Array | None,
        task: str,
        batch: Any,
        is_training: bool,
        *args: Any,
        **options_of_call: Any,
    ) -> Predictions:
        if not is_training:
            return apply(params, key, task, batch, is_training, *args, **options_of_call)
        if key is None:
            raise ValueError("training with weight uncertainty needs a random key")
        key, sample_key = jax.random.split(key)
        drawn = sample_weights(params, sample_key)
        predictions = apply(drawn, key, task, batch, is_training, *args, **options_of_call)
        divergence = divergence_from_prior(params, options.prior)
        term = LossTerm(options.weight * divergence, jnp.ones((), jnp.int32))
        return dataclasses.replace(predictions, losses={**predictions.losses, LOSS: term})

    return init_with_deviations, apply_to_sample


def has_uncertainty(params: Params) -> bool:
    """True if parameters have deviations."""
    return any(True for _ in _distributions(params))


def sample_weights(params: Params, key: Array) -> Params:
    """Draws parameters: each mean is replaced by a sample, and deviations stay as they are."""
    count = sum(1 for _ in _distributions(params))
    keys = iter(jax.random.split(key, max(count, 1)))

    def draw(leaves: Mapping[str, Array]) -> dict[str, Array]:
        drawn = {
            name: leaves[name] + _deviation(rho) * jax.random.normal(next(keys), rho.shape, rho.dtype)
            for name, rho in _deviations_of(leaves)
        }
        return {**leaves, **drawn}

    return _map_modules(draw, params)


def divergence_from_prior(params: Params, prior: float) -> Array:
    """KL divergence of the distribution over all parameters from N(0, prior²)."""

    def divergence(w: Array, rho: Array) -> Array:
        deviation = _deviation(rho)
        ratio = (deviation**2 + w**2) / (2 * prior**2)
        return (math.log(prior) - jnp.log(deviation) + ratio - 0.5).sum()

    return sum((divergence(w, rho) for w, rho in _distributions(params)), jnp.zeros(()))


def _deviation(rho: Array) -> Array:
    return jax.nn.softplus(rho)


def _deviations_of(leaves: Mapping[str, Array]) -> list[tuple[str, Array]]:
    """Names of the parameters of a module that have a deviation, and what determines it."""
    return [(name, leaves[f"{name}{SUFFIX}"]) for name in sorted(leaves) if f"{name}{SUFFIX}" in leaves]


def _distributions(params: Params) -> Iterator[tuple[Array, Array]]:
    """Yields means, and what determines their deviations."""
    for task in sorted(params):
        for module in sorted(params[task]):
            leaves = params[task][module]
            yield from ((leaves[name], rho) for name, rho in _deviations_of(leaves))


def _map_modules(function: Callable[[Mapping[str, Array]], dict[str, Array]], params: Params) -> Params:
    """Applies a function to the parameters of each module, in the order of `_distributions`."""
    return {
        task: {module: function(params[task][module]) for module in sorted(params[task])}
        for task in sorted(params)
    }
