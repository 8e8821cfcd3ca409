"""One step of training, a pure function that is compiled once per task and shape of batch."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from nar.losses import loss_factors, losses_by_probe, total_loss
from nar.model import Model, Params
from nar.specs import Stage
from nar.traces import TraceBatch
from nar.training.state import TrainState, move_average

Metrics = dict[str, Any]
"""Scalars by name, of jax or of numpy."""

StepFunction = Callable[[TrainState, TraceBatch, str], tuple[TrainState, Metrics]]
"""(state, batch, task) -> (new state, metrics); the old state must not be used again."""


def make_step(
    model: Model,
    optimiser: optax.GradientTransformation,
    loss_weights: Mapping[str, float] | None = None,
    average_decay: float = 0.0,
) -> StepFunction:
    """The compiled step.

    Metrics are scalars: `loss`, which is the weighted total; `loss/<task>/<probe>`, which are not weighted;
    `gradient_norm`; and `steps/<task>`, if the network learns when to stop.

    Args:
      model: the network.
      optimiser: of the run.
      loss_weights: as in `nar.losses.loss_factors`; where hints are not supervised, theirs is 0 in any case.
      average_decay: of the moving average of the parameters, if the state keeps one.
    """
    weights = dict(loss_weights or {})
    if not model.config.hints.supervised:
        weights[Stage.HINT.value] = 0.0

    def loss_function(
        params: Params, state: TrainState, batch: TraceBatch, task: str
    ) -> tuple[jax.Array, Mapping[str, jax.Array]]:
        key, spec = jax.random.fold_in(state.key, state.step), model.specs[task]
        predictions = model.apply(params, key, task, batch, True, training_step=state.step)
        losses = losses_by_probe(spec, batch, predictions)
        metrics = {f"loss/{task}/{name}": value for name, value in losses.items()}
        if predictions.halting is not None:
            metrics[f"steps/{task}"] = predictions.steps.mean()
        return total_loss(losses, loss_factors(spec, task, losses, weights)), metrics

    def step(state: TrainState, batch: TraceBatch, task: str) -> tuple[TrainState, Metrics]:
        gradient_of = jax.value_and_grad(loss_function, has_aux=True)
        (loss, metrics), gradients = gradient_of(state.params, state, batch, task)
        updates, optimiser_state = optimiser.update(gradients, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        others = frozenset(model.specs) - {task}
        params = keep_codecs(others, params, state.params)
        optimiser_state = keep_codecs(others, optimiser_state, state.optimiser)
        metrics = {"loss": loss, "gradient_norm": optax.tree.norm(gradients), **metrics}
        average = state.average
        if average is not None:
            average = move_average(average, params, state.step + 1, average_decay)
        return TrainState(params, optimiser_state, state.step + 1, state.key, average), metrics

    return jax.jit(step, static_argnums=2, donate_argnums=0)


def keep_codecs(tasks: frozenset[str], new: Any, old: Any) -> Any:
    """New parameters or optimiser state, but old ones for the encoders and decoders of some tasks.

    Their gradients are zero in a step of another task, but an optimiser with momentum would move them all the
    same.
    """

    def choose(path: tuple[Any, ...], new_leaf: jax.Array, old_leaf: jax.Array) -> jax.Array:
        modules = [str(key.key) for key in path if isinstance(key, jax.tree_util.DictKey)]
        return old_leaf if any(module.split("/")[0] in tasks for module in modules) else new_leaf

    return jax.tree_util.tree_map_with_path(choose, new, old)
