"""One step of training, a pure function that is compiled once per task and shape of batch."""

from collections.abc import Callable, Mapping

import jax
import optax

from nar.losses import losses_by_probe, total_loss
from nar.model import Model, Params
from nar.traces import TraceBatch
from nar.training.state import TrainState

Metrics = dict[str, jax.Array]

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
        others = [name for name in model.specs if name != task]
        if others:
            concerned = concerns(state.params, others)
            params = jax.tree.map(_choose, params, state.params, concerned)
            optimiser_state = optax.tree.map_params(
                optimiser, _choose, optimiser_state, state.optimiser, concerned
            )
        metrics = {"loss": loss, "gradient_norm": optax.global_norm(gradients)}
        metrics |= {f"loss/{task}/{name}": value for name, value in losses.items()}
        return TrainState(params, optimiser_state, state.step + 1, state.key), metrics

    return jax.jit(step, static_argnums=2, donate_argnums=0)


def concerns(params: Params, other_tasks: list[str]) -> Params:
    """A tree like params: False for encoders and decoders of other tasks, which a step leaves untouched.

    Their gradients are zero, but an optimiser with momentum would move them all the same.
    """
    return {
        module: dict.fromkeys(leaves, module.split("/")[0] not in other_tasks)
        for module, leaves in params.items()
    }


def _choose(new: jax.Array, old: jax.Array, concerned: bool) -> jax.Array:
    return new if concerned else old
