"""Predictions only along the edges of the graph, as `PGNMask` of dm-clrs 2.0.3 has them."""

from typing import Any

import haiku as hk

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput


class Masked(hk.Module):
    """Any processor, with decoders that point and mark only along the edges of the step's graph.

    It changes nothing in what is computed here. Pointers of nodes and masks of edges at pairs that are no
    neighbours get a logit below all others, at most -1: see `ProcessorOutput.pointer_mask`.
    """

    def __init__(self, processor: Processor, name: str = "masked") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        processed = self._processor(features, hidden, memory, context)
        return processed._replace(pointer_mask=features.adjacency)
