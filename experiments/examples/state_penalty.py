"""A custom auxiliary loss in one file, outside nar: an L2 penalty on hidden states.

Processors may return auxiliary losses; this wrapper adds one to any processor. To train with it, give its
name, `module:ATTRIBUTE`; the module may be anywhere on the Python path or in the current directory:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/state-penalty \
        --config.model.processor=experiments.examples.state_penalty:mpnn_with_state_penalty \
        --config.training.loss_weights="{'auxiliary/states': 0.1}"
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors import MPNN, Context, Features, Processor, ProcessorOutput


class StatePenalty(hk.Module):
    """Adds the auxiliary loss `states` to a processor: the mean square of the new states of real nodes."""

    accepts_factored = True  # Features are passed on to processors of nar, which accept factored ones.

    def __init__(self, processor: Processor, *, name: str = "state_penalty") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: jax.Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        output = self._processor(features, hidden, memory, context)
        squares = jnp.square(output.nodes).mean(axis=-1)
        real = jnp.ones(squares.shape, bool) if features.mask is None else features.mask
        loss = squares.mean(axis=1, where=real)
        return output._replace(losses={**output.losses, "states": loss})


def mpnn_with_state_penalty(hidden_size: int, **options: Any) -> StatePenalty:
    """An `MPNN` with a state penalty; takes the options of `MPNN`."""
    return StatePenalty(MPNN(hidden_size, **options))
