"""Predictions restricted to the edges of the graph, as in `PGNMask` of dm-clrs 2.0.3."""

from typing import Any

import haiku as hk

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs


class Masked(hk.Module):
    """Restricts node pointers and edge masks of the decoders to the edges of the step's graph.

    The processor's own computation is unchanged. At pairs of nodes that are not neighbors, the decoders set
    the logit below all others, to at most -1: see `ProcessorOutput.pointer_mask`.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(self, processor: Processor, name: str = "masked") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        output = self._processor(accepted_features(self._processor, features), hidden, memory, context)
        mask = features.adjacency if features.neighbors is None else features.adjacency.swapaxes(1, 2)
        return output._replace(pointer_mask=mask)
