"""Bellman-Ford on neighbor lists."""

import numpy as np

from nar.algorithms.graphs.bellman_ford import Hints


def bellman_ford(neighbors, A, s, pi):
    """Relaxes all edges of reached nodes (msk = 1) once per step; unreached nodes have d = 0."""
    n, width = A.shape
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
            if prev_msk[u]:
                for k in range(width):
                    v = neighbors[u, k]
                    if A[u, k] != 0:
                        if not msk[v] or prev_d[u] + A[u, k] < d[v]:
                            d[v] = prev_d[u] + A[u, k]
                            pi[v] = u
                        msk[v] = 1
        if np.all(d == prev_d) and np.all(msk == prev_msk):
            break
