"""A loss in one file, outside nar: states of nodes are kept small.

A processor may return losses beside its states; this one wraps any other, and adds one. It is trained by its
name, from this folder or from any other that holds such a file:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/quiet \
        --config.model.processor=experiments.examples.quiet_states:quiet_mpnn \
        --config.training.loss_weights="{'auxiliary/states': 0.1}"
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors import MPNN, Context, Features, Processor, ProcessorOutput


class Quiet(hk.Module):
    """Wraps a processor, and adds the loss `states`: the mean square of the new states of real nodes."""

    def __init__(self, processor: Processor, *, name: str = "quiet") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: jax.Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        processed = self._processor(features, hidden, memory, context)
        squares = jnp.square(processed.nodes).mean(axis=-1)
        real = jnp.ones(squares.shape, bool) if features.mask is None else features.mask
        loss = squares.mean(axis=1, where=real)
        return processed._replace(losses={**processed.losses, "states": loss})


def quiet_mpnn(hidden_size: int, **options: Any) -> Quiet:
    """`Quiet` around an MPNN, whose options these are, under a name that a config can give."""
    return Quiet(MPNN(hidden_size, **options))
