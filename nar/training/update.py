"""A step, whatever network it is of: gradients are found, then the state is updated by them."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.training.finiteness import keep_finite, squares
from nar.training.replicas import AXES, over_replicas
from nar.training.state import TrainState, move_average

Metrics = dict[str, Any]
"""Scalars by name, of jax or of numpy; and `FINITE`, which a guard takes out."""


class StepFunction(Protocol):
    """One step of training."""

    def __call__(
        self, state: TrainState, batch: Any, task: str, lane: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        """The new state, and metrics.

        Args:
          state: before the step; it must not be used again.
          batch: of traces, or a chunk; or of texts.
          task: name of the algorithm.
          lane: of a chunk, the one that it is of.
        """
        ...


class Found(NamedTuple):
    """What a batch tells a state.

    Attributes:
      gradients: of the parameters.
      metrics: scalars of the step; those called `loss` or `loss/...` must be finite.
      handed_on: by a chunk to the next one of its lane.
    """

    gradients: Params
    metrics: Metrics
    handed_on: Any = None


FindGradients = Callable[[TrainState, Any, str, str | None], Found]
"""(state, batch, task, lane) -> what the batch tells the state."""


@dataclasses.dataclass(frozen=True)
class Update:
    """From one state to the next.

    Attributes:
      optimiser: of the run.
      average_decay: of the moving average of the parameters, if the state keeps one.
      tasks: all that are trained; in a step of one, encoders and decoders of the others stay as they are.
    """

    optimiser: optax.GradientTransformation
    average_decay: float = 0.0
    tasks: frozenset[str] = frozenset()

    def __call__(
        self, state: TrainState, found: Found, task: str, lane: str | None = None
    ) -> tuple[TrainState, Metrics]:
        """The new state, and the metrics with `gradient_norm` and those of `keep_finite`."""
        others = self.tasks - {task}
        updates, optimiser_state = self.optimiser.update(found.gradients, state.optimiser, state.params)
        params = keep_codecs(others, optax.apply_updates(state.params, updates), state.params)
        optimiser_state = keep_codecs(others, optimiser_state, state.optimiser)
        average = state.average
        if average is not None:
            average = move_average(average, params, state.step + 1, self.average_decay)
        recurrent = {**state.recurrent, **({} if lane is None else {lane: found.handed_on})}
        new = TrainState(params, optimiser_state, state.step + 1, state.key, average, recurrent)
        sums = squares(found.gradients)
        return keep_finite(state, new, {**found.metrics, "gradient_norm": jnp.sqrt(sum(sums))}, sums)


def two_programs(gradients: FindGradients, update: Update, replicated: bool = False) -> StepFunction:
    """A step as two compiled programs, so that only one of them is compiled for each shape of a batch.

    Args:
      gradients: of a state and a batch; compiled for each task, lane and shape.
      update: of a state by what was found; compiled for each task and lane.
      replicated: whether states and batches are those of replicas; then metrics are [replicas].
    """

    def find_gradients(state: TrainState, batch: Any, task: str, lane: str | None) -> Found:
        return gradients(state, batch, task, lane)

    def update_state(
        state: TrainState, found: Found, task: str, lane: str | None
    ) -> tuple[TrainState, Metrics]:
        return update(state, found, task, lane)

    def compiled(function: Callable[..., Any], out_axes: Any, **options: Any) -> Callable[..., Any]:
        over_all = over_replicas(function, out_axes) if replicated else function
        return jax.jit(over_all, static_argnums=(2, 3), **options)

    find = compiled(find_gradients, 0)
    change = compiled(update_state, (AXES, 0), donate_argnums=0)

    def step(
        state: TrainState, batch: Any, task: str, lane: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        return change(state, find(state, batch, task, lane), task, lane)

    return step


def keep_codecs(tasks: frozenset[str], new: Any, old: Any) -> Any:
    """New parameters or optimiser state, but old ones for the encoders and decoders of some tasks.

    Their gradients are zero in a step of another task, but an optimiser with momentum would move them all the
    same.
    """

    def choose(path: tuple[Any, ...], new_leaf: jax.Array, old_leaf: jax.Array) -> jax.Array:
        modules = [str(key.key) for key in path if isinstance(key, jax.tree_util.DictKey)]
        return old_leaf if any(module.split("/")[0] in tasks for module in modules) else new_leaf

    return jax.tree_util.tree_map_with_path(choose, new, old) if tasks else new
