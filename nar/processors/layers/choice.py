"""Choice of one of several options that has a gradient: the straight-through Gumbel softmax."""

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context


def choose(logits: Array, temperature: float, key: Array | None) -> Array:
    """Chooses an option per row (Jang et al. 2017, arXiv 1611.01144).

    In training, with a random key, options are drawn with the probabilities softmax(logits), and the gradient
    is that of the softmax of logits plus noise at this temperature. Without a key the most probable option is
    chosen, the first one if there are several.

    Args:
      logits: [..., K].
      temperature: temperature of the softmax.
      key: random key, or None.

    Returns:
      One-hot rows [..., K], float32.
    """
    logits = logits.astype(jnp.float32)
    if key is not None:
        logits = logits + jax.random.gumbel(key, logits.shape)
    soft = jax.nn.softmax(logits / temperature, axis=-1)
    hard = jax.nn.one_hot(logits.argmax(axis=-1), logits.shape[-1])
    return soft + jax.lax.stop_gradient(hard - soft)


def choice_key(context: Context) -> Array | None:
    """The key of `choose` in a processor: a new random one in training, None outside of it."""
    return hk.next_rng_key() if context.is_training else None
