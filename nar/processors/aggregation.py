"""How a node sums up the messages of its neighbours."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from nar.processors.contract import Array

Aggregation = Callable[[Array, Array], Array]
"""(messages [B, N, N, H], adjacency [B, N, N] bool) -> [B, N, H], over senders, axis 1."""

NO_MESSAGE = -1e6
"""What a maximum over no messages gives."""

SAME = 1e-6
"""Relative difference below which two values are the same but for rounding."""


@jax.custom_jvp
def largest(values: Array) -> Array:
    """Maximum over axis 1; its derivative is the mean over all values that reach it.

    That of `jnp.max` looks for values that equal the maximum bit by bit. A compiler may work them out twice
    and round differently; then there is none, and the mean is 0 / 0.
    """
    return values.max(axis=1)


@largest.defjvp
def _derivative_of_largest(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (values,), (directions,) = primals, tangents
    found = values.max(axis=1)
    reaches = values >= (found - SAME * jnp.abs(found))[:, None]
    count = jnp.maximum(reaches.sum(axis=1), 1).astype(values.dtype)
    return found, jnp.where(reaches, directions, 0.0).sum(axis=1) / count


def maximum(messages: Array, adjacency: Array) -> Array:
    """Largest message, feature by feature."""
    return largest(jnp.where(adjacency[..., None], messages, NO_MESSAGE))


def total(messages: Array, adjacency: Array) -> Array:
    """Sum of the messages."""
    return jnp.where(adjacency[..., None], messages, 0.0).sum(axis=1)


def mean(messages: Array, adjacency: Array) -> Array:
    """Mean of the messages."""
    return total(messages, adjacency) / adjacency.sum(axis=1)[..., None]


AGGREGATIONS: Mapping[str, Aggregation] = MappingProxyType({"max": maximum, "sum": total, "mean": mean})
"""Aggregations by name."""
