"""Wrappers that decide which nodes a processor takes for neighbours."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import (
    Array,
    Context,
    FactoredFeatures,
    Features,
    Processor,
    ProcessorOutput,
    check_shapes,
    full_adjacency,
)


class FullGraph(hk.Module):
    """Any processor, over the graph in which all nodes are neighbours."""

    def __init__(self, processor: Processor, name: str = "full_graph") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_shapes(features, hidden)
        return self._processor(features._replace(adjacency=full_adjacency(features)), hidden, memory, context)


class IsolatedNodes(hk.Module):
    """Any processor, each node alone in a graph of its own: its only neighbour is itself.

    Costs N times the wrapped processor's cost on one node. Only the edges (i, i) are read, and no edge states
    are returned, so triplet messages have to wrap this wrapper: `Triplets(IsolatedNodes(...))`.
    """

    def __init__(self, processor: Processor, name: str = "isolated_nodes") -> None:
        """Wraps a processor."""
        super().__init__(name=name)
        self._processor = processor

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor, for B·N graphs of one node; arrays [B, N, ...] from [B·N, ...]."""
        memory = self._processor.initial_memory(batch_size * num_nodes, 1)
        return jax.tree.map(lambda x: x.reshape(batch_size, num_nodes, *x.shape[1:]), memory)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`.

        Raises:
          ValueError: if the wrapped processor returns states of edges or of the graph.
        """
        check_shapes(features, hidden)
        batch_size, num_nodes, _ = hidden.shape
        memory = jax.tree.map(lambda x: x.reshape(batch_size * num_nodes, *x.shape[2:]), memory)
        if jnp.ndim(context.step):
            context = context._replace(step=jnp.repeat(context.step, num_nodes))
        processed = self._processor(_apart(features), _single(hidden), memory, context)
        if processed.edges is not None or processed.graph is not None:
            raise ValueError("nodes that are apart have no edges and no graph: wrap their processor around")

        def joined(x: Array) -> Array:
            return x.reshape(batch_size, num_nodes, x.shape[-1])

        return processed._replace(
            nodes=joined(processed.nodes),
            messages=None if processed.messages is None else joined(processed.messages),
            memory=jax.tree.map(lambda x: x.reshape(batch_size, num_nodes, *x.shape[1:]), processed.memory),
            losses={name: _mean(loss, features) for name, loss in processed.losses.items()},
            pointer_mask=None,
        )


def _apart(features: Features) -> Features:
    """B·N graphs of one node each."""
    batch_size, num_nodes, _ = features.nodes.shape
    edges = features.edges
    if isinstance(edges, FactoredFeatures):
        edges = FactoredFeatures(_loops(edges.values), edges.vectors, edges.bias)
    else:
        edges = _loops(edges)
    return Features(
        nodes=_single(features.nodes),
        edges=edges,
        graph=jnp.repeat(features.graph, num_nodes, axis=0),
        adjacency=jnp.ones((batch_size * num_nodes, 1, 1), bool),
    )


def _single(x: Array) -> Array:
    """[B·N, 1, F] from [B, N, F]."""
    return x.reshape(-1, 1, x.shape[-1])


def _mean(loss: Array, features: Features) -> Array:
    """[B], mean over the real nodes of a sample, from [B·N]."""
    shape = features.nodes.shape[:2]
    real = jnp.ones(shape, bool) if features.mask is None else features.mask
    return loss.reshape(shape).mean(axis=1, where=real)


def _loops(x: Array) -> Array:
    """Edges (i, i): [B·N, 1, 1, F] from [B, N, N, F]."""
    own = jax.vmap(jnp.diagonal)(x).swapaxes(1, 2)
    return own.reshape(-1, 1, 1, x.shape[-1])
