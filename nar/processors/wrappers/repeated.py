"""Several steps of message passing in one step of the algorithm, as `nb_msg_passing_steps` of dm-clrs."""

from typing import Any

import jax

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput


class Repeated:
    """Any processor, applied several times with the same weights and features.

    Each time it is given the states and the memory of the time before. Edge and graph states are those of the
    last time, auxiliary losses means over all.
    """

    def __init__(self, processor: Processor, times: int) -> None:
        """Wraps a processor; `times` is at least 1."""
        if times < 1:
            raise ValueError(f"a processor must be applied at least once, got {times}")
        self._processor = processor
        self._times = times

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        processed = self._processor(features, hidden, memory, context)
        losses = [processed.losses]
        for _ in range(self._times - 1):
            processed = self._processor(features, processed.nodes, processed.memory, context)
            losses.append(processed.losses)
        return processed._replace(losses=jax.tree.map(lambda *values: sum(values) / len(values), *losses))
