"""Encoding of the step index (Dehghani et al. 2019, arXiv 1807.03819, section 2.1)."""

from typing import Any

import haiku as hk
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts

LONGEST_PERIOD = 10_000
"""Upper bound of the periods of sines and cosines, in units of 2π steps."""


class StepEncoding(hk.Module):
    """Adds a sinusoidal encoding of the step index to the graph features of a processor.

    With the step index t, and K frequencies f_k = 10000^(-k / K):

        graph' = graph + W [sin(f_0 t), cos(f_0 t), ..., sin(f_(K-1) t), cos(f_(K-1) t)]

    Sines and cosines of the step are those of the Universal Transformer; mapping and adding them to the graph
    features is ours. Steps beyond the longest training trace are out of distribution. Costs 2·K·F
    multiply-adds per step.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self, processor: Processor, *, num_frequencies: int = 8, name: str = "step_encoding"
    ) -> None:
        """Wraps a processor; `num_frequencies` is K.

        Raises:
          ValueError: if K is less than 1.
        """
        check_counts(num_frequencies=num_frequencies)
        super().__init__(name=name)
        self._processor = processor
        self._num_frequencies = num_frequencies

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        encoded = encode_step(context.step, self._num_frequencies).astype(features.graph.dtype)
        bias = Linear(features.graph.shape[-1], bias=None, name="step")(encoded)
        graph = features.graph + jnp.broadcast_to(bias, features.graph.shape)
        features = accepted_features(self._processor, features._replace(graph=graph))
        return self._processor(features, hidden, memory, context)


def encode_step(step: Array | int, num_frequencies: int) -> Array:
    """Sinusoidal encoding of step indices [...], float32 [..., 2·num_frequencies]."""
    exponents = jnp.arange(num_frequencies) / num_frequencies
    angles = jnp.multiply.outer(jnp.asarray(step, jnp.float32), LONGEST_PERIOD**-exponents)
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(*jnp.shape(step), -1)
