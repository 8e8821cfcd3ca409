"""A processor in one file, outside nar: principal neighbourhood aggregation (arXiv 2004.05718).

It is trained by its name, from this folder or from any other that holds such a file:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/pna \
        --config.model.processor=experiments.examples.pna:PNA

    python -m experiments.train --config=configs/bfs.py --workdir=runs/pna-of-two \
        --config.model.processor=experiments.examples.pna:PNA \
        --config.model.processor_options="{'aggregations': ('max', 'mean')}"

Or used alone, inside any `hk.transform`: `PNA(128)(Features(nodes, edges, graph, adjacency), hidden)`.
"""

from collections.abc import Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors import (
    Context,
    Features,
    LayerNorm,
    Linear,
    ProcessorOutput,
    check_shapes,
    find_aggregation,
)


class PNA(hk.Module):
    """Message passing with several aggregations side by side (Corso et al. 2020).

    With z = [nodes, hidden] and i a sender, j a receiver:

        m_ij = relu(R z_j + S z_i + E edges_ij + G graph)
        m_j  = [a(m_ij over the neighbours i of j) for each aggregation a]
        h_j  = LayerNorm(relu(U [z_j, m_j]))
    """

    def __init__(
        self,
        hidden_size: int,
        *,
        aggregations: Sequence[str] = ("max", "mean", "sum"),
        layer_norm: bool = True,
        name: str = "pna",
    ) -> None:
        """Everything but `hidden_size` is an option: a key of `model.processor_options`."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._aggregations = [find_aggregation(aggregation) for aggregation in aggregations]
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Nothing recurrent but the hidden states."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: jax.Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step: hidden states [B, N, H] to new ones."""
        del context
        check_shapes(features, hidden)
        size = self._hidden_size
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        receiver, sender = Linear(size, name="receiver")(z), Linear(size, name="sender")(z)
        edge, graph = Linear(size, name="edge")(features.edges), Linear(size, name="graph")(features.graph)
        messages = jax.nn.relu(edge + receiver[:, None] + (sender + graph[:, None])[:, :, None])
        received = [aggregate(messages, features.adjacency) for aggregate in self._aggregations]
        nodes = jax.nn.relu(Linear(size, name="new")(z, *received))
        if self._layer_norm:
            nodes = LayerNorm(name="norm")(nodes)
        return ProcessorOutput(nodes=nodes, memory=memory)
