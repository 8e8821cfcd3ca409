"""Depth-first search on neighbor lists."""

import numpy as np

from nar.algorithms.graphs.dfs import Hints
from nar.algorithms.shared.depth_first_search import BLACK, GRAY, TICK, WHITE


def dfs(neighbors, A, pi):
    """Records the discovery time d, the finish time f and the parent pi of each node.

    The steps are those of the events of `nar.algorithms.shared.depth_first_search`: the start of a search,
    the discovery of a node, the edge to a new node, the end of a node. The scan of a node's edges continues
    where it stopped, since nodes that are no longer white never become white again.
    """
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    d, f = np.zeros(n), np.zeros(n)
    time = 0.0
    color, s_prev = np.zeros(n, np.int64), np.arange(n)
    scanned = np.zeros(n, np.int64)
    for s in range(n):
        if color[s] != WHITE:
            continue
        yield Hints(pi, color, d, f, s_prev, s, s, s, s, time)
        color[s] = GRAY
        time += TICK
        d[s] = time
        yield Hints(pi, color, d, f, s_prev, s, s, s, s, time)
        u = s
        while True:
            while scanned[u] < width and (A[u, scanned[u]] == 0 or color[neighbors[u, scanned[u]]] != WHITE):
                scanned[u] += 1
            if scanned[u] < width:
                v = neighbors[u, scanned[u]]
                color[v] = GRAY
                s_prev[v] = u
                pi[v] = u
                yield Hints(pi, color, d, f, s_prev, s, u, v, v, time)
                u = v
                time += TICK
                d[u] = time
                yield Hints(pi, color, d, f, s_prev, s, u, u, u, time)
            else:
                color[u] = BLACK
                time += TICK
                f[u] = time
                yield Hints(pi, color, d, f, s_prev, s, u, n - 1, u, time)
                if u == s:
                    break
                below = s_prev[u]
                s_prev[u] = u
                u = below
