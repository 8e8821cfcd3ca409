"""Layer normalization (Ba et al. 2016, arXiv 1607.06450)."""

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array

EPSILON = 1e-5
"""Constant added to the variance."""


class LayerNorm(hk.Module):
    """Layer normalization over the last axis: (x - mean) / standard deviation · scale + offset.

    Parameters are those of `hk.LayerNorm`: scale [F] one, offset [F] zero. Computes in at least float32 and
    returns the dtype of x.
    """

    def __call__(self, x: Array) -> Array:
        """Normalizes x [..., F]."""
        size = x.shape[-1:]
        scale = hk.get_parameter("scale", size, init=jnp.ones)
        offset = hk.get_parameter("offset", size, init=jnp.zeros)
        x32 = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        mean = x32.mean(axis=-1, keepdims=True)
        inverse_std = jax.lax.rsqrt(x32.var(axis=-1, keepdims=True) + EPSILON)
        scale, offset = (jnp.broadcast_to(value, x.shape) for value in (scale, offset))
        return (scale * inverse_std * (x32 - mean) + offset).astype(x.dtype)
