"""Prim's algorithm on neighbor lists."""

import numpy as np

from nar.algorithms.graphs.mst_prim import Hints
from nar.algorithms.shared.queues import extract_min


def mst_prim(neighbors, A, s, pi):
    """Extracts the node u with the lightest edge to the tree, until the queue is empty."""
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    key = np.zeros(n)
    mark = np.zeros(n, np.int8)
    in_queue = np.zeros(n, np.int8)
    in_queue[s] = 1
    yield Hints(pi_h=pi, key=key, mark=mark, in_queue=in_queue, u=s)
    while in_queue.any():
        u = extract_min(in_queue, key)
        mark[u] = 1
        for k in range(width):
            v = neighbors[u, k]
            if A[u, k] != 0 and not mark[v] and (not in_queue[v] or A[u, k] < key[v]):
                pi[v] = u
                key[v] = A[u, k]
                in_queue[v] = 1
        yield Hints(pi_h=pi, key=key, mark=mark, in_queue=in_queue, u=u)
