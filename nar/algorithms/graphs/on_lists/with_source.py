"""Breadth-first search, Bellman-Ford, Dijkstra and Prim on neighbor lists."""

import numpy as np

from nar.algorithms.graphs import bellman_ford as bellman_ford_on_matrices
from nar.algorithms.graphs import bfs as bfs_on_matrices
from nar.algorithms.graphs import dijkstra as dijkstra_on_matrices
from nar.algorithms.graphs import mst_prim as mst_prim_on_matrices
from nar.algorithms.shared.queues import extract_min

BellmanFordHints = bellman_ford_on_matrices.Hints
BfsHints = bfs_on_matrices.Hints
DijkstraHints = dijkstra_on_matrices.Hints
PrimHints = mst_prim_on_matrices.Hints


def bfs(neighbors, A, s, pi):
    """Reaches one more layer per step; pi[v] is the first previously reached node with an edge to v."""
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    reach = np.zeros(n, np.int8)
    reach[s] = 1
    while True:
        reached = reach.copy()
        yield BfsHints(reach_h=reached, pi_h=pi)
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
        yield BellmanFordHints(pi_h=pi, d=prev_d, msk=prev_msk)
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


def dijkstra(neighbors, A, s, pi):
    """Extracts the nearest node u, marks it as finished and relaxes its edges, until the queue is empty."""
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    d = np.zeros(n)
    mark = np.zeros(n, np.int8)
    in_queue = np.zeros(n, np.int8)
    in_queue[s] = 1
    yield DijkstraHints(pi_h=pi, d=d, mark=mark, in_queue=in_queue, u=s)
    while in_queue.any():
        u = extract_min(in_queue, d)
        mark[u] = 1
        for k in range(width):
            v = neighbors[u, k]
            if A[u, k] != 0 and not mark[v] and (not in_queue[v] or d[u] + A[u, k] < d[v]):
                pi[v] = u
                d[v] = d[u] + A[u, k]
                in_queue[v] = 1
        yield DijkstraHints(pi_h=pi, d=d, mark=mark, in_queue=in_queue, u=u)


def mst_prim(neighbors, A, s, pi):
    """Extracts the node u with the lightest edge to the tree, until the queue is empty."""
    n, width = A.shape
    for v in range(n):
        pi[v] = v
    key = np.zeros(n)
    mark = np.zeros(n, np.int8)
    in_queue = np.zeros(n, np.int8)
    in_queue[s] = 1
    yield PrimHints(pi_h=pi, key=key, mark=mark, in_queue=in_queue, u=s)
    while in_queue.any():
        u = extract_min(in_queue, key)
        mark[u] = 1
        for k in range(width):
            v = neighbors[u, k]
            if A[u, k] != 0 and not mark[v] and (not in_queue[v] or A[u, k] < key[v]):
                pi[v] = u
                key[v] = A[u, k]
                in_queue[v] = 1
        yield PrimHints(pi_h=pi, key=key, mark=mark, in_queue=in_queue, u=u)
