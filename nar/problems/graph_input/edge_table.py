"""Edges of a graph by the labels of their nodes: the form to which all others but matrices are converted."""

import collections
import dataclasses
import datetime
import reprlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.problems.exact_numbers import check_told_apart, to_float
from nar.problems.graph_input.node_labels import Nodes, clean_label
from nar.problems.large_graphs import EdgeList
from nar.problems.options import MAX_MAGNITUDE

WEIGHT = "weight"
"""Default name of the edge attribute that holds the weights, as in networkx."""


@dataclasses.dataclass(frozen=True)
class EdgeTable:
    """Edges of a graph, with any number of attributes.

    Attributes:
      name: name of the argument, for error messages.
      ends: two node labels per edge.
      attributes: a mapping from attribute name to value, per edge.
      nodes: labels of all nodes, in order; None if only the edges name them.
      directed: whether edges are directed; None if the form does not determine it.
      adjacency: whether an edge of an undirected graph is listed at both of its nodes.
      is_sparse_matrix: whether edges are entries of a matrix, of which repeated ones stand for their sum.
    """

    name: str
    ends: Sequence[tuple[Hashable, Hashable]]
    attributes: Sequence[Mapping[str, Any]]
    nodes: Sequence[Hashable] | None = None
    directed: bool | None = None
    adjacency: bool = False
    is_sparse_matrix: bool = False


def edges_from_rows(name: str, rows: Iterable[Any]) -> EdgeTable:
    """Reads edges (i, j), (i, j, weight), (i, j, attributes) or (i, j, key, attributes).

    Raises:
      ValueError: if a row has another form, or a node is neither a nonnegative integer nor another label.
    """
    ends, attributes = [], []
    for row in rows:
        ends.append(_ends(name, row))
        attributes.append(_attributes(row))
    return EdgeTable(name, ends, attributes)


def _ends(name: str, row: Any) -> tuple[Hashable, Hashable]:
    is_edge = isinstance(row, list | tuple | np.ndarray) and len(row) in (2, 3, 4)
    if not is_edge or (len(row) == 4 and not isinstance(row[3], Mapping)):
        raise ValueError(
            f"an edge of {name} must be (i, j) or (i, j, weight), got {reprlib.repr(row)}; "
            "if this is a matrix, pass it as matrix=..."
        )
    labels = [clean_label(name, label, row) for label in row[:2]]
    if any(isinstance(label, int) and label < 0 for label in labels):
        raise ValueError(
            f"edges of {name} must connect nodes 0, 1, 2, ... or nodes with labels, got {reprlib.repr(row)}"
        )
    return labels[0], labels[1]


def _attributes(row: Sequence[Any]) -> Mapping[str, Any]:
    if len(row) == 2:
        return {}
    return row[-1] if isinstance(row[-1], Mapping) else {WEIGHT: row[2]}


# ---------------------------------------------------------------------------------------------------
# Weights


def edge_weights(table: EdgeTable, attribute: Any, uses_weights: bool) -> list[float]:
    """Weights of the edges of a table.

    Args:
      table: the edges.
      attribute: name of the attribute that holds the weights; None for a weight of 1; `WEIGHT` also if the
        user has named none, and then edges without it have weight 1.
      uses_weights: whether the result of the algorithm depends on the weights.

    Raises:
      ValueError: if a weight is missing or invalid, or if it is unclear which attribute holds the weights.
    """
    if attribute is None:
        return [1.0] * len(table.ends)
    has_any = any(attribute in row for row in table.attributes)
    if attribute == WEIGHT and not has_any:
        if uses_weights:
            _check_no_other_weights(table)
        return [1.0] * len(table.ends)
    weights = []
    for (u, v), row in zip(table.ends, table.attributes, strict=True):
        if attribute not in row and (attribute != WEIGHT or (uses_weights and _numbers(row))):
            names = ", ".join(_names(table)) or "none"
            raise ValueError(
                f"edges of {table.name} must have the attribute weight={attribute!r}, got ({u!r}, {v!r}) "
                f"without it; attributes of the edges: {names}"
            )
        weights.append(_number(table.name, u, v, row.get(attribute, 1.0)))
    if uses_weights:
        _check_not_repeated(table)
        check_told_apart(f"weights of {table.name}", [row.get(attribute, 1.0) for row in table.attributes])
    return weights


def _check_not_repeated(table: EdgeTable) -> None:
    if table.is_sparse_matrix and len(set(table.ends)) < len(table.ends):
        end, _ = collections.Counter(table.ends).most_common(1)[0]
        raise ValueError(
            f"{table.name} has several entries {end}, which scipy adds up, unlike parallel edges: call "
            f"{table.name}.sum_duplicates() first"
        )


def _check_no_other_weights(table: EdgeTable) -> None:
    numeric = list(dict.fromkeys(name for row in table.attributes for name in _numbers(row)))
    if numeric:
        raise ValueError(
            f"edges of {table.name} have no attribute 'weight', but the numbers {', '.join(numeric)}: choose "
            f"the weights by weight={numeric[0]!r}, or weight=None for a weight of 1"
        )


def _numbers(attributes: Mapping[str, Any]) -> list[str]:
    """Names of the attributes that are numbers."""
    return [str(name) for name, value in attributes.items() if _is_numeric(value)]


def _names(table: EdgeTable) -> list[str]:
    return list(dict.fromkeys(str(name) for row in table.attributes for name in row))


def _is_numeric(value: Any) -> bool:
    """True for numbers, durations, and text that spells a number, as in graphs read from files."""
    if isinstance(value, datetime.timedelta | np.timedelta64):
        return True
    if isinstance(value, str):
        try:
            return float(value) is not None
        except ValueError:
            return False
    return to_float(value) is not None


def _number(name: str, u: Any, v: Any, value: Any) -> float:
    number = to_float(value)
    if number is None or not 0 < abs(number) <= MAX_MAGNITUDE:
        raise ValueError(
            f"weights of {name} must be numbers of magnitude at most {MAX_MAGNITUDE:g} that float64 "
            f"represents, and not 0 (which means no edge), got {reprlib.repr((u, v, value))}"
        )
    return number


# ---------------------------------------------------------------------------------------------------
# Edges by the positions of their nodes


def edge_list(table: EdgeTable, nodes: Nodes, weights: Sequence[float], directed: bool) -> EdgeList:
    """Edges of a table, each once.

    Raises:
      ValueError: if an edge is given twice with different weights.
    """
    found: dict[tuple[int, int], float] = {}
    for (i, j), weight in zip(table.ends, weights, strict=True):
        u, v = nodes.index(i), nodes.index(j)
        pair = (u, v) if directed or u < v else (v, u)
        if found.setdefault(pair, weight) != weight:
            raise ValueError(
                f"{table.name} must have one weight per edge, got {found[pair]:g} and {weight:g} "
                f"for ({i!r}, {j!r})"
            )
    pairs = sorted(found)
    return EdgeList(
        num_nodes=len(nodes),
        pairs=np.reshape(np.array(pairs, np.int64), (-1, 2)),
        weights=np.array([found[pair] for pair in pairs], np.float64),
        directed=directed,
    )


def matrix_edges(matrix: np.ndarray) -> EdgeList:
    """Edges of an adjacency matrix [N, N], directed ones."""
    pairs = np.argwhere(matrix != 0)
    return EdgeList(len(matrix), pairs, matrix[tuple(pairs.T)], directed=True)
