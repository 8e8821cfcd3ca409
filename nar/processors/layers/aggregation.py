"""Aggregation of messages over the neighbors of a node.

An aggregation is a callable `(messages, adjacency) -> aggregated` that reduces over the senders. It is called
inside the module of a processor, so it may have parameters. Options take it as a callable or by its name in
`AGGREGATIONS`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nar.plugins import Registry
from nar.processors.base import Array
from nar.processors.layers.recurrent_aggregation import recurrent

Aggregation = Callable[[Array, Array], Array]
"""(messages [B, N, N, H], adjacency [B, N, N] bool) -> [B, N, H], reducing over the senders, axis 1."""

NO_MESSAGE = -1e6
"""Value of masked messages, and so the maximum over no messages."""

TIE_TOLERANCE = 2.5e-7
"""Relative difference up to which two float32 values count as equal up to rounding."""


@jax.custom_jvp
def max_with_ties(values: Array) -> Array:
    """Maximum over axis 1 whose gradient is shared equally between tied values.

    The gradient of `jnp.max` compares the values with the maximum bit by bit. If XLA computes the values
    twice and rounds them differently, none of them is equal and the gradient is 0 / 0; here ties have a
    tolerance.
    """
    return values.max(axis=1)


@max_with_ties.defjvp
def _max_with_ties_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (values,), (value_tangents,) = primals, tangents
    largest = values.max(axis=1)
    is_tied = values >= (largest - TIE_TOLERANCE * jnp.abs(largest))[:, None]
    count = jnp.maximum(is_tied.sum(axis=1), 1).astype(values.dtype)
    return largest, jnp.where(is_tied, value_tangents, 0.0).sum(axis=1) / count


def maximum(messages: Array, adjacency: Array) -> Array:
    """Elementwise maximum of the messages."""
    return max_with_ties(jnp.where(adjacency[..., None], messages, NO_MESSAGE))


def total(messages: Array, adjacency: Array) -> Array:
    """Sum of the messages."""
    return jnp.where(adjacency[..., None], messages, 0.0).sum(axis=1)


def mean(messages: Array, adjacency: Array) -> Array:
    """Mean of the messages."""
    return total(messages, adjacency) / adjacency.sum(axis=1)[..., None].astype(messages.dtype)


def softmax(messages: Array, adjacency: Array) -> Array:
    """Elementwise mean of the messages, weighted by their softmax (Li et al. 2020, arXiv 2006.07739).

    It lies between mean and maximum; the larger the features, the closer to the maximum.
    """
    weights = jax.nn.softmax(jnp.where(adjacency[..., None], messages, NO_MESSAGE), axis=1)
    return total(weights * messages, adjacency)


AGGREGATIONS: Registry[Aggregation] = Registry(
    "aggregation", {"max": maximum, "sum": total, "mean": mean, "softmax": softmax, "recurrent": recurrent}
)
"""Aggregations by name. All but `recurrent` are invariant to the order of the senders."""


def find_aggregation(aggregation: Aggregation | str) -> Aggregation:
    """Looks up an aggregation by name or `module:FUNCTION`; a callable is returned unchanged.

    Raises:
      ValueError: if the name is unknown; the message lists the known ones.
    """
    return AGGREGATIONS.find(aggregation)
