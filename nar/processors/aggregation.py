"""How a node sums up the messages of its neighbours."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax.numpy as jnp

from nar.processors.contract import Array

Aggregation = Callable[[Array, Array], Array]
"""(messages [B, N, N, H], adjacency [B, N, N] bool) -> [B, N, H], over senders, axis 1."""

NO_MESSAGE = -1e6
"""What a maximum over no messages gives."""


def maximum(messages: Array, adjacency: Array) -> Array:
    """Largest message, feature by feature."""
    return jnp.where(adjacency[..., None], messages, NO_MESSAGE).max(axis=1)


def total(messages: Array, adjacency: Array) -> Array:
    """Sum of the messages."""
    return jnp.where(adjacency[..., None], messages, 0.0).sum(axis=1)


def mean(messages: Array, adjacency: Array) -> Array:
    """Mean of the messages."""
    return total(messages, adjacency) / adjacency.sum(axis=1)[..., None]


AGGREGATIONS: Mapping[str, Aggregation] = MappingProxyType({"max": maximum, "sum": total, "mean": mean})
"""Aggregations by name."""
