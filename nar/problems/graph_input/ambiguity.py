"""Square arrays of two or three rows, which may be adjacency matrices or lists of edges.

`[[0, 1], [1, 2]]` may be the edges 0-1 and 1-2, or a matrix with an edge 0-1 and a self-loop of weight 2.
"""

from typing import Any

import numpy as np


def check_unambiguous(graph: Any, directed: bool) -> None:
    """Raises ValueError if an array that is given as `A` is likely to be a list of edges.

    It may be one if each row is an edge between two different nodes, with a weight if there are three
    columns, and no edge is repeated. It is a matrix nevertheless if it has only zeros and ones, or if it has
    no self-loops and, as a list of edges, would leave out nodes.
    """
    array = _numbers(graph)
    if array is None or array.shape not in ((2, 2), (3, 3)):
        return
    ends = array[:, :2].astype(np.float64)
    if not (np.isfinite(ends) & (ends >= 0) & (ends == np.trunc(ends))).all():
        return
    edges = [(int(u), int(v)) for u, v in ends]
    if any(u == v for u, v in edges) or (array.shape[1] == 3 and (array[:, 2] == 0).any()):
        return
    if len({edge if directed else tuple(sorted(edge)) for edge in edges}) < len(edges):
        return
    if np.isin(array, (0, 1)).all() or (not np.diagonal(array).any() and _leaves_out_nodes(edges)):
        return
    raise _ambiguous(array)


def check_edges_unambiguous(edges: Any) -> None:
    """Raises ValueError if two tuples given as `A`, which are edges, are likely to be the rows of a matrix.

    They are if the matrix is symmetric and has no self-loops, and if its weights are not 1.
    """
    array = _numbers(edges)
    if array is None or array.shape != (2, 2) or np.diagonal(array).any():
        return
    if array[0, 1] == array[1, 0] and array[0, 1] not in (0, 1):
        raise _ambiguous(array)


def _numbers(rows: Any) -> np.ndarray | None:
    """Rows of numbers as an array, also those in arrays of objects; None for anything else."""
    try:
        array = np.asarray(rows)
        array = array.astype(np.float64) if array.dtype.kind == "O" and array.size <= 9 else array
    except (ValueError, TypeError, OverflowError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _ambiguous(array: np.ndarray) -> ValueError:
    rows = array.tolist()
    return ValueError(
        f"A={rows} may be a matrix or a list of edges: pass it as matrix={rows} or as edges={rows}"
    )


def _leaves_out_nodes(edges: list[tuple[int, int]]) -> bool:
    nodes = {node for edge in edges for node in edge}
    return nodes != set(range(len(nodes)))
