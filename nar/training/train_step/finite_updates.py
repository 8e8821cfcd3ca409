"""Within the compiled step: nothing that is not finite gets into a state."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nar.model import Params
from nar.training.state import TrainState

FINITE = "finite"
"""Metric, bool [1 + 2 P]: whether all losses, each parameter's gradient, each new parameter are finite.

Parameters that a step leaves out count as finite."""

SKIPPED = "skipped"
"""Metric: 1 if the step left the state as it was, since something was not finite; 0 otherwise."""


PerParameter = list[jax.Array | None]
"""One for each parameter, in their order; None for those that a step leaves out."""


def gradient_squared_norms(gradients: Params) -> PerParameter:
    """The sum of squares of each gradient: not finite if the gradient is not, or is far too large."""
    return _of_each(lambda leaf: jnp.sum(jnp.square(leaf)), gradients)


def _of_each(function: Callable[[jax.Array], jax.Array], tree: Params) -> PerParameter:
    leaves = jax.tree.leaves(tree, is_leaf=lambda leaf: leaf is None)
    return [None if leaf is None else function(leaf) for leaf in leaves]


def reject_non_finite(
    old: TrainState, new: TrainState, largest_loss: jax.Array, gradient_squares: PerParameter
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
    largest = _of_each(lambda leaf: jnp.max(jnp.abs(leaf)), new.params)
    numbers = [largest_loss, *gradient_squares, *largest]
    places = [place for place, number in enumerate(numbers) if number is not None]
    # Asked of one vector of numbers: XLA makes of a vector of flags a chain of them, and repeats it for each
    # array that is chosen below, which was half of what a step took to compile.
    found = jnp.isfinite(jnp.stack([numbers[place] for place in places]))
    is_finite = jnp.all(found)
    flags = (
        found if len(places) == len(numbers) else jnp.ones(len(numbers), bool).at[np.array(places)].set(found)
    )

    def choose(name: str) -> Any:
        pair = getattr(new, name), getattr(old, name)
        return jax.tree.map(lambda after, before: jnp.where(is_finite, after, before), *pair)

    kept = {field.name: choose(field.name) for field in dataclasses.fields(new) if field.name != "step"}
    skipped = 1.0 - is_finite.astype(jnp.float32)
    return TrainState(**kept, step=new.step), {FINITE: flags, SKIPPED: skipped}
