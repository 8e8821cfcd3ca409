"""Rejection of non-finite updates inside the compiled step."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nar.model import Params
from nar.training.state import TrainState

FINITE = "finite"
"""Metric, bool [1 + 2 P] for P parameter arrays: finiteness of the losses, each gradient, each new value.

Parameters that are not in the step count as finite."""

SKIPPED = "skipped"
"""Metric: 1 if the update was rejected because something was not finite, otherwise 0."""


PerParameter = list[jax.Array | None]
"""One number per parameter array, in their order; None for parameters that are not in the step."""


def gradient_squared_norms(gradients: Params) -> PerParameter:
    """Squared norm of each gradient; not finite if the gradient is not, or if it overflows."""
    return _map_leaves(lambda leaf: jnp.sum(jnp.square(leaf)), gradients)


def _map_leaves(function: Callable[[jax.Array], jax.Array], tree: Params) -> PerParameter:
    leaves = jax.tree.leaves(tree, is_leaf=lambda leaf: leaf is None)
    return [None if leaf is None else function(leaf) for leaf in leaves]


def reject_non_finite(
    old: TrainState, new: TrainState, max_abs_loss: jax.Array, squared_norms: PerParameter
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Returns the new state if all losses, gradients and new parameters are finite, otherwise the old one.

    The step number advances in any case.

    Args:
      old: state before the step.
      new: state after the step.
      max_abs_loss: largest absolute value of the step's losses, a scalar.
      squared_norms: result of `gradient_squared_norms`.

    Returns:
      The state, and the metrics `FINITE` and `SKIPPED`.
    """
    max_abs_params = _map_leaves(lambda leaf: jnp.max(jnp.abs(leaf)), new.params)
    numbers = [max_abs_loss, *squared_norms, *max_abs_params]
    indices = [index for index, number in enumerate(numbers) if number is not None]
    # One `isfinite` of a stacked vector: XLA turns stacked flags into a chain that it repeats for every array
    # selected below, which doubled the compilation time of a step.
    present = jnp.isfinite(jnp.stack([numbers[index] for index in indices]))
    is_finite = jnp.all(present)
    flags = (
        present
        if len(indices) == len(numbers)
        else jnp.ones(len(numbers), bool).at[np.array(indices)].set(present)
    )

    def select(name: str) -> Any:
        pair = getattr(new, name), getattr(old, name)
        return jax.tree.map(lambda after, before: jnp.where(is_finite, after, before), *pair)

    fields = {field.name: select(field.name) for field in dataclasses.fields(new) if field.name != "step"}
    skipped = 1.0 - is_finite.astype(jnp.float32)
    return TrainState(**fields, step=new.step), {FINITE: flags, SKIPPED: skipped}
