"""Conversion of edge lists, networkx graphs and sparse matrices to dense adjacency matrices."""

import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from nar.problems.options import MAX_MAGNITUDE, is_integer, is_real

Edge = tuple[Any, ...]

MAX_NODES = 4096
"""Maximum number of nodes of a graph that is converted, since its matrix and traces are dense."""


def adjacency_matrix(name: str, graph: Any, directed: bool, num_nodes: Any = None) -> Any:
    """Converts a graph to its adjacency matrix; returns other values than those listed below unchanged.

    Args:
      name: name of the argument, for error messages.
      graph: a list of edges (i, j) or (i, j, weight); or a networkx graph, directed or not, with its nodes in
        the order of `graph.nodes` and weights in the edge attribute "weight"; or an object with a method
        `toarray`. Edges without a weight have weight 1.
      directed: whether an edge (i, j) of a list leads only from i to j, not also from j to i.
      num_nodes: N, for a list of edges; if None, one more than the largest node index.

    Returns:
      [N, N] float, 0 where there is no edge.

    Raises:
      ValueError: if nodes or weights are invalid, or `num_nodes` is given but `graph` is not a list of edges.
    """
    if _is_list_of_edges(graph, num_nodes):
        edges = [_checked_edge(name, edge) for edge in graph]
        return _matrix(name, edges, _number_of_nodes(name, edges, num_nodes), directed)
    if num_nodes is not None:
        raise ValueError(
            f"num_nodes is only valid if {name} is a list of edges, got {name}={reprlib.repr(graph)}"
        )
    if all(hasattr(graph, attribute) for attribute in ("nodes", "edges", "is_directed")):
        return _from_networkx(name, graph)
    if callable(getattr(graph, "toarray", None)) and max(graph.shape, default=0) <= MAX_NODES:
        return graph.toarray()
    return graph


def _is_list_of_edges(graph: Any, num_nodes: Any) -> bool:
    if not isinstance(graph, list | tuple):
        return False
    if num_nodes is not None:
        return True
    return len(graph) > 0 and all(isinstance(edge, tuple) for edge in graph)


def _checked_edge(name: str, edge: Any) -> tuple[int, int, float]:
    """Validates an edge and converts it to (int, int, float)."""
    if not isinstance(edge, list | tuple) or len(edge) not in (2, 3):
        raise ValueError(
            f"an edge of {name} must be (i, j) or (i, j, weight), got {reprlib.repr(edge)}; "
            "if this is a matrix, pass its rows as lists"
        )
    i, j, weight = (*edge, 1.0)[:3]
    if not is_integer(i) or not is_integer(j) or min(i, j) < 0:
        raise ValueError(f"edges of {name} must connect nodes 0, 1, 2, ..., got {reprlib.repr(edge)}")
    return int(i), int(j), _checked_weight(name, edge, weight)


def _checked_weight(name: str, edge: Any, weight: Any) -> float:
    weight = weight.item() if isinstance(weight, np.generic) else weight
    if not is_real(weight) or not 0 < abs(weight) <= MAX_MAGNITUDE:
        raise ValueError(
            f"weights of {name} must be numbers of magnitude at most {MAX_MAGNITUDE:g}, and not 0 "
            f"(which means no edge), got {reprlib.repr(edge)}"
        )
    return float(weight)


def _number_of_nodes(name: str, edges: list[tuple[int, int, float]], num_nodes: Any) -> int:
    largest = max((max(i, j) for i, j, _ in edges), default=-1)
    if num_nodes is None:
        num_nodes = largest + 1
    if not is_integer(num_nodes) or not 1 <= num_nodes <= MAX_NODES:
        raise ValueError(f"{name} must have 1 to {MAX_NODES} nodes, got {reprlib.repr(num_nodes)}")
    if largest >= num_nodes:
        raise ValueError(
            f"{name} has {num_nodes} nodes (0 to {num_nodes - 1}), got an edge of node {largest}"
        )
    return int(num_nodes)


def _matrix(name: str, edges: Iterable[tuple[int, int, float]], num_nodes: int, directed: bool) -> np.ndarray:
    matrix = np.zeros((num_nodes, num_nodes))
    for i, j, weight in edges:
        for u, v in ((i, j),) if directed else ((i, j), (j, i)):
            if matrix[u, v] not in (0, weight):
                raise ValueError(
                    f"{name} must have one weight per edge, got {matrix[u, v]:g} and {weight:g} "
                    f"for ({i}, {j})"
                )
            matrix[u, v] = weight
    return matrix


def _from_networkx(name: str, graph: Any) -> np.ndarray:
    indices = {node: index for index, node in enumerate(graph.nodes)}
    if not 1 <= len(indices) <= MAX_NODES:
        raise ValueError(f"{name} must have 1 to {MAX_NODES} nodes, got {len(indices)}")
    edges = [
        (indices[u], indices[v], _checked_weight(name, (u, v, weight), weight))
        for u, v, weight in graph.edges(data="weight", default=1)
    ]
    return _matrix(name, edges, len(indices), graph.is_directed())
