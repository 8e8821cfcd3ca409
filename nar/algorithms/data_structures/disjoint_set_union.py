"""Disjoint-set union with path compression: dynamic connectivity under unions."""

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.data_structures.connectivity import Step, connectivity_spec, with_true_parents
from nar.problems.scaling import Scaling
from nar.problems.set_operations import UNIONS
from nar.specs import MASKED


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
    spec=connectivity_spec("priority"),
    problem=UNIONS,
    scaling=Scaling(("priority",), "order"),
    steps=disjoint_set_union,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 21.3; "
    "stream of Veličković et al. 2020, arXiv 2006.06380",
)

WITH_TRUE_PARENTS = with_true_parents(DISJOINT_SET_UNION)
