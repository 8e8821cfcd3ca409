"""One step of training a graph network; its gradients are compiled once per task and shape of batch."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from nar.data import count_microbatches
from nar.losses import loss_counts, losses_by_probe, resolve_loss_weights, total_loss
from nar.model import Model, Params
from nar.specs import Stage
from nar.traces import TraceBatch
from nar.training.devices.mesh import Devices
from nar.training.state import TrainState
from nar.training.train_step.gradient_accumulation import MicroBatch, value_and_gradient
from nar.training.train_step.multi_seed import MapOverSeeds
from nar.training.train_step.update import CompiledTrainStep, StepGradients, Update


def make_train_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    loss_weights: Mapping[str, float] | None = None,
    ema_decay: float = 0.0,
    num_microbatches: int = 1,
    devices: Devices | None = None,
    map_over_seeds: MapOverSeeds | None = None,
) -> CompiledTrainStep:
    """The compiled step.

    Metrics are scalars: `loss`, which is the weighted total; `loss/<task>/<probe>`, which are not weighted;
    `gradient_norm`; `steps/<task>`, if the network learns when to stop; and those of `keep_finite`: where
    something is not finite, all but the number of the step stays as it was.

    Args:
      model: the network.
      optimizer: of the run.
      loss_weights: see `nar.losses.resolve_loss_weights`; without supervised hints theirs is always 0.
      ema_decay: of the moving average of the parameters, if the state keeps one.
      num_microbatches: gradient-accumulation steps, or `nar.data.AUTO_MICROBATCHES`.
      devices: where states are, if they are on several.
      map_over_seeds: how the gradients of seeds are found, if states and batches are those of replicas; then
        metrics are [replicas].
    """
    weights = loss_weights or {}

    def gradients(state: TrainState, batch: TraceBatch, task: str, stream_key: str | None) -> StepGradients:
        carry = None if stream_key is None else state.recurrent[stream_key]
        parts = count_microbatches(batch, num_microbatches)
        (loss, (metrics, chunk_carry)), found = value_and_gradient(
            functools.partial(_loss_function(model, weights, parts), step=state.step, task=task),
            state.params,
            MicroBatch(batch, jax.random.fold_in(state.key, state.step), carry=carry),
            parts,
            functools.partial(loss_counts, model.config, model.specs[task]),
        )
        whole = StepGradients(found, {"loss": loss, **metrics}, chunk_carry)
        # What is computed where its rows are is to be a copy on all devices, as a state is.
        return jax.lax.with_sharding_constraint(whole, devices.replicated) if devices else whole

    update = Update(optimizer, ema_decay, frozenset(model.specs))
    return CompiledTrainStep(gradients, update, map_over_seeds)


def _loss_function(
    model: Model, loss_weights: Mapping[str, float], num_microbatches: int
) -> Callable[..., Any]:
    """The loss of a part of a batch, with metrics and with what its chunk hands on."""
    weights = dict(loss_weights)
    if not model.config.hints.supervised:
        weights[Stage.HINT.value] = 0.0

    def loss_of(
        params: Params, part: MicroBatch, step: jax.Array, task: str
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], Any]]:
        spec = model.specs[task]
        predictions = model.apply(
            params, part.key, task, part.batch, True, training_step=step, chunk_carry=part.carry
        )
        losses = part.weight_losses(losses_by_probe(spec, part.batch, predictions))
        metrics = {f"loss/{task}/{name}": value for name, value in losses.items()}
        if predictions.halting is not None:
            metrics[f"steps/{task}"] = predictions.steps.mean() / num_microbatches
        total = total_loss(losses, resolve_loss_weights(spec, task, losses, weights))
        return total, (metrics, predictions.chunk_carry)

    return loss_of
