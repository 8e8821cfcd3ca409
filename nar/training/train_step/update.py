"""The training step of any network: a program that computes gradients, and one that updates the state."""

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from nar.model import Params
from nar.model.params_by_task import merge_task, select_task
from nar.training.state import TrainState, update_ema
from nar.training.train_step.finite_updates import (
    max_abs_per_array,
    reject_non_finite,
    squared_norm_per_array,
)
from nar.training.train_step.multi_seed import SEED_AXES, MapOverSeeds, vmap_seeds

Metrics = dict[str, Any]
"""JAX or NumPy scalars by name; and `FINITE`, which `fit` moves to `StepReport.finite`."""


class TrainStep(Protocol):
    """A training step."""

    def __call__(
        self, state: TrainState, batch: Any, task: str, stream_key: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        """Returns the new state and the metrics.

        Args:
          state: state before the step; its buffers are donated.
          batch: batch of traces, chunks or texts.
          task: name of the algorithm.
          stream_key: key of the chunked stream that a chunk belongs to; None for whole traces.
        """
        ...


class StepGradients(NamedTuple):
    """Gradients and metrics of one batch.

    Attributes:
      gradients: gradients of the parameters.
      metrics: scalars; `loss` and `loss/...` must be finite for the update to be made.
      chunk_carry: carries for the next chunk of the same chunked stream, by view; not read for whole traces.
    """

    gradients: Params
    metrics: Metrics
    chunk_carry: Any = None


GradientFunction = Callable[[TrainState, Any, str, str | None], StepGradients]
"""(state, batch, task, stream_key) -> gradients and metrics."""


@dataclasses.dataclass(frozen=True)
class Update:
    """Update of the state by gradients.

    Attributes:
      optimizer: the optimizer of the state.
      ema_decay: decay of the parameters' moving average, if the state has one.
    """

    optimizer: optax.GradientTransformation
    ema_decay: float = 0.0

    def __call__(
        self,
        state: TrainState,
        gradients: Params,
        max_abs_loss: jax.Array,
        task: str,
        chunk_carries: Mapping[str, Any],
    ) -> tuple[TrainState, Metrics]:
        """Returns the new state, and the metrics `gradient_norm` and those of `reject_non_finite`.

        The encoders and decoders of other tasks are unchanged: their gradients are zero, but momentum would
        move them nonetheless.

        Args:
          state: state before the step.
          gradients: gradients of the parameters of the processor and the task.
          max_abs_loss: largest absolute value of the step's losses, a scalar.
          task: task of the step.
          chunk_carries: carries of all chunked streams after the step.
        """
        task_params, task_opt_state = select_task((state.params, state.opt_state), task)
        updates, task_opt_state = self.optimizer.update(gradients, task_opt_state, task_params)
        task_params = optax.apply_updates(task_params, updates)
        params, opt_state = merge_task((state.params, state.opt_state), (task_params, task_opt_state), task)
        ema_params = state.ema_params
        if ema_params is not None:
            ema_params = update_ema(ema_params, params, state.step + 1, self.ema_decay)
        new = TrainState(params, opt_state, state.step + 1, state.key, ema_params, dict(chunk_carries))
        squared_norms = squared_norm_per_array(gradients)
        numbers = [max_abs_loss, *squared_norms, *max_abs_per_array(task_params)]
        new, metrics = reject_non_finite(state, new, numbers)
        return new, {"gradient_norm": jnp.sqrt(sum(squared_norms)), **metrics}


class CompiledTrainStep:
    """A training step as two compiled programs, of which only the first depends on the shape of the batch.

    The first computes the gradients and is compiled for each task, stream key and shape. The second updates
    the state and is compiled for each task and stream key.
    """

    def __init__(
        self,
        gradient_function: GradientFunction,
        update: Update,
        map_over_seeds: MapOverSeeds | None = None,
        rename_metrics: Callable[[Metrics, str], Metrics] | None = None,
    ) -> None:
        """Makes the step; programs are compiled at their first call.

        Args:
          gradient_function: computes gradients and metrics of a batch.
          update: updates the state.
          map_over_seeds: lifts the computation of gradients to several seeds, if states and batches have a
            leading axis of seeds; metrics are then [num_seeds].
          rename_metrics: `(metrics, task) -> metrics` under the task's names, if all tasks share the same
            programs.
        """
        self._rename_metrics = rename_metrics

        def compute_gradients(
            state: TrainState, batch: Any, task: str, stream_key: str | None
        ) -> tuple[_UpdateInputs, Metrics]:
            result = gradient_function(state, batch, task, stream_key)
            losses = [value for name, value in result.metrics.items() if name.split("/")[0] == "loss"]
            max_abs_loss = jnp.max(jnp.abs(jnp.stack(losses)))
            chunk_carry = None if stream_key is None else result.chunk_carry
            return _UpdateInputs(result.gradients, max_abs_loss, chunk_carry), result.metrics

        def update_state(
            state: TrainState, inputs: _UpdateInputs, task: str, stream_key: str | None
        ) -> tuple[TrainState, Metrics]:
            chunk_carries = (
                state.chunk_carries
                if stream_key is None
                else {**state.chunk_carries, stream_key: inputs.chunk_carry}
            )
            return update(state, inputs.gradients, inputs.max_abs_loss, task, chunk_carries)

        gradients = map_over_seeds(compute_gradients) if map_over_seeds else compute_gradients
        updates = vmap_seeds(update_state, (SEED_AXES, 0)) if map_over_seeds else update_state
        self._gradients = jax.jit(gradients, static_argnums=(2, 3))
        self._update = jax.jit(updates, static_argnums=(2, 3), donate_argnums=0)

    def __call__(
        self, state: TrainState, batch: Any, task: str, stream_key: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        """Takes a step; see `TrainStep`."""
        program_task = "" if self._rename_metrics else task
        task_state = update_inputs(state, task)
        inputs, metrics = self._gradients(gradient_inputs(state, task), batch, program_task, stream_key)
        if self._rename_metrics:
            metrics = self._rename_metrics(metrics, task)
        new, update_metrics = self._update(task_state, inputs, program_task, stream_key)
        params, opt_state = merge_task((state.params, state.opt_state), (new.params, new.opt_state), task)
        new = dataclasses.replace(new, params=params, opt_state=opt_state)
        return new, {**metrics, **update_metrics}

    def programs(
        self, state: TrainState, batch: Any, task: str, stream_key: str | None
    ) -> dict[Hashable, Callable[[], Any]]:
        """Functions that compile the two programs of a step, by a key that identifies the program.

        Args:
          state: the state, or its shapes (`shapes_of`).
          batch: the batch, or its shapes.
          task: task of the step.
          stream_key: key of the chunked stream, for a chunk.
        """
        program_task = "" if self._rename_metrics else task
        chunk_carry = None if stream_key is None else state.chunk_carries[stream_key]
        loss = jax.ShapeDtypeStruct(state.key.shape, jnp.float32, sharding=state.step.sharding)
        inputs = _UpdateInputs(select_task(state.params, task), loss, chunk_carry)
        shapes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(batch))

        def compile_gradients() -> Any:
            task_state = gradient_inputs(state, task)
            return self._gradients.lower(task_state, batch, program_task, stream_key).compile()

        def compile_update() -> Any:
            task_state = update_inputs(state, task)
            return self._update.lower(task_state, inputs, program_task, stream_key).compile()

        return {
            (program_task, stream_key, shapes): compile_gradients,
            (program_task, stream_key): compile_update,
        }


def gradient_inputs(state: TrainState, task: str) -> TrainState:
    """The part of the state that the gradients of a task depend on."""
    params = select_task(state.params, task)
    return dataclasses.replace(state, params=params, opt_state=None, ema_params=None)


def update_inputs(state: TrainState, task: str) -> TrainState:
    """The part of the state that a step of a task changes.

    With thirty tasks it is a thirtieth of all arrays, and the program compiles and runs as fast as that of a
    single task. But a moving average changes in every step, whatever the task.
    """
    if state.ema_params is not None:
        return state
    params, opt_state = select_task((state.params, state.opt_state), task)
    return dataclasses.replace(state, params=params, opt_state=opt_state)


class _UpdateInputs(NamedTuple):
    """Results of the gradient program that the update program reads."""

    gradients: Params
    max_abs_loss: Any
    chunk_carry: Any
