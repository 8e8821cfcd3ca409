"""FloydNet (Yu et al. 2026, arXiv 2601.19094): pivotal attention over pairs of nodes.

Pivotal attention, the layer around it and the initial pair embedding follow the paper and its authors' code.
Specific to nar: pair states are carried from step to step, and layer-normalized for that; no linear map is
initialized to zero or has an additional learned scale; and node states are the maximum of linear maps of
their pairs, whose scale does not grow with N, where the authors' code sums them. We have not seen the
authors' own processor for CLRS-30.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs
from nar.processors.layers.aggregation import Aggregation, find_aggregation
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm
from nar.processors.layers.pairs import (
    FeedForward,
    embed_pairs,
    mask_padding_pairs,
    masked_softmax,
    pair_memory,
    pool_pairs,
    split_heads,
)
from nar.processors.option_checks import check_counts, check_heads


class FloydNet(hk.Module):
    """Pivotal attention over pairs of nodes: pair (i, k) attends to pivots j, as in Floyd-Warshall.

    With z = [nodes, hidden], and the pair states of the previous step as memory:

        r_ik = M relu(A z_i + B z_k + C [edges_ik, memory_ik] + D graph)
        m_k  = max_i P r_ik + max_i Q r_ki, after all layers and a LayerNorm of r
        h_k  = LayerNorm(W relu(m_k))

    Each layer computes, with x_ik = LayerNorm(r_ik + T r_ki), pivots j, and for each head:

        a_ijk = softmax_j((Q x_ik) · (K x_ij + L x_jk) / sqrt(2·H / heads))
        r_ik  = r_ik + O sum_j a_ijk (U x_ij + V x_jk)
        r_ik  = r_ik + FF LayerNorm(r_ik)

    where FF is two linear maps with a relu in between. A layer costs 4·N³·H multiply-adds for attention and
    (7 + 2·expansion)·N²·H² for its linear maps; a step costs another 5·N²·H². The largest arrays are
    [B, N, N, H] and, for the logits, [B, heads, N, N, N].
    """

    accepts_factored = True

    def __init__(
        self,
        hidden_size: int,
        *,
        num_layers: int = 1,
        num_heads: int = 8,
        expansion: int = 4,
        aggregation: Aggregation | str = "max",
        name: str = "floydnet",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of node and pair states.
          num_layers: number of layers per step, each with its own parameters.
          num_heads: number of attention heads; must divide H.
          expansion: inner size of FF as a multiple of H.
          aggregation: aggregation of pair states into node states, a callable or a key of `AGGREGATIONS`.
          name: name of the Haiku module.

        Raises:
          ValueError: if an option is less than 1, `num_heads` does not divide H, or the aggregation is
            unknown.
        """
        check_counts(num_layers=num_layers, expansion=expansion)
        check_heads(num_heads, hidden_size=hidden_size)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_layers = num_layers
        self._num_heads = num_heads
        self._expansion = expansion
        self._aggregation = find_aggregation(aggregation)

    def initial_memory(self, batch_size: int, num_nodes: int) -> Array:
        """Pair states of zeros, [B, N, N, H]."""
        return jnp.zeros((batch_size, num_nodes, num_nodes, self._hidden_size), jnp.float32)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        size = self._hidden_size
        embedded = embed_pairs(features, hidden, pair_memory(memory, hidden, size), size)
        pairs = Linear(size, name="embedded")(jax.nn.relu(embedded))
        for layer in range(self._num_layers):
            with hk.name_scope(f"layer_{layer}"):
                pairs = self._layer(pairs, features)
        pairs = mask_padding_pairs(LayerNorm(name="pair_norm")(pairs), features)
        messages = pool_pairs(pairs, features, self._aggregation)
        nodes = LayerNorm(name="node_norm")(Linear(size, name="node")(jax.nn.relu(messages)))
        return ProcessorOutput(nodes=nodes, messages=messages, edges=pairs, memory=pairs)

    @hk.transparent
    def _layer(self, pairs: Array, features: Features) -> Array:
        size = self._hidden_size
        mixed = pairs + Linear(size, bias=None, name="transposed")(pairs.swapaxes(1, 2))
        x = LayerNorm(name="norm_0")(mixed)
        maps = jnp.split(Linear(5 * size, bias=None, name="query_keys_values")(x), 5, axis=-1)
        query, *keys_and_values = (split_heads(x, self._num_heads) for x in maps)
        attended = pivotal_attention(query, *keys_and_values, mask=features.mask)
        pairs = pairs + Linear(size, bias=None, name="out")(attended.reshape(pairs.shape))
        return pairs + FeedForward(self._expansion * size)(LayerNorm(name="norm_1")(pairs))


def pivotal_attention(
    query: Array,
    first_key: Array,
    second_key: Array,
    first: Array,
    second: Array,
    mask: Array | None = None,
) -> Array:
    """sum_j softmax_j(query_ik · (first_key_ij + second_key_jk) / sqrt(2·D)) (first_ij + second_jk).

    Args:
      query: [B, N, N, K, D], K heads of D features, for pairs (i, k).
      first_key: same shape, for pairs (i, j) of first node and pivot.
      second_key: same shape, for pairs (j, k) of pivot and second node.
      first: same shape; values of pairs (i, j).
      second: same shape; values of pairs (j, k).
      mask: padding mask [B, N] bool, True at real nodes, or None.

    Returns:
      [B, N, N, K, D].
    """
    query = query / (2 * query.shape[-1]) ** 0.5
    logits = jnp.einsum("bikhd,bijhd->bhijk", query, first_key)
    logits = logits + jnp.einsum("bikhd,bjkhd->bhijk", query, second_key)
    is_real = None if mask is None else mask[:, None, None, :, None]
    weights = masked_softmax(logits, is_real, axis=3)
    attended = jnp.einsum("bhijk,bijhd->bikhd", weights, first)
    return attended + jnp.einsum("bhijk,bjkhd->bikhd", weights, second)
