"""Gradients and metrics of an objective."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from nar.data.views import BATCH, all_views
from nar.losses import LossTerm, Objective, ObjectiveContext, total_loss
from nar.model import Params
from nar.training.devices.mesh import Devices
from nar.training.state import TrainState
from nar.training.train_step.gradient_accumulation import (
    MicroBatch,
    ObjectiveResult,
    accumulated_value_and_grad,
)
from nar.training.train_step.update import GradientFunction, StepGradients


def make_gradient_function(
    model: Any,
    objective: Objective,
    weights: Callable[[str, Iterable[str]], Mapping[str, float]] = lambda task, names: {},
    count_microbatches: Callable[[Any], int] = lambda batch: 1,
    devices: Devices | None = None,
) -> GradientFunction:
    """Makes the function that computes the gradients of a step.

    Its metrics are `loss`, the weighted total; `loss/<task>/<name>`, not weighted; and `<name>/<task>` for
    the other metrics of the objective.

    Args:
      model: the network.
      objective: what is optimized.
      weights: `(task, names of losses) -> weights`.
      count_microbatches: number of micro-batches of a batch.
      devices: devices of the state, if there are several.
    """

    def compute_gradients(state: TrainState, batch: Any, task: str, stream_key: str | None) -> StepGradients:
        carry = {} if stream_key is None else state.chunk_carries[stream_key]
        key = jax.random.fold_in(state.key, state.step)
        result, gradients = accumulated_value_and_grad(
            functools.partial(evaluate_objective, objective, model, task),
            lambda losses: total_loss(losses, weights(task, losses)),
            state.params,
            MicroBatch(batch, key, state.step, carry),
            count_microbatches(batch),
        )
        metrics = {"loss": result.loss}
        metrics |= {f"loss/{task}/{name}": loss for name, loss in result.losses.items()}
        metrics |= {f"{name}/{task}": value for name, value in result.metrics.items()}
        step = StepGradients(gradients, metrics, result.carry)
        # Results are replicated like the state, though they are computed from a sharded batch.
        return jax.lax.with_sharding_constraint(step, devices.replicated) if devices else step

    return compute_gradients


def evaluate_objective(
    objective: Objective, model: Any, task: str, params: Params, microbatch: MicroBatch
) -> ObjectiveResult:
    """Evaluates an objective on a micro-batch.

    Raises:
      ValueError: if the objective does not return losses by name.
    """
    views = all_views(microbatch.batch)
    batch = views.pop(BATCH)
    context = ObjectiveContext(task, batch, microbatch.step, views, dict(microbatch.carry))
    terms = objective(model, params, microbatch.key, batch, context)
    if not isinstance(terms, Mapping):
        raise ValueError(f"an objective must return a nar.losses.LossTerm by name, got {type(terms)}")
    terms = dict(terms)
    wrong = {name: value for name, value in terms.items() if not isinstance(value, LossTerm)}
    if wrong or not terms:
        raise ValueError(f"an objective must return a nar.losses.LossTerm by name, got {wrong or terms}")
    return ObjectiveResult(terms, dict(context.metrics), context.chunk_carries)
