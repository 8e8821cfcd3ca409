"""Breadth-first search on neighbor lists."""

import numpy as np

from nar.algorithms.graphs.bfs import Hints


def bfs(neighbors, A, s, pi):
    """Reaches one more layer per step; pi[v] is the first previously reached node with an edge to v."""
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    reach = np.zeros(n, np.int8)
    reach[s] = 1
    while True:
        reached = reach.copy()
        yield Hints(reach_h=reached, pi_h=pi)
        for u in range(n):
            if reached[u]:
                for k in range(width):
                    v = neighbors[u, k]
                    if A[u, k] > 0:
                        if pi[v] == v and v != s:
                            pi[v] = u
                        reach[v] = 1
        if np.all(reach == reached):
            break
