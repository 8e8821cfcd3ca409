"""FloydNet (Yu et al. 2026, arXiv 2601.19094): pivotal attention over pairs of nodes.

Pivotal attention, the layer around it and how pairs are first made are those of the paper and of its authors'
code. Ours are: that pairs are remembered from step to step, and normalised for it; that no map starts at zero
and none has a learned scale besides; and that nodes get the maximum of linear maps of their pairs, which does
not grow with their number, where the authors' code sums them. How the authors make a processor for CLRS-30 of
it, we have not seen.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput, check_shapes
from nar.processors.layers.aggregation import Aggregation, find_aggregation
from nar.processors.layers.attention import check_heads
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm
from nar.processors.layers.pairs import (
    FeedForward,
    embed_pairs,
    masked_softmax,
    only_real_pairs,
    pool_pairs,
    remembered_pairs,
    split_heads,
)
from nar.processors.option_checks import check_counts


class FloydNet(hk.Module):
    """States of all pairs of nodes, refined over pivots as distances are by Floyd and Warshall.

    With z = [nodes, hidden], and the memory being the pairs of the last step:

        r_ik = M relu(A z_i + B z_k + C [edges_ik, memory_ik] + D graph)
        m_k  = max_i P r_ik + max_i Q r_ki, after all layers and a LayerNorm of r
        h_k  = LayerNorm(W relu(m_k))

    A layer does, with x_ik = LayerNorm(r_ik + T r_ki), a pivot j, and for each head:

        a_ijk = softmax_j((Q x_ik) · (K x_ij + L x_jk) / sqrt(2·H / heads))
        r_ik  = r_ik + O sum_j a_ijk (U x_ij + V x_jk)
        r_ik  = r_ik + FF LayerNorm(r_ik)

    where FF is two linear maps around a relu. A layer costs 4·N³·H multiply-adds for attention and
    (7 + 2·expansion)·N²·H² for its maps; a step costs 5·N²·H² besides. The largest arrays are [B, N, N, H]
    and, for the logits, [B, heads, N, N, N].
    """

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
        """Makes the processor.

        Args:
          hidden_size: H, of states of nodes and pairs.
          num_layers: how many layers a step has, each with parameters of its own.
          num_heads: of attention; it divides H.
          expansion: inner size of FF in units of H.
          aggregation: how pairs are pooled to nodes, a callable or one of `AGGREGATIONS`.
          name: of the module.

        Raises:
          ValueError: if a count is less than 1, the number of heads does not divide H, or the aggregation is
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
        """States of pairs [B, N, N, H], zero."""
        return jnp.zeros((batch_size, num_nodes, num_nodes, self._hidden_size))

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        del context
        check_shapes(features, hidden)
        size = self._hidden_size
        embedded = embed_pairs(features, hidden, remembered_pairs(memory, hidden, size))
        pairs = Linear(size, name="embedded")(jax.nn.relu(embedded))
        for layer in range(self._num_layers):
            with hk.name_scope(f"layer_{layer}"):
                pairs = self._layer(pairs, features)
        pairs = only_real_pairs(LayerNorm(name="pair_norm")(pairs), features)
        messages = pool_pairs(pairs, features, self._aggregation)
        nodes = LayerNorm(name="node_norm")(Linear(size, name="node")(jax.nn.relu(messages)))
        return ProcessorOutput(nodes=nodes, messages=messages, edges=pairs, memory=pairs)

    @hk.transparent
    def _layer(self, pairs: Array, features: Features) -> Array:
        size = self._hidden_size
        mixed = pairs + Linear(size, bias=None, name="transposed")(pairs.swapaxes(1, 2))
        x = LayerNorm(name="norm_0")(mixed)
        maps = jnp.split(Linear(5 * size, bias=None, name="query_keys_values")(x), 5, axis=-1)
        query, *keys_and_values = (split_heads(part, self._num_heads) for part in maps)
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
      first_key: likewise, for pairs (i, j) of a first node and a pivot.
      second_key: likewise, for pairs (j, k) of a pivot and a second node.
      first: likewise, values of pairs (i, j).
      second: likewise, values of pairs (j, k).
      mask: [B, N] bool, the real nodes, or None.

    Returns:
      [B, N, N, K, D].
    """
    query = query / (2 * query.shape[-1]) ** 0.5
    logits = jnp.einsum("bikhd,bijhd->bhijk", query, first_key)
    logits = logits + jnp.einsum("bikhd,bjkhd->bhijk", query, second_key)
    counts = None if mask is None else mask[:, None, None, :, None]
    weights = masked_softmax(logits, counts, axis=3)
    attended = jnp.einsum("bhijk,bijhd->bikhd", weights, first)
    return attended + jnp.einsum("bhijk,bjkhd->bikhd", weights, second)
