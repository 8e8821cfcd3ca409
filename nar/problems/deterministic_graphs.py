"""Deterministic graphs: undirected ones that depend on the number of nodes only, as bool matrices [N, N]."""

import numpy as np

Array = np.ndarray


def matrix_from_edges(num_nodes: int, pairs: Array) -> Array:
    """Symmetric matrix of the edges [E, 2]; edges to nodes >= num_nodes are dropped."""
    pairs = pairs[(pairs < num_nodes).all(axis=1)]
    matrix = np.zeros((num_nodes, num_nodes), bool)
    matrix[pairs[:, 0], pairs[:, 1]] = True
    return matrix | matrix.T


def _lattice(num_nodes: int, num_columns: int) -> Array:
    """Lattice with `num_columns` nodes per row; the last row may have fewer."""
    nodes = np.arange(num_nodes)
    across = nodes[nodes % num_columns < num_columns - 1]
    pairs = [np.stack([across, across + 1], 1), np.stack([nodes, nodes + num_columns], 1)]
    return matrix_from_edges(num_nodes, np.concatenate(pairs))


def grid(num_nodes: int) -> Array:
    """Grid with ⌈√N⌉ nodes per row; the last row may have fewer."""
    return _lattice(num_nodes, int(np.ceil(np.sqrt(num_nodes))))


def ladder(num_nodes: int) -> Array:
    """Ladder: rows of two nodes; the last row has one if N is odd."""
    return _lattice(num_nodes, 2)


def path(num_nodes: int) -> Array:
    """Path: each node is joined to the next."""
    return _lattice(num_nodes, num_nodes)


def cycle(num_nodes: int) -> Array:
    """Cycle: a path whose ends are joined; two nodes have one edge."""
    ends = [[0, num_nodes - 1]] if num_nodes > 1 else []
    return path(num_nodes) | matrix_from_edges(num_nodes, np.reshape(ends, (-1, 2)).astype(int))


def complete(num_nodes: int) -> Array:
    """Complete graph without self-loops."""
    return ~np.eye(num_nodes, dtype=bool)


def caveman(num_nodes: int) -> Array:
    """Connected caveman graph: a ring of cliques of ⌈√N⌉ nodes (the last may have fewer), joined by edges."""
    cave = np.arange(num_nodes) // int(np.ceil(np.sqrt(num_nodes)))
    first = np.searchsorted(cave, np.unique(cave))
    last = np.append(first[1:], num_nodes) - 1
    bridges = np.stack([last, np.roll(first, -1)], 1)
    matrix = (cave[:, None] == cave) | matrix_from_edges(num_nodes, bridges)
    return matrix & ~np.eye(num_nodes, dtype=bool)
