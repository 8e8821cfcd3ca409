"""The loss of a language model: of the tokens of answers alone."""

import jax
import jax.numpy as jnp
import optax

from nar.text.stream import TextBatch


def answer_loss(logits: jax.Array, batch: TextBatch) -> tuple[jax.Array, jax.Array]:
    """How badly the tokens of answers are foreseen, each from the true ones before it.

    Args:
      logits: of the token behind each, [B, L, tokens of the alphabet].
      batch: B texts of L tokens.

    Returns:
      The cross-entropy, a mean over all tokens of answers, `END` included; and the share of texts with each
      such token foreseen, which are the answers that the network writes exactly.
    """
    expected, counts = batch.tokens[:, 1:], jnp.asarray(batch.is_answer)[:, 1:]
    logits = logits[:, :-1]
    losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, expected)
    loss = jnp.where(counts, losses, 0).sum() / jnp.maximum(counts.sum(), 1)
    exact = jnp.all((logits.argmax(axis=-1) == expected) | ~counts, axis=1).mean()
    return loss, exact
