"""Values at pairs of nodes in both layouts: all pairs [B, N, N, ...], or the slots of neighbor lists.

In the dense layout axis 1 of a pair is the sender and axis 2 the receiver. With neighbor lists
(`nar.traces.neighbors`) axis 1 has the K slots of the receiver, each of which holds one of its senders:
[B, K, N, ...]. So both layouts are aggregated over axis 1, and broadcast receivers alike.

The gradient of a gather is a scatter, which is slow on CPUs. Since every slot has a reverse, the gradients
here are gathers, too.
"""

import jax
import jax.numpy as jnp

from nar.processors.base import Array, Neighbors


def at_senders(x: Array, neighbors: Neighbors | None) -> Array:
    """Values [B, N, ...] of the senders of all pairs: [B, N, 1, ...], to be broadcast, or [B, K, N, ...]."""
    return x[:, :, None] if neighbors is None else gather_nodes(x, neighbors).swapaxes(1, 2)


def from_rows(value: Array, neighbors: Neighbors | None) -> Array:
    """Values by sender and receiver [B, N, N, ...] or [B, K, N, ...], from those of the rows of a trace.

    Args:
      value: [B, N, N, ...], where (i, j) belongs to the edge from i to j; or, at the slots of each node i,
        [B, N, K, ...], where (i, k) belongs to the edge from i to its k-th neighbor.
      neighbors: neighbor lists, or None.
    """
    return value if neighbors is None else reverse_edges(value, neighbors).swapaxes(1, 2)


def to_rows(value: Array, neighbors: Neighbors | None) -> Array:
    """Inverse of `from_rows`."""
    return value if neighbors is None else reverse_edges(value.swapaxes(1, 2), neighbors)


def own_slots(neighbors: Neighbors) -> Array:
    """[B, N, K] bool, the slot at which each node holds itself."""
    index = jnp.asarray(neighbors.index)
    return (index == jnp.arange(index.shape[1])[None, :, None]) & jnp.asarray(neighbors.mask)


@jax.custom_vjp
def gather_nodes(x: Array, neighbors: Neighbors) -> Array:
    """[B, N, K, ...]: the values of each node's neighbors, from [B, N, ...]."""
    return _gather(x, neighbors.index)


def _gather_nodes_forward(x: Array, neighbors: Neighbors) -> tuple[Array, Neighbors]:
    return gather_nodes(x, neighbors), neighbors


def _gather_nodes_backward(neighbors: Neighbors, gradient: Array) -> tuple[Array, None]:
    return reverse_edges(gradient, neighbors).sum(axis=2), None


gather_nodes.defvjp(_gather_nodes_forward, _gather_nodes_backward)


@jax.custom_vjp
def reverse_edges(x: Array, neighbors: Neighbors) -> Array:
    """[B, N, K, ...]: at each slot (i, k), with j the k-th neighbor of i, the value of i in the list of j.

    Applying it twice returns x. Slots that are not used keep their values.
    """
    num_slots = neighbors.index.shape[2]
    flat = x.reshape(x.shape[0], -1, *x.shape[3:])
    return _gather(flat, neighbors.index * num_slots + neighbors.reverse)


def _reverse_edges_forward(x: Array, neighbors: Neighbors) -> tuple[Array, Neighbors]:
    return reverse_edges(x, neighbors), neighbors


def _reverse_edges_backward(neighbors: Neighbors, gradient: Array) -> tuple[Array, None]:
    return reverse_edges(gradient, neighbors), None


reverse_edges.defvjp(_reverse_edges_forward, _reverse_edges_backward)


def _gather(x: Array, index: Array) -> Array:
    """[B, N, K, ...] from x [B, M, ...] and indices [B, N, K] in 0 ... M - 1."""
    take = jax.vmap(lambda row, where: row.at[where].get(mode="promise_in_bounds"))
    return take(x, jnp.asarray(index))
