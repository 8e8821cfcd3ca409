"""Training step of a language model, compiled once per padded text length."""

import optax

from nar.text.loss import answer_objective
from nar.text.transformer import TextModel
from nar.training.train_step.objective_gradients import make_gradient_function
from nar.training.train_step.update import CompiledTrainStep, Metrics, Update


def make_text_step(
    model: TextModel, optimizer: optax.GradientTransformation, ema_decay: float = 0.0
) -> CompiledTrainStep:
    """Returns the compiled training step.

    Metrics are scalars: `loss`; by task, `loss/<task>` (the same) and `exact_match/<task>` (fraction of texts
    whose answer is predicted exactly under teacher forcing); `gradient_norm`; and those of
    `reject_non_finite`, as in `nar.training.make_train_step`.

    Args:
      model: the language model.
      optimizer: optimizer of the run.
      ema_decay: decay of the moving average of the parameters, if the state keeps one.
    """

    def rename_metrics(metrics: Metrics, task: str) -> Metrics:
        loss, exact_match = metrics["loss"], metrics["exact_match/"]
        return {"loss": loss, f"loss/{task}": loss, f"exact_match/{task}": exact_match}

    # The program depends on the padded length only, not on the task.
    gradients = make_gradient_function(model, answer_objective)
    return CompiledTrainStep(gradients, Update(optimizer, ema_decay), rename_metrics=rename_metrics)
