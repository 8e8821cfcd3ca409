"""Edges and adjacency matrices in data frames of pandas (which is not imported)."""

import reprlib
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from nar.problems.graph_input.edge_table import WEIGHT, EdgeTable
from nar.problems.graph_input.node_labels import clean_label, integer_labels

_END_COLUMNS = (
    ("source", "target"),
    ("from", "to"),
    ("src", "dst"),
    ("u", "v"),
    ("i", "j"),
    ("node1", "node2"),
)
"""Pairs of names of the two columns that hold the ends of edges, in any case of letters."""


def is_frame(graph: Any) -> bool:
    """True for data frames of pandas and the like."""
    return all(hasattr(graph, attribute) for attribute in ("columns", "index", "to_numpy"))


def labeled_matrix(name: str, frame: Any) -> tuple[np.ndarray, list[Hashable]] | None:
    """Values of an adjacency matrix, and the labels of its rows; None if index and columns differ.

    Columns are brought into the order of the rows. Names of columns may be the text of the labels, as in
    frames read from files.

    Raises:
      ValueError: if a label occurs twice.
    """
    rows, columns = list(frame.index), list(frame.columns)
    text = [str(label) for label in rows]
    if sorted(text) != sorted(str(label) for label in columns):
        return None
    if len(set(text)) < len(text):
        raise ValueError(f"{name} must have different labels, got {reprlib.repr(rows)}")
    place = {str(label): number for number, label in enumerate(columns)}
    order = [place[label] for label in text]
    dtype = object if len(set(frame.dtypes)) > 1 else None  # floats may not hold integers
    matrix = frame.iloc[:, order].to_numpy(dtype=dtype)
    return matrix, [clean_label(name, label, label) for label in rows]


def edges_of_frame(name: str, frame: Any) -> EdgeTable:
    """Edges of a data frame with one row per edge; all columns but the two with its ends are attributes.

    Raises:
      ValueError: if it is unclear which columns hold the ends of the edges.
    """
    ends = _end_columns(frame)
    if ends is None and _end_columns(frame.index.to_frame()) is not None:
        frame = frame.reset_index()
        ends = _end_columns(frame)
    columns = list(frame.columns)
    if len(set(columns)) < len(columns):
        raise ValueError(f"{name} must have columns of different names, got {reprlib.repr(columns)}")
    numbered = columns == list(range(len(columns)))
    if ends is None and (len(columns) == 2 or (numbered and len(columns) == 3)):
        ends = columns[0], columns[1]
    if ends is None:
        raise ValueError(
            f"the ends of the edges of {name} must be in columns named {' and '.join(_END_COLUMNS[0])}, "
            f"or in the only two columns; got the columns {reprlib.repr(columns)}"
        )
    labels = [_labels(name, frame[column]) for column in ends]
    others = {column: frame[column].tolist() for column in columns if column not in ends}
    if numbered and len(others) == 1:
        others = {WEIGHT: next(iter(others.values()))}
    attributes: list[Mapping[str, Any]] = [
        dict(zip(others, values, strict=True)) for values in zip(*others.values(), strict=True)
    ]
    pairs = list(zip(*labels, strict=True))
    return EdgeTable(name, pairs, attributes if others else [{}] * len(pairs))


def _end_columns(frame: Any) -> tuple[Any, Any] | None:
    by_name = {column.lower(): column for column in frame.columns if isinstance(column, str)}
    for first, second in _END_COLUMNS:
        if first in by_name and second in by_name:
            return by_name[first], by_name[second]
    return None


def _labels(name: str, column: Any) -> list[Hashable]:
    """Labels in a column; integers that a missing value elsewhere made floats are integers again."""
    values = column.tolist()
    if all(isinstance(value, float) and value.is_integer() for value in values):
        array = np.asarray(column)
        values = integer_labels(name, array if array.dtype.kind == "f" else np.array(values)).tolist()
    return [clean_label(name, value, value) for value in values]
