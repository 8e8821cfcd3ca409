"""What decoders read of a step, in a form that can be kept until each sample's last step."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nar.model.decoders import DecoderInputs
from nar.processors import FactoredFeatures, Features

Array = jax.Array


class CarriedDecoderInputs(NamedTuple):
    """What decoders read of one step, arrays with a batch axis only.

    Attributes:
      nodes: [B, N, 3H]: node features, previous and new hidden states.
      edge_values: [B, N, N, K], values of the factored edge features.
      edges: [B, N, N, H] from the processor, or None.
      graph: [B, H].
      processed_graph: [B, H] from the processor, or None.
      pointer_mask: [B, N, N] bool from the processor, or None.
    """

    nodes: Array
    edge_values: Array
    edges: Array | None
    graph: Array
    processed_graph: Array | None
    pointer_mask: Array | None


def where_active(new: Any, old: Any, active: Array) -> Any:
    """New values for the samples that are still running, old ones for the others; arrays [B, ...]."""

    def choose(new_leaf: Array, old_leaf: Array) -> Array:
        condition = active.reshape(active.shape + (1,) * (new_leaf.ndim - 1))
        return jnp.where(condition, new_leaf, old_leaf)

    return jax.tree.map(choose, new, old)


def factored_edges(features: Features) -> FactoredFeatures:
    """The edge features, which encoders always give in factored form."""
    assert isinstance(features.edges, FactoredFeatures)
    return features.edges


def to_decoder_inputs(features: Features, carried: CarriedDecoderInputs) -> DecoderInputs:
    """What decoders read; of the features only what is the same in all steps."""
    edges = dataclasses.replace(factored_edges(features), values=carried.edge_values)
    return DecoderInputs(
        nodes=carried.nodes,
        edges=(edges,) if carried.edges is None else (edges, carried.edges),
        graph=(carried.graph,)
        if carried.processed_graph is None
        else (carried.graph, carried.processed_graph),
        mask=features.mask,
        pointer_mask=carried.pointer_mask,
    )
