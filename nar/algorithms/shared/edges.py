"""Edges of a graph as CLRS-30 encodes them: the adjacency mask."""

import numpy as np
from numba.extending import register_jitable


@register_jitable
def adjacency(A):
    """Adjacency mask with self-loops, [N, N] int8, of a matrix of weights [N, N]."""
    n = len(A)
    edges = np.zeros((n, n), np.int8)
    for u in range(n):
        for v in range(n):
            edges[u, v] = A[u, v] != 0 or u == v
    return edges
