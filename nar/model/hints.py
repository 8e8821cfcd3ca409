"""Dense probe values, the form in which encoders take both ground truth and predictions.

In dense form every value is an array of floats: a pointer is a row of N weights (one-hot for ground truth, a
distribution for soft predictions), other kinds are shaped as in a trace. `densify` converts ground truth,
`decode_soft` and `decode_hard` convert logits, so that true and predicted hints have the same form.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from nar.specs import Kind, Probe

Array = jax.Array
Values = dict[str, Array]

SINKHORN_TEMPERATURE = 0.1
DECODER_SINKHORN_ITERATIONS = 10
FEEDBACK_SINKHORN_ITERATIONS = 25
OUTPUT_SINKHORN_ITERATIONS = 50


# ---------------------------------------------------------------------------------------------------
# Ground truth


def _as_float(value: Array, num_nodes: int) -> Array:
    del num_nodes
    return value.astype(jnp.float32)


def _as_one_hot(value: Array, num_nodes: int) -> Array:
    return jax.nn.one_hot(value, num_nodes)


_DENSE: Mapping[Kind, Callable[[Array, int], Array]] = MappingProxyType(
    {
        Kind.SCALAR: _as_float,
        Kind.CATEGORICAL: _as_float,
        Kind.MASK: _as_float,
        Kind.MASK_ONE: _as_float,
        Kind.POINTER: _as_one_hot,
        Kind.SHOULD_BE_PERMUTATION: _as_one_hot,
        Kind.PERMUTATION_POINTER: _as_float,
    }
)


def densify(probe: Probe, value: Array, num_nodes: int) -> Array:
    """Converts ground truth [...] to dense form; pointers [...] become [..., N]."""
    return _DENSE[probe.kind](value, num_nodes)


# ---------------------------------------------------------------------------------------------------
# Predictions


def _softmax(logits: Array, iterations: int) -> Array:
    del iterations
    return jax.nn.softmax(logits)


def _argmax(logits: Array, iterations: int) -> Array:
    del iterations
    return jax.nn.one_hot(logits.argmax(-1), logits.shape[-1])


def _soft_permutation(logits: Array, iterations: int) -> Array:
    return jnp.exp(log_sinkhorn(logits, iterations))


def _hard_permutation(logits: Array, iterations: int) -> Array:
    return _argmax(log_sinkhorn(logits, iterations), iterations)


_SOFT: Mapping[Kind, Callable[[Array, int], Array]] = MappingProxyType(
    {
        Kind.SCALAR: lambda logits, iterations: logits,
        Kind.CATEGORICAL: _softmax,
        Kind.MASK: lambda logits, iterations: jax.nn.sigmoid(logits),
        Kind.MASK_ONE: _softmax,
        Kind.POINTER: _softmax,
        Kind.SHOULD_BE_PERMUTATION: _softmax,
        Kind.PERMUTATION_POINTER: _soft_permutation,
    }
)

_HARD: Mapping[Kind, Callable[[Array, int], Array]] = MappingProxyType(
    {
        Kind.SCALAR: lambda logits, iterations: jax.lax.stop_gradient(logits),
        Kind.CATEGORICAL: _argmax,
        Kind.MASK: lambda logits, iterations: (logits > 0).astype(logits.dtype),
        Kind.MASK_ONE: _argmax,
        Kind.POINTER: _argmax,
        Kind.SHOULD_BE_PERMUTATION: _argmax,
        Kind.PERMUTATION_POINTER: _hard_permutation,
    }
)


def decode_soft(probe: Probe, logits: Array, iterations: int = FEEDBACK_SINKHORN_ITERATIONS) -> Array:
    """Converts logits to dense values by softmax, sigmoid or Sinkhorn; differentiable."""
    return _SOFT[probe.kind](logits, iterations)


def decode_hard(probe: Probe, logits: Array, iterations: int = FEEDBACK_SINKHORN_ITERATIONS) -> Array:
    """Converts logits to discrete dense values (0 or 1, one-hot), without gradients."""
    return _HARD[probe.kind](logits, iterations)


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
        uniform = jax.random.uniform(noise_key, logits.shape)
        logits = logits - jnp.log(-jnp.log(uniform + 1e-12) + 1e-12)
    x = logits / temperature
    diagonal = jnp.broadcast_to(jnp.eye(x.shape[-1]), x.shape)
    x = x - 1e6 * diagonal
    if mask is not None:
        real = mask[..., :, None] & mask[..., None, :]
        x = jnp.where(real, x, jnp.where(diagonal > 0, 0.0, -1e6))
    for _ in range(iterations):
        x = jax.nn.log_softmax(x, axis=-1)
        x = jax.nn.log_softmax(x, axis=-2)
    return x
