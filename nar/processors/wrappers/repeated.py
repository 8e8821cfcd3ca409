"""Several message-passing steps per step of the algorithm, `nb_msg_passing_steps` in dm-clrs."""

from typing import Any

import jax

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs
from nar.processors.option_checks import check_counts


class Repeated:
    """Applies a processor several times with shared weights and the same features.

    Hidden states and memory are passed from each application to the next. Edge and graph states are those of
    the last application; auxiliary losses are averaged over all.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(self, processor: Processor, times: int) -> None:
        """Wraps a processor, to be applied `times` times.

        Raises:
          ValueError: if `times` is less than 1.
        """
        check_counts(times=times)
        self._processor = processor
        self._times = times

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        features = accepted_features(self._processor, features)
        output = self._processor(features, hidden, memory, context)
        losses = [output.losses]
        for _ in range(self._times - 1):
            output = self._processor(features, output.nodes, output.memory, context)
            losses.append(output.losses)
        return output._replace(losses=jax.tree.map(lambda *values: sum(values) / len(values), *losses))
