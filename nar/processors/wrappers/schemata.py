"""Schemata: several update networks, one of which each node chooses (Goyal et al. 2020, arXiv 2006.16225)."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs
from nar.processors.layers.choice import choice_key, choose
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts, check_positive


class Schemata(hk.Module):
    """Update of each node by the one of several gated recurrent units that suits it at this step.

    As in SCOFF, where nodes are object files and units schemata. With the hidden states h, and the new states
    x of the wrapped processor:

        c_ik = GRU_k(x_i, h_i)
        k_i  = argmax_k Q [h_i, x_i] · K c_ik / sqrt(H)
        h'_i = c_{i k_i}

    In training the choice is drawn by the straight-through Gumbel softmax. With S schemata, (2 + 7·S)·N·H²
    multiply-adds per step.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self,
        processor: Processor,
        hidden_size: int,
        *,
        num_schemata: int = 4,
        temperature: float = 1.0,
        name: str = "schemata",
    ) -> None:
        """Wraps a processor.

        Args:
          processor: a processor.
          hidden_size: H.
          num_schemata: S, number of units.
          temperature: temperature of the choice in training.
          name: name of the Haiku module.

        Raises:
          ValueError: if an option is invalid.
        """
        check_counts(hidden_size=hidden_size, num_schemata=num_schemata)
        check_positive(temperature=temperature)
        super().__init__(name=name)
        self._processor = processor
        self._hidden_size = hidden_size
        self._num_schemata = num_schemata
        self._temperature = temperature

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        output = self._processor(accepted_features(self._processor, features), hidden, memory, context)
        units = range(self._num_schemata)
        candidates = jnp.stack([self._unit(number, output.nodes, hidden) for number in units], axis=2)
        query = Linear(self._hidden_size, name="query")(hidden, output.nodes)
        keys = Linear(self._hidden_size, bias=None, name="key")(candidates)
        products = jnp.einsum("bnh,bnkh->bnk", query, keys, preferred_element_type=jnp.float32)
        chosen = choose(products / self._hidden_size**0.5, self._temperature, choice_key(context))
        nodes = jnp.einsum("bnk,bnkh->bnh", chosen.astype(candidates.dtype), candidates)
        return output._replace(nodes=nodes)

    @hk.transparent
    def _unit(self, number: int, inputs: Array, hidden: Array) -> Array:
        """The states that one gated recurrent unit proposes (Cho et al. 2014, arXiv 1406.1078)."""
        gates = Linear(2 * self._hidden_size, name=f"gates_{number}")(inputs, hidden)
        update, reset = jnp.split(jax.nn.sigmoid(gates), 2, axis=-1)
        proposed = jnp.tanh(Linear(self._hidden_size, name=f"proposal_{number}")(inputs, reset * hidden))
        return (1 - update) * hidden + update * proposed
