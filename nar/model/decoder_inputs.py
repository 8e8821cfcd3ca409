"""Decoder inputs of one step, in a form that the scan can carry until each sample's last step."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nar.model.decoders import DecoderInputs
from nar.processors import FactoredFeatures, Features

Array = jax.Array


class CarriedDecoderInputs(NamedTuple):
    """The decoders' inputs of one step as plain arrays with a batch axis.

    Attributes:
      nodes: [B, N, 3H]: node features, previous and new hidden states.
      edge_values: [B, N, N, K], values of the factored edge features.
      edge_states: [B, N, N, H] from the processor, or None.
      graph: [B, H], graph features.
      graph_state: [B, H] from the processor, or None.
      pointer_mask: [B, N, N] bool from the processor, or None.
    """

    nodes: Array
    edge_values: Array
    edge_states: Array | None
    graph: Array
    graph_state: Array | None
    pointer_mask: Array | None


def where_active(new: Any, old: Any, active: Array) -> Any:
    """Selects leaves [B, ...] of `new` for active samples and of `old` for the others."""

    def choose(new_leaf: Array, old_leaf: Array) -> Array:
        condition = active.reshape(active.shape + (1,) * (new_leaf.ndim - 1))
        return jnp.where(condition, new_leaf, old_leaf)

    return jax.tree.map(choose, new, old)


def factored_edges(features: Features) -> FactoredFeatures:
    """The edge features, which encoders always return in factored form."""
    assert isinstance(features.edges, FactoredFeatures)
    return features.edges


def to_decoder_inputs(features: Features, carried: CarriedDecoderInputs) -> DecoderInputs:
    """Builds decoder inputs from carried arrays; `features` provides only what is constant over steps."""
    edges = dataclasses.replace(factored_edges(features), values=carried.edge_values)
    return DecoderInputs(
        nodes=carried.nodes,
        edges=(edges,) if carried.edge_states is None else (edges, carried.edge_states),
        graph=(carried.graph,) if carried.graph_state is None else (carried.graph, carried.graph_state),
        mask=features.mask,
        pointer_mask=carried.pointer_mask,
    )
