"""Disjoint-set union with path compression: dynamic connectivity under unions."""

import dataclasses
from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.problems.scaling import Scaling
from nar.problems.set_operations import UNIONS
from nar.specs import MASKED, Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "priority": (Location.NODE, Kind.SCALAR)},
    streams={"pair": (Location.NODE, Kind.MASK)},
    hints={"parent": (Location.NODE, Kind.POINTER), "parent_changes": (Location.NODE, Kind.MASK)},
    answers={"connected": (Location.GRAPH, Kind.MASK)},
    outputs={},
)


class Step(NamedTuple):
    """Values of one step: the operation that comes next, and the state after the one before.

    Attributes:
      pair: marks the two elements whose sets are united next; none at the last step.
      parent: parent of each element in the forest of sets; roots point to themselves.
      parent_changes: marks elements whose parent the operation before has changed.
      connected: 1 if the pair of the operation before was in one set already, 0 if not; MASKED at step 0.
    """

    pair: np.ndarray
    parent: np.ndarray
    parent_changes: np.ndarray
    connected: int


def disjoint_set_union(priority, pairs):
    """Finds the roots of both elements, compressing the paths, and hangs the root of lower priority.

    The root with the smaller priority, or else the second one, becomes a child of the other.
    """
    n = len(priority)
    parent, changes, pair = np.arange(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
    connected = MASKED
    for step in range(len(pairs)):
        pair[:] = 0
        pair[pairs[step, 0]] = pair[pairs[step, 1]] = 1
        yield Step(pair, parent, changes, connected)
        changes[:] = 0
        first = last = 0
        for side in range(2):
            root = node = pairs[step, side]
            while parent[root] != root:
                root = parent[root]
            while parent[node] != root:
                above = parent[node]
                parent[node] = root
                changes[node] = 1
                node = above
            first, last = last, root
        connected = 1 if first == last else 0
        if first != last:
            child, above = (first, last) if priority[first] < priority[last] else (last, first)
            parent[child] = above
            changes[child] = 1
    pair[:] = 0
    yield Step(pair, parent, changes, connected)


DISJOINT_SET_UNION = Algorithm(
    name="disjoint_set_union",
    family="data_structures",
    spec=SPEC,
    problem=UNIONS,
    scaling=Scaling(("priority",), "order"),
    steps=disjoint_set_union,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 21.3; "
    "stream of Veličković et al. 2020, arXiv 2006.06380",
)

WITH_TRUE_PARENTS = dataclasses.replace(
    DISJOINT_SET_UNION,
    name="disjoint_set_union_with_true_parents",
    spec=make_spec(
        inputs={"pos": (Location.NODE, Kind.SCALAR), "priority": (Location.NODE, Kind.SCALAR)},
        streams={"pair": (Location.NODE, Kind.MASK), "parent": (Location.NODE, Kind.POINTER)},
        hints={"parent_changes": (Location.NODE, Kind.MASK)},
        answers={"connected": (Location.GRAPH, Kind.MASK)},
        outputs={},
    ),
)
"""The same stream with the parents of each step given: an upper bound for networks that infer them."""
