"""Articulation points: nodes whose removal disconnects their component."""

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
from nar.problems import SPARSE_GRAPH
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "is_cut_h": (Location.NODE, Kind.MASK),
        "pi_h": (Location.NODE, Kind.POINTER),
        "color": (Location.NODE, Kind.CATEGORICAL, 3),
        "d": (Location.NODE, Kind.SCALAR),
        "f": (Location.NODE, Kind.SCALAR),
        "low": (Location.NODE, Kind.SCALAR),
        "child_cnt": (Location.NODE, Kind.SCALAR),
        **STACK,
        "time": (Location.GRAPH, Kind.SCALAR),
    },
    outputs={"is_cut": (Location.NODE, Kind.MASK)},
)


class Hints(NamedTuple):
    is_cut_h: np.ndarray
    pi_h: np.ndarray
    color: np.ndarray
    d: np.ndarray
    f: np.ndarray
    low: np.ndarray
    child_cnt: np.ndarray
    s_prev: np.ndarray
    s: int
    u: int
    v: int
    s_last: int
    time: float


def articulation_points(A, is_cut):
    """Marks roots with several children, and nodes u with a child whose subtree has no back edge past u.

    low[u] is the least d that u, or a descendant of u once that is finished, has an edge to. The number of
    children (child_cnt) is counted in units of `TICK`.
    """
    n = len(A)
    is_cut[:] = 0
    pi = np.arange(n)
    d, f, low, child_cnt = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    time = 0.0
    color, s_prev = np.zeros(n, np.int64), np.arange(n)
    for event, s, u, v, s_last in search(A, np.arange(n), color, s_prev, non_tree_edges=True):
        if event == DISCOVER:
            time += TICK
            d[u] = low[u] = time
        elif event == TREE_EDGE:
            pi[v] = u
            child_cnt[u] += TICK
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
                    if u != s and low[child] >= d[u]:
                        is_cut[u] = 1
            if u == s and child_cnt[u] > TICK:
                is_cut[u] = 1
        yield Hints(is_cut, pi, color, d, f, low, child_cnt, s_prev, s, u, v, s_last, time)


ARTICULATION_POINTS = Algorithm(
    name="articulation_points",
    family="graphs",
    spec=SPEC,
    problem=SPARSE_GRAPH,
    steps=articulation_points,
    source="Hopcroft, Tarjan 1973; Cormen et al., Introduction to Algorithms, 3rd ed., problem 22-2, p. 621",
    in_clrs30=True,
)
