"""Removal of the dependence on history: ForgetNet and G-ForgetNet (Bohde et al. 2024, arXiv 2403.04929).

Algorithms are Markov: the next step follows from the current one. So ForgetNet removes the previous hidden
states from the input of the processor, and G-ForgetNet scales them by a gate that a loss drives to zero. The
paper's formulas were not available: the inputs of the gate, its penalty and the annealing of that are ours.
Decoders read the previous hidden states in both cases, as with all processors of nar.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import (
    Array,
    Context,
    Features,
    Processor,
    ProcessorOutput,
    accepted_features,
    cast_floating,
)
from nar.processors.input_checks import check_inputs
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts, check_numbers


class NoHistory(hk.Module):
    """Runs a processor without previous hidden states and memory: h = processor(features, 0).

    It has no parameters, no memory and no cost. To combine it with several message-passing steps, use
    `NoHistory(Repeated(...))`; in `Repeated(NoHistory(...))` each of them would start from zero.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(self, processor: Processor, name: str = "no_history") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Empty, even if the wrapped processor has a memory."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        initial = self._processor.initial_memory(*hidden.shape[:2])
        initial = cast_floating(hidden.dtype, initial)
        features = accepted_features(self._processor, features)
        output = self._processor(features, jnp.zeros_like(hidden), initial, context)
        return output._replace(memory=memory)


class GatedHistory(hk.Module):
    """Gates the previous hidden states of a processor, with a loss that drives the gate to zero.

    With z = [nodes, hidden], the bias of A initialized to `bias`, and at training step t:

        g    = sigmoid(A z + B graph)
        h    = processor(features, g ⊙ hidden)
        loss = min(1, t / annealing_steps) · mean over real nodes of |g| / sqrt(H)

    The mean is between 0, where steps are Markov, and 1, where the full history is kept. The loss is named
    `gate`. Only hidden states are gated; the memory of the wrapped processor is not. Costs 2·N·H²
    multiply-adds per step.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self, processor: Processor, *, bias: float = 0.0, annealing_steps: int = 0, name: str = "history"
    ) -> None:
        """Wraps a processor.

        Args:
          processor: processor to wrap.
          bias: initial bias of the gate; positive values start with an open gate.
          annealing_steps: training steps over which the loss is annealed from zero to its full value; 0 for
            no annealing.
          name: name of the Haiku module.

        Raises:
          ValueError: if `annealing_steps` is negative, or `bias` isn't a number.
        """
        check_counts(minimum=0, annealing_steps=annealing_steps)
        check_numbers(bias=bias)
        super().__init__(name=name)
        self._processor = processor
        self._bias = bias
        self._annealing_steps = annealing_steps

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        gate = self._gate(features, hidden)
        output = self._processor(accepted_features(self._processor, features), gate * hidden, memory, context)
        loss = self._annealed(gate_norm(gate, features.mask), context.training_step)
        return output._replace(losses={**output.losses, "gate": loss})

    @hk.transparent
    def _gate(self, features: Features, hidden: Array) -> Array:
        """Gate g [B, N, H]."""
        size = hidden.shape[-1]
        from_nodes = Linear(size, bias=self._bias, name="nodes")(features.nodes, hidden)
        from_graph = Linear(size, bias=None, name="graph")(features.graph)
        return jax.nn.sigmoid(from_nodes + from_graph[:, None])

    def _annealed(self, loss: Array, training_step: Array | int) -> Array:
        if self._annealing_steps == 0:
            return loss
        scale = jnp.asarray(training_step, jnp.float32) / self._annealing_steps
        return loss * jnp.minimum(scale, 1).astype(loss.dtype)


def gate_norm(gate: Array, mask: Array | None) -> Array:
    """Mean over the real nodes of the root mean square of a gate [B, N, H], as [B]."""
    gate32 = gate.astype(jnp.promote_types(gate.dtype, jnp.float32))
    norms = jnp.sqrt(jnp.square(gate32).mean(axis=-1))
    real = jnp.ones(norms.shape, bool) if mask is None else mask
    return jnp.mean(norms, axis=1, where=real).astype(gate.dtype)
