"""Checks of a user's own graphs, as matrices A: A[u, v] is the weight of the edge from u to v, 0 is none."""

import reprlib
from typing import Any

import numpy as np

from nar.problems.array_checks import node_index, square_matrix
from nar.problems.problem import Arguments, Array


def _unweighted(A: Any) -> Array:
    A = square_matrix("A", A)
    if (A < 0).any():
        raise ValueError(f"A must not hold negative entries, got {A[A < 0][0]:g}")
    return A


def _undirected(A: Array) -> Array:
    if (A != A.T).any():
        u, v = np.argwhere(A != A.T)[0]
        raise ValueError(f"A must be symmetric, got A[{u}, {v}] = {A[u, v]:g} and A[{v}, {u}] = {A[v, u]:g}")
    return A


def _acyclic(A: Array) -> Array:
    cycle = _find_cycle(A != 0)
    if cycle:
        raise ValueError(f"A must be acyclic, got the cycle {reprlib.repr(cycle)}")
    return A


def _find_cycle(edges: Array) -> list[int]:
    """The nodes of a cycle, the first again at the end; empty if there is none."""
    left = np.ones(len(edges), bool)
    num_predecessors = edges.sum(axis=0)
    free = np.flatnonzero(num_predecessors == 0).tolist()
    while free:
        node = free.pop()
        left[node] = False
        num_predecessors -= edges[node]
        free.extend(np.flatnonzero(edges[node] & (num_predecessors == 0)).tolist())
    if not left.any():
        return []
    node, path = int(np.argmax(left)), {}
    while node not in path:  # every node that is left has a predecessor that is left
        path[node] = len(path)
        node = int(np.argmax(edges[:, node] & left))
    return [*list(path)[path[node] :], node][::-1]


def _no_negative_cycle(A: Array) -> Array:
    if (A < 0).any():
        distances = np.where(A != 0, A, np.inf)
        for k in range(len(A)):
            distances = np.minimum(distances, distances[:, k, None] + distances[k])
            if (np.diagonal(distances) < 0).any():
                node = np.argmax(np.diagonal(distances) < 0)
                raise ValueError(f"A has a cycle of negative weight through node {node}")
    return A


def _reaches_negative_cycle(A: Array, source: int) -> bool:
    """Whether distances from `source` still shrink after n - 1 rounds of relaxation.

    No tolerance: rounds of these very sums are what the algorithms repeat until nothing shrinks any more.
    """
    if (A >= 0).all():
        return False
    lengths = np.where(A != 0, A, np.inf)
    distances = np.full(len(A), np.inf)
    distances[source] = 0
    for _ in range(len(A) - 1):
        distances = np.minimum(distances, (distances[:, None] + lengths).min(axis=0))
    relaxed = (distances[:, None] + lengths).min(axis=0)
    return bool((relaxed < distances).any())


def check_graph(A: Any) -> Arguments:
    """A graph without negative entries."""
    return (_unweighted(A),)


def check_graph_and_source(A: Any, s: Any) -> Arguments:
    """A graph without negative entries, and a node."""
    A = _unweighted(A)
    return A, node_index("s", s, len(A))


def check_undirected_graph(A: Any) -> Arguments:
    """A symmetric graph without negative entries."""
    return (_undirected(_unweighted(A)),)


def check_acyclic_graph(A: Any) -> Arguments:
    """A directed acyclic graph without negative entries."""
    return (_acyclic(_unweighted(A)),)


def check_undirected_weights(A: Any) -> Arguments:
    """A symmetric matrix of weights."""
    return (_undirected(square_matrix("A", A)),)


def check_undirected_weights_and_source(A: Any, s: Any) -> Arguments:
    """A symmetric matrix of weights, and a node."""
    A = _undirected(square_matrix("A", A))
    return A, node_index("s", s, len(A))


def check_acyclic_weights_and_source(A: Any, s: Any) -> Arguments:
    """A matrix of weights without a cycle, and a node."""
    A = _acyclic(square_matrix("A", A))
    return A, node_index("s", s, len(A))


def check_weights_without_negative_cycle(A: Any) -> Arguments:
    """A matrix of weights without a cycle of negative weight."""
    return (_no_negative_cycle(square_matrix("A", A)),)


def check_weighted_graph_and_source(A: Any, s: Any) -> Arguments:
    """A matrix of weights, and a node that reaches no cycle of negative weight."""
    A = square_matrix("A", A)
    source = node_index("s", s, len(A))
    if _reaches_negative_cycle(A, source):
        raise ValueError(f"A has a cycle of negative weight that node {source} reaches")
    return A, source
