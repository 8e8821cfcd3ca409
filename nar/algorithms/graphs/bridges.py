"""Bridges: edges whose removal disconnects their component."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.depth_first_search import (
    DISCOVER,
    FINISH,
    NON_TREE_EDGE,
    STACK,
    TICK,
    TREE_EDGE,
    search,
)
from nar.algorithms.shared.edges import adjacency
from nar.problems import SPARSE_GRAPH
from nar.specs import MASKED, Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "is_bridge_h": (Location.EDGE, Kind.MASK),
        "pi_h": (Location.NODE, Kind.POINTER),
        "color": (Location.NODE, Kind.CATEGORICAL, 3),
        "d": (Location.NODE, Kind.SCALAR),
        "f": (Location.NODE, Kind.SCALAR),
        "low": (Location.NODE, Kind.SCALAR),
        **STACK,
        "time": (Location.GRAPH, Kind.SCALAR),
    },
    outputs={"is_bridge": (Location.EDGE, Kind.MASK)},
)


class Hints(NamedTuple):
    is_bridge_h: np.ndarray
    pi_h: np.ndarray
    color: np.ndarray
    d: np.ndarray
    f: np.ndarray
    low: np.ndarray
    s_prev: np.ndarray
    s: int
    u: int
    v: int
    s_last: int
    time: float


def bridges(A, is_bridge):
    """Marks the edge from u to a child if no back edge leads from the child's subtree to u or above.

    low[u] is the least d that u, or a descendant of u once that is finished, has an edge to. The output is
    masked for pairs of different nodes without an edge.
    """
    n = len(A)
    is_bridge[:] = MASKED + adjacency(A)
    pi = np.arange(n)
    d, f, low = np.zeros(n), np.zeros(n), np.zeros(n)
    time = 0.0
    color, s_prev = np.zeros(n, np.int64), np.arange(n)
    for event, s, u, v, s_last in search(A, np.arange(n), color, s_prev, non_tree_edges=True):
        if event == DISCOVER:
            time += TICK
            d[u] = low[u] = time
        elif event == TREE_EDGE:
            pi[v] = u
        elif event == NON_TREE_EDGE:
            if v == pi[u]:
                continue
            low[u] = min(low[u], d[v])
        elif event == FINISH:
            time += TICK
            f[u] = time
            for child in range(n):
                if pi[child] == u and child != u:
                    low[u] = min(low[u], low[child])
                    if low[child] > d[u]:
                        is_bridge[u, child] = is_bridge[child, u] = 1
        yield Hints(is_bridge, pi, color, d, f, low, s_prev, s, u, v, s_last, time)


BRIDGES = Algorithm(
    name="bridges",
    family="graphs",
    spec=SPEC,
    problem=SPARSE_GRAPH,
    steps=bridges,
    source="Tarjan 1974; Cormen et al., Introduction to Algorithms, 3rd ed., problem 22-2, p. 621",
    in_clrs30=True,
)
