"""Human-readable probe values: indices instead of one-hot vectors, and changes between steps.

A readable value has the axes of the probe's location: [N] for nodes, [N, N] for edges, [] for the graph. A
`MASK_ONE`, which selects one node, has one axis fewer: [] for nodes, and [N] (one per row) for edges.
`MASKED` means none. A vector is read as its length.
"""

from collections.abc import Callable, Mapping

import numpy as np

from nar.kinds import KindTable
from nar.specs import MASKED, Kind, Location, Probe

Array = np.ndarray


def _identity(value: Array) -> Array:
    return value


def _index(value: Array) -> Array:
    """Index of the largest entry of the last axis; MASKED where no entry is positive."""
    return np.where(value.max(axis=-1) > 0, value.argmax(axis=-1), MASKED)


def _norm(value: Array) -> Array:
    """Euclidean norm of vectors."""
    return np.sqrt((np.asarray(value, np.float64) ** 2).sum(axis=-1))


READERS = KindTable[Callable[[Array], Array]](
    "read",
    {
        Kind.SCALAR: _identity,
        Kind.VECTOR: _norm,
        Kind.CATEGORICAL: _index,
        Kind.MASK: _identity,
        Kind.MASK_ONE: _index,
        Kind.POINTER: _identity,
        Kind.SHOULD_BE_PERMUTATION: _identity,
        Kind.PERMUTATION_POINTER: _index,
    },
)
"""Functions from the values of a trace to readable values, by kind; leading axes are kept."""

_AXES: Mapping[Location, int] = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def read(probe: Probe, value: Array) -> Array:
    """Converts a value of this probe to a readable value; leading axes are kept."""
    return READERS[probe.kind](np.asarray(value))


def rank(probe: Probe) -> int:
    """Number of axes of this probe's readable values: 0, 1 or 2."""
    return _AXES[probe.location] - (probe.kind.root is Kind.MASK_ONE)


def differs(one: Array, other: Array) -> Array:
    """Entrywise inequality of two readable values; NaN equals itself."""
    return (one != other) & ~((one != one) & (other != other))


def changes(values: Array) -> Array:
    """Mask of the entries that differ from the previous step: [T, ...] to bool [T, ...]; step 0 has none."""
    first = np.zeros_like(values[:1], dtype=bool)
    return np.concatenate([first, differs(values[:-1], values[1:])])


def format_number(value: float) -> str:
    """Formats a number with about three digits: 0, 7, 0.125, 41.3, 1250, 1.2e-05."""
    value = float(value)
    if value == 0:
        return "0"
    if 1000 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.3g}"
