"""All-pairs shortest paths by the Floyd-Warshall algorithm."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.edges import adjacency
from nar.problems import WEIGHTED_GRAPH
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "Pi_h": (Location.EDGE, Kind.POINTER),
        "D": (Location.EDGE, Kind.SCALAR),
        "msk": (Location.EDGE, Kind.MASK),
        "k": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"Pi": (Location.EDGE, Kind.POINTER)},
)


class Hints(NamedTuple):
    Pi_h: np.ndarray
    D: np.ndarray
    msk: np.ndarray
    k: int


def floyd_warshall(A, Pi):
    """Allows paths through one more node k per step; Pi[i, j] is the predecessor of j on the path from i.

    D and msk are 0 for pairs without a path yet. The distance of a node to itself is 0, or the weight of its
    self-loop, if it has one, until a shorter cycle is found.
    """
    n = len(A)
    D = A.copy()
    msk = adjacency(A)
    for i in range(n):
        Pi[i, :] = i
    for k in range(n):
        prev_D = D.copy()
        prev_msk = msk.copy()
        yield Hints(Pi_h=Pi, D=prev_D, msk=prev_msk, k=k)
        for i in range(n):
            for j in range(n):
                if prev_msk[i, k] and prev_msk[k, j]:
                    if not msk[i, j] or prev_D[i, k] + prev_D[k, j] < D[i, j]:
                        D[i, j] = prev_D[i, k] + prev_D[k, j]
                        Pi[i, j] = Pi[k, j]
                        msk[i, j] = 1


FLOYD_WARSHALL = Algorithm(
    name="floyd_warshall",
    family="graphs",
    spec=SPEC,
    problem=WEIGHTED_GRAPH,
    scaling=Scaling(("A",), degrees={"D": 1}),
    steps=floyd_warshall,
    source="Floyd 1962; Cormen et al., Introduction to Algorithms, 3rd ed., section 25.2, p. 695",
    in_clrs30=True,
)
