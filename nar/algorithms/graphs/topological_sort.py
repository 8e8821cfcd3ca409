"""Topological sort."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.depth_first_search import BLACK, DISCOVER, FINISH, STACK, search
from nar.problems import ACYCLIC_GRAPH
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "topo_h": (Location.NODE, Kind.POINTER),
        "topo_head_h": (Location.NODE, Kind.MASK_ONE),
        "color": (Location.NODE, Kind.CATEGORICAL, 3),
        **STACK,
    },
    outputs={"topo": (Location.NODE, Kind.POINTER), "topo_head": (Location.NODE, Kind.MASK_ONE)},
)


class Hints(NamedTuple):
    topo_h: np.ndarray
    topo_head_h: int
    color: np.ndarray
    s_prev: np.ndarray
    s: int
    u: int
    v: int
    s_last: int


def topological_sort(A, topo, topo_head):
    """Prepends each node when it is finished; topo points to the successor, and from the last node to itself.

    Only the discovery of a root is a step of the trace.
    """
    n = len(A)
    for v in range(n):
        topo[v] = v
    head = 0
    color, s_prev = np.zeros(n, np.int64), np.arange(n)
    for event, s, u, v, s_last in search(A, np.arange(n), color, s_prev):
        if event == DISCOVER and u != s:
            continue
        if event == FINISH:
            if color[head] == BLACK:
                topo[u] = head
            head = u
        yield Hints(topo, head, color, s_prev, s, u, v, s_last)
    topo_head[()] = head


TOPOLOGICAL_SORT = Algorithm(
    name="topological_sort",
    family="graphs",
    spec=SPEC,
    problem=ACYCLIC_GRAPH,
    steps=topological_sort,
    source="Knuth 1973; Cormen et al., Introduction to Algorithms, 3rd ed., section 22.4, p. 613",
    in_clrs30=True,
)
