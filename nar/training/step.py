"""One step of training, a pure function that is compiled once per task and shape of batch."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from nar.losses import losses_by_probe, total_loss
from nar.model import Model, Params
from nar.traces import TraceBatch
from nar.training.state import TrainState

Metrics = dict[str, Any]
"""Scalars by name, of jax or of numpy."""

StepFunction = Callable[[TrainState, TraceBatch, str], tuple[TrainState, Metrics]]
"""(state, batch, task) -> (new state, metrics); the old state must not be used again."""


def make_step(model: Model, optimiser: optax.GradientTransformation) -> StepFunction:
    """The compiled step.

    Metrics are scalars: `loss`, `loss/<task>/<probe>` and `gradient_norm`.
    """

    def loss_function(
        params: Params, key: jax.Array, batch: TraceBatch, task: str
    ) -> tuple[jax.Array, Mapping[str, jax.Array]]:
        predictions = model.apply(params, key, task, batch, True)
        losses = losses_by_probe(model.specs[task], batch, predictions)
        return total_loss(losses), losses

    def step(state: TrainState, batch: TraceBatch, task: str) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        gradient_of = jax.value_and_grad(loss_function, has_aux=True)
        (loss, losses), gradients = gradient_of(state.params, key, batch, task)
        updates, optimiser_state = optimiser.update(gradients, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        others = frozenset(model.specs) - {task}
        params = keep_codecs(others, params, state.params)
        optimiser_state = keep_codecs(others, optimiser_state, state.optimiser)
        metrics = {"loss": loss, "gradient_norm": optax.tree.norm(gradients)}
        metrics |= {f"loss/{task}/{name}": value for name, value in losses.items()}
        return TrainState(params, optimiser_state, state.step + 1, state.key), metrics

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
