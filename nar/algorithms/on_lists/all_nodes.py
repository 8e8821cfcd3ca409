"""Neighbor lists of all nodes, on which a generator on lists is one on matrices."""

import numpy as np
from numba.extending import register_jitable


@register_jitable
def all_nodes(n):
    """Lists [n, n] that hold all nodes."""
    neighbors = np.empty((n, n), np.int64)
    for u in range(n):
        for v in range(n):
            neighbors[u, v] = v
    return neighbors
