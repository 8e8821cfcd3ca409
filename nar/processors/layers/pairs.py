"""States on pairs of nodes: what the processors that have them share.

Such a state [B, N, N, H] is made from features, goes through layers, and is pooled to states of nodes. It is
the processor's memory: the next step starts from it.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Features, full_adjacency
from nar.processors.layers.aggregation import Aggregation
from nar.processors.layers.linear import Linear

NO_WEIGHT = -1e9
"""Logit of what gets no attention."""


def remembered_pairs(memory: Array | tuple[()], hidden: Array, size: int) -> Array:
    """The memory [B, N, N, size], in the type of the states; zeros if there is none yet.

    Raises:
      ValueError: if its shape is another one.
    """
    expected = (*hidden.shape[:2], hidden.shape[1], size)
    if isinstance(memory, tuple):
        return jnp.zeros(expected, hidden.dtype)
    if memory.shape != expected:
        raise ValueError(f"memory must have shape {expected}, got {memory.shape}")
    return memory.astype(hidden.dtype)


def embed_pairs(features: Features, hidden: Array, memory: Array) -> Array:
    """A z_i + B z_j + C [edges_ij, memory_ij] + D graph, with z = [nodes, hidden]; shaped like the memory."""
    size = memory.shape[-1]
    sender = Linear(size, name="sender")(features.nodes, hidden)
    receiver = Linear(size, bias=None, name="receiver")(features.nodes, hidden)
    pair = Linear(size, bias=None, name="pair")(features.edges, memory)
    graph = Linear(size, bias=None, name="graph")(features.graph)
    return pair + receiver[:, None] + (sender + graph[:, None])[:, :, None]


def pool_pairs(pairs: Array, features: Features, aggregation: Aggregation) -> Array:
    """What all pairs of a node j say: aggregation_i (P pairs_ij) + aggregation_i (Q pairs_ji); [B, N, H]."""
    size, everywhere = pairs.shape[-1], full_adjacency(features)
    ending = Linear(size, name="ending")(pairs)
    starting = Linear(size, name="starting")(pairs)
    return aggregation(ending, everywhere) + aggregation(starting.swapaxes(1, 2), everywhere)


def only_real_pairs(pairs: Array, features: Features) -> Array:
    """The states [B, N, N, H], zero where one of the nodes is padding."""
    if features.mask is None:
        return pairs
    return jnp.where((features.mask[:, :, None] & features.mask[:, None])[..., None], pairs, 0)


def split_heads(x: Array, num_heads: int) -> Array:
    """[..., H] to [..., K, H / K]."""
    return x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)


def masked_softmax(logits: Array, counts: Array | None, axis: int) -> Array:
    """Softmax over an axis, in float32 at least, of those logits that count; in the type of the logits.

    Args:
      logits: of any shape.
      counts: bool, which of them count; of the same rank. None if all do.
      axis: over which weights sum to one.
    """
    wide = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    if counts is not None:
        wide = jnp.where(counts, wide, NO_WEIGHT)
    return jax.nn.softmax(wide, axis=axis).astype(logits.dtype)


class FeedForward(hk.Module):
    """W relu(V x), with an inner size of its own; costs 2·H·inner multiply-adds a row."""

    def __init__(self, inner_size: int, name: str = "feed_forward") -> None:
        """Makes the two maps."""
        super().__init__(name=name)
        self._inner_size = inner_size

    def __call__(self, x: Array) -> Array:
        """Maps [..., H] to [..., H]."""
        inner = jax.nn.relu(Linear(self._inner_size, name="inner")(x))
        return Linear(x.shape[-1], name="outer")(inner)
