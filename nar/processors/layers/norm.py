"""Layer normalisation (Ba et al. 2016, arXiv 1607.06450)."""

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array

EPSILON = 1e-5
"""Added to the variance."""


class LayerNorm(hk.Module):
    """(x - mean) / standard deviation · scale + offset, over the last axis.

    Parameters are those of `hk.LayerNorm`: scale [F] one, offset [F] zero. It computes in float32 at least,
    and returns what it is given: bfloat16 for bfloat16.
    """

    def __call__(self, x: Array) -> Array:
        """Normalises x [..., F]."""
        size = x.shape[-1:]
        scale = hk.get_parameter("scale", size, init=jnp.ones)
        offset = hk.get_parameter("offset", size, init=jnp.zeros)
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        mean = wide.mean(axis=-1, keepdims=True)
        spread = jax.lax.rsqrt(wide.var(axis=-1, keepdims=True) + EPSILON)
        scale, offset = (jnp.broadcast_to(value, x.shape) for value in (scale, offset))
        return (scale * spread * (wide - mean) + offset).astype(x.dtype)
