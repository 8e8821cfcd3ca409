"""One step of training a graph network; its gradients are compiled once per task and shape of batch."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from nar.batches import num_parts_of
from nar.losses import loss_counts, loss_factors, losses_by_probe, total_loss
from nar.model import Model, Params
from nar.specs import Stage
from nar.traces import TraceBatch
from nar.training.accumulate import Part, value_and_gradient
from nar.training.devices import Devices
from nar.training.replicas import OverReplicas
from nar.training.state import TrainState
from nar.training.update import Found, TwoPrograms, Update


def make_step(
    model: Model,
    optimiser: optax.GradientTransformation,
    loss_weights: Mapping[str, float] | None = None,
    average_decay: float = 0.0,
    num_parts: int = 1,
    devices: Devices | None = None,
    replicas: OverReplicas | None = None,
) -> TwoPrograms:
    """The compiled step.

    Metrics are scalars: `loss`, which is the weighted total; `loss/<task>/<probe>`, which are not weighted;
    `gradient_norm`; `steps/<task>`, if the network learns when to stop; and those of `keep_finite`: where
    something is not finite, all but the number of the step stays as it was.

    Args:
      model: the network.
      optimiser: of the run.
      loss_weights: as in `nar.losses.loss_factors`; where hints are not supervised, theirs is 0 in any case.
      average_decay: of the moving average of the parameters, if the state keeps one.
      num_parts: in how many parts a batch is taken, one after another, or `nar.batches.BY_SHAPE`.
      devices: where states are, if they are on several.
      replicas: how the gradients of replicas are found, if states and batches are those of replicas; then
        metrics are [replicas].
    """
    weights = loss_weights or {}

    def gradients(state: TrainState, batch: TraceBatch, task: str, lane: str | None) -> Found:
        rows = None if lane is None else state.recurrent[lane]
        parts = num_parts_of(batch, num_parts)
        (loss, (metrics, handed_on)), found = value_and_gradient(
            functools.partial(_loss_function(model, weights, parts), step=state.step, task=task),
            state.params,
            Part(batch, jax.random.fold_in(state.key, state.step), rows=rows),
            parts,
            functools.partial(loss_counts, model.config, model.specs[task]),
        )
        whole = Found(found, {"loss": loss, **metrics}, handed_on)
        # What is computed where its rows are is to be a copy on all devices, as a state is.
        return jax.lax.with_sharding_constraint(whole, devices.replicated) if devices else whole

    update = Update(optimiser, average_decay, frozenset(model.specs))
    return TwoPrograms(gradients, update, replicas)


def _loss_function(model: Model, loss_weights: Mapping[str, float], num_parts: int) -> Callable[..., Any]:
    """The loss of a part of a batch, with metrics and with what its chunk hands on."""
    weights = dict(loss_weights)
    if not model.config.hints.supervised:
        weights[Stage.HINT.value] = 0.0

    def loss_of(
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

    return loss_of
