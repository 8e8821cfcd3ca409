"""Gated updates (Ibarz et al. 2022, arXiv 2209.11142, section 3.2)."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts, check_numbers


class Gated(hk.Module):
    """Gated update: each node decides how much of its hidden state to replace.

    With z = [nodes, hidden], and the aggregated messages m and new state h of the wrapped processor:

        g  = sigmoid(C relu(A z + B m)), where the bias of C is initialized to `bias`
        h' = g h + (1 - g) hidden

    Costs 4·N·H² multiply-adds per step.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self, processor: Processor, hidden_size: int, *, bias: float = -3.0, name: str = "gate"
    ) -> None:
        """Wraps a processor; with a negative `bias` the hidden states initially change little."""
        check_counts(hidden_size=hidden_size)
        check_numbers(bias=bias)
        super().__init__(name=name)
        self._processor = processor
        self._hidden_size = hidden_size
        self._bias = bias

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`.

        Raises:
          ValueError: if the wrapped processor returns no messages, or hidden states have the wrong size.
        """
        check_inputs(features, hidden, context)
        if hidden.shape[-1] != self._hidden_size:
            raise ValueError(
                f"a gate of size {self._hidden_size} needs states of that size, got {hidden.shape}"
            )
        output = self._processor(accepted_features(self._processor, features), hidden, memory, context)
        if output.messages is None:
            raise ValueError("a gate needs a processor that returns its messages")
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        from_state = Linear(self._hidden_size, name="state")(z)
        from_messages = Linear(self._hidden_size, name="messages")(output.messages)
        logits = Linear(self._hidden_size, bias=self._bias, name="gate")(
            jax.nn.relu(from_state + from_messages)
        )
        gate = jax.nn.sigmoid(logits)
        return output._replace(nodes=gate * output.nodes + (1 - gate) * hidden)
