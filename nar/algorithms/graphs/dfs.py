"""Depth-first search."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.depth_first_search import DISCOVER, FINISH, STACK, TICK, TREE_EDGE, search
from nar.problems import DIRECTED_GRAPH
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "pi_h": (Location.NODE, Kind.POINTER),
        "color": (Location.NODE, Kind.CATEGORICAL, 3),
        "d": (Location.NODE, Kind.SCALAR),
        "f": (Location.NODE, Kind.SCALAR),
        **STACK,
        "time": (Location.GRAPH, Kind.SCALAR),
    },
    outputs={"pi": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    pi_h: np.ndarray
    color: np.ndarray
    d: np.ndarray
    f: np.ndarray
    s_prev: np.ndarray
    s: int
    u: int
    v: int
    s_last: int
    time: float


def dfs(A, pi):
    """Records the discovery time d, the finish time f and the parent pi of each node."""
    n = len(A)
    for v in range(n):
        pi[v] = v
    d, f = np.zeros(n), np.zeros(n)
    time = 0.0
    color, s_prev = np.zeros(n, np.int64), np.arange(n)
    for event, s, u, v, s_last in search(A, np.arange(n), color, s_prev):
        if event == DISCOVER:
            time += TICK
            d[u] = time
        elif event == TREE_EDGE:
            pi[v] = u
        elif event == FINISH:
            time += TICK
            f[u] = time
        yield Hints(pi, color, d, f, s_prev, s, u, v, s_last, time)


DFS = Algorithm(
    name="dfs",
    family="graphs",
    spec=SPEC,
    problem=DIRECTED_GRAPH,
    steps=dfs,
    source="Moore 1959; Cormen et al., Introduction to Algorithms, 3rd ed., section 22.3, p. 604",
    in_clrs30=True,
)
