"""Processors without a history: ForgetNet and G-ForgetNet (Bohde et al. 2024, arXiv 2403.04929).

The next step of an algorithm follows from its present one, so ForgetNet gives its processor no previous
states, and G-ForgetNet a share of them, by a gate that a loss drives towards zero. This much is the paper's.
Its formulas were not at hand: what the gate reads, the size of it that is the loss, and how that is annealed,
are ours. Decoders read the previous states in either case, as they do with all processors here.
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
    cast_floating,
    check_shapes,
)
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts


class NoHistory(hk.Module):
    """Any processor, given neither previous states nor a memory: h = processor(features, 0).

    It has no parameters and no memory of its own, and costs nothing. Several message-passing steps belong
    inside it, as `NoHistory(Repeated(...))`: around it, each of them starts anew.
    """

    def __init__(self, processor: Processor, name: str = "no_history") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """There is none, whatever the wrapped processor has."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        fresh = self._processor.initial_memory(*features.adjacency.shape[:2])
        fresh = cast_floating(hidden.dtype, fresh)
        processed = self._processor(features, jnp.zeros_like(hidden), fresh, context)
        return processed._replace(memory=memory)


class GatedHistory(hk.Module):
    """Any processor, given previous states through a gate that a loss drives towards zero.

    With z = [nodes, hidden], the offset of A starting at `bias`, and after t steps of training:

        g    = sigmoid(A z + B graph)
        h    = processor(features, g ⊙ hidden)
        loss = min(1, t / annealing_steps) · mean over real nodes of |g| / sqrt(H)

    The mean goes from 0, where steps are Markov, to 1, where all of the history is kept. The loss is called
    `gate`. Only states of nodes are gated: a memory of the wrapped processor is handed on. Costs 2·N·H²
    multiply-adds a step.
    """

    def __init__(
        self, processor: Processor, *, bias: float = 0.0, annealing_steps: int = 0, name: str = "history"
    ) -> None:
        """Wraps a processor.

        Args:
          processor: what is wrapped.
          bias: of the gate; a positive one keeps it open at first.
          annealing_steps: of training, over which the loss grows to its full size; 0 if it starts with that.
          name: of the module.

        Raises:
          ValueError: if the number of annealing steps is negative.
        """
        check_counts(at_least=0, annealing_steps=annealing_steps)
        super().__init__(name=name)
        self._processor = processor
        self._bias = bias
        self._annealing_steps = annealing_steps

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_shapes(features, hidden)
        gate = self._gate(features, hidden)
        processed = self._processor(features, gate * hidden, memory, context)
        loss = self._annealed(size_of_gate(gate, features.mask), context.training_step)
        return processed._replace(losses={**processed.losses, "gate": loss})

    @hk.transparent
    def _gate(self, features: Features, hidden: Array) -> Array:
        """g [B, N, H]."""
        size = hidden.shape[-1]
        from_nodes = Linear(size, bias=self._bias, name="nodes")(features.nodes, hidden)
        from_graph = Linear(size, bias=None, name="graph")(features.graph)
        return jax.nn.sigmoid(from_nodes + from_graph[:, None])

    def _annealed(self, loss: Array, training_step: Array | int) -> Array:
        if self._annealing_steps == 0:
            return loss
        share = jnp.asarray(training_step, jnp.float32) / self._annealing_steps
        return loss * jnp.minimum(share, 1).astype(loss.dtype)


def size_of_gate(gate: Array, mask: Array | None) -> Array:
    """Mean over the real nodes of the root mean square of a gate [B, N, H]; [B]."""
    wide = gate.astype(jnp.promote_types(gate.dtype, jnp.float32))
    sizes = jnp.sqrt(jnp.square(wide).mean(axis=-1))
    real = jnp.ones(sizes.shape, bool) if mask is None else mask
    return jnp.mean(sizes, axis=1, where=real).astype(gate.dtype)
