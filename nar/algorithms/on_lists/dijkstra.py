"""Dijkstra's algorithm on neighbor lists."""

import numpy as np

from nar.algorithms.graphs.dijkstra import Hints
from nar.algorithms.shared.queues import extract_min


def dijkstra(neighbors, A, s, pi):
    """Extracts the nearest node u, marks it as finished and relaxes its edges, until the queue is empty."""
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    d = np.zeros(n)
    mark = np.zeros(n, np.int8)
    in_queue = np.zeros(n, np.int8)
    in_queue[s] = 1
    yield Hints(pi_h=pi, d=d, mark=mark, in_queue=in_queue, u=s)
    while in_queue.any():
        u = extract_min(in_queue, d)
        mark[u] = 1
        for k in range(width):
            v = neighbors[u, k]
            if A[u, k] != 0 and not mark[v] and (not in_queue[v] or d[u] + A[u, k] < d[v]):
                pi[v] = u
                d[v] = d[u] + A[u, k]
                in_queue[v] = 1
        yield Hints(pi_h=pi, d=d, mark=mark, in_queue=in_queue, u=u)
