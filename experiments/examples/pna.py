"""A custom processor in one file, outside nar: principal neighborhood aggregation (arXiv 2004.05718).

To train it, give its name, `module:ATTRIBUTE`; the module may be anywhere on the Python path or in the
current directory:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/pna \
        --config.model.processor=experiments.examples.pna:PNA

    python -m experiments.train --config=configs/bfs.py --workdir=runs/pna-max-mean \
        --config.model.processor=experiments.examples.pna:PNA \
        --config.model.processor_options="{'aggregations': ('max', 'mean')}"

It can also be used on its own inside any `hk.transform`:

    PNA(128)(Features(nodes, edges, graph, adjacency), hidden)
"""

from collections.abc import Sequence
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors import Context, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs
from nar.processors.layers.aggregation import find_aggregation
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm


class PNA(hk.Module):
    """Message passing with several concatenated aggregations (Corso et al. 2020).

    For a sender i and a receiver j, with z = [nodes, hidden]:

        m_ij = relu(R z_j + S z_i + E edges_ij + G graph)
        m_j  = [a(m_ij over the neighbors i of j) for each aggregation a]
        h_j  = LayerNorm(relu(U [z_j, m_j]))
    """

    accepts_factored = True  # `Linear` maps factored edge features at less cost than arrays.

    def __init__(
        self,
        hidden_size: int,
        *,
        aggregations: Sequence[str] = ("max", "mean", "sum"),
        layer_norm: bool = True,
        name: str = "pna",
    ) -> None:
        """Creates the processor; all arguments but `hidden_size` can be set in `model.processor_options`."""
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._aggregations = [find_aggregation(aggregation) for aggregation in aggregations]
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Empty: the only recurrent state is `hidden`."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: jax.Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; maps hidden states [B, N, H] to new ones."""
        check_inputs(features, hidden, context)
        size = self._hidden_size
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        receiver, sender = Linear(size, name="receiver")(z), Linear(size, name="sender")(z)
        edge, graph = Linear(size, name="edge")(features.edges), Linear(size, name="graph")(features.graph)
        messages = jax.nn.relu(edge + receiver[:, None] + (sender + graph[:, None])[:, :, None])
        aggregated = [aggregate(messages, features.adjacency) for aggregate in self._aggregations]
        nodes = jax.nn.relu(Linear(size, name="new")(z, *aggregated))
        if self._layer_norm:
            nodes = LayerNorm(name="norm")(nodes)
        return ProcessorOutput(nodes=nodes, memory=memory)
