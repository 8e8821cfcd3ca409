"""Edge Transformer (Bergen et al. 2021, arXiv 2112.00578; Müller et al. 2024, arXiv 2401.10119).

Triangular attention, the layer around it and how pairs are first made are those of the second paper and of
its authors' code. Ours are: that pairs are remembered from step to step, and that nodes get the maximum of
linear maps of their pairs, which does not grow with their number, where the authors' code has the sum of an
MLP of them. How the authors make a processor for CLRS-30 of it, we have not seen.
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


class EdgeTransformer(hk.Module):
    """States of pairs of nodes, each attending to the ways from its first node to its second by a third.

    With z = [nodes, hidden], and the memory being the pairs of the last step:

        r_ij = A z_i + B z_j + C [edges_ij, memory_ij] + D graph
        m_j  = max_i P r_ij + max_i Q r_ji, after all layers
        h_j  = LayerNorm(W relu(m_j))

    A layer does, with x = LayerNorm(r) and for each head:

        a_ilj = softmax_l((Q x_il) · (K x_lj) / sqrt(H / heads))
        r_ij  = LayerNorm(r_ij + O sum_l a_ilj (U x_il) ⊙ (V x_lj))
        r_ij  = LayerNorm(r_ij + FF r_ij)

    where FF is two linear maps around a relu. A layer costs 3·N³·H multiply-adds for attention and
    (5 + 2·expansion)·N²·H² for its maps; a step costs 4·N²·H² besides. The largest arrays are [B, N, N, H]:
    attention goes through the nodes i one by one, and does so again for gradients.
    """

    def __init__(
        self,
        hidden_size: int,
        *,
        num_layers: int = 1,
        num_heads: int = 8,
        expansion: int = 2,
        aggregation: Aggregation | str = "max",
        name: str = "edge_transformer",
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
        pairs = embed_pairs(features, hidden, remembered_pairs(memory, hidden, self._hidden_size))
        for layer in range(self._num_layers):
            with hk.name_scope(f"layer_{layer}"):
                pairs = self._layer(pairs, features)
        pairs = only_real_pairs(pairs, features)
        messages = pool_pairs(pairs, features, self._aggregation)
        nodes = Linear(self._hidden_size, name="node")(jax.nn.relu(messages))
        nodes = LayerNorm(name="node_norm")(nodes)
        return ProcessorOutput(nodes=nodes, messages=messages, edges=pairs, memory=pairs)

    @hk.transparent
    def _layer(self, pairs: Array, features: Features) -> Array:
        size = self._hidden_size
        x = LayerNorm(name="norm_0")(pairs)
        maps = jnp.split(Linear(4 * size, bias=None, name="query_key_first_second")(x), 4, axis=-1)
        query, key, first, second = (split_heads(part, self._num_heads) for part in maps)
        attended = triangular_attention(query, key, first, second, features.mask)
        pairs = pairs + Linear(size, bias=None, name="out")(attended.reshape(pairs.shape))
        pairs = LayerNorm(name="norm_1")(pairs)
        pairs = pairs + FeedForward(self._expansion * size)(pairs)
        return LayerNorm(name="norm_2")(pairs)


@jax.checkpoint
def triangular_attention(
    query: Array, key: Array, first: Array, second: Array, mask: Array | None = None
) -> Array:
    """sum_l softmax_l(query_il · key_lj / sqrt(D)) first_il ⊙ second_lj.

    Computed for one node i after the other, and anew for gradients: there is no array [B, N, N, N, K, D].

    Args:
      query: [B, N, N, K, D], K heads of D features.
      key: likewise.
      first: likewise, values of the first halves of ways.
      second: likewise, of the second halves.
      mask: [B, N] bool, the real nodes, or None.

    Returns:
      [B, N, N, K, D].
    """
    counts = None if mask is None else mask[:, :, None, None]

    @jax.checkpoint
    def of_first_node(rows: tuple[Array, Array]) -> Array:
        query_row, first_row = rows  # [B, N, K, D], over l
        logits = jnp.einsum("blkd,bljkd->bljk", query_row, key) / query.shape[-1] ** 0.5
        weights = masked_softmax(logits, counts, axis=1)
        return jnp.einsum("bljk,bljkd->bjkd", weights, first_row[:, :, None] * second)

    rows = (query.swapaxes(0, 1), first.swapaxes(0, 1))
    return jax.lax.map(of_first_node, rows).swapaxes(0, 1)
