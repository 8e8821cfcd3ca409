"""Dropout behind a processor (Srivastava et al. 2014), as `dropout_prob` of dm-clrs has it."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput


class Dropout:
    """Any processor, with entries of its new states set to zero at random.

    In training only; what remains is scaled up, so that means stay as they are.
    """

    def __init__(self, processor: Processor, rate: float) -> None:
        """Wraps a processor; `rate` is the probability that an entry becomes zero."""
        if not 0 <= rate < 1:
            raise ValueError(f"the rate of dropout must be at least 0 and less than 1, got {rate}")
        self._processor = processor
        self._rate = rate

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        processed = self._processor(features, hidden, memory, context)
        if not context.is_training:
            return processed
        kept = jax.random.bernoulli(hk.next_rng_key(), 1 - self._rate, processed.nodes.shape)
        return processed._replace(nodes=jnp.where(kept, processed.nodes / (1 - self._rate), 0.0))
