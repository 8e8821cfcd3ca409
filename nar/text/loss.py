"""Loss of a language model over the tokens of answers."""

import jax
import jax.numpy as jnp
import optax

from nar.text.stream import TextBatch


def answer_loss(logits: jax.Array, batch: TextBatch) -> tuple[jax.Array, jax.Array]:
    """Next-token cross-entropy of answers under teacher forcing, and exact-match accuracy.

    Args:
      logits: [B, L, V], of the token that follows each one.
      batch: B texts of L tokens.

    Returns:
      The cross-entropy, a mean over all answer tokens of the batch, `END` included; and the share of texts
      all of whose answer tokens are the argmax, so that greedy decoding gets their answers exactly right.
    """
    expected, counts = batch.tokens[:, 1:], jnp.asarray(batch.is_answer)[:, 1:]
    logits = logits[:, :-1]
    losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, expected)
    loss = jnp.where(counts, losses, 0).sum() / jnp.maximum(counts.sum(), 1)
    exact = jnp.all((logits.argmax(axis=-1) == expected) | ~counts, axis=1).mean()
    return loss, exact
