"""Deep Sets (Zaheer et al. 2017, arXiv 1703.06114), as in CLRS-30 (arXiv 2205.15659)."""

from nar.processors.base import Processor
from nar.processors.layers.aggregation import Aggregation
from nar.processors.pgn import PGN
from nar.processors.wrappers.neighborhoods import IsolatedNodes


def DeepSets(
    hidden_size: int,
    *,
    aggregation: Aggregation | str = "max",
    message_layers: int = 2,
    layer_norm: bool = True,
) -> Processor:
    """A `PGN` in which each node's only neighbor is itself, with the same arguments.

        m_i = MLP(relu(R z_i + S z_i + E edges_ii + G graph))
        h_i = LayerNorm(relu(U z_i + V m_i))

    Nodes share only the graph features and whatever the encoders have mixed into their features. Costs
    (9 + message_layers)·N·H² multiply-adds per step.
    """
    pgn = PGN(
        hidden_size,
        aggregation=aggregation,
        message_layers=message_layers,
        layer_norm=layer_norm,
        name="deep_sets",
    )
    return IsolatedNodes(pgn)
