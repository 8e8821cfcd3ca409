"""Training step of a language model, compiled once per padded text length."""

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
    """Returns the compiled training step.

    Metrics are scalars: `loss`; by task, `loss/<task>` (the same) and `foreseen/<task>` (share of texts whose
    answer is predicted exactly under teacher forcing); `gradient_norm`; and those of `reject_non_finite`, as
    in `nar.training.make_train_step`.

    Args:
      model: the language model.
      optimizer: optimizer of the run.
      ema_decay: decay of the moving average of the parameters, if the state keeps one.
    """

    def loss_function(params: Params, batch: TextBatch) -> tuple[jax.Array, jax.Array]:
        return answer_loss(model.apply(params, batch.tokens, batch.positions), batch)

    def gradients(state: TrainState, batch: TextBatch, task: str, stream_key: str | None) -> StepGradients:
        del task, stream_key
        (loss, exact), grads = jax.value_and_grad(loss_function, has_aux=True)(state.params, batch)
        return StepGradients(grads, {"loss": loss, "foreseen": exact})

    def rename_metrics(metrics: Metrics, task: str) -> Metrics:
        return {
            "loss": metrics["loss"],
            f"loss/{task}": metrics["loss"],
            f"foreseen/{task}": metrics["foreseen"],
        }

    # The program depends on the padded length only, not on the task.
    return CompiledTrainStep(gradients, Update(optimizer, ema_decay), rename_metrics=rename_metrics)
