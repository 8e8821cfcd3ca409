"""One step of training, a pure function that is compiled once per task and shape of batch."""

import functools
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax

from nar.losses import loss_counts, loss_factors, losses_by_probe, total_loss
from nar.model import Model, Params, Recurrent
from nar.specs import Stage
from nar.traces import TraceBatch
from nar.training.accumulate import Part, value_and_gradient
from nar.training.devices import Devices
from nar.training.finiteness import keep_finite, squares
from nar.training.replicas import AXES
from nar.training.state import TrainState, move_average

Metrics = dict[str, Any]
"""Scalars by name, of jax or of numpy; and `FINITE`, which a guard takes out."""


class StepFunction(Protocol):
    """One step of training."""

    def __call__(
        self, state: TrainState, batch: TraceBatch, task: str, lane: str | None = None, /
    ) -> tuple[TrainState, Metrics]:
        """The new state, and metrics.

        Args:
          state: before the step; it must not be used again.
          batch: of traces, or a chunk.
          task: name of the algorithm.
          lane: of a chunk, the one that it is of.
        """
        ...


def make_step(
    model: Model,
    optimiser: optax.GradientTransformation,
    loss_weights: Mapping[str, float] | None = None,
    average_decay: float = 0.0,
    num_parts: int = 1,
    devices: Devices | None = None,
    replicated: bool = False,
) -> StepFunction:
    """The compiled step.

    Metrics are scalars: `loss`, which is the weighted total; `loss/<task>/<probe>`, which are not weighted;
    `gradient_norm`; `steps/<task>`, if the network learns when to stop; and those of `keep_finite`: where
    something is not finite, all but the number of the step stays as it was.

    Args:
      model: the network.
      optimiser: of the run.
      loss_weights: as in `nar.losses.loss_factors`; where hints are not supervised, theirs is 0 in any case.
      average_decay: of the moving average of the parameters, if the state keeps one.
      num_parts: in how many parts a batch is taken, one after another.
      devices: where states are, if they are on several.
      replicated: whether states and batches are those of replicas; then metrics are [replicas].
    """
    weights = dict(loss_weights or {})
    if not model.config.hints.supervised:
        weights[Stage.HINT.value] = 0.0

    def loss_function(
        params: Params, part: Part, step: jax.Array, task: str
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], Any]]:
        spec = model.specs[task]
        predictions = model.apply(
            params, part.key, task, part.batch, True, training_step=step, recurrent=part.rows
        )
        losses = part.weigh(losses_by_probe(spec, part.batch, predictions))
        metrics = {f"loss/{task}/{name}": value for name, value in losses.items()}
        if predictions.halting is not None:
            metrics[f"steps/{task}"] = predictions.steps.mean() / num_parts
        total = total_loss(losses, loss_factors(spec, task, losses, weights))
        return total, (metrics, predictions.recurrent)

    def step(
        state: TrainState, batch: TraceBatch, task: str, lane: str | None = None
    ) -> tuple[TrainState, Metrics]:
        (loss, (metrics, recurrent)), gradients = value_and_gradient(
            functools.partial(loss_function, step=state.step, task=task),
            state.params,
            Part(
                batch,
                jax.random.fold_in(state.key, state.step),
                rows=None if lane is None else state.recurrent[lane],
            ),
            num_parts,
            functools.partial(loss_counts, model.config, model.specs[task]),
        )
        updates, optimiser_state = optimiser.update(gradients, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        others = frozenset(model.specs) - {task}
        params = keep_codecs(others, params, state.params)
        optimiser_state = keep_codecs(others, optimiser_state, state.optimiser)
        sums = squares(gradients)
        metrics = {"loss": loss, "gradient_norm": jnp.sqrt(sum(sums)), **metrics}
        average = state.average
        if average is not None:
            average = move_average(average, params, state.step + 1, average_decay)
        of_lanes = state.recurrent if lane is None else {**state.recurrent, lane: everywhere(recurrent)}
        new = TrainState(params, optimiser_state, state.step + 1, state.key, average, of_lanes)
        return keep_finite(state, new, metrics, sums)

    def everywhere(recurrent: Recurrent) -> Recurrent:
        # What is computed where its rows are is to be a copy on all devices, as a state is.
        return jax.lax.with_sharding_constraint(recurrent, devices.replicated) if devices else recurrent

    def of_replicas(
        state: TrainState, batch: TraceBatch, task: str, lane: str | None = None
    ) -> tuple[TrainState, Metrics]:
        one = functools.partial(step, task=task, lane=lane)
        return jax.vmap(one, in_axes=(AXES, 0), out_axes=(AXES, 0))(state, batch)

    return jax.jit(of_replicas if replicated else step, static_argnums=(2, 3), donate_argnums=0)


def keep_codecs(tasks: frozenset[str], new: Any, old: Any) -> Any:
    """New parameters or optimiser state, but old ones for the encoders and decoders of some tasks.

    Their gradients are zero in a step of another task, but an optimiser with momentum would move them all the
    same.
    """

    def choose(path: tuple[Any, ...], new_leaf: jax.Array, old_leaf: jax.Array) -> jax.Array:
        modules = [str(key.key) for key in path if isinstance(key, jax.tree_util.DictKey)]
        return old_leaf if any(module.split("/")[0] in tasks for module in modules) else new_leaf

    return jax.tree_util.tree_map_with_path(choose, new, old)
