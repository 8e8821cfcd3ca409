"""What a step does with its gradients, whatever network they are of."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.training.finiteness import keep_finite, squares
from nar.training.state import TrainState, move_average

Metrics = dict[str, Any]
"""Scalars by name, of jax or of numpy; and `FINITE`, which a guard takes out."""


@dataclasses.dataclass(frozen=True)
class Update:
    """From one state to the next.

    Attributes:
      optimiser: of the run.
      average_decay: of the moving average of the parameters, if the state keeps one.
    """

    optimiser: optax.GradientTransformation
    average_decay: float = 0.0

    def __call__(
        self,
        state: TrainState,
        gradients: Params,
        metrics: Mapping[str, jax.Array],
        others: frozenset[str] = frozenset(),
        recurrent: Mapping[str, Any] | None = None,
    ) -> tuple[TrainState, Metrics]:
        """The new state, and the metrics with `gradient_norm` and those of `keep_finite`.

        Args:
          state: before the step.
          gradients: of its parameters.
          metrics: scalars of the step.
          others: tasks whose encoders and decoders stay as they are.
          recurrent: what lanes of chunks hand on now; by default as before.
        """
        updates, optimiser_state = self.optimiser.update(gradients, state.optimiser, state.params)
        params = keep_codecs(others, optax.apply_updates(state.params, updates), state.params)
        optimiser_state = keep_codecs(others, optimiser_state, state.optimiser)
        average = state.average
        if average is not None:
            average = move_average(average, params, state.step + 1, self.average_decay)
        of_lanes = dict(state.recurrent if recurrent is None else recurrent)
        new = TrainState(params, optimiser_state, state.step + 1, state.key, average, of_lanes)
        sums = squares(gradients)
        return keep_finite(state, new, {**metrics, "gradient_norm": jnp.sqrt(sum(sums))}, sums)


def keep_codecs(tasks: frozenset[str], new: Any, old: Any) -> Any:
    """New parameters or optimiser state, but old ones for the encoders and decoders of some tasks.

    Their gradients are zero in a step of another task, but an optimiser with momentum would move them all the
    same.
    """

    def choose(path: tuple[Any, ...], new_leaf: jax.Array, old_leaf: jax.Array) -> jax.Array:
        modules = [str(key.key) for key in path if isinstance(key, jax.tree_util.DictKey)]
        return old_leaf if any(module.split("/")[0] in tasks for module in modules) else new_leaf

    return jax.tree_util.tree_map_with_path(choose, new, old) if tasks else new
