"""Strongly connected components by two depth-first searches (Kosaraju's algorithm)."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.depth_first_search import DISCOVER, FINISH, STACK, TICK, search
from nar.algorithms.shared.edges import adjacency
from nar.problems import COMMUNITIES
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "scc_id_h": (Location.NODE, Kind.POINTER),
        "A_t": (Location.EDGE, Kind.MASK),
        "color": (Location.NODE, Kind.CATEGORICAL, 3),
        "d": (Location.NODE, Kind.SCALAR),
        "f": (Location.NODE, Kind.SCALAR),
        **STACK,
        "time": (Location.GRAPH, Kind.SCALAR),
        "phase": (Location.GRAPH, Kind.MASK),
    },
    outputs={"scc_id": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    scc_id_h: np.ndarray
    A_t: np.ndarray
    color: np.ndarray
    d: np.ndarray
    f: np.ndarray
    s_prev: np.ndarray
    s: int
    u: int
    v: int
    s_last: int
    time: float
    phase: int


def strongly_connected_components(A, scc_id):
    """Searches the graph, then its transpose with roots by decreasing finish time; each tree is a component.

    In the second phase, only the discovery of a root is a step and has a time.
    """
    n = len(A)
    for v in range(n):
        scc_id[v] = v
    transpose = A.T.copy()
    A_t = adjacency(transpose)
    d, f = np.zeros(n), np.zeros(n)
    time = 0.0
    graph, roots = A, np.arange(n)
    for phase in range(2):
        color, s_prev = np.zeros(n, np.int64), np.arange(n)
        for event, s, u, v, s_last in search(graph, roots, color, s_prev):
            if event == DISCOVER:
                if phase == 1:
                    scc_id[u] = s
                    if u != s:
                        continue
                time += TICK
                d[u] = time
            elif event == FINISH:
                time += TICK
                f[u] = time
            yield Hints(scc_id, A_t, color, d, f, s_prev, s, u, v, s_last, time, phase)
        graph, roots = transpose, np.argsort(-f)


STRONGLY_CONNECTED_COMPONENTS = Algorithm(
    name="strongly_connected_components",
    family="graphs",
    spec=SPEC,
    problem=COMMUNITIES,
    steps=strongly_connected_components,
    source="Aho et al. 1974; Cormen et al., Introduction to Algorithms, 3rd ed., section 22.5, p. 617",
    in_clrs30=True,
)
