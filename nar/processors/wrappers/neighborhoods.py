"""Wrappers that replace the neighborhoods of a processor."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import (
    Array,
    Context,
    FactoredFeatures,
    Features,
    Neighbors,
    Processor,
    ProcessorOutput,
    accepted_features,
    cast_floating,
    full_adjacency,
)
from nar.processors.input_checks import check_inputs, checked_memory
from nar.processors.layers.neighbors import own_slots


class FullGraph(hk.Module):
    """Runs a processor on the complete graph over the real nodes."""

    accepts_factored = True

    def __init__(self, processor: Processor, name: str = "full_graph") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        features = features._replace(adjacency=full_adjacency(features))
        return self._processor(accepted_features(self._processor, features), hidden, memory, context)


class IsolatedNodes(hk.Module):
    """Runs a processor on each node separately, as a graph whose only edge is the self-loop.

    Costs N times the wrapped processor's cost on one node. Only the edges (i, i) are read, and no edge states
    are returned, so triplet messages have to wrap this wrapper: `Triplets(IsolatedNodes(...))`.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(self, processor: Processor, name: str = "isolated_nodes") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor for B·N graphs of one node, reshaped to [B, N, ...]."""
        memory = self._processor.initial_memory(batch_size * num_nodes, 1)
        return jax.tree.map(lambda x: x.reshape(batch_size, num_nodes, *x.shape[1:]), memory)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`.

        Raises:
          ValueError: if the wrapped processor returns edge or graph states.
        """
        check_inputs(features, hidden, context)
        batch_size, num_nodes, _ = hidden.shape
        initial = cast_floating(hidden.dtype, self.initial_memory(batch_size, num_nodes))
        memory = checked_memory(memory, initial)
        memory = jax.tree.map(lambda x: x.reshape(batch_size * num_nodes, *x.shape[2:]), memory)
        if jnp.ndim(context.step):
            context = context._replace(step=jnp.repeat(context.step, num_nodes))
        features_of_nodes = accepted_features(self._processor, _split_nodes(features))
        output = self._processor(features_of_nodes, _single(hidden), memory, context)
        if output.edges is not None or output.graph is not None:
            raise ValueError("the processor inside IsolatedNodes must not return edge or graph states")

        def ungroup(x: Array) -> Array:
            return x.reshape(batch_size, num_nodes, x.shape[-1])

        return output._replace(
            nodes=ungroup(output.nodes),
            messages=None if output.messages is None else ungroup(output.messages),
            memory=jax.tree.map(lambda x: x.reshape(batch_size, num_nodes, *x.shape[1:]), output.memory),
            losses={name: _mean_over_nodes(loss, features) for name, loss in output.losses.items()},
            pointer_mask=None,
        )


def _split_nodes(features: Features) -> Features:
    """Splits B graphs of N nodes into B·N graphs of one node."""
    batch_size, num_nodes, _ = features.nodes.shape
    edges = features.edges
    if isinstance(edges, FactoredFeatures):
        values = _self_loops(edges.values, features.neighbors)
        edges = FactoredFeatures(values, edges.vectors, edges.bias)
    else:
        edges = _self_loops(edges, features.neighbors)
    return Features(
        nodes=_single(features.nodes),
        edges=edges,
        graph=jnp.repeat(features.graph, num_nodes, axis=0),
        adjacency=jnp.ones((batch_size * num_nodes, 1, 1), bool),
    )


def _single(x: Array) -> Array:
    """Reshapes [B, N, F] to [B·N, 1, F]."""
    return x.reshape(-1, 1, x.shape[-1])


def _mean_over_nodes(loss: Array, features: Features) -> Array:
    """Mean of a per-node loss [B·N] over the real nodes of each sample, [B]."""
    shape = features.nodes.shape[:2]
    real = jnp.ones(shape, bool) if features.mask is None else features.mask
    return loss.reshape(shape).mean(axis=1, where=real)


def _self_loops(x: Array, neighbors: Neighbors | None) -> Array:
    """Features of the edges (i, i): [B·N, 1, 1, F] from [B, N, N, F], or from [B, K, N, F]."""
    if neighbors is None:
        diagonal = jax.vmap(jnp.diagonal)(x).swapaxes(1, 2)
    else:
        diagonal = jnp.where(own_slots(neighbors).swapaxes(1, 2)[..., None], x, 0).sum(axis=1)
    return diagonal.reshape(-1, 1, 1, x.shape[-1])
