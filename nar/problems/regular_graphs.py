"""Undirected graphs that the number of nodes alone decides on, as symmetric bool matrices [N, N]."""

import numpy as np

Array = np.ndarray


def joined(num_nodes: int, pairs: Array) -> Array:
    """The matrix with the edges [E, 2], both ways; those that lead to no node are left out."""
    pairs = pairs[(pairs < num_nodes).all(axis=1)]
    matrix = np.zeros((num_nodes, num_nodes), bool)
    matrix[pairs[:, 0], pairs[:, 1]] = True
    return matrix | matrix.T


def _lattice(num_nodes: int, num_columns: int) -> Array:
    """Rows of this many nodes; the last may have fewer."""
    nodes = np.arange(num_nodes)
    across = nodes[nodes % num_columns < num_columns - 1]
    pairs = [np.stack([across, across + 1], 1), np.stack([nodes, nodes + num_columns], 1)]
    return joined(num_nodes, np.concatenate(pairs))


def grid(num_nodes: int) -> Array:
    """Rows of ⌈√N⌉ nodes, of which the last may have fewer."""
    return _lattice(num_nodes, int(np.ceil(np.sqrt(num_nodes))))


def ladder(num_nodes: int) -> Array:
    """Rows of two nodes; if N is odd, the last has one."""
    return _lattice(num_nodes, 2)


def path(num_nodes: int) -> Array:
    """Each node joined to the next."""
    return _lattice(num_nodes, num_nodes)


def cycle(num_nodes: int) -> Array:
    """A path whose ends are joined; two nodes have one edge."""
    ends = [[0, num_nodes - 1]] if num_nodes > 1 else []
    return path(num_nodes) | joined(num_nodes, np.reshape(ends, (-1, 2)).astype(int))


def complete(num_nodes: int) -> Array:
    """Every node joined to every other."""
    return ~np.eye(num_nodes, dtype=bool)


def caveman(num_nodes: int) -> Array:
    """Cliques of ⌈√N⌉ nodes, of which the last may have fewer, in a ring, one edge from each to the next."""
    cave = np.arange(num_nodes) // int(np.ceil(np.sqrt(num_nodes)))
    first = np.searchsorted(cave, np.unique(cave))
    last = np.append(first[1:], num_nodes) - 1
    bridges = np.stack([last, np.roll(first, -1)], 1)
    matrix = (cave[:, None] == cave) | joined(num_nodes, bridges)
    return matrix & ~np.eye(num_nodes, dtype=bool)
