"""Rejection of non-finite updates inside the compiled step."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nar.model import Params
from nar.training.state import TrainState

FINITE = "finite"
"""Metric, bool [1 + 2 P]: finiteness of the losses, each gradient and each new value.

P is the number of parameter arrays of the step: those of the processor and the task."""

SKIPPED = "skipped"
"""Metric: 1 if the update was rejected because something was not finite, otherwise 0."""


def squared_norm_per_array(gradients: Params) -> list[jax.Array]:
    """Squared norm of each gradient; not finite if the gradient is not, or if it overflows."""
    return [jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradients)]


def max_abs_per_array(params: Params) -> list[jax.Array]:
    """Largest absolute value of each array."""
    return [jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(params)]


def reject_non_finite(
    old: TrainState, new: TrainState, numbers: Sequence[jax.Array]
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Returns the new state if all losses, gradients and new parameters are finite, otherwise the old one.

    The step number advances in any case.

    Args:
      old: state before the step.
      new: state after the step.
      numbers: scalars that are finite if and only if the losses, each gradient and each new value are.

    Returns:
      The state, and the metrics `FINITE` and `SKIPPED`.
    """
    # One `isfinite` of a stacked vector: XLA turns stacked flags into a chain that it repeats for every array
    # selected below, which doubled the compilation time of a step.
    flags = jnp.isfinite(jnp.stack(numbers))
    is_finite = jnp.all(flags)

    def select(name: str) -> Any:
        pair = getattr(new, name), getattr(old, name)
        return jax.tree.map(lambda after, before: jnp.where(is_finite, after, before), *pair)

    fields = {field.name: select(field.name) for field in dataclasses.fields(new) if field.name != "step"}
    skipped = 1.0 - is_finite.astype(jnp.float32)
    return TrainState(**fields, step=new.step), {FINITE: flags, SKIPPED: skipped}
