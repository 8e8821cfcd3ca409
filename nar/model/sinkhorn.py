"""Sinkhorn operator: doubly stochastic matrices for probes whose pointers form a permutation."""

import jax
import jax.numpy as jnp

Array = jax.Array

SINKHORN_TEMPERATURE = 0.1
DECODER_SINKHORN_ITERATIONS = 10
FEEDBACK_SINKHORN_ITERATIONS = 25
OUTPUT_SINKHORN_ITERATIONS = 50


def log_sinkhorn(
    logits: Array,
    iterations: int,
    *,
    temperature: float = SINKHORN_TEMPERATURE,
    mask: Array | None = None,
    noise_key: Array | None = None,
) -> Array:
    """Log of a doubly stochastic matrix with zero diagonal (Sinkhorn; Mena et al. 2018, arXiv 1802.08665).

    Args:
      logits: [..., N, N].
      iterations: number of normalizations of rows and columns.
      temperature: lower is closer to a permutation.
      mask: [..., N] bool, the real nodes; a padding node is mapped to itself.
      noise_key: random key of Gumbel noise added to the logits; None for no noise.

    Returns:
      [..., N, N].
    """
    if noise_key is not None:
        uniform = jax.random.uniform(noise_key, logits.shape, jnp.float32)
        logits = logits - jnp.log(-jnp.log(uniform + 1e-12) + 1e-12)
    x = logits / temperature
    diagonal = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=jnp.float32), x.shape)
    x = x - 1e6 * diagonal
    if mask is not None:
        real = mask[..., :, None] & mask[..., None, :]
        x = jnp.where(real, x, jnp.where(diagonal > 0, 0.0, -1e6))
    for _ in range(iterations):
        x = jax.nn.log_softmax(x, axis=-1)
        x = jax.nn.log_softmax(x, axis=-2)
    return x
