"""Message-passing neural network (Gilmer et al. 2017, arXiv 1704.01212)."""

from typing import Any

import haiku as hk

from nar.processors.aggregation import Aggregation, maximum
from nar.processors.contract import Array, Context, Features, Processed, Processor, full_adjacency
from nar.processors.pgn import PGN


class FullGraph(hk.Module):
    """Any processor, over the graph in which all nodes are neighbours."""

    def __init__(self, processor: Processor, name: str = "full_graph") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> Processed:
        """One step; see `nar.processors.contract.Processor`."""
        return self._processor(features._replace(adjacency=full_adjacency(features)), hidden, memory, context)


def MPNN(
    hidden_size: int,
    *,
    aggregation: Aggregation = maximum,
    message_layers: int = 2,
    layer_norm: bool = True,
) -> Processor:
    """A `PGN` over the full graph, its arguments the same; costs the same."""
    pgn = PGN(
        hidden_size,
        aggregation=aggregation,
        message_layers=message_layers,
        layer_norm=layer_norm,
        name="mpnn",
    )
    return FullGraph(pgn)
