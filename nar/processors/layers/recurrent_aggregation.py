"""Aggregation by a recurrent network (Xu and Veličković 2024, arXiv 2409.07154).

That messages are aggregated by a recurrent network over the order of the nodes is the paper's. Its details
were not at hand: the cell, and that what is no neighbour is skipped, are ours.
"""

import jax
import jax.numpy as jnp

from nar.processors.base import Array
from nar.processors.layers.linear import Linear, linear
from nar.processors.wrappers.lstm import lstm_cell


def recurrent(messages: Array, adjacency: Array) -> Array:
    """Last state of an LSTM that reads the messages in the order of their senders.

    A receiver j starts from h = c = 0 and, for each of its neighbours i in turn, does

        h, c = LSTM cell of L [m_ij, h] and c (`lstm_cell`)

    with L [2H, 4H]. What is no neighbour is skipped. This reads an order into the nodes: a permutation of
    them does not merely permute the result. Costs 8·N²·H² multiply-adds, half of them in N dependent steps.

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

    def read(state: tuple[Array, Array], sent: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        (hidden, cell), (message, linked) = state, sent
        new_hidden, new_cell = lstm_cell(message + hidden @ from_state, cell)
        linked = linked[..., None]
        return (jnp.where(linked, new_hidden, hidden), jnp.where(linked, new_cell, cell)), None

    nothing = jnp.zeros((batch_size, num_receivers, size), messages.dtype)
    in_order = (from_messages.swapaxes(0, 1), adjacency.swapaxes(0, 1))
    (hidden, _), _ = jax.lax.scan(read, (nothing, nothing), in_order)
    return hidden
