"""An LSTM after a processor (Hochreiter and Schmidhuber 1997), `use_lstm` in dm-clrs."""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs, checked_memory
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts


class LSTMState(NamedTuple):
    """Recurrent state of an LSTM: hidden and cell states, [B, N, H] each."""

    hidden: Array
    cell: Array


class LSTM(hk.Module):
    """Applies an LSTM to the new hidden states x of a processor; all nodes share its weights.

    With the hidden state h and cell state c of the previous step, initially zero:

        i, g, f, o = W x + U h + b
        c' = sigmoid(f + 1) c + sigmoid(i) tanh(g)
        h' = sigmoid(o) tanh(c')

    h' is the new hidden state of the node (arXiv 1409.2329; the 1 is a forget bias). Costs 8·N·H²
    multiply-adds per step.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(self, processor: Processor, hidden_size: int, *, name: str = "lstm") -> None:
        """Wraps a processor; `hidden_size` is H."""
        check_counts(hidden_size=hidden_size)
        super().__init__(name=name)
        self._processor = processor
        self._hidden_size = hidden_size

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor, and a zero LSTM state."""
        zeros = jnp.zeros((batch_size, num_nodes, self._hidden_size), jnp.float32)
        return self._processor.initial_memory(batch_size, num_nodes), LSTMState(zeros, zeros)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        inner, state = checked_memory(memory, self.initial_memory(*hidden.shape[:2]))
        output = self._processor(accepted_features(self._processor, features), hidden, inner, context)
        nodes = output.nodes
        gates = Linear(4 * self._hidden_size, name="gates")(nodes, state.hidden.astype(nodes.dtype))
        new_hidden, cell = lstm_cell(gates.astype(state.cell.dtype), state.cell)
        memory = (output.memory, LSTMState(new_hidden, cell))
        return output._replace(nodes=new_hidden.astype(nodes.dtype), memory=memory)


def lstm_cell(gates: Array, cell: Array) -> tuple[Array, Array]:
    """Computes hidden and cell states [..., H] from the gates [..., 4H] and the previous cell state."""
    i, g, f, o = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f + 1) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(cell), cell
