"""Values as people read them: an index in place of a one-hot vector, and what changed since the last step.

A reading has the axes of the probe's location: [N] at nodes, [N, N] at edges, [] for the graph. A `MASK_ONE`
has one axis less, as it is one node: [] at nodes, and at edges [N], one for each row. `MASKED` says: none.
"""

from collections.abc import Callable, Mapping

import numpy as np

from nar.specs import MASKED, Kind, Location, Probe

Array = np.ndarray


def _as_it_is(value: Array) -> Array:
    return value


def _index(value: Array) -> Array:
    """Place of the largest entry of the last axis; MASKED where none is positive."""
    return np.where(value.max(axis=-1) > 0, value.argmax(axis=-1), MASKED)


READERS: Mapping[Kind, Callable[[Array], Array]] = {
    Kind.SCALAR: _as_it_is,
    Kind.CATEGORICAL: _index,
    Kind.MASK: _as_it_is,
    Kind.MASK_ONE: _index,
    Kind.POINTER: _as_it_is,
    Kind.SHOULD_BE_PERMUTATION: _as_it_is,
    Kind.PERMUTATION_POINTER: _index,
}
"""From the values of a trace to readings; any leading axes."""

_AXES: Mapping[Location, int] = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def read(probe: Probe, value: Array) -> Array:
    """The reading of a value of this probe, with any leading axes."""
    return READERS[probe.kind](np.asarray(value))


def rank(probe: Probe) -> int:
    """How many axes a reading of this probe has: 0, 1 or 2."""
    return _AXES[probe.location] - (probe.kind is Kind.MASK_ONE)


def differs(one: Array, other: Array) -> Array:
    """Where two readings are not the same; not-a-number is the same as itself."""
    return (one != other) & ~((one != one) & (other != other))


def changes(readings: Array) -> Array:
    """Where each step differs from the one before: [T, ...] bool from [T, ...]; nowhere at the first step."""
    first = np.zeros_like(readings[:1], dtype=bool)
    return np.concatenate([first, differs(readings[:-1], readings[1:])])


def format_number(value: float) -> str:
    """About three digits: 0, 7, 0.125, 41.3, 1250, 1.2e-05."""
    value = float(value)
    if value == 0:
        return "0"
    if 1000 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.3g}"
