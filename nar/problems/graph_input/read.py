"""Conversion of a user's graph, in any form, to an adjacency matrix or edges, and the labels of its nodes.

The keyword resolves ambiguity: `matrix` is an adjacency matrix, `edges` a list of edges, and `A`
anything whose form is clear.
"""

import dataclasses
import reprlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.problems.array_checks import square_matrix
from nar.problems.exact_numbers import check_unmasked
from nar.problems.graph_input.ambiguity import check_edges_unambiguous, check_unambiguous
from nar.problems.graph_input.data_frames import edges_of_frame, is_frame, labeled_matrix
from nar.problems.graph_input.edge_table import (
    WEIGHT,
    EdgeTable,
    edge_list,
    edge_weights,
    edges_from_rows,
    matrix_edges,
)
from nar.problems.graph_input.foreign_graphs import edges_of_object, is_sparse
from nar.problems.graph_input.node_labels import (
    MAX_NODES,
    MAX_NODES_OF_EDGES,
    Nodes,
    integer_labels,
    listed_labels,
    positional_nodes,
)

FORMS = ("A", "matrix", "edges")
"""Keywords for the graph; exactly one is given."""

GRAPH_OPTIONS = ("nodes", "num_nodes", "weight", "directed")
"""Keywords that determine how the graph is read."""


@dataclasses.dataclass(frozen=True)
class Graph:
    """A user's graph in canonical form.

    Attributes:
      A: [N, N] float, 0 where there is no edge; or the user's `A` unchanged, if it is an array; or its edges.
      nodes: the nodes by label; None if the graph was an array whose rows have no labels.
    """

    A: Any
    nodes: Nodes | None

    @property
    def labels(self) -> tuple[Hashable, ...] | None:
        """Label of each position; None if the labels are the positions."""
        return None if self.nodes is None else self.nodes.labels


@dataclasses.dataclass(frozen=True)
class _Request:
    """The part of a call that determines how a graph is read.

    Attributes:
      keyword: one of `FORMS`.
      directed: whether listed edges are directed, unless the user or the form specifies it.
      uses_weights: whether the result of the algorithm depends on the weights.
      options: those of `GRAPH_OPTIONS` that the user gave.
      as_edges: whether the result has edges in place of a matrix.
    """

    keyword: str
    directed: bool
    uses_weights: bool
    options: Mapping[str, Any]
    as_edges: bool

    @property
    def max_nodes(self) -> int:
        """Maximum number of nodes."""
        return MAX_NODES_OF_EDGES if self.as_edges else MAX_NODES


def read_graph(
    keyword: str,
    graph: Any,
    options: Mapping[str, Any],
    *,
    directed: bool,
    uses_weights: bool,
    as_edges: bool = False,
) -> Graph:
    """Reads a graph.

    Args:
      keyword: the keyword under which the graph was given, one of `FORMS`.
      graph: an adjacency matrix; a list or an array of edges; a graph of networkx or igraph; a sparse matrix
        of scipy; a data frame of edges, or an adjacency matrix with labels; or a dictionary from nodes to
        neighbors.
      options: any of `GRAPH_OPTIONS`: `nodes` lists all labels, `num_nodes` is their number if they are
        0, 1, 2, ...; `weight` names the attribute or column with the weights; `directed` determines whether
        listed edges are directed.
      directed: the default of that option.
      uses_weights: whether the result of the algorithm depends on the weights; if not, all are 1.
      as_edges: whether the result is an `EdgeList` in place of a matrix.

    Raises:
      ValueError: if the form of the graph is unclear, or nodes or weights are invalid.
    """
    request = _Request(keyword, directed, uses_weights, options, as_edges)
    if not isinstance(options.get("directed", True), bool | np.bool_):
        raise ValueError(f"directed must be True or False, got {options['directed']!r}")
    table = _edge_table(request, graph)
    if table is not None:
        return _from_table(request, table)
    _check_no_edge_options(request, graph)
    labels = None
    if is_frame(graph):
        graph, labels = _checked_frame(keyword, graph)
    return _from_matrix(request, graph, labels)


# ---------------------------------------------------------------------------------------------------
# Edges


