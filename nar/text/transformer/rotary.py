"""Rotary positions (Su et al. 2021, arXiv 2104.09864)."""

import jax
import jax.numpy as jnp


def rotate(x: jax.Array, positions: jax.Array, longest_wave: float) -> jax.Array:
    """Turns pairs of features by angles in proportion to the position.

    The product of a turned query and a turned key depends on the difference of their positions alone.

    Args:
      x: queries or keys [B, L, K, D], D even; feature d goes with feature d + D/2.
      positions: int32 [B, L].
      longest_wave: pair d turns by longest_wave^(-2d/D) a position.

    Returns:
      [B, L, K, D].
    """
    half = x.shape[-1] // 2
    speeds = longest_wave ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angles = positions[:, :, None, None].astype(jnp.float32) * speeds[None, None, None, :]
    cosines, sines = jnp.cos(angles).astype(x.dtype), jnp.sin(angles).astype(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosines - second * sines, first * sines + second * cosines], axis=-1)
