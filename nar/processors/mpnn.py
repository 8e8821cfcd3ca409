"""Message-passing neural network (Gilmer et al. 2017, arXiv 1704.01212)."""

from nar.processors.base import Processor
from nar.processors.layers.aggregation import Aggregation
from nar.processors.pgn import PGN
from nar.processors.wrappers.neighborhoods import FullGraph


def MPNN(
    hidden_size: int,
    *,
    aggregation: Aggregation | str = "max",
    message_layers: int = 2,
    layer_norm: bool = True,
) -> Processor:
    """A `PGN` over the full graph, with the same arguments and cost."""
    pgn = PGN(
        hidden_size,
        aggregation=aggregation,
        message_layers=message_layers,
        layer_norm=layer_norm,
        name="mpnn",
    )
    return FullGraph(pgn)
