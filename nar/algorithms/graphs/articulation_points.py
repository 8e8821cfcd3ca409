"""Articulation points: the nodes without which their component falls apart."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.depth_first_search import CLOSE, FIND, LOOK, OPEN, STACK, TICK, search
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
    """A root is one if it has two children; another u if no back edge leads from below some child past u.

    low[u] is the least d to which u, or a node below it once it is done, has an edge. Children are counted in
    ticks.
    """
    n = len(A)
    is_cut[:] = 0
    pi = np.arange(n)
    d, f, low, child_cnt = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    time = 0.0
    color, s_prev = np.zeros(n, np.int64), np.arange(n)
    for event, s, u, v, s_last in search(A, np.arange(n), color, s_prev, looks=True):
        if event == OPEN:
            time += TICK
            d[u] = low[u] = time
        elif event == FIND:
            pi[v] = u
            child_cnt[u] += TICK
        elif event == LOOK:
            if v == pi[u]:
                continue
            low[u] = min(low[u], d[v])
        elif event == CLOSE:
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
