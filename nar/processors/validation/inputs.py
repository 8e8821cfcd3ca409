"""Random inputs of a processor under test, in numpy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nar.processors.base import FactoredFeatures, Features

BATCH, NODES = 2, 5
PADDING = 2
GARBAGE = 7.0
"""Value of all features and states of padding nodes."""


def random_inputs(
    batch_size: int, num_nodes: int, size: int, dtype: Any = np.float32, seed: int = 0
) -> tuple[Features, Any]:
    """Random features with factored edges, and hidden states."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape).astype(dtype)

    pairs = (batch_size, num_nodes, num_nodes)
    adjacency: Any = (random.random(pairs) < 0.5) | np.eye(num_nodes, dtype=bool)
    edges = FactoredFeatures(normal(*pairs, 3), normal(3, size), normal(size))
    features = Features(normal(batch_size, num_nodes, size), edges, normal(batch_size, size), adjacency)
    return features, normal(batch_size, num_nodes, size)


def with_dense_edges(features: Features) -> Features:
    """Converts factored edges to one array."""
    edges: Any = features.edges
    dense = edges.values.astype(np.float32) @ edges.vectors.astype(np.float32) + edges.bias.astype(np.float32)
    return features._replace(edges=dense.astype(edges.dtype))


def padded(features: Features, hidden: Any) -> tuple[Features, Any]:
    """Adds padding nodes without neighbors, whose features and states are garbage."""

    def pad(value: Any, axes: int, garbage: float = GARBAGE) -> Any:
        widths = [(0, 0), *[(0, PADDING)] * axes, *[(0, 0)] * (value.ndim - 1 - axes)]
        return np.pad(value, widths, constant_values=garbage)

    num_nodes = hidden.shape[1] + PADDING
    adjacency = pad(features.adjacency, 2, False) | np.eye(num_nodes, dtype=bool)
    mask: Any = np.tile(np.arange(num_nodes) < hidden.shape[1], (len(hidden), 1))
    nodes, edges = pad(features.nodes, 1), pad(features.edges, 2)
    return Features(nodes, edges, features.graph, adjacency, mask), pad(hidden, 1)


def to_numpy(dtype: Any, tree: Any) -> Any:
    """Converts arrays to numpy, and floating-point ones to `dtype`."""

    def convert(leaf: Any) -> Any:
        leaf = np.asarray(leaf)
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(convert, tree)
