"""Single-source shortest paths by Dijkstra's algorithm."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.queues import extract_min
from nar.problems import NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

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
        "in_queue": (Location.NODE, Kind.MASK),
        "u": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"pi": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    pi_h: np.ndarray
    d: np.ndarray
    mark: np.ndarray
    in_queue: np.ndarray
    u: int


def dijkstra(A, s, pi):
    """Extracts the nearest node u, marks it as finished and relaxes its edges, until the queue is empty."""
    n = len(A)
    for v in range(n):
        pi[v] = v
    d = np.zeros(n)
    mark = np.zeros(n, np.int8)
    in_queue = np.zeros(n, np.int8)
    in_queue[s] = 1
    yield Hints(pi_h=pi, d=d, mark=mark, in_queue=in_queue, u=s)
    while in_queue.any():
        u = extract_min(in_queue, d)
        mark[u] = 1
        for v in range(n):
            if A[u, v] != 0 and not mark[v] and (not in_queue[v] or d[u] + A[u, v] < d[v]):
                pi[v] = u
                d[v] = d[u] + A[u, v]
                in_queue[v] = 1
        yield Hints(pi_h=pi, d=d, mark=mark, in_queue=in_queue, u=u)


DIJKSTRA = Algorithm(
    name="dijkstra",
    family="graphs",
    spec=SPEC,
    problem=NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE,
    scaling=Scaling(("A",), degrees={"d": 1}),
    steps=dijkstra,
    source="Dijkstra 1959; Cormen et al., Introduction to Algorithms, 3rd ed., section 24.3, p. 658",
    in_clrs30=True,
)
