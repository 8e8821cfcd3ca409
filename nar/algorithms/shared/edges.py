"""How the edges of a graph are shown; shared by graph algorithms."""

import numpy as np
from numba.extending import register_jitable


@register_jitable
def adjacency(A):
    """1 for every edge and for every node with itself, else 0; [N, N] from [N, N]."""
    n = len(A)
    edges = np.zeros((n, n), np.int8)
    for u in range(n):
        for v in range(n):
            edges[u, v] = A[u, v] != 0 or u == v
    return edges
