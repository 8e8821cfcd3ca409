"""Searches by single edges, as discrete reasoners execute them, on neighbor lists and on matrices.

Each step reaches one node at most, by an edge that the discrete states of its ends and one number determine.
The last step finds none and changes nothing.
The generators on matrices are those on lists that hold all nodes.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable


class Hints(NamedTuple):
    reach_h: np.ndarray
    pi_h: np.ndarray


class HintsWithDistance(NamedTuple):
    reach_h: np.ndarray
    pi_h: np.ndarray
    d: np.ndarray


class HintsWithNode(NamedTuple):
    reach_h: np.ndarray
    pi_h: np.ndarray
    u: np.ndarray


@register_jitable
def discrete_mst_prim(neighbors, A, s, pi):
    """Adds the lightest edge from a reached node to another one, until there is none."""
    n = len(A)
    for v in range(n):
        pi[v] = v
    reach, zero = np.zeros(n, np.int8), np.zeros(n)
    reach[s] = 1
    yield Hints(reach, pi)
    while True:
        u, v, _ = shortest_path_edge(neighbors, A, reach, zero)
        if v >= 0:
            pi[v] = u
            reach[v] = 1
        yield Hints(reach, pi)
        if v < 0:
            break


@register_jitable
def discrete_dijkstra(neighbors, A, s, pi):
    """Adds the edge to the nearest node that is not reached, until there is none."""
    n = len(A)
    for v in range(n):
        pi[v] = v
    reach, d = np.zeros(n, np.int8), np.zeros(n)
    reach[s] = 1
    yield HintsWithDistance(reach, pi, d)
    while True:
        u, v, length = shortest_path_edge(neighbors, A, reach, d)
        if v >= 0:
            pi[v] = u
            d[v] = length
            reach[v] = 1
        yield HintsWithDistance(reach, pi, d)
        if v < 0:
            break


@register_jitable
def discrete_dfs(neighbors, A, pi):
    """Goes from the current node u to its first neighbor that is not reached, or else back to its parent.

    From a node without parent it goes to the first node that is not reached, as it does at the start.
    """
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    reach, at = np.zeros(n, np.int8), np.zeros(n, np.int8)
    scanned = np.zeros(n, np.int64)
    root, u = 0, -1
    yield HintsWithNode(reach, pi, at)
    while True:
        v = -1
        if u >= 0:
            while scanned[u] < width and (A[u, scanned[u]] == 0 or reach[neighbors[u, scanned[u]]]):
                scanned[u] += 1
            if scanned[u] < width:
                v = neighbors[u, scanned[u]]
                pi[v] = u
            elif pi[u] != u:
                v = pi[u]
        if v < 0:
            while root < n and reach[root]:
                root += 1
            if root == n:
                break
            v = root
        at[:] = 0
        at[v] = 1
        reach[v] = 1
        u = v
        yield HintsWithNode(reach, pi, at)
    yield HintsWithNode(reach, pi, at)


@register_jitable
def shortest_path_edge(neighbors, A, reach, d):
    """The edge (u, v) from a reached node to another with the least d[u] + A[u, v], and that length.

    The first one by v, then by u, among equals; v = -1 if there is none.
    """
    n, width = A.shape
    best_u, best_v, best = -1, -1, np.inf
    for u in range(n):
        if reach[u]:
            for k in range(width):
                v = neighbors[u, k]
                length = d[u] + A[u, k]
                is_first = length == best and (v < best_v or (v == best_v and u < best_u))
                if A[u, k] != 0 and not reach[v] and (length < best or is_first):
                    best_u, best_v, best = u, v, length
    return best_u, best_v, best
