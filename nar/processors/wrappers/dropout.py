"""Dropout of the new hidden states (Srivastava et al. 2014), `dropout_prob` in dm-clrs."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs
from nar.processors.option_checks import check_numbers


class Dropout:
    """Applies dropout to the new hidden states of a processor.

    In training only; the remaining entries are scaled by 1 / (1 - rate), so that means don't change.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(self, processor: Processor, rate: float) -> None:
        """Wraps a processor; `rate` is the probability that an entry is set to zero.

        Raises:
          ValueError: if the rate is not in [0, 1).
        """
        check_numbers(rate=rate)
        if not 0 <= rate < 1:
            raise ValueError(f"the dropout rate must be at least 0 and less than 1, got {rate}")
        self._processor = processor
        self._rate = rate

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        output = self._processor(accepted_features(self._processor, features), hidden, memory, context)
        if not context.is_training:
            return output
        keep = jax.random.bernoulli(hk.next_rng_key(), 1 - self._rate, output.nodes.shape)
        return output._replace(nodes=jnp.where(keep, output.nodes / (1 - self._rate), 0.0))
