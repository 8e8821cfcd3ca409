"""Loss of a language model over the tokens of answers."""

import jax
import jax.numpy as jnp
import optax

from nar.losses import LossTerm, ObjectiveContext, masked_term
from nar.model import Params
from nar.text.stream import TextBatch
from nar.text.transformer import TextModel


def answer_objective(
    model: TextModel, params: Params, key: jax.Array, batch: TextBatch, context: ObjectiveContext
) -> dict[str, LossTerm]:
    """The loss of answers, and the metric `exact_match`, their exact-match accuracy under teacher forcing."""
    del key
    loss, context.metrics["exact_match"] = answer_loss(
        model.apply(params, batch.tokens, batch.positions), batch
    )
    return {"answers": loss}


def answer_loss(logits: jax.Array, batch: TextBatch) -> tuple[LossTerm, LossTerm]:
    """Next-token cross-entropy of answers under teacher forcing, and exact-match accuracy.

    Args:
      logits: [B, L, V], of the token that follows each one.
      batch: B texts of L tokens.

    Returns:
      The cross-entropy over all answer tokens of the batch, `END` included; and, over texts, whether all
      answer tokens are the argmax, so that greedy decoding gets the answer exactly right.
    """
    expected, counts = batch.tokens[:, 1:], jnp.asarray(batch.is_answer)[:, 1:]
    logits = logits[:, :-1]
    losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, expected)
    exact = jnp.all((logits.argmax(axis=-1) == expected) | ~counts, axis=1)
    return masked_term(losses, counts), LossTerm(exact.sum(), jnp.asarray(exact.size))