def _edge_table(request: _Request, graph: Any) -> EdgeTable | None:
    """The edges of the graph; None if it is a matrix."""
    name = request.keyword
    if name == "matrix" and not is_sparse(graph):
        return None
    if is_frame(graph):
        matrix = labeled_matrix(name, graph) if name == "A" else None
        if matrix is None:
            return edges_of_frame(name, graph)
        if set(matrix[1]) == set(range(len(graph))):
            check_unambiguous(graph, _is_directed(request))  # numbered rows and columns, in any order
        return None
    table = edges_of_object(name, graph)
    if table is not None:
        return table
    if name == "edges":
        return edges_from_rows(name, _rows(graph))
    if _is_plain_iterable(graph):
        return edges_from_rows(name, graph)
    if _names_nodes_by_text(graph):
        return edges_from_rows(name, _rows(graph))
    if isinstance(graph, list | tuple) and "num_nodes" in request.options:
        return edges_from_rows(name, graph)
    if isinstance(graph, list | tuple) and graph and all(isinstance(edge, tuple) for edge in graph):
        if isinstance(graph, tuple):
            check_unambiguous(graph, _is_directed(request))
        check_edges_unambiguous(graph)
        return edges_from_rows(name, graph)
    return None


def _is_plain_iterable(graph: Any) -> bool:
    """True for sets, views and iterators."""
    has_a_form = isinstance(graph, list | tuple | str | bytes) or hasattr(graph, "__array__")
    return isinstance(graph, Iterable) and not has_a_form


def _names_nodes_by_text(graph: Any) -> bool:
    """True for rows that begin with text, such as [["a", "b"], ["b", "c"]], which no matrix has."""
    if isinstance(graph, np.ndarray):
        return graph.ndim == 2 and graph.size > 0 and isinstance(graph.flat[0], str)
    rows = graph if isinstance(graph, list | tuple) else ()
    return any(isinstance(row, list | tuple) and len(row) > 1 and isinstance(row[0], str) for row in rows)


def _rows(edges: Any) -> Iterable[Any]:
    """Edges of `edges=...`: integers in a float array, which also has weights, become integers."""
    if not isinstance(edges, Iterable) or isinstance(edges, str | bytes):
        raise ValueError(f"edges must be a list of edges, got {reprlib.repr(edges)}")
    check_unmasked("edges", edges)
    if not hasattr(edges, "__array__"):
        return edges
    array = np.asarray(edges)
    if array.ndim != 2 and array.size:
        raise ValueError(f"edges must be an array of rows (i, j) or (i, j, weight), got shape {array.shape}")
    if array.size and array.shape[1] not in (2, 3):
        hint = "; pass its transpose" if array.shape[0] == 2 else ""
        raise ValueError(
            f"edges must be an array of rows (i, j) or (i, j, weight), got shape {array.shape}{hint}"
        )
    rows = array.tolist() if array.size else []
    if array.dtype.kind == "f":
        whole = (array[:, :2] == np.trunc(array[:, :2])) & np.isfinite(array[:, :2]) if rows else array
        if np.all(whole):
            ends = integer_labels("edges", array[:, :2]).tolist() if rows else []
            return [(*pair, *row[2:]) for pair, row in zip(ends, rows, strict=True)]
    return rows


def _is_directed(request: _Request) -> bool:
    return bool(request.options.get("directed", request.directed))


def _from_table(request: _Request, table: EdgeTable) -> Graph:
    if isinstance(table.nodes, range) and not 1 <= len(table.nodes) <= request.max_nodes:
        raise ValueError(f"{table.name} must have 1 to {request.max_nodes} nodes, got {len(table.nodes)}")
    if isinstance(table.nodes, range) and "nodes" in request.options:
        table = _with_labels(table, listed_labels(table.name, request.options["nodes"]))
    nodes = _table_nodes(request, table)
    weights = edge_weights(table, request.options.get("weight", WEIGHT), request.uses_weights)
    if not request.uses_weights:
        weights = [1.0] * len(weights)
    directed = _is_directed(request) if table.directed is None else table.directed
    if table.directed is not None and request.options.get("directed", directed) != directed:
        raise ValueError(f"directed={not directed} contradicts the graph {table.name}")
    if table.adjacency and not directed and "directed" not in request.options:
        _check_adjacency(table, nodes)
    edges = edge_list(table, nodes, weights, directed)
    return Graph(edges if request.as_edges else edges.matrix(), nodes)


