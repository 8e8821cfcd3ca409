"""Further nodes and new edges in the parts of a graph that an algorithm has not read."""

import numpy as np


def embed(matrix: np.ndarray, nodes: np.ndarray, num_nodes: int) -> np.ndarray:
    """Matrix [num_nodes, num_nodes] of a graph with further nodes, which have no edges.

    Args:
      matrix: [N, N].
      nodes: [N], the new numbers of the nodes.
      num_nodes: number of nodes with the further ones.
    """
    result = np.zeros((num_nodes, num_nodes))
    result[np.ix_(nodes, nodes)] = matrix
    return result


def nodes_among(old: int, new: int, random: np.random.Generator, *, keep_first: bool = False) -> np.ndarray:
    """New numbers [old] of nodes, in order, if `new` further nodes are inserted at random positions.

    With `keep_first`, node 0 stays node 0.
    """
    first = int(keep_first)
    return np.sort(np.append(np.arange(first), first + random.permutation(old + new - first)[: old - first]))


def nodes_before_last(old: int, new: int) -> np.ndarray:
    """New numbers [old] of nodes if `new` further nodes are inserted before the last one."""
    nodes = np.arange(old)
    nodes[-1] += new
    return nodes


def is_new(nodes: np.ndarray, num_nodes: int) -> np.ndarray:
    """Mask [num_nodes] of the further nodes."""
    mask = np.ones(num_nodes, bool)
    mask[nodes] = False
    return mask


def weight_range(matrix: np.ndarray) -> tuple[float, float]:
    """Smallest and largest weight of a graph; 1 and 1 without edges."""
    weights = matrix[matrix != 0]
    return (float(weights.min()), float(weights.max())) if weights.size else (1.0, 1.0)


def edge_probability(matrix: np.ndarray) -> float:
    """Share of the entries of a graph that are edges, but as much as one edge per node has."""
    return max(np.count_nonzero(matrix) / matrix.size, 1 / len(matrix))


def symmetric(values: np.ndarray) -> np.ndarray:
    """Copies the upper triangle of a matrix to the lower one."""
    return np.triu(values) + np.triu(values, 1).T


def draw_edges(
    original: np.ndarray,
    embedded: np.ndarray,
    free: np.ndarray,
    random: np.random.Generator,
    *,
    low: float | None = None,
) -> np.ndarray:
    """Draws new edges between some pairs of nodes, of the density and the range of weights of a graph.

    Args:
      original: [N, N], the graph; if it is symmetric, so is the result.
      embedded: [N + new, N + new], the graph with further nodes.
      free: mask of the entries of `embedded` that may change; of a symmetric graph, those for which both
        directions are marked.
      random: random generator.
      low: lower bound of the weights, exclusive; by default the smallest weight, inclusive.
    """
    smallest, largest = weight_range(original)
    coins, uniforms = random.random((2, *embedded.shape))
    if low is None:
        weights = smallest + (largest - smallest) * uniforms
    else:
        weights = np.maximum(low + (largest - low) * (1 - uniforms), np.nextafter(low, np.inf))
    drawn = np.where(coins < edge_probability(original), weights, 0.0)
    if np.array_equal(original, original.T):
        drawn, free = symmetric(drawn), free & free.T
    return np.where(free, drawn, embedded)
