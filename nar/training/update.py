"""A step, whatever network it is of: gradients are found, then the state is updated by them."""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.training.finiteness import keep_finite, squares
from nar.training.optimisers import Leafwise
from nar.training.own import OwnPart, owners
from nar.training.replicas import AXES, OverReplicas, at_once
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
        self,
        state: TrainState,
        gradients: Params,
        largest_loss: jax.Array,
        task: str,
        recurrent: Mapping[str, Any],
    ) -> tuple[TrainState, Metrics]:
        """The new state, and the metrics `gradient_norm` and those of `keep_finite`.

        Args:
          state: before the step.
          gradients: of its parameters.
          largest_loss: in size, of all losses of the step.
          task: of the step.
          recurrent: what lanes of chunks hand on now.
        """
        others = self.tasks - {task}
        updates, optimiser_state = self.optimiser.update(gradients, state.optimiser, state.params)
        params = keep_codecs(others, optax.apply_updates(state.params, updates), state.params)
        optimiser_state = keep_codecs(others, optimiser_state, state.optimiser)
        average = state.average
        if average is not None:
            average = move_average(average, params, state.step + 1, self.average_decay)
        new = TrainState(params, optimiser_state, state.step + 1, state.key, average, dict(recurrent))
        sums = squares(gradients)
        kept, metrics = keep_finite(state, new, largest_loss, sums)
        norm = jnp.sqrt(sum(one for one in sums if one is not None))
        return kept, {"gradient_norm": norm, **metrics}


class TwoPrograms:
    """A step as two compiled programs, so that only one of them is compiled for each shape of a batch.

    The first finds the gradients, and is compiled for each task, lane and shape. The second updates the
    state, and is compiled for each task and lane.
    """

    def __init__(
        self,
        gradients: FindGradients,
        update: Update,
        replicas: OverReplicas | None = None,
        named: Callable[[Metrics, str], Metrics] | None = None,
    ) -> None:
        """Compiles nothing yet.

        Args:
          gradients: of a state and a batch.
          update: of a state.
          replicas: how the gradients of replicas are found, if states and batches are those of replicas; then
            metrics are [replicas].
          named: if tasks share their programs, metrics as they are to be called for a task.
        """
        self._named = named
        self._tasks, self._part = update.tasks, OwnPart(update.tasks)
        self._is_leafwise = isinstance(update.optimiser, Leafwise)

        def find_gradients(
            state: TrainState, batch: Any, task: str, lane: str | None
        ) -> tuple[_Handed, Metrics]:
            found = gradients(state, batch, task, lane)
            losses = [value for name, value in found.metrics.items() if name.split("/")[0] == "loss"]
            largest = jnp.max(jnp.abs(jnp.stack(losses)))
            return _Handed(found.gradients, largest, found.handed_on), found.metrics

        def update_state(
            state: TrainState, handed: _Handed, task: str, lane: str | None
        ) -> tuple[TrainState, Metrics]:
            recurrent = state.recurrent if lane is None else {**state.recurrent, lane: handed.handed_on}
            return update(state, handed.gradients, handed.largest_loss, task, recurrent)

        find = replicas(find_gradients) if replicas else find_gradients
        update_all = at_once(update_state, (AXES, 0)) if replicas else update_state
        self._find = jax.jit(find, static_argnums=(2, 3))
        self._update = jax.jit(update_all, static_argnums=(2, 3), donate_argnums=0)

    def __call__(
        self, state: TrainState, batch: Any, task: str, lane: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        """See `StepFunction`."""
        shared = "" if self._named else task
        own = self._own(state, task)
        handed, metrics = self._find(seen_of(own), batch, shared, lane)
        if self._named:
            metrics = self._named(metrics, task)
        new, others = self._update(own, handed, shared, lane)
        if own is not state:
            put_back = functools.partial(self._part.put_back, task=task)
            params, optimiser = put_back(state.params, new.params), put_back(state.optimiser, new.optimiser)
            new = dataclasses.replace(new, params=params, optimiser=optimiser)
        return new, {**metrics, **others}

    def _own(self, state: TrainState, task: str) -> TrainState:
        """The state without the parameters of other tasks, where each array is updated by itself alone.

        A moving average moves in each step, whatever its task.
        """
        if len(self._tasks) < 2 or not self._is_leafwise or state.average is not None:
            return state
        params, optimiser = (self._part.take(tree, task) for tree in (state.params, state.optimiser))
        return dataclasses.replace(state, params=params, optimiser=optimiser)

    def programs(
        self, state: TrainState, batch: Any, task: str, lane: str | None
    ) -> dict[Hashable, Callable[[], Any]]:
        """How to compile both programs of a step, by what tells them apart; arguments may be shapes."""
        state, shared = self._own(state, task), "" if self._named else task
        handed_on = None if lane is None else state.recurrent[lane]
        loss = jax.ShapeDtypeStruct(state.key.shape, jnp.float32, sharding=state.step.sharding)
        handed = _Handed(state.params, loss, handed_on)
        shapes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(batch))
        return {
            (shared, lane, shapes): lambda: self._find.lower(seen_of(state), batch, shared, lane).compile(),
            (shared, lane): lambda: self._update.lower(state, handed, shared, lane).compile(),
        }


def seen_of(state: TrainState) -> TrainState:
    """What gradients depend on; leaving out the rest makes a call cheaper."""
    return dataclasses.replace(state, optimiser=None, average=None)


class _Handed(NamedTuple):
    """What the first program hands to the second."""

    gradients: Params
    largest_loss: Any
    handed_on: Any


def keep_codecs(tasks: frozenset[str], new: Any, old: Any) -> Any:
    """New parameters or optimiser state, but old ones for the encoders and decoders of some tasks.

    Their gradients are zero in a step of another task, but an optimiser with momentum would move them all the
    same.
    """

    def choose(path: tuple[Any, ...], new_leaf: jax.Array, old_leaf: jax.Array) -> jax.Array:
        return old_leaf if owners(path) & tasks else new_leaf

    return jax.tree_util.tree_map_with_path(choose, new, old) if tasks else new
