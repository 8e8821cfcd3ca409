"""Edge Transformer (Bergen et al. 2021, arXiv 2112.00578; Müller et al. 2024, arXiv 2401.10119).

Triangular attention, the layer around it and the initial pair embedding follow the second paper and its
authors' code. By default two things are specific to nar: pair states are carried from step to step, and node
states are the maximum of linear maps of their pairs, whose scale does not grow with N. Without `carry_pairs`
and with the readout "diagonal" the processor is that of the second paper for CLRS-30
(`nar.processors.presets.DiagonalEdgeTransformer`): only node states are carried, and the state of node
i is that of the pair (i, i).
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
from nar.processors.option_checks import check_counts, check_flags, check_heads

READOUTS = ("pooled", "diagonal")
"""Values of `EdgeTransformer`'s option `readout`."""


class EdgeTransformer(hk.Module):
    """Triangular attention over pairs of nodes: pair (i, j) attends to the paths i -> l -> j over all l.

    With z = [nodes, hidden], and the pair states of the previous step as memory:

        r_ij = A z_i + B z_j + C [edges_ij, memory_ij] + D graph
        m_j  = max_i P r_ij + max_i Q r_ji, after all layers
        h_j  = LayerNorm(W relu(m_j))

    Each layer computes, with x = LayerNorm(r) and for each head:

        a_ilj = softmax_l((Q x_il) · (K x_lj) / sqrt(H / heads))
        r_ij  = LayerNorm(r_ij + O sum_l a_ilj (U x_il) ⊙ (V x_lj))
        r_ij  = LayerNorm(r_ij + FF r_ij)

    where FF is two linear maps with a relu in between. Without `carry_pairs` there is no memory, and with the
    readout "diagonal", h_j = r_jj. A layer costs 3·N³·H multiply-adds for attention and
    (5 + 2·expansion)·N²·H² for its linear maps; a step costs another 4·N²·H². The largest arrays are
    [B, N, N, H]: attention loops over the nodes i, and is recomputed in the backward pass.
    """

    accepts_factored = True

    def __init__(
        self,
        hidden_size: int,
        *,
        num_layers: int = 1,
        num_heads: int = 8,
        expansion: int = 2,
        aggregation: Aggregation | str = "max",
        carry_pairs: bool = True,
        readout: str = "pooled",
        name: str = "edge_transformer",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of node and pair states.
          num_layers: number of layers per step, each with its own parameters.
          num_heads: number of attention heads; must divide H.
          expansion: inner size of FF as a multiple of H.
          aggregation: aggregation of pair states into node states, a callable or a key of `AGGREGATIONS`.
          carry_pairs: whether the next step starts from the pair states of this one.
          readout: node states: "pooled" from their pairs, by `aggregation`; or "diagonal", the states of the
            pairs of a node with itself.
          name: name of the Haiku module.

        Raises:
          ValueError: if an option is less than 1, `num_heads` does not divide H, or the aggregation or the
            readout is unknown.
        """
        if readout not in READOUTS:
            raise ValueError(f"readout must be {' or '.join(READOUTS)}, got {readout!r}")
        check_flags(carry_pairs=carry_pairs)
        check_counts(num_layers=num_layers, expansion=expansion)
        check_heads(num_heads, hidden_size=hidden_size)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_layers = num_layers
        self._num_heads = num_heads
        self._expansion = expansion
        self._aggregation = find_aggregation(aggregation)
        self._carry_pairs, self._readout = carry_pairs, readout

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Pair states of zeros, [B, N, N, H]; () if they are not carried."""
        if not self._carry_pairs:
            return ()
        return jnp.zeros((batch_size, num_nodes, num_nodes, self._hidden_size), jnp.float32)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        carried = pair_memory(memory, hidden, self._hidden_size) if self._carry_pairs else None
        pairs = embed_pairs(features, hidden, carried, self._hidden_size)
        for layer in range(self._num_layers):
            with hk.name_scope(f"layer_{layer}"):
                pairs = self._layer(pairs, features)
        pairs = mask_padding_pairs(pairs, features)
        new_memory = pairs if self._carry_pairs else memory
        if self._readout == "diagonal":
            nodes = jnp.diagonal(pairs, axis1=1, axis2=2).swapaxes(1, 2)
            return ProcessorOutput(nodes=nodes, messages=nodes, edges=pairs, memory=new_memory)
        messages = pool_pairs(pairs, features, self._aggregation)
        nodes = Linear(self._hidden_size, name="node")(jax.nn.relu(messages))
        nodes = LayerNorm(name="node_norm")(nodes)
        return ProcessorOutput(nodes=nodes, messages=messages, edges=pairs, memory=new_memory)

    @hk.transparent
    def _layer(self, pairs: Array, features: Features) -> Array:
        size = self._hidden_size
        x = LayerNorm(name="norm_0")(pairs)
        maps = jnp.split(Linear(4 * size, bias=None, name="query_key_first_second")(x), 4, axis=-1)
        query, key, first, second = (split_heads(x, self._num_heads) for x in maps)
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

    Loops over the nodes i and is rematerialized in the backward pass, so that no array [B, N, N, N, K, D]
    exists.

    Args:
      query: [B, N, N, K, D], K heads of D features.
      key: same shape.
      first: same shape; values of pairs (i, l).
      second: same shape; values of pairs (l, j).
      mask: padding mask [B, N] bool, True at real nodes, or None.

    Returns:
      [B, N, N, K, D].
    """
    is_real = None if mask is None else mask[:, :, None, None]

    @jax.checkpoint
    def attend_from_node(rows: tuple[Array, Array]) -> Array:
        query_row, first_row = rows  # [B, N, K, D], axis 1 is l
        logits = jnp.einsum("blkd,bljkd->bljk", query_row, key) / query.shape[-1] ** 0.5
        weights = masked_softmax(logits, is_real, axis=1)
        return jnp.einsum("bljk,bljkd->bjkd", weights, first_row[:, :, None] * second)

    rows = (query.swapaxes(0, 1), first.swapaxes(0, 1))
    return jax.lax.map(attend_from_node, rows).swapaxes(0, 1)
