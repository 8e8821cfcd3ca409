"""A user's graph in other forms than a matrix: a list of edges, a networkx graph, a sparse matrix."""

import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from nar.problems.options import LARGEST, is_integer, is_real

Edge = tuple[Any, ...]

MOST_NODES = 4096
"""Of a graph that is not given as a matrix: its matrix is dense, and so are traces."""


def adjacency_matrix(name: str, graph: Any, directed: bool, num_nodes: Any = None) -> Any:
    """The matrix of a graph; what is neither of the forms below is returned as it is.

    Args:
      name: of the argument, for messages.
      graph: a list of edges, which are tuples (i, j) or (i, j, weight); or a graph of networkx, its nodes in
        the order of `graph.nodes`, directed or not as it is, weights from the attribute "weight"; or anything
        that has a method `toarray`. Edges without a weight have weight 1.
      directed: whether an edge (i, j) of a list does not lead from j to i as well.
      num_nodes: N, of a list of edges; if None, one more than the largest node.

    Returns:
      [N, N] float, 0 where there is no edge.

    Raises:
      ValueError: if nodes or weights are not valid, or `num_nodes` is given with another form than a list.
    """
    if _is_list_of_edges(graph, num_nodes):
        edges = [_checked_edge(name, edge) for edge in graph]
        return _matrix(name, edges, _number_of_nodes(name, edges, num_nodes), directed)
    if num_nodes is not None:
        raise ValueError(f"num_nodes goes with {name} as a list of edges, got {name}={reprlib.repr(graph)}")
    if all(hasattr(graph, attribute) for attribute in ("nodes", "edges", "is_directed")):
        return _from_networkx(name, graph)
    if callable(getattr(graph, "toarray", None)) and max(graph.shape, default=0) <= MOST_NODES:
        return graph.toarray()
    return graph


def _is_list_of_edges(graph: Any, num_nodes: Any) -> bool:
    if not isinstance(graph, list | tuple):
        return False
    if num_nodes is not None:
        return True
    return len(graph) > 0 and all(isinstance(edge, tuple) for edge in graph)


def _checked_edge(name: str, edge: Any) -> tuple[int, int, float]:
    """(i, j, weight) in canonical types."""
    if not isinstance(edge, list | tuple) or len(edge) not in (2, 3):
        raise ValueError(
            f"an edge of {name} must be (i, j) or (i, j, weight), got {reprlib.repr(edge)}; "
            "if this is a matrix, make its rows lists"
        )
    i, j, weight = (*edge, 1.0)[:3]
    if not is_integer(i) or not is_integer(j) or min(i, j) < 0:
        raise ValueError(f"edges of {name} must join nodes 0, 1, 2, ..., got {reprlib.repr(edge)}")
    return int(i), int(j), _checked_weight(name, edge, weight)


def _checked_weight(name: str, edge: Any, weight: Any) -> float:
    weight = weight.item() if isinstance(weight, np.generic) else weight
    if not is_real(weight) or not 0 < abs(weight) <= LARGEST:
        raise ValueError(
            f"weights of {name} must be numbers of at most {LARGEST:g} in size, and not 0 (which means no "
            f"edge), got {reprlib.repr(edge)}"
        )
    return float(weight)


def _number_of_nodes(name: str, edges: list[tuple[int, int, float]], num_nodes: Any) -> int:
    largest = max((max(i, j) for i, j, _ in edges), default=-1)
    if num_nodes is None:
        num_nodes = largest + 1
    if not is_integer(num_nodes) or not 1 <= num_nodes <= MOST_NODES:
        raise ValueError(f"{name} must have from 1 to {MOST_NODES} nodes, got {reprlib.repr(num_nodes)}")
    if largest >= num_nodes:
        raise ValueError(f"{name} has {num_nodes} nodes, 0 to {num_nodes - 1}, got an edge of node {largest}")
    return int(num_nodes)


def _matrix(name: str, edges: Iterable[tuple[int, int, float]], num_nodes: int, directed: bool) -> np.ndarray:
    matrix = np.zeros((num_nodes, num_nodes))
    for i, j, weight in edges:
        for u, v in ((i, j),) if directed else ((i, j), (j, i)):
            if matrix[u, v] not in (0, weight):
                raise ValueError(
                    f"{name} must have one weight an edge, got {matrix[u, v]:g} and {weight:g} for ({i}, {j})"
                )
            matrix[u, v] = weight
    return matrix


def _from_networkx(name: str, graph: Any) -> np.ndarray:
    places = {node: place for place, node in enumerate(graph.nodes)}
    if not 1 <= len(places) <= MOST_NODES:
        raise ValueError(f"{name} must have from 1 to {MOST_NODES} nodes, got {len(places)}")
    edges = [
        (places[u], places[v], _checked_weight(name, (u, v, weight), weight))
        for u, v, weight in graph.edges(data="weight", default=1)
    ]
    return _matrix(name, edges, len(places), graph.is_directed())
