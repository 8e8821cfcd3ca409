"""One step of training a language model, whose gradients are compiled once per width of texts."""

import jax
import optax

from nar.model.init import Params
from nar.text.loss import answer_loss
from nar.text.stream import TextBatch
from nar.text.transformer import TextModel
from nar.training.state import TrainState
from nar.training.train_step.update import CompiledTrainStep, Metrics, StepGradients, Update


def make_text_step(
    model: TextModel, optimizer: optax.GradientTransformation, ema_decay: float = 0.0
) -> CompiledTrainStep:
    """The compiled step.

    Metrics are scalars: `loss`, and by task `loss/<task>`, the same, and `foreseen/<task>`, the share of
    texts whose whole answer is foreseen, token by token; `gradient_norm`; and those of `reject_non_finite`, as of
    `nar.training.make_train_step`.

    Args:
      model: the network.
      optimizer: of the run.
      ema_decay: of the moving average of the parameters, if the state keeps one.
    """

    def loss_function(params: Params, batch: TextBatch) -> tuple[jax.Array, jax.Array]:
        return answer_loss(model.apply(params, batch.tokens, batch.positions), batch)

    def gradients(state: TrainState, batch: TextBatch, task: str, stream_key: str | None) -> StepGradients:
        del task, stream_key
        (loss, foreseen), found = jax.value_and_grad(loss_function, has_aux=True)(state.params, batch)
        return StepGradients(found, {"loss": loss, "foreseen": foreseen})

    def named(metrics: Metrics, task: str) -> Metrics:
        return {
            "loss": metrics["loss"],
            f"loss/{task}": metrics["loss"],
            f"foreseen/{task}": metrics["foreseen"],
        }

    # Tasks of one width compute the same.
    return CompiledTrainStep(gradients, Update(optimizer, ema_decay), rename_metrics=named)
