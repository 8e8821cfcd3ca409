"""A step, whatever network it is of: gradients are found, then the state is updated by them."""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.training.optim.optimizers import Leafwise
from nar.training.state import TrainState, update_ema
from nar.training.train_step.finite_updates import gradient_squared_norms, reject_non_finite
from nar.training.train_step.multi_seed import SEED_AXES, MapOverSeeds, vmap_seeds
from nar.training.train_step.task_parameters import TaskParameters, module_prefixes

Metrics = dict[str, Any]
"""Scalars by name, of jax or of numpy; and `FINITE`, which a guard takes out."""


class TrainStep(Protocol):
    """One step of training."""

    def __call__(
        self, state: TrainState, batch: Any, task: str, stream_key: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        """The new state, and metrics.

        Args:
          state: before the step; it must not be used again.
          batch: of traces, or a chunk; or of texts.
          task: name of the algorithm.
          stream_key: key of the chunked stream that a chunk belongs to; None for whole traces.
        """
        ...


class StepGradients(NamedTuple):
    """What a batch tells a state.

    Attributes:
      gradients: of the parameters.
      metrics: scalars of the step; those called `loss` or `loss/...` must be finite.
      chunk_carry: by a chunk to the next one of its lane.
    """

    gradients: Params
    metrics: Metrics
    chunk_carry: Any = None


GradientFunction = Callable[[TrainState, Any, str, str | None], StepGradients]
"""(state, batch, task, stream_key) -> what the batch tells the state."""


@dataclasses.dataclass(frozen=True)
class Update:
    """From one state to the next.

    Attributes:
      optimizer: of the run.
      ema_decay: of the moving average of the parameters, if the state keeps one.
      tasks: all that are trained; in a step of one, encoders and decoders of the others stay as they are.
    """

    optimizer: optax.GradientTransformation
    ema_decay: float = 0.0
    tasks: frozenset[str] = frozenset()

    def __call__(
        self,
        state: TrainState,
        gradients: Params,
        largest_loss: jax.Array,
        task: str,
        chunk_carries: Mapping[str, Any],
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
        updates, optimizer_state = self.optimizer.update(gradients, state.optimizer, state.params)
        params = keep_unchanged(others, optax.apply_updates(state.params, updates), state.params)
        optimizer_state = keep_unchanged(others, optimizer_state, state.optimizer)
        ema_params = state.ema_params
        if ema_params is not None:
            ema_params = update_ema(ema_params, params, state.step + 1, self.ema_decay)
        new = TrainState(params, optimizer_state, state.step + 1, state.key, ema_params, dict(chunk_carries))
        sums = gradient_squared_norms(gradients)
        kept, metrics = reject_non_finite(state, new, largest_loss, sums)
        norm = jnp.sqrt(sum(one for one in sums if one is not None))
        return kept, {"gradient_norm": norm, **metrics}


class CompiledTrainStep:
    """A step as two compiled programs, so that only one of them is compiled for each shape of a batch.

    The first finds the gradients, and is compiled for each task, stream_key and shape. The second updates the
    state, and is compiled for each task and stream_key.
    """

    def __init__(
        self,
        gradients: GradientFunction,
        update: Update,
        map_over_seeds: MapOverSeeds | None = None,
        named: Callable[[Metrics, str], Metrics] | None = None,
    ) -> None:
        """Compiles nothing yet.

        Args:
          gradients: of a state and a batch.
          update: of a state.
          map_over_seeds: how the gradients of seeds are found, if states and batches are those of replicas;
            then metrics are [replicas].
          named: if tasks share their programs, metrics as they are to be called for a task.
        """
        self._named = named
        self._tasks, self._part = update.tasks, TaskParameters(update.tasks)
        self._is_leafwise = isinstance(update.optimizer, Leafwise)

        def compute_gradients(
            state: TrainState, batch: Any, task: str, stream_key: str | None
        ) -> tuple[_UpdateInputs, Metrics]:
            found = gradients(state, batch, task, stream_key)
            losses = [value for name, value in found.metrics.items() if name.split("/")[0] == "loss"]
            largest = jnp.max(jnp.abs(jnp.stack(losses)))
            return _UpdateInputs(found.gradients, largest, found.chunk_carry), found.metrics

        def update_state(
            state: TrainState, handed: _UpdateInputs, task: str, stream_key: str | None
        ) -> tuple[TrainState, Metrics]:
            chunk_carries = (
                state.chunk_carries
                if stream_key is None
                else {**state.chunk_carries, stream_key: handed.chunk_carry}
            )
            return update(state, handed.gradients, handed.largest_loss, task, chunk_carries)

        find = map_over_seeds(compute_gradients) if map_over_seeds else compute_gradients
        update_all = vmap_seeds(update_state, (SEED_AXES, 0)) if map_over_seeds else update_state
        self._find = jax.jit(find, static_argnums=(2, 3))
        self._update = jax.jit(update_all, static_argnums=(2, 3), donate_argnums=0)

    def __call__(
        self, state: TrainState, batch: Any, task: str, stream_key: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        """See `StepFunction`."""
        shared = "" if self._named else task
        own = self._own(state, task)
        handed, metrics = self._find(gradient_inputs(own), batch, shared, stream_key)
        if self._named:
            metrics = self._named(metrics, task)
        new, others = self._update(own, handed, shared, stream_key)
        if own is not state:
            merge = functools.partial(self._part.merge, task=task)
            params, optimizer = merge(state.params, new.params), merge(state.optimizer, new.optimizer)
            new = dataclasses.replace(new, params=params, optimizer=optimizer)
        return new, {**metrics, **others}

    def _own(self, state: TrainState, task: str) -> TrainState:
        """The state without the parameters of other tasks, where each array is updated by itself alone.

        A moving average moves in each step, whatever its task.
        """
        if len(self._tasks) < 2 or not self._is_leafwise or state.ema_params is not None:
            return state
        params, optimizer = (self._part.select(tree, task) for tree in (state.params, state.optimizer))
        return dataclasses.replace(state, params=params, optimizer=optimizer)

    def programs(
        self, state: TrainState, batch: Any, task: str, stream_key: str | None
    ) -> dict[Hashable, Callable[[], Any]]:
        """How to compile both programs of a step, by what tells them apart; arguments may be shapes."""
        state, shared = self._own(state, task), "" if self._named else task
        chunk_carry = None if stream_key is None else state.chunk_carries[stream_key]
        loss = jax.ShapeDtypeStruct(state.key.shape, jnp.float32, sharding=state.step.sharding)
        handed = _UpdateInputs(state.params, loss, chunk_carry)
        shapes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(batch))
        return {
            (shared, stream_key, shapes): lambda: self._find.lower(
                gradient_inputs(state), batch, shared, stream_key
            ).compile(),
            (shared, stream_key): lambda: self._update.lower(state, handed, shared, stream_key).compile(),
        }


def gradient_inputs(state: TrainState) -> TrainState:
    """What gradients depend on; leaving out the rest makes a call cheaper."""
    return dataclasses.replace(state, optimizer=None, ema_params=None)


class _UpdateInputs(NamedTuple):
    """What the first program hands to the second."""

    gradients: Params
    largest_loss: Any
    chunk_carry: Any


def keep_unchanged(tasks: frozenset[str], new: Any, old: Any) -> Any:
    """New parameters or optimizer state, but old ones for the encoders and decoders of some tasks.

    Their gradients are zero in a step of another task, but an optimizer with momentum would move them all the
    same.
    """

    def choose(path: tuple[Any, ...], new_leaf: jax.Array, old_leaf: jax.Array) -> jax.Array:
        return old_leaf if module_prefixes(path) & tasks else new_leaf

    return jax.tree_util.tree_map_with_path(choose, new, old) if tasks else new
