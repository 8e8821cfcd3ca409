"""Within the compiled step: nothing that is not finite gets into a state."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from nar.model import Params
from nar.training.state import TrainState

FINITE = "finite"
"""Metric, bool [1 + 2 P]: whether all losses, each parameter's gradient, each new parameter are finite."""

SKIPPED = "skipped"
"""Metric: 1 if the step left the state as it was, since something was not finite; 0 otherwise."""


def squares(gradients: Params) -> list[jax.Array]:
    """The sum of squares of each gradient: not finite if the gradient is not, or is far too large."""
    return [jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradients)]


def keep_finite(
    old: TrainState, new: TrainState, largest_loss: jax.Array, gradient_squares: list[jax.Array]
) -> tuple[TrainState, dict[str, jax.Array]]:
    """The new state, or the old one with the new step if any loss, gradient or new parameter is not finite.

    Args:
      old: before the step.
      new: after it.
      largest_loss: in size, of all losses of the step.
      gradient_squares: of the step, in the order of the parameters.

    Returns:
      The state, and the metrics `FINITE` and `SKIPPED`.
    """
    largest = [jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(new.params)]
    # Asked of one vector of numbers: XLA makes of a vector of flags a chain of them, and repeats it for each
    # array that is chosen below, which was half of what a step took to compile.
    flags = jnp.isfinite(jnp.stack([largest_loss, *gradient_squares, *largest]))
    is_finite = jnp.all(flags)

    def choose(name: str) -> Any:
        pair = getattr(new, name), getattr(old, name)
        return jax.tree.map(lambda after, before: jnp.where(is_finite, after, before), *pair)

    kept = {field.name: choose(field.name) for field in dataclasses.fields(new) if field.name != "step"}
    skipped = 1.0 - is_finite.astype(jnp.float32)
    return TrainState(**kept, step=new.step), {FINITE: flags, SKIPPED: skipped}
