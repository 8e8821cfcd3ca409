"""Single-source shortest paths by the Bellman-Ford algorithm."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.problems import WEIGHTED_GRAPH_AND_SOURCE
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
        "msk": (Location.NODE, Kind.MASK),
    },
    outputs={"pi": (Location.NODE, Kind.POINTER)},
)


class Hints(NamedTuple):
    pi_h: np.ndarray
    d: np.ndarray
    msk: np.ndarray


def bellman_ford(A, s, pi):
    """Relaxes all edges of reached nodes (msk = 1) once per step; unreached nodes have d = 0."""
    n = len(A)
    for v in range(n):
        pi[v] = v
    d = np.zeros(n)
    msk = np.zeros(n, np.int8)
    msk[s] = 1
    while True:
        prev_d = d.copy()
        prev_msk = msk.copy()
        yield Hints(pi_h=pi, d=prev_d, msk=prev_msk)
        for u in range(n):
            for v in range(n):
                if prev_msk[u] and A[u, v] != 0:
                    if not msk[v] or prev_d[u] + A[u, v] < d[v]:
                        d[v] = prev_d[u] + A[u, v]
                        pi[v] = u
                    msk[v] = 1
        if np.all(d == prev_d) and np.all(msk == prev_msk):
            break


BELLMAN_FORD = Algorithm(
    name="bellman_ford",
    family="graphs",
    spec=SPEC,
    problem=WEIGHTED_GRAPH_AND_SOURCE,
    scaling=Scaling(("A",), degrees={"d": 1}),
    steps=bellman_ford,
    source="Bellman 1958; Cormen et al., Introduction to Algorithms, 3rd ed., section 24.1, p. 651",
    in_clrs30=True,
)
