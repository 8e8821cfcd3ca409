"""Attention over neighbors, shared by processors that differ in their logits."""

import jax
import jax.numpy as jnp

from nar.processors.base import Array
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm

MASKED_LOGIT = -1e9
"""Logit of nodes that are not neighbors."""


def attend(logits: Array, values: Array, adjacency: Array) -> Array:
    """Mean of the neighbors' values, weighted by the softmax of the logits.

    Args:
      logits: [B, N, N, K], of receivers i (axis 1) over senders j (axis 2), for each of K heads.
      values: [B, N, H]; head k reads the k-th of K equal chunks.
      adjacency: [B, N, N] bool.

    Returns:
      [B, N, H], in the dtype of the values.
    """
    batch_size, num_nodes, size = values.shape
    num_heads = logits.shape[-1]
    logits32 = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    weights = jax.nn.softmax(jnp.where(adjacency[..., None], logits32, MASKED_LOGIT), axis=2)
    head_values = values.reshape(batch_size, num_nodes, num_heads, size // num_heads)
    received = jnp.einsum("bijk,bjkf->bikf", weights.astype(values.dtype), head_values)
    return received.reshape(values.shape)


def attention_update(
    z: Array, logits: Array, adjacency: Array, size: int, layer_norm: bool
) -> tuple[Array, Array]:
    """Attends to the neighbors and updates the node states: relu(messages_i + U z_i).

    Must be called inside a Haiku module, in which it creates the submodules `value`, `own` and `norm`.

    Args:
      z: node features and hidden states, [B, N, F].
      logits: as in `attend`.
      adjacency: [B, N, N] bool.
      size: H, size of values and states.
      layer_norm: whether to layer-normalize the new states.

    Returns:
      New hidden states and aggregated messages, both [B, N, H].
    """
    messages = attend(logits, Linear(size, name="value")(z), adjacency)
    nodes = jax.nn.relu(messages + Linear(size, name="own")(z))
    return (LayerNorm(name="norm")(nodes) if layer_norm else nodes), messages
