"""The number of the step as a feature (Dehghani et al. 2019, arXiv 1807.03819, section 2.1)."""

from typing import Any

import haiku as hk
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts

LONGEST_PERIOD = 10_000
"""The periods of sines and cosines run up to this many steps, times 2π."""


class StepEncoding(hk.Module):
    """Any processor that is told which step it is, by an addition to the graph features.

    With the step t, and K frequencies f_k = 10000^(-k / K):

        graph' = graph + W [sin(f_0 t), cos(f_0 t), ..., sin(f_(K-1) t), cos(f_(K-1) t)]

    Sines and cosines of the step are those of the Universal Transformer; that they are mapped and added to
    the graph features is ours. Numbers of steps beyond those of training are new to the network. Costs 2·K·F
    multiply-adds a step.
    """

    def __init__(self, processor: Processor, *, num_frequencies: int = 8, name: str = "stepwise") -> None:
        """Wraps a processor; `num_frequencies` is K.

        Raises:
          ValueError: if K is less than 1.
        """
        check_counts(num_frequencies=num_frequencies)
        super().__init__(name=name)
        self._processor = processor
        self._num_frequencies = num_frequencies

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        encoded = encode_step(context.step, self._num_frequencies).astype(features.graph.dtype)
        offset = Linear(features.graph.shape[-1], bias=None, name="step")(encoded)
        graph = features.graph + jnp.broadcast_to(offset, features.graph.shape)
        return self._processor(features._replace(graph=graph), hidden, memory, context)


def encode_step(step: Array | int, num_frequencies: int) -> Array:
    """Sines and cosines of step numbers [...], [..., 2·num_frequencies] float32."""
    exponents = jnp.arange(num_frequencies) / num_frequencies
    angles = jnp.multiply.outer(jnp.asarray(step, jnp.float32), LONGEST_PERIOD**-exponents)
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(*jnp.shape(step), -1)
