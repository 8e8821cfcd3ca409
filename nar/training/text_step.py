"""One step of training a language model, whose gradients are compiled once per width of texts."""

import jax
import optax

from nar.batches.text import TextBatch
from nar.losses import answer_loss
from nar.model.initial import Params
from nar.model.text import TextModel
from nar.training.state import TrainState
from nar.training.update import Found, Metrics, TwoPrograms, Update


def make_text_step(
    model: TextModel, optimiser: optax.GradientTransformation, average_decay: float = 0.0
) -> TwoPrograms:
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

    def gradients(state: TrainState, batch: TextBatch, task: str, lane: str | None) -> Found:
        del task, lane
        (loss, foreseen), found = jax.value_and_grad(loss_function, has_aux=True)(state.params, batch)
        return Found(found, {"loss": loss, "foreseen": foreseen})

    def named(metrics: Metrics, task: str) -> Metrics:
        return {
            "loss": metrics["loss"],
            f"loss/{task}": metrics["loss"],
            f"foreseen/{task}": metrics["foreseen"],
        }

    # Tasks of one width compute the same.
    return TwoPrograms(gradients, Update(optimiser, average_decay), named=named)
