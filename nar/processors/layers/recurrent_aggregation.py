"""Aggregation by a recurrent network (Xu and Veličković 2024, arXiv 2409.07154).

The paper aggregates messages by an LSTM over the senders in the order of the nodes, with one sequence for
each receiver, over the full graph (the processor `rnar`). On other graphs non-neighbors are skipped, which is
ours.
"""

import jax
import jax.numpy as jnp

from nar.processors.base import Array
from nar.processors.layers.linear import Linear, linear
from nar.processors.wrappers.lstm import lstm_cell


def recurrent(messages: Array, adjacency: Array) -> Array:
    """Final hidden state of an LSTM over the messages, in the order of their senders.

    A receiver j starts from h = c = 0 and, for its neighbors i = 0, 1, ..., computes

        h, c = lstm_cell(L [m_ij, h], c)

    with L [2H, 4H]. Nodes that are not neighbors are skipped. The result depends on the order of the nodes,
    so the processor is not permutation-equivariant. Costs 8·N²·H² multiply-adds, half of them in N sequential
    steps.

    Args:
      messages: [B, N, N, H], senders on axis 1.
      adjacency: [B, N, N] bool.

    Returns:
      [B, N, H].
    """
    batch_size, _, num_receivers, size = messages.shape
    w, b = Linear(4 * size, name="recurrent").parameters([messages, messages])
    from_messages = linear([messages], w[:size], b)
    from_state = w[size:].astype(messages.dtype)

    def read(state: tuple[Array, Array], sender: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        (hidden, cell), (message, is_neighbor) = state, sender
        new_hidden, new_cell = lstm_cell(message + hidden @ from_state, cell)
        is_neighbor = is_neighbor[..., None]
        return (jnp.where(is_neighbor, new_hidden, hidden), jnp.where(is_neighbor, new_cell, cell)), None

    zeros = jnp.zeros((batch_size, num_receivers, size), messages.dtype)
    senders = (from_messages.swapaxes(0, 1), adjacency.swapaxes(0, 1))
    (hidden, _), _ = jax.lax.scan(read, (zeros, zeros), senders)
    return hidden
