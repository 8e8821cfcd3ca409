"""Validation of user-provided graphs: A[u, v] is the weight of the edge from u to v, 0 means no edge.

A graph may also be an `EdgeList`, for algorithms on neighbor lists. Each public check returns the arguments
in canonical types, or raises ValueError.
"""

import reprlib
from typing import Any, NoReturn

import numpy as np

from nar.problems.array_checks import node_index, square_matrix
from nar.problems.large_graphs import EdgeList
from nar.problems.problem import Arguments, Array

Graph = Array | EdgeList


def count_graph_nodes(A: Graph) -> int:
    """N."""
    return A.num_nodes if isinstance(A, EdgeList) else len(A)


def _weighted(A: Any) -> Graph:
    return A if isinstance(A, EdgeList) else square_matrix("A", A)


def _source(s: Any, A: Graph) -> int:
    return node_index("s", s, count_graph_nodes(A))


def _nonnegative(A: Any) -> Graph:
    A = _weighted(A)
    weights = A.weights if isinstance(A, EdgeList) else A
    if (weights < 0).any():
        raise ValueError(f"A must not contain negative entries, got {weights[weights < 0][0]:g}")
    return A


def _undirected(A: Graph) -> Graph:
    if isinstance(A, EdgeList):
        return _undirected_edges(A)
    if (A != A.T).any():
        u, v = np.argwhere(A != A.T)[0]
        _raise_asymmetry(u, v, float(A[u, v]), float(A[v, u]))
    return A


def _undirected_edges(A: EdgeList) -> EdgeList:
    if not A.directed:
        return A
    weights = dict(zip(map(tuple, A.pairs.tolist()), A.weights.tolist(), strict=True))
    for (u, v), weight in weights.items():
        reverse = weights.get((v, u), 0.0)
        if weight != reverse:
            _raise_asymmetry(u, v, weight, reverse)
    return A


def _raise_asymmetry(u: int, v: int, weight: float, reverse: float) -> NoReturn:
    raise ValueError(f"A must be symmetric, got A[{u}, {v}] = {weight:g} and A[{v}, {u}] = {reverse:g}")


def _acyclic(A: Array) -> Array:
    cycle = _find_cycle(A != 0)
    if cycle:
        raise ValueError(f"A must be acyclic, got the cycle {reprlib.repr(cycle)}")
    return A


def _find_cycle(edges: Array) -> list[int]:
    """Nodes of a directed cycle, with the first one repeated at the end; empty if there is none."""
    remaining = np.ones(len(edges), bool)
    num_predecessors = edges.sum(axis=0)
    free = np.flatnonzero(num_predecessors == 0).tolist()
    while free:
        node = free.pop()
        remaining[node] = False
        num_predecessors -= edges[node]
        free.extend(np.flatnonzero(edges[node] & (num_predecessors == 0)).tolist())
    if not remaining.any():
        return []
    node, path = int(np.argmax(remaining)), {}
    while node not in path:  # every remaining node has a remaining predecessor
        path[node] = len(path)
        node = int(np.argmax(edges[:, node] & remaining))
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


def _reaches_negative_cycle(A: Graph, source: int) -> bool:
    """Tests if distances from `source` still decrease after N - 1 rounds of relaxation.

    There is no tolerance: the algorithms repeat exactly these floating-point sums until none decreases.
    """
    if isinstance(A, EdgeList):
        return _edges_reach_negative_cycle(A, source)
    if (A >= 0).all():
        return False
    lengths = np.where(A != 0, A, np.inf)
    distances = np.full(len(A), np.inf)
    distances[source] = 0
    for _ in range(len(A) - 1):
        distances = np.minimum(distances, (distances[:, None] + lengths).min(axis=0))
    relaxed = (distances[:, None] + lengths).min(axis=0)
    return bool((relaxed < distances).any())


def _edges_reach_negative_cycle(A: EdgeList, source: int) -> bool:
    """The same test, with the edges in place of all pairs."""
    if (A.weights >= 0).all():
        return False
    pairs, weights = A.pairs, A.weights
    if not A.directed:
        pairs, weights = np.concatenate([pairs, pairs[:, ::-1]]), np.concatenate([weights, weights])
    distances = np.full(A.num_nodes, np.inf)
    distances[source] = 0
    for _ in range(A.num_nodes):
        relaxed = distances.copy()
        np.minimum.at(relaxed, pairs[:, 1], distances[pairs[:, 0]] + weights)
        if (relaxed == distances).all():
            return False
        distances = relaxed
    return True


def check_graph(A: Any) -> Arguments:
    """Checks a graph without negative entries."""
    return (_nonnegative(A),)


def check_graph_and_source(A: Any, s: Any) -> Arguments:
    """Checks a graph without negative entries, and a source node."""
    A = _nonnegative(A)
    return A, _source(s, A)


def check_undirected_graph(A: Any) -> Arguments:
    """Checks an undirected graph without negative entries."""
    return (_undirected(_nonnegative(A)),)


def check_undirected_graph_and_source(A: Any, s: Any) -> Arguments:
    """Checks an undirected graph without negative entries, and a source node."""
    A = _undirected(_nonnegative(A))
    return A, _source(s, A)


def check_acyclic_graph(A: Any) -> Arguments:
    """Checks a directed acyclic graph without negative entries."""
    A = square_matrix("A", A)
    _nonnegative(A)
    return (_acyclic(A),)


def check_undirected_weights(A: Any) -> Arguments:
    """Checks an undirected weighted graph."""
    return (_undirected(square_matrix("A", A)),)


def check_undirected_weights_and_source(A: Any, s: Any) -> Arguments:
    """Checks an undirected weighted graph and a source node."""
    A = _undirected(_weighted(A))
    return A, _source(s, A)


def check_acyclic_weights_and_source(A: Any, s: Any) -> Arguments:
    """Checks a directed acyclic weighted graph and a source node."""
    A = _acyclic(square_matrix("A", A))
    return A, node_index("s", s, len(A))


def check_weights_without_negative_cycle(A: Any) -> Arguments:
    """Checks a weighted graph without negative cycles."""
    return (_no_negative_cycle(square_matrix("A", A)),)


def check_weighted_graph_and_source(A: Any, s: Any) -> Arguments:
    """Checks a weighted graph and a source node that reaches no negative cycle."""
    A = _weighted(A)
    source = _source(s, A)
    if _reaches_negative_cycle(A, source):
        raise ValueError(f"A has a cycle of negative weight that node {source} reaches")
    return A, source
