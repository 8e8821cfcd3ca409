"""Pointer graph network (Veličković et al. 2020, arXiv 2006.06380), as in CLRS-30 (arXiv 2205.15659)."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs
from nar.processors.layers.aggregation import Aggregation, find_aggregation
from nar.processors.layers.linear import Linear
from nar.processors.layers.neighbors import at_senders
from nar.processors.layers.norm import LayerNorm
from nar.processors.option_checks import check_counts, check_flags


class PGN(hk.Module):
    """Message passing along the edges of the graph.

    For a sender i and a receiver j, with z = [nodes, hidden]:

        m_ij = MLP(relu(R z_j + S z_i + E edges_ij + G graph))
        m_j  = aggregation of m_ij over the neighbors i of j
        h_j  = LayerNorm(relu(U z_j + V m_j))

    Costs (1 + message_layers)·N²·H² multiply-adds per step; N²·H² less if edges are factored.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self,
        hidden_size: int,
        *,
        aggregation: Aggregation | str = "max",
        message_layers: int = 2,
        layer_norm: bool = True,
        name: str = "pgn",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of hidden states and messages.
          aggregation: aggregation of messages, a callable or a key of `AGGREGATIONS`.
          message_layers: number of layers of the message MLP; with 0 the message is the sum of the linear
            maps, without relu.
          layer_norm: whether to layer-normalize the new states.
          name: name of the Haiku module.

        Raises:
          ValueError: if the aggregation is unknown, or another option is invalid.
        """
        check_counts(hidden_size=hidden_size)
        check_counts(minimum=0, message_layers=message_layers)
        check_flags(layer_norm=layer_norm)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._aggregation = find_aggregation(aggregation)
        self._message_layers = message_layers
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Empty: this processor has no memory."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        messages = self._aggregation(self._messages(z, features), features.adjacency)
        own = Linear(self._hidden_size, name="own")(z)
        received = Linear(self._hidden_size, name="received")(messages)
        nodes = jax.nn.relu(own + received)
        if self._layer_norm:
            nodes = LayerNorm(name="norm")(nodes)
        return ProcessorOutput(nodes=nodes, messages=messages, memory=memory)

    @hk.transparent
    def _messages(self, z: Array, features: Features) -> Array:
        """Message function: [B, N, N, H], from senders (axis 1) to receivers (axis 2); or [B, K, N, H]."""
        size = self._hidden_size
        receiver = Linear(size, name="receiver")(z)
        sender = Linear(size, name="sender")(z)
        edge = Linear(size, name="edge")(features.edges)
        graph = Linear(size, name="graph")(features.graph)
        messages = edge + receiver[:, None] + at_senders(sender + graph[:, None], features.neighbors)
        for layer in range(self._message_layers):
            messages = Linear(size, name=f"message_{layer}")(jax.nn.relu(messages))
        return messages
