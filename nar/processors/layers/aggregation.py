"""How a node sums up the messages of its neighbours.

An aggregation is a callable `(messages, adjacency) -> received` over senders. It may have parameters: it is
called inside the processor that uses it. As an option it may be given by its name in `AGGREGATIONS`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from nar.processors.base import Array
from nar.processors.layers.recurrent_aggregation import recurrent

Aggregation = Callable[[Array, Array], Array]
"""(messages [B, N, N, H], adjacency [B, N, N] bool) -> [B, N, H], over senders, axis 1."""

NO_MESSAGE = -1e6
"""What a maximum over no messages gives."""

SAME = 2.5e-7
"""Relative difference up to which two float32 values are the same but for rounding."""


@jax.custom_jvp
def max_with_ties(values: Array) -> Array:
    """Maximum over axis 1; its derivative is the mean over all values that reach it.

    That of `jnp.max` looks for values that equal the maximum bit by bit. A compiler may work them out twice
    and round differently; then there is none, and the mean is 0 / 0.
    """
    return values.max(axis=1)


@max_with_ties.defjvp
def _derivative_of_max_with_ties(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (values,), (directions,) = primals, tangents
    found = values.max(axis=1)
    reaches = values >= (found - SAME * jnp.abs(found))[:, None]
    count = jnp.maximum(reaches.sum(axis=1), 1).astype(values.dtype)
    return found, jnp.where(reaches, directions, 0.0).sum(axis=1) / count


def maximum(messages: Array, adjacency: Array) -> Array:
    """Largest message, feature by feature."""
    return max_with_ties(jnp.where(adjacency[..., None], messages, NO_MESSAGE))


def total(messages: Array, adjacency: Array) -> Array:
    """Sum of the messages."""
    return jnp.where(adjacency[..., None], messages, 0.0).sum(axis=1)


def mean(messages: Array, adjacency: Array) -> Array:
    """Mean of the messages."""
    return total(messages, adjacency) / adjacency.sum(axis=1)[..., None].astype(messages.dtype)


def softmax(messages: Array, adjacency: Array) -> Array:
    """Mean of the messages weighted by their softmax, feature by feature (Li et al. 2020, arXiv 2006.07739).

    Between mean and maximum: the larger the features, the nearer to the maximum.
    """
    weights = jax.nn.softmax(jnp.where(adjacency[..., None], messages, NO_MESSAGE), axis=1)
    return total(weights * messages, adjacency)


AGGREGATIONS: Mapping[str, Aggregation] = MappingProxyType(
    {"max": maximum, "sum": total, "mean": mean, "softmax": softmax, "recurrent": recurrent}
)
"""Aggregations by name. All but `recurrent` treat senders alike, whatever their order."""


def find_aggregation(aggregation: Aggregation | str) -> Aggregation:
    """The aggregation of this name; one that is callable is returned as it is.

    Raises:
      ValueError: if there is none; the message lists the known ones.
    """
    if callable(aggregation):
        return aggregation
    if not isinstance(aggregation, str) or aggregation not in AGGREGATIONS:
        raise ValueError(f"unknown aggregation {aggregation!r}; known: {', '.join(AGGREGATIONS)}")
    return AGGREGATIONS[aggregation]
