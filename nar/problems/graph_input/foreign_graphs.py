"""Foreign graphs: edges of graphs of networkx, igraph and scipy, and of adjacency lists in dictionaries.

None of these libraries is imported: their objects are recognized by their attributes.
"""

import reprlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np

from nar.problems.graph_input.edge_table import WEIGHT, EdgeTable
from nar.problems.graph_input.node_labels import clean_label


def edges_of_object(name: str, graph: Any) -> EdgeTable | None:
    """Edges of a graph object of another library, or of a dictionary; None if it is neither.

    Raises:
      ValueError: if a graph of one of these kinds is invalid.
    """
    for is_kind, read in _KINDS:
        if is_kind(graph):
            return read(name, graph)
    return None


def _has(*attributes: str) -> Callable[[Any], bool]:
    return lambda graph: all(hasattr(graph, attribute) for attribute in attributes)


is_sparse = _has("tocoo", "toarray", "shape")
"""Predicate of sparse matrices of scipy."""


def _from_networkx(name: str, graph: Any) -> EdgeTable:
    rows = list(graph.edges(data=True))
    return EdgeTable(
        name,
        [(_label(u), _label(v)) for u, v, _ in rows],
        [attributes for _, _, attributes in rows],
        nodes=[_label(node) for node in graph.nodes],
        directed=graph.is_directed(),
    )


def _label(node: Any) -> Hashable:
    """A node of networkx, any hashable object, without the type of numpy; 2.0 is 2, which it equals."""
    node = node.item() if isinstance(node, np.generic) else node
    return int(node) if isinstance(node, float) and node.is_integer() else node


def _from_igraph(name: str, graph: Any) -> EdgeTable:
    nodes = graph.vs["name"] if "name" in graph.vs.attributes() else range(graph.vcount())
    nodes = [clean_label(name, node, node) for node in nodes]
    if len(set(nodes)) < len(nodes):
        raise ValueError(f"{name} must have nodes of different names, got {reprlib.repr(nodes)}")
    return EdgeTable(
        name,
        [(nodes[u], nodes[v]) for u, v in graph.get_edgelist()],
        [edge.attributes() for edge in graph.es],
        nodes=nodes,
        directed=graph.is_directed(),
    )


def _from_sparse(name: str, graph: Any) -> EdgeTable:
    """Edges of a sparse matrix of scipy: stored zeros are edges, too."""
    if len(graph.shape) != 2 or graph.shape[0] != graph.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {graph.shape}")
    entries = graph.tocoo()
    ends: list[tuple[int, int]] = list(zip(entries.row.tolist(), entries.col.tolist(), strict=True))
    weights = (entries.data + 0 if entries.data.dtype.kind == "b" else entries.data).tolist()
    return EdgeTable(
        name,
        ends,
        [{WEIGHT: weight} for weight in weights],
        nodes=range(graph.shape[0]),
        directed=True,
        is_sparse_matrix=True,
    )


def _from_mapping(name: str, graph: Mapping[Any, Any]) -> EdgeTable:
    """Edges of {node: neighbors} or {node: {neighbor: weight or attributes}}."""
    ends, attributes = [], []
    for node, neighbors in graph.items():
        if isinstance(neighbors, str | bytes) or not isinstance(neighbors, Iterable):
            raise ValueError(
                f"{name} must map nodes to their neighbors, got {reprlib.repr(neighbors)} for {node!r}"
            )
        for neighbor in neighbors:
            edge = clean_label(name, node, node), clean_label(name, neighbor, neighbor)
            for edge_attributes in _parallel_edges(neighbors, neighbor):
                ends.append(edge)
                attributes.append(edge_attributes)
    nodes = [clean_label(name, node, node) for node in graph]
    return EdgeTable(name, ends, attributes, nodes=[*nodes, *(v for _, v in ends)], adjacency=True)


def _parallel_edges(neighbors: Iterable[Any], neighbor: Any) -> Iterator[Mapping[str, Any]]:
    """Attributes of the edges to a neighbor; in a multigraph of networkx they are values of a dictionary."""
    value = neighbors[neighbor] if isinstance(neighbors, Mapping) else {}
    if not isinstance(value, Mapping):
        yield {WEIGHT: value}
    elif value and all(isinstance(attributes, Mapping) for attributes in value.values()):
        yield from value.values()
    else:
        yield value


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[str, Any], EdgeTable]], ...] = (
    (_has("nodes", "edges", "is_directed"), _from_networkx),
    (_has("vs", "es", "is_directed", "get_edgelist"), _from_igraph),
    (is_sparse, _from_sparse),
    (lambda graph: isinstance(graph, Mapping) and not isinstance(graph, Set), _from_mapping),
)
"""Pairs (test, reader) for each kind of object; a view of edges of networkx is a mapping, but also a set."""
