"""Minimum spanning tree by Prim's algorithm."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.queues import extract_min
from nar.problems import UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE
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
        "key": (Location.NODE, Kind.SCALAR),
        "mark": (Location.NODE, Kind.MASK),
        "in_queue": (Location.NODE, Kind.MASK),
        "u": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"pi": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    pi_h: np.ndarray
    key: np.ndarray
    mark: np.ndarray
    in_queue: np.ndarray
    u: int


def mst_prim(A, s, pi):
    """Extracts the node u with the lightest edge to the tree, until the queue is empty."""
    n = len(A)
    for v in range(n):
        pi[v] = v
    key = np.zeros(n)
    mark = np.zeros(n, np.int8)
    in_queue = np.zeros(n, np.int8)
    in_queue[s] = 1
    yield Hints(pi_h=pi, key=key, mark=mark, in_queue=in_queue, u=s)
    while in_queue.any():
        u = extract_min(in_queue, key)
        mark[u] = 1
        for v in range(n):
            if A[u, v] != 0 and not mark[v] and (not in_queue[v] or A[u, v] < key[v]):
                pi[v] = u
                key[v] = A[u, v]
                in_queue[v] = 1
        yield Hints(pi_h=pi, key=key, mark=mark, in_queue=in_queue, u=u)


MST_PRIM = Algorithm(
    name="mst_prim",
    family="graphs",
    spec=SPEC,
    problem=UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE,
    scaling=Scaling(("A",), degrees={"key": 1}),
    steps=mst_prim,
    source="Prim 1957; Cormen et al., Introduction to Algorithms, 3rd ed., section 23.2, p. 634",
    in_clrs30=True,
)
