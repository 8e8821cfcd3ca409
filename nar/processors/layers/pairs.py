"""Building blocks of processors with pair states.

Pair states [B, N, N, H] are embedded from the features, updated by layers and pooled into node states. They
are the memory of the processor: the next step starts from them.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Features, full_adjacency
from nar.processors.input_checks import checked_memory
from nar.processors.layers.aggregation import Aggregation
from nar.processors.layers.linear import Linear

MASKED_LOGIT = -1e9
"""Logit of masked entries."""


def pair_memory(memory: Array | tuple[()], hidden: Array, size: int) -> Array:
    """Pair states of the previous step [B, N, N, size], in the dtype of `hidden`; zeros if `memory` is ().

    Raises:
      ValueError: if the memory has another shape.
    """
    initial = jnp.zeros((*hidden.shape[:2], hidden.shape[1], size), hidden.dtype)
    return checked_memory(memory, initial).astype(hidden.dtype)


def embed_pairs(features: Features, hidden: Array, memory: Array | None, size: int) -> Array:
    """Pair states [B, N, N, size]: A z_i + B z_j + C [edges_ij, memory_ij] + D graph, z = [nodes, hidden].

    Without a memory, C maps edges_ij alone.
    """
    sender = Linear(size, name="sender")(features.nodes, hidden)
    receiver = Linear(size, bias=None, name="receiver")(features.nodes, hidden)
    carried = () if memory is None else (memory,)
    pair = Linear(size, bias=None, name="pair")(features.edges, *carried)
    graph = Linear(size, bias=None, name="graph")(features.graph)
    return pair + receiver[:, None] + (sender + graph[:, None])[:, :, None]


def pool_pairs(pairs: Array, features: Features, aggregation: Aggregation) -> Array:
    """Node states [B, N, H] pooled from pairs: aggregation_i (P pairs_ij) + aggregation_i (Q pairs_ji)."""
    size, adjacency = pairs.shape[-1], full_adjacency(features)
    ending = Linear(size, name="ending")(pairs)
    starting = Linear(size, name="starting")(pairs)
    return aggregation(ending, adjacency) + aggregation(starting.swapaxes(1, 2), adjacency)


def mask_padding_pairs(pairs: Array, features: Features) -> Array:
    """Sets pair states [B, N, N, H] to zero where one of the nodes is padding."""
    if features.mask is None:
        return pairs
    return jnp.where((features.mask[:, :, None] & features.mask[:, None])[..., None], pairs, 0)


def split_heads(x: Array, num_heads: int) -> Array:
    """Reshapes [..., H] to [..., K, H / K]."""
    return x.reshape(*x.shape[:-1], num_heads, x.shape[-1] // num_heads)


def masked_softmax(logits: Array, mask: Array | None, axis: int) -> Array:
    """Softmax over the unmasked entries of an axis, computed in at least float32, in the dtype of the logits.

    Args:
      logits: array of any shape.
      mask: bool, of the same rank, True at the entries that take part; None if all do.
      axis: axis over which the weights sum to one.
    """
    logits32 = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    if mask is not None:
        logits32 = jnp.where(mask, logits32, MASKED_LOGIT)
    return jax.nn.softmax(logits32, axis=axis).astype(logits.dtype)


class FeedForward(hk.Module):
    """Two-layer MLP W relu(V x); costs 2·H·inner_size multiply-adds per row."""

    def __init__(self, inner_size: int, name: str = "feed_forward") -> None:
        """Creates the MLP with hidden layer size `inner_size`."""
        super().__init__(name=name)
        self._inner_size = inner_size

    def __call__(self, x: Array) -> Array:
        """Maps [..., H] to [..., H]."""
        inner = jax.nn.relu(Linear(self._inner_size, name="inner")(x))
        return Linear(x.shape[-1], name="outer")(inner)