def _with_labels(table: EdgeTable, labels: Sequence[Hashable]) -> EdgeTable:
    """The edges of a sparse matrix by the labels of its rows."""
    if len(labels) != len(table.nodes or ()):
        raise ValueError(f"{table.name} must have {len(labels)} nodes, as many as labels")
    return dataclasses.replace(table, ends=[(labels[u], labels[v]) for u, v in table.ends], nodes=None)  # type: ignore[index]


def _check_adjacency(table: EdgeTable, nodes: Nodes) -> None:
    """Raises ValueError if a node lists a neighbor that does not list it."""
    listed = {(nodes.index(u), nodes.index(v)) for u, v in table.ends}
    for u, v in table.ends:
        if (nodes.index(v), nodes.index(u)) not in listed:
            raise ValueError(
                f"{table.name} must list each edge at both nodes, got only ({u!r}, {v!r}): "
                "pass directed=True if edges are directed, or directed=False if each is listed once"
            )


def _table_nodes(request: _Request, table: EdgeTable) -> Nodes:
    options, name = request.options, table.name
    mentioned = [label for ends in table.ends for label in ends]
    if "nodes" in options and "num_nodes" in options:
        raise ValueError("nodes and num_nodes cannot both be given")
    if table.nodes is not None and not table.adjacency:
        if "nodes" in options or "num_nodes" in options:
            option = "nodes" if "nodes" in options else "num_nodes"
            raise ValueError(
                f"{option} is only valid if {name} is a list of edges or a matrix, got a graph that has nodes"
            )
        return Nodes(name, table.nodes, max_nodes=request.max_nodes)
    if "nodes" in options:
        labels = listed_labels(name, options["nodes"])
        nodes = Nodes(name, labels, keep_order=True, max_nodes=request.max_nodes)
        known = "the listed nodes"
    elif "num_nodes" in options:
        nodes = positional_nodes(name, options["num_nodes"], request.max_nodes)
        known = f"{len(nodes)} nodes (0 to {len(nodes) - 1})"
    else:
        labels = mentioned if table.nodes is None else table.nodes
        return Nodes(name, labels, merge_text=table.adjacency, max_nodes=request.max_nodes)
    for label in mentioned:
        if not _contains(nodes, label):
            raise ValueError(f"{name} has {known}, got an edge of node {label!r}")
    return nodes


def _contains(nodes: Nodes, label: Hashable) -> bool:
    try:
        nodes.index(label)
    except KeyError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------
# Matrices


def _check_no_edge_options(request: _Request, graph: Any) -> None:
    for option in ("num_nodes", "weight", "directed"):
        if option in request.options:
            raise ValueError(
                f"{option} is only valid if {request.keyword} is a list of edges, "
                f"got {request.keyword}={reprlib.repr(graph)}"
            )


def _checked_frame(name: str, frame: Any) -> tuple[np.ndarray, Sequence[Hashable]]:
    result = labeled_matrix(name, frame)
    if result is None:
        raise ValueError(
            f"the rows and columns of {name} must have the same labels, "
            f"got {reprlib.repr(list(frame.index))} and {reprlib.repr(list(frame.columns))}"
        )
    return result


def _from_matrix(request: _Request, graph: Any, labels: Sequence[Hashable] | None) -> Graph:
    name, options = request.keyword, request.options
    if name == "A" and labels is None:
        check_unambiguous(graph, request.directed)
    if labels is not None and "nodes" in options:
        raise ValueError(f"nodes is only valid if {name} has no labels of its own")
    if "nodes" in options:
        labels = listed_labels(name, options["nodes"])
    nodes = None
    if labels is not None:
        nodes = Nodes(name, labels, keep_order="nodes" in options)
        matrix = square_matrix(name, graph)
        if len(matrix) != len(nodes):
            raise ValueError(f"{name} must have {len(nodes)} nodes, as many as labels, got {len(matrix)}")
        places = [nodes.index(label) for label in labels]
        graph = np.empty_like(matrix)
        graph[np.ix_(places, places)] = matrix
    elif name == "matrix" or not request.uses_weights or request.as_edges:
        graph = square_matrix(name, graph)
    if not request.uses_weights:
        graph = (graph != 0).astype(np.float64)
    return Graph(matrix_edges(graph) if request.as_edges else graph, nodes)


def find_node(graph: Graph, argument: str, value: Any) -> Any:
    """Position of the node that an argument names; unchanged where nodes have no labels."""
    if graph.nodes is None or (graph.labels is None and not isinstance(value, str)):
        return value
    return graph.nodes.find(argument, value)
