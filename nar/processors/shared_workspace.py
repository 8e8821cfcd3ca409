"""Shared global workspace (Goyal et al. 2022, arXiv 2103.01197): nodes communicate through a few slots."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs, checked_memory
from nar.processors.layers.aggregation import Aggregation, find_aggregation
from nar.processors.layers.attention import MASKED_LOGIT
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm
from nar.processors.option_checks import check_counts, check_flags


class SharedWorkspace(hk.Module):
    """Attention of a few slots over the nodes, and of the nodes over the slots; no messages between nodes.

    With z = [nodes, hidden], slots M of the previous step, initially 0, and a learned vector s_k per slot:

        x_i  = relu(U z_i + E (aggregation of edges_ji over the neighbors j of i) + G graph)
        w_ki = softmax_i(Q (M_k + s_k) · K x_i / sqrt(H)) over the `num_writers` nodes with the largest logits
        n_k  = sum_i w_ki V x_i
        M'_k = sigmoid(F [M_k, n_k]) M_k + sigmoid(I [M_k, n_k]) tanh(n_k)
        r_i  = sum_k softmax_k(Q' x_i · K' M'_k / sqrt(H)) V' M'_k
        h_i  = LayerNorm(x_i + r_i)

    What a node knows of the graph are the features of its edges, without the states at their other ends: that
    is left to the slots. With S slots a step costs 5·N·H² + 2·N·S·H multiply-adds, and N²·H²* for the edges
    (*: N²·H if they are factored), where N² is the number of edges with neighbor lists.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self,
        hidden_size: int,
        *,
        num_slots: int = 8,
        num_writers: int = 4,
        aggregation: Aggregation | str = "max",
        layer_norm: bool = True,
        name: str = "shared_workspace",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of hidden states and slots.
          num_slots: S, number of slots.
          num_writers: number of nodes that write to a slot; all, if there are fewer.
          aggregation: aggregation of edge features, a callable or a key of `AGGREGATIONS`.
          layer_norm: whether to layer-normalize the new states.
          name: name of the Haiku module.

        Raises:
          ValueError: if the aggregation is unknown, or another option is invalid.
        """
        check_counts(hidden_size=hidden_size, num_slots=num_slots, num_writers=num_writers)
        check_flags(layer_norm=layer_norm)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_slots = num_slots
        self._num_writers = num_writers
        self._aggregation = find_aggregation(aggregation)
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Empty slots, [B, S, H]."""
        del num_nodes
        return jnp.zeros((batch_size, self._num_slots, self._hidden_size), jnp.float32)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        slots = checked_memory(memory, self.initial_memory(*hidden.shape[:2])).astype(hidden.dtype)
        states = self._own_states(features, hidden)
        slots = self._write(slots, states, features.mask)
        read = self._read(slots, states)
        nodes = states + read
        if self._layer_norm:
            nodes = LayerNorm(name="norm")(nodes)
        return ProcessorOutput(nodes=nodes, messages=read, memory=slots)

    @hk.transparent
    def _own_states(self, features: Features, hidden: Array) -> Array:
        """State of each node before communication, [B, N, H]."""
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        edges = Linear(self._hidden_size, name="edge")(features.edges)
        graph = Linear(self._hidden_size, name="graph")(features.graph)
        own = Linear(self._hidden_size, name="own")(z) + graph[:, None]
        return jax.nn.relu(own + self._aggregation(edges, features.adjacency))

    @hk.transparent
    def _write(self, slots: Array, states: Array, mask: Array | None) -> Array:
        """The new slots, [B, S, H]."""
        size = self._hidden_size
        vectors = hk.get_parameter("slots", [self._num_slots, size], init=hk.initializers.RandomNormal())
        queries = Linear(size, name="slot_query")(slots + vectors.astype(slots.dtype)[None])
        logits = _logits(queries, Linear(size, name="node_key")(states))
        if mask is not None:
            logits = jnp.where(mask[:, None], logits, MASKED_LOGIT)
        count = min(self._num_writers, logits.shape[-1])
        smallest = jax.lax.top_k(logits, count)[0][..., -1:]
        weights = jax.nn.softmax(jnp.where(logits >= smallest, logits, MASKED_LOGIT), axis=-1)
        written = weights.astype(states.dtype) @ Linear(size, name="node_value")(states)
        gates = Linear(2 * size, name="slot_gates")(slots, written)
        kept, added = jnp.split(jax.nn.sigmoid(gates), 2, axis=-1)
        return kept * slots + added * jnp.tanh(written)

    @hk.transparent
    def _read(self, slots: Array, states: Array) -> Array:
        """Values that the nodes read from the slots, [B, N, H]."""
        size = self._hidden_size
        queries, keys = Linear(size, name="node_query")(states), Linear(size, name="slot_key")(slots)
        weights = jax.nn.softmax(_logits(queries, keys), axis=-1)
        return weights.astype(states.dtype) @ Linear(size, name="slot_value")(slots)


def _logits(queries: Array, keys: Array) -> Array:
    """Scaled products of queries [B, Q, H] and keys [B, K, H], in float32: [B, Q, K]."""
    products = jnp.einsum("bqh,bkh->bqk", queries, keys, preferred_element_type=jnp.float32)
    return products / queries.shape[-1] ** 0.5
