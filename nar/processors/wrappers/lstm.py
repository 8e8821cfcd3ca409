"""An LSTM behind a processor (Hochreiter and Schmidhuber 1997), as `use_lstm` of dm-clrs has it."""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput
from nar.processors.layers.linear import Linear


class LSTMState(NamedTuple):
    """What an LSTM remembers: hidden and cell states, [B, N, H] each."""

    hidden: Array
    cell: Array


class LSTM(hk.Module):
    """Any processor, with an LSTM at each node that reads its new states x; all nodes share its weights.

    With the states h and c of the step before, zero at first:

        i, g, f, o = W x + U h + b
        c' = sigmoid(f + 1) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(c')

    h' is the new state of the node (arXiv 1409.2329; the 1 keeps cells as they are at first). Costs 8·N·H²
    multiply-adds a step. Its weights train, as all weights do.
    """

    def __init__(self, processor: Processor, hidden_size: int, *, name: str = "lstm") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor
        self._hidden_size = hidden_size

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor, and an empty state."""
        zeros = jnp.zeros((batch_size, num_nodes, self._hidden_size))
        return self._processor.initial_memory(batch_size, num_nodes), LSTMState(zeros, zeros)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        inner, state = memory or self.initial_memory(*hidden.shape[:2])
        processed = self._processor(features, hidden, inner, context)
        nodes = processed.nodes
        gates = Linear(4 * self._hidden_size, name="gates")(nodes, state.hidden.astype(nodes.dtype))
        new, cell = lstm_cell(gates.astype(state.cell.dtype), state.cell)
        memory = (processed.memory, LSTMState(new, cell))
        return processed._replace(nodes=new.astype(nodes.dtype), memory=memory)


def lstm_cell(gates: Array, cell: Array) -> tuple[Array, Array]:
    """New hidden and cell states [..., H] of an LSTM, from its gates [..., 4H] and the old cell state."""
    i, g, f, o = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f + 1) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(cell), cell
