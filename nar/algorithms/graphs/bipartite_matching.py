"""Maximum bipartite matching by maximum flow (Edmonds-Karp)."""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.edges import adjacency
from nar.problems import FLOW_NETWORK
from nar.specs import MASKED, Kind, Location, make_spec

SEARCH, AUGMENT = 0, 1

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "A": (Location.EDGE, Kind.SCALAR),
        "adj": (Location.EDGE, Kind.MASK),
        "s": (Location.NODE, Kind.MASK_ONE),
        "t": (Location.NODE, Kind.MASK_ONE),
    },
    hints={
        "in_matching_h": (Location.EDGE, Kind.MASK),
        "A_h": (Location.EDGE, Kind.SCALAR),
        "adj_h": (Location.EDGE, Kind.MASK),
        "d": (Location.NODE, Kind.SCALAR),
        "msk": (Location.NODE, Kind.MASK),
        "pi": (Location.NODE, Kind.POINTER),
        "u": (Location.NODE, Kind.MASK_ONE),
        "phase": (Location.GRAPH, Kind.MASK),
    },
    outputs={"in_matching": (Location.EDGE, Kind.MASK)},
)


class Hints(NamedTuple):
    in_matching_h: np.ndarray
    A_h: np.ndarray
    adj_h: np.ndarray
    d: np.ndarray
    msk: np.ndarray
    pi: np.ndarray
    u: int
    phase: int


@register_jitable
def flip(A, adj, u, v, in_matching):
    """Reverses an edge of the residual network: a forward edge enters the matching, a backward one leaves."""
    A[u, v] = adj[u, v] = 0
    A[v, u] = adj[v, u] = 1
    if u < v:
        in_matching[u, v] = 1
    else:
        in_matching[v, u] = 0


def bipartite_matching(A, n, m, s, t, in_matching):
    """Reverses the edges of a shortest augmenting path from s to t, until the residual network has none.

    The output is 1 on edges of the matching, on edges that carry its flow from s and to t, and on the
    diagonal; it is 0 on other edges, and masked for pairs without an edge.
    """
    num_nodes = n + m + 2
    adj = adjacency(A)
    in_matching[:] = MASKED + adj + adj.T
    u = t
    while True:
        d = np.zeros(num_nodes)
        msk = np.zeros(num_nodes, np.int8)
        msk[s] = 1
        pi = np.arange(num_nodes)
        while True:
            prev_d = d.copy()
            prev_msk = msk.copy()
            yield Hints(in_matching, A, adj, prev_d, prev_msk, pi, u, SEARCH)
            for v in range(num_nodes):
                for w in range(num_nodes):
                    if prev_msk[v] and A[v, w] != 0 and (not msk[w] or prev_d[v] + A[v, w] < d[w]):
                        d[w] = prev_d[v] + A[v, w]
                        pi[w] = v
                        msk[w] = 1
            u = t
            if np.all(msk == prev_msk):
                return
            if pi[t] != t:
                break
        yield Hints(in_matching, A, adj, prev_d, prev_msk, pi, u, AUGMENT)
        while pi[u] != u:
            flip(A, adj, pi[u], u, in_matching)
            u = pi[u]
            yield Hints(in_matching, A, adj, prev_d, prev_msk, pi, u, AUGMENT)


BIPARTITE_MATCHING = Algorithm(
    name="bipartite_matching",
    family="graphs",
    spec=SPEC,
    problem=FLOW_NETWORK,
    steps=bipartite_matching,
    source="Edmonds and Karp 1972; Cormen et al., Introduction to Algorithms, 3rd ed., section 26.3, p. 732",
)
