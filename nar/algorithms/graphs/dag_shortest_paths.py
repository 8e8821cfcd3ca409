"""Single-source shortest paths in a directed acyclic graph."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.depth_first_search import BLACK, DISCOVER, FINISH, STACK, search
from nar.problems import ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SORT, RELAX = 0, 1

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "s": (Location.NODE, Kind.MASK_ONE),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "pi_h": (Location.NODE, Kind.POINTER),
        "d": (Location.NODE, Kind.SCALAR),
        "mark": (Location.NODE, Kind.MASK),
        "topo_h": (Location.NODE, Kind.POINTER),
        "topo_head_h": (Location.NODE, Kind.MASK_ONE),
        "color": (Location.NODE, Kind.CATEGORICAL, 3),
        **{name: row for name, row in STACK.items() if name != "s"},
        "phase": (Location.GRAPH, Kind.MASK),
    },
    outputs={"pi": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    pi_h: np.ndarray
    d: np.ndarray
    mark: np.ndarray
    topo_h: np.ndarray
    topo_head_h: int
    color: np.ndarray
    s_prev: np.ndarray
    u: int
    v: int
    s_last: int
    phase: int


def dag_shortest_paths(A, s, pi):
    """Sorts the nodes reachable from s topologically, then relaxes their out-edges in that order.

    mark[v] is 1 if d[v] is known. In the RELAX phase, u, v and s_last keep their values from the end of the
    search.
    """
    n = len(A)
    for v in range(n):
        pi[v] = v
    d = np.zeros(n)
    mark = np.zeros(n, np.int8)
    topo = np.arange(n)
    head = 0
    color, s_prev = np.zeros(n, np.int64), np.arange(n)
    for event, _, u, v, s_last in search(A, np.array([s]), color, s_prev):
        if event == DISCOVER and u != s:
            continue
        if event == FINISH:
            if color[head] == BLACK:
                topo[u] = head
            head = u
        yield Hints(pi, d, mark, topo, head, color, s_prev, u, v, s_last, SORT)
    mark[s] = 1
    while topo[head] != head:
        yield Hints(pi, d, mark, topo, head, color, s_prev, s, n - 1, s, RELAX)
        for w in range(n):
            if A[head, w] != 0 and (not mark[w] or d[head] + A[head, w] < d[w]):
                d[w] = d[head] + A[head, w]
                pi[w] = head
                mark[w] = 1
        head = topo[head]
    yield Hints(pi, d, mark, topo, head, color, s_prev, s, n - 1, s, RELAX)


DAG_SHORTEST_PATHS = Algorithm(
    name="dag_shortest_paths",
    family="graphs",
    spec=SPEC,
    problem=ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE,
    scaling=Scaling(("A",), degrees={"d": 1}),
    steps=dag_shortest_paths,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 24.2, p. 655",
    in_clrs30=True,
)
