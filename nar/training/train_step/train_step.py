"""Training step of a graph network, compiled once per task and batch shape."""

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
from nar.training.optim.optimizers import check_several_tasks
from nar.training.state import TrainState
from nar.training.train_step.gradient_accumulation import MicroBatch, accumulated_value_and_grad
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
    """Makes the compiled training step.

    Its metrics are scalars: `loss`, the weighted total; `loss/<task>/<probe>`, not weighted; `gradient_norm`;
    `steps/<task>`, if termination is learned; and those of `reject_non_finite`: if anything is not finite,
    only the step number of the state changes.

    Args:
      model: the network.
      optimizer: the optimizer of the state.
      loss_weights: see `nar.losses.resolve_loss_weights`; the weight of unsupervised hints is always 0.
      ema_decay: decay of the parameters' moving average, if the state has one.
      num_microbatches: gradient-accumulation steps, or `nar.data.AUTO_MICROBATCHES`.
      devices: devices of the state, if there are several.
      map_over_seeds: lifts the computation of gradients to several seeds, if states and batches have a
        leading axis of seeds; metrics are then [num_seeds].

    Raises:
      ValueError: if there are several tasks and the optimizer cannot update their parameters separately.
    """
    if len(model.specs) > 1:
        check_several_tasks(optimizer)
    weights = loss_weights or {}

    def compute_gradients(
        state: TrainState, batch: TraceBatch, task: str, stream_key: str | None
    ) -> StepGradients:
        carry = None if stream_key is None else state.chunk_carries[stream_key]
        count = count_microbatches(batch, num_microbatches)
        (loss, (metrics, chunk_carry)), gradients = accumulated_value_and_grad(
            functools.partial(_loss_function(model, weights, count), step=state.step, task=task),
            state.params,
            MicroBatch(batch, jax.random.fold_in(state.key, state.step), carry=carry),
            count,
            functools.partial(loss_counts, model.config, model.specs[task]),
        )
        result = StepGradients(gradients, {"loss": loss, **metrics}, chunk_carry)
        # Results are replicated like the state, though they are computed from a sharded batch.
        return jax.lax.with_sharding_constraint(result, devices.replicated) if devices else result

    update = Update(optimizer, ema_decay)
    return CompiledTrainStep(compute_gradients, update, map_over_seeds)


def _loss_function(
    model: Model, loss_weights: Mapping[str, float], num_microbatches: int
) -> Callable[..., Any]:
    """Makes the loss of a micro-batch, `(params, microbatch, step, task) -> (loss, (metrics, carry))`."""
    weights = dict(loss_weights)
    if not model.config.hints.supervised:
        weights[Stage.HINT.value] = 0.0

    def loss_of(
        params: Params, microbatch: MicroBatch, step: jax.Array, task: str
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], Any]]:
        spec = model.specs[task]
        predictions = model.apply(
            params,
            microbatch.key,
            task,
            microbatch.batch,
            True,
            training_step=step,
            chunk_carry=microbatch.carry,
        )
        losses = microbatch.weight_losses(losses_by_probe(spec, microbatch.batch, predictions))
        metrics = {f"loss/{task}/{name}": value for name, value in losses.items()}
        if predictions.halting is not None:
            metrics[f"steps/{task}"] = predictions.steps.mean() / num_microbatches
        total = total_loss(losses, resolve_loss_weights(spec, task, losses, weights))
        return total, (metrics, predictions.chunk_carry)

    return loss_of
