"""What attention over neighbours has in common, whatever its logits."""

import jax
import jax.numpy as jnp

from nar.processors.base import Array
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm

NO_NEIGHBOR = -1e9
"""Logit of a node that is no neighbour."""


def attend(logits: Array, values: Array, adjacency: Array) -> Array:
    """Means of the neighbours' values, weighted by the softmax of the logits.

    Args:
      logits: [B, N, N, K], of node i (axis 1) for node j (axis 2), for each of K heads.
      values: [B, N, H]; head k reads the k-th of K equal parts.
      adjacency: [B, N, N] bool.

    Returns:
      [B, N, H], of the type of the values.
    """
    batch_size, num_nodes, size = values.shape
    num_heads = logits.shape[-1]
    wide = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    weights = jax.nn.softmax(jnp.where(adjacency[..., None], wide, NO_NEIGHBOR), axis=2)
    parts = values.reshape(batch_size, num_nodes, num_heads, size // num_heads)
    received = jnp.einsum("bijk,bjkf->bikf", weights.astype(values.dtype), parts)
    return received.reshape(values.shape)


def update(z: Array, logits: Array, adjacency: Array, size: int, layer_norm: bool) -> tuple[Array, Array]:
    """What nodes receive from their neighbours, and their new states: relu(received_i + U z_i).

    To be called by a module, whose parameters `value`, `own` and `norm` it makes.

    Args:
      z: [B, N, F], of the nodes.
      logits: as for `attend`.
      adjacency: [B, N, N] bool.
      size: H, of values and states.
      layer_norm: whether new states are normalised.

    Returns:
      New states and what was received, both [B, N, H].
    """
    received = attend(logits, Linear(size, name="value")(z), adjacency)
    nodes = jax.nn.relu(received + Linear(size, name="own")(z))
    return (LayerNorm(name="norm")(nodes) if layer_norm else nodes), received


def check_heads(num_heads: int, **sizes: int) -> None:
    """Raises ValueError, with the name and value of the size, unless the number of heads divides it."""
    for name, size in sizes.items():
        if num_heads < 1 or size % num_heads:
            raise ValueError(f"num_heads must divide {name} = {size}, got {num_heads}")
