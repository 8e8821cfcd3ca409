"""Relational Transformer (Diao and Loynd 2023, arXiv 2210.05062): attention over nodes and edges.

The equations, the default number of layers and the default inner sizes follow the paper and its authors'
code, in which the graph features are appended to nodes and edges. There are two differences: edges go from
sender to receiver as in all processors of nar, where the authors' rows receive from columns, and the linear
maps inside the attention have no bias. The authors use H = 192 and 12 heads.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput, full_adjacency
from nar.processors.input_checks import check_inputs
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm
from nar.processors.layers.pairs import (
    FeedForward,
    mask_padding_pairs,
    masked_softmax,
    pair_memory,
    split_heads,
)
from nar.processors.option_checks import check_counts, check_flags, check_heads


class RelationalTransformer(hk.Module):
    """Layers of attention over all nodes that read and update a state of each edge.

    Node states start as n = N [nodes, hidden, graph], edge states as e = E [edges, memory, graph]. The memory
    is the edge states after the last layer of the previous step. Each layer computes, for a receiver j and
    each head:

        q_ij = Q [n_j, e_ij],  k_ij = K [n_i, e_ij],  v_ij = V [n_i, e_ij]
        m_j  = sum_i softmax_i(q_ij · k_ij / sqrt(H / heads)) v_ij
        n_j  = LayerNorm(n_j + O m_j), then LayerNorm(n_j + FF n_j)
        e_ij = LayerNorm(e_ij + W relu(U [e_ij, e_ji, n_i, n_j])), then LayerNorm(e_ij + FF e_ij)

    where FF is two linear maps with a relu in between. A layer costs 3·N²·H² multiply-adds, plus
    N²·H·(3·edge_size + 2·second_edge_size) for edge updates; a step costs another 2·N²·H². The largest arrays
    are [B, N, N, H].
    """

    accepts_factored = True

    def __init__(
        self,
        hidden_size: int,
        *,
        num_layers: int = 3,
        num_heads: int = 8,
        node_size: int = 32,
        edge_size: int = 16,
        second_edge_size: int = 8,
        edge_updates: bool = True,
        name: str = "relational_transformer",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of node and edge states.
          num_layers: number of layers per step, each with its own parameters.
          num_heads: number of attention heads; must divide H.
          node_size: inner size of FF of nodes.
          edge_size: inner size of the edge update, the MLP of an edge, its reverse and its end nodes.
          second_edge_size: inner size of FF of edges.
          edge_updates: whether layers update edge states; if not, attention still reads them.
          name: name of the Haiku module.

        Raises:
          ValueError: if a number or size is less than 1, or `num_heads` does not divide H.
        """
        check_counts(
            num_layers=num_layers,
            node_size=node_size,
            edge_size=edge_size,
            second_edge_size=second_edge_size,
        )
        check_heads(num_heads, hidden_size=hidden_size)
        check_flags(edge_updates=edge_updates)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_layers = num_layers
        self._num_heads = num_heads
        self._node_size = node_size
        self._edge_size = edge_size
        self._second_edge_size = second_edge_size
        self._edge_updates = edge_updates

    def initial_memory(self, batch_size: int, num_nodes: int) -> Array:
        """Edge states of zeros, [B, N, N, H]."""
        return jnp.zeros((batch_size, num_nodes, num_nodes, self._hidden_size), jnp.float32)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        size = self._hidden_size
        memory = pair_memory(memory, hidden, size)
        nodes = Linear(size, name="node")(features.nodes, hidden)
        nodes = nodes + Linear(size, bias=None, name="node_graph")(features.graph)[:, None]
        edges = Linear(size, name="edge")(features.edges, memory)
        edges = edges + Linear(size, bias=None, name="edge_graph")(features.graph)[:, None, None]
        messages = nodes
        for layer in range(self._num_layers):
            with hk.name_scope(f"layer_{layer}"):
                messages = self._attend(nodes, edges, full_adjacency(features))
                nodes = self._update_nodes(nodes, messages)
                edges = self._update_edges(nodes, edges) if self._edge_updates else edges
        edges = mask_padding_pairs(edges, features)
        return ProcessorOutput(nodes=nodes, messages=messages, edges=edges, memory=edges)

    @hk.transparent
    def _attend(self, nodes: Array, edges: Array, adjacency: Array) -> Array:
        """Attention over the senders: messages m [B, N, H]."""
        size = self._hidden_size
        from_edges = Linear(3 * size, bias=None, name="edge_query_key_value")(edges)
        from_nodes = Linear(3 * size, bias=None, name="node_query_key_value")(nodes)
        query, key, value = jnp.split(from_edges, 3, axis=-1)
        receiver_query, sender_key, sender_value = jnp.split(from_nodes, 3, axis=-1)
        query = query + receiver_query[:, None]
        key, value = key + sender_key[:, :, None], value + sender_value[:, :, None]
        scale = (self._num_heads / size) ** 0.5
        logits = split_heads(query * key, self._num_heads).sum(axis=-1) * scale
        weights = masked_softmax(logits, adjacency[..., None], axis=1)
        received = jnp.einsum("bijk,bijkf->bjkf", weights, split_heads(value, self._num_heads))
        return received.reshape(nodes.shape)

    @hk.transparent
    def _update_nodes(self, nodes: Array, messages: Array) -> Array:
        nodes = LayerNorm(name="node_norm_0")(nodes + Linear(self._hidden_size, name="out")(messages))
        return LayerNorm(name="node_norm_1")(nodes + FeedForward(self._node_size, name="node_ff")(nodes))

    @hk.transparent
    def _update_edges(self, nodes: Array, edges: Array) -> Array:
        size = self._edge_size
        inner = Linear(size, name="edge_pair")(edges, edges.swapaxes(1, 2))
        inner = inner + Linear(size, bias=None, name="edge_sender")(nodes)[:, :, None]
        inner = inner + Linear(size, bias=None, name="edge_receiver")(nodes)[:, None]
        update = Linear(self._hidden_size, name="edge_out")(jax.nn.relu(inner))
        edges = LayerNorm(name="edge_norm_0")(edges + update)
        feed_forward = FeedForward(self._second_edge_size, name="edge_ff")
        return LayerNorm(name="edge_norm_1")(edges + feed_forward(edges))
