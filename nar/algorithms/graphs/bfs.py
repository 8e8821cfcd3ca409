"""Breadth-first search."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.problems import GRAPH_AND_SOURCE
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "s": (Location.NODE, Kind.MASK_ONE),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={"reach_h": (Location.NODE, Kind.MASK), "pi_h": (Location.NODE, Kind.POINTER)},
    outputs={"pi": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    reach_h: np.ndarray
    pi_h: np.ndarray


def bfs(A, s, pi):
    """Reaches one more layer per step; pi[v] is the first previously reached node with an edge to v."""
    n = len(A)
    for v in range(n):
        pi[v] = v
    reach = np.zeros(n, np.int8)
    reach[s] = 1
    while True:
        reached = reach.copy()
        yield Hints(reach_h=reached, pi_h=pi)
        for u in range(n):
            for v in range(n):
                if A[u, v] > 0 and reached[u]:
                    if pi[v] == v and v != s:
                        pi[v] = u
                    reach[v] = 1
        if np.all(reach == reached):
            break


BFS = Algorithm(
    name="bfs",
    family="graphs",
    spec=SPEC,
    problem=GRAPH_AND_SOURCE,
    steps=bfs,
    source="Moore 1959; Cormen et al., Introduction to Algorithms, 3rd ed., section 22.2, p. 594",
    in_clrs30=True,
)
