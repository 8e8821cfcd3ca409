"""Rotary position embeddings (Su et al. 2021, arXiv 2104.09864)."""

import jax
import jax.numpy as jnp


def rotate(x: jax.Array, positions: jax.Array, rope_theta: float) -> jax.Array:
    """Rotates pairs of features by angles proportional to the position.

    The inner product of a rotated query and a rotated key depends only on the difference of their positions.

    Args:
      x: queries or keys [B, L, K, D], D even; feature d is paired with feature d + D/2.
      positions: int32 [B, L].
      rope_theta: pair d rotates by rope_theta^(-2d/D) radians per position.

    Returns:
      [B, L, K, D].
    """
    half = x.shape[-1] // 2
    frequencies = rope_theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angles = positions[:, :, None, None].astype(jnp.float32) * frequencies[None, None, None, :]
    cosines, sines = jnp.cos(angles).astype(x.dtype), jnp.sin(angles).astype(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosines - second * sines, first * sines + second * cosines], axis=-1)
