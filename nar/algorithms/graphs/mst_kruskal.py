"""Minimum spanning forest by Kruskal's algorithm: one tree for each component."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.problems import SPARSE_WEIGHTED_GRAPH
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
    },
    hints={
        "in_mst_h": (Location.EDGE, Kind.MASK),
        "pi": (Location.NODE, Kind.POINTER),
        "u": (Location.NODE, Kind.MASK_ONE),
        "v": (Location.NODE, Kind.MASK_ONE),
        "root_u": (Location.NODE, Kind.MASK_ONE),
        "root_v": (Location.NODE, Kind.MASK_ONE),
        "mask_u": (Location.NODE, Kind.MASK),
        "mask_v": (Location.NODE, Kind.MASK),
        "phase": (Location.GRAPH, Kind.CATEGORICAL, 3),
    },
    outputs={"in_mst": (Location.EDGE, Kind.MASK)},
)

LINK, FIND_U, FIND_V = 0, 1, 2


class Hints(NamedTuple):
    in_mst_h: np.ndarray
    pi: np.ndarray
    u: int
    v: int
    root_u: int
    root_v: int
    mask_u: np.ndarray
    mask_v: np.ndarray
    phase: int


@register_jitable
def edges_by_weight(A):
    """Endpoints (us, vs) of all edges, us < vs, by increasing weight; ties in the order of the nodes."""
    us, vs = np.nonzero(np.triu(A, 1))
    weights = np.array([A[us[k], vs[k]] for k in range(len(us))])
    order = np.argsort(weights, kind="mergesort")
    return us[order], vs[order]


@register_jitable
def find_set(pi, x, path):
    """Climbs from x to its root with path compression, and yields each ancestor.

    `path` [N] marks the nodes visited so far, all of which are made to point to the latest ancestor.
    """
    path[x] = 1
    while pi[x] != x:
        x = pi[x]
        for y in range(len(pi)):
            if path[y]:
                pi[y] = x
        path[x] = 1
        yield x


def mst_kruskal(A, in_mst):
    """Adds edges by increasing weight if they join two trees; pi holds the parents of the disjoint sets."""
    n = len(A)
    in_mst[:] = 0
    pi = np.arange(n)
    no_path = np.zeros(n, np.int8)
    yield Hints(in_mst, pi, 0, 0, 0, 0, no_path, no_path, LINK)
    us, vs = edges_by_weight(A)
    for k in range(len(us)):
        u, v = us[k], vs[k]
        mask_u, mask_v = np.zeros(n, np.int8), np.zeros(n, np.int8)
        mask_u[u] = mask_v[v] = 1
        root_u, root_v = u, v
        yield Hints(in_mst, pi, u, v, root_u, root_v, mask_u, mask_v, FIND_U)
        for root_u in find_set(pi, u, mask_u):
            yield Hints(in_mst, pi, u, v, root_u, root_v, mask_u, mask_v, FIND_U)
        for root_v in find_set(pi, v, mask_v):
            yield Hints(in_mst, pi, u, v, root_u, root_v, mask_u, mask_v, FIND_V)
        if root_u != root_v:
            in_mst[u, v] = in_mst[v, u] = 1
            pi[min(root_u, root_v)] = max(root_u, root_v)
        yield Hints(in_mst, pi, u, v, root_u, root_v, mask_u, mask_v, LINK)


MST_KRUSKAL = Algorithm(
    name="mst_kruskal",
    family="graphs",
    spec=SPEC,
    problem=SPARSE_WEIGHTED_GRAPH,
    scaling=Scaling(("A",)),
    steps=mst_kruskal,
    source="Kruskal 1956; Cormen et al., Introduction to Algorithms, 3rd ed., section 23.2, p. 631",
    in_clrs30=True,
)
