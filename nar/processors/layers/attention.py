"""Attention over neighbors, shared by processors that differ in their logits."""

import jax
import jax.numpy as jnp

from nar.processors.base import Array, Features, Neighbors
from nar.processors.layers.linear import Linear
from nar.processors.layers.neighbors import gather_nodes, to_rows
from nar.processors.layers.norm import LayerNorm

MASKED_LOGIT = -1e9
"""Logit of nodes that are not neighbors."""


def outgoing(edge: Array, sender: Array, receiver: Array, neighbors: Neighbors | None) -> Array:
    """Sum of three terms for each receiver i (axis 1) and each sender j (axis 2), over the edges (i, j).

    Args:
      edge: term of the edges, in the layout of edge features: [B, N, N, F], or [B, K, N, F] with neighbor
        lists.
      sender: term of the senders, [B, N, F].
      receiver: term of the receivers, [B, N, F].
      neighbors: neighbor lists, or None.

    Returns:
      [B, N, N, F]; with neighbor lists [B, N, K, F].
    """
    senders = sender[:, None] if neighbors is None else gather_nodes(sender, neighbors)
    return to_rows(edge, neighbors) + senders + receiver[:, :, None]


def attend(logits: Array, values: Array, adjacency: Array, neighbors: Neighbors | None = None) -> Array:
    """Mean of the neighbors' values, weighted by the softmax of the logits.

    Args:
      logits: [B, N, N, heads], of receivers i (axis 1) over senders j (axis 2); [B, N, K, heads] with
        neighbor lists.
      values: [B, N, H]; each head reads one of equal chunks.
      adjacency: [B, N, N] bool, symmetric; [B, K, N] with neighbor lists.
      neighbors: neighbor lists, or None.

    Returns:
      [B, N, H], in the dtype of the values.
    """
    batch_size, num_nodes, size = values.shape
    num_heads = logits.shape[-1]
    logits32 = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    rows = adjacency if neighbors is None else adjacency.swapaxes(1, 2)
    weights = jax.nn.softmax(jnp.where(rows[..., None], logits32, MASKED_LOGIT), axis=2)
    head_values = values.reshape(batch_size, num_nodes, num_heads, size // num_heads)
    if neighbors is None:
        received = jnp.einsum("bijk,bjkf->bikf", weights.astype(values.dtype), head_values)
    else:
        at_neighbors = gather_nodes(head_values, neighbors)
        received = jnp.einsum("bijk,bijkf->bikf", weights.astype(values.dtype), at_neighbors)
    return received.reshape(values.shape)


def attention_update(
    z: Array, logits: Array, features: Features, size: int, layer_norm: bool
) -> tuple[Array, Array]:
    """Attends to the neighbors and updates the node states: relu(messages_i + U z_i).

    Must be called inside a Haiku module, in which it creates the submodules `value`, `own` and `norm`.

    Args:
      z: node features and hidden states, [B, N, F].
      logits: as in `attend`.
      features: features of the step, for its adjacency.
      size: H, size of values and states.
      layer_norm: whether to layer-normalize the new states.

    Returns:
      New hidden states and aggregated messages, both [B, N, H].
    """
    values = Linear(size, name="value")(z)
    messages = attend(logits, values, features.adjacency, features.neighbors)
    nodes = jax.nn.relu(messages + Linear(size, name="own")(z))
    return (LayerNorm(name="norm")(nodes) if layer_norm else nodes), messages
