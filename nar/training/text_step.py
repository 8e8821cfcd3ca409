"""One step of training a language model, a pure function that is compiled once per width of texts."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from nar.batches.text import TextBatch
from nar.losses import answer_loss
from nar.model.net import Params
from nar.model.text import TextModel
from nar.training.finiteness import keep_finite, squares
from nar.training.state import TrainState, move_average
from nar.training.step import Metrics, StepFunction


def make_text_step(
    model: TextModel, optimiser: optax.GradientTransformation, average_decay: float = 0.0
) -> StepFunction:
    """The compiled step.

    Metrics are scalars: `loss`, and by task `loss/<task>`, the same, and `foreseen/<task>`, the share of
    texts whose whole answer is foreseen, token by token; `gradient_norm`; and those of `keep_finite`, as of
    `nar.training.make_step`.

    Args:
      model: the network.
      optimiser: of the run.
      average_decay: of the moving average of the parameters, if the state keeps one.
    """

    def loss_function(params: Params, batch: TextBatch) -> tuple[jax.Array, jax.Array]:
        return answer_loss(model.apply(params, batch.tokens, batch.positions), batch)

    def compute(state: TrainState, batch: TextBatch) -> tuple[TrainState, Metrics]:
        (loss, foreseen), gradients = jax.value_and_grad(loss_function, has_aux=True)(state.params, batch)
        updates, optimiser_state = optimiser.update(gradients, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        average = state.average
        if average is not None:
            average = move_average(average, params, state.step + 1, average_decay)
        new = dataclasses.replace(
            state, params=params, optimiser=optimiser_state, step=state.step + 1, average=average
        )
        sums = squares(gradients)
        metrics = {"loss": loss, "foreseen": foreseen, "gradient_norm": jnp.sqrt(sum(sums))}
        return keep_finite(state, new, metrics, sums)

    compiled = jax.jit(compute, donate_argnums=0)

    def step(
        state: TrainState, batch: TextBatch, task: str, lane: str | None = None
    ) -> tuple[TrainState, Metrics]:
        del lane
        # Named outside of what is compiled, since tasks of one width compute the same.
        state, metrics = compiled(state, batch)
        named = {f"loss/{task}": metrics["loss"], f"foreseen/{task}": metrics.pop("foreseen")}
        return state, {**metrics, **named}

    return step  # pyright: ignore[reportReturnType]
