"""Random graphs as CLRS-30 samples them: matrices A, where A[u, v] is a weight and 0 means no edge.

Everything but the other families of `random_graph` is in the subset of Python that numba compiles.
"""

import numpy as np
from numba.extending import register_jitable

from nar.problems.families import draw_graph
from nar.problems.options import Probabilities
from nar.problems.problem import Array, Random


@register_jitable
def erdos_renyi(
    random: Random,
    num_nodes: int,
    p: float,
    directed: bool = False,
    acyclic: bool = False,
    weighted: bool = False,
    low: float = 0.0,
    high: float = 1.0,
) -> Array:
    """Samples an Erdős-Rényi graph as CLRS-30 does.

    Args:
      random: random stream.
      num_nodes: N.
      p: probability of each directed edge. An undirected edge takes two successful draws, one for each
        direction, and exists with probability p².
      directed: whether an edge from u to v may exist without one from v to u.
      acyclic: whether all edges of a directed graph go upwards in a random order of the nodes.
      weighted: whether edges have weights instead of 1. Weights of directed edges are uniform in [low, high),
        those of undirected edges are sqrt(x·y + 0.001) with x and y uniform in [low, high).
      low: lower bound of weights, or of x and y.
      high: upper bound of weights, or of x and y.

    Returns:
      Matrix [N, N], 0 where there is no edge, symmetric unless directed. The diagonal may be set unless the
      graph is acyclic.
    """
    coins = random.binomial(1, p, size=(num_nodes, num_nodes))
    matrix = np.zeros((num_nodes, num_nodes))
    for u in range(num_nodes):
        for v in range(num_nodes):
            if not directed:
                matrix[u, v] = coins[u, v] * coins[v, u]
            elif v > u or not acyclic:
                matrix[u, v] = coins[u, v]
    if directed and acyclic:
        matrix = shuffled(random, matrix)
    if weighted:
        weights = random.uniform(low=low, high=high, size=(num_nodes, num_nodes))
        if directed:
            for u in range(num_nodes):
                for v in range(num_nodes):
                    matrix[u, v] *= weights[u, v]
        else:
            _set_symmetric_weights(matrix, weights)
    return matrix


@register_jitable
def _set_symmetric_weights(matrix: Array, weights: Array) -> None:
    """Weights each edge {u, v} by sqrt(weights[u, v]·weights[v, u] + 0.001)."""
    for u in range(len(matrix)):
        for v in range(u, len(matrix)):
            if matrix[u, v] != 0:
                matrix[u, v] = matrix[v, u] = np.sqrt(weights[u, v] * weights[v, u] + 1e-3)


@register_jitable
def random_graph(
    random: Random,
    num_nodes: int,
    p: Probabilities,
    family: str | None = None,
    directed: bool = False,
    acyclic: bool = False,
    weighted: bool = False,
    low: float = 0.0,
    high: float = 1.0,
    k: int | None = None,
    rewiring: float | None = None,
) -> Array:
    """Samples a graph of any family, after choosing one of the probabilities `p`.

    Args:
      random: random stream.
      num_nodes: N.
      p: one probability, or several of which one is chosen uniformly.
      family: one of `GRAPH_FAMILIES`, or "erdos_renyi" (same as None).
      directed: see `erdos_renyi` and `draw_graph`, as for all arguments below.
      acyclic: see there.
      weighted: see there.
      low: see there.
      high: see there.
      k: see `draw_graph`.
      rewiring: see there.

    Returns:
      Matrix [N, N], 0 where there is no edge.
    """
    probability = choose_probability(random, p)
    if family is not None and family != "erdos_renyi":
        return draw_graph(
            random, num_nodes, family, probability, directed, acyclic, weighted, low, high, k, rewiring
        )
    return erdos_renyi(random, num_nodes, probability, directed, acyclic, weighted, low, high)


@register_jitable
def communities(random: Random, num_nodes: int, k: int, p: float, eps: float) -> Array:
    """Samples a directed graph of k communities as CLRS-30 does.

    Args:
      random: random stream.
      num_nodes: N.
      k: number of communities, at most N; each has N // k nodes, and the last one also has the remainder.
      p: probability of an edge within a community.
      eps: probability with which each edge within a community is toggled, and with which an edge from a
        community to a later one is added. No edge leads back, so different communities are never strongly
        connected.

    Returns:
      0/1 matrix [N, N], the nodes shuffled. The diagonal may be set.
    """
    size = num_nodes // k
    matrix = np.zeros((num_nodes, num_nodes))
    for community in range(k):
        start = community * size
        stop = start + size if community < k - 1 else num_nodes
        matrix[start:stop, start:stop] = erdos_renyi(random, stop - start, p, True)
    toggled = erdos_renyi(random, num_nodes, eps, True)
    for u in range(num_nodes):
        for v in range(min(u // size, k - 1) * size, num_nodes):
            if toggled[u, v] == 1:
                matrix[u, v] = 1 - matrix[u, v]
    return shuffled(random, matrix)


@register_jitable
def flow_network(random: Random, num_left: int, num_right: int, p: float) -> Array:
    """Samples a bipartite graph between a source and a sink as CLRS-30 does.

    Args:
      random: random stream.
      num_left: n, the number of nodes on the left.
      num_right: m, the number of nodes on the right.
      p: probability of an edge from a node on the left to one on the right.

    Returns:
      0/1 matrix [n + m + 2, n + m + 2]: the source, node 0, has an edge to every node on the left (1 ... n),
      and every node on the right has an edge to the sink, the last node.
    """
    return add_source_and_sink(random.binomial(1, p, size=(num_left, num_right)))


@register_jitable
def add_source_and_sink(edges: Array) -> Array:
    """Adds a source and a sink to the bipartite edges [n, m]; returns [n + m + 2, n + m + 2]."""
    n, m = edges.shape
    matrix = np.zeros((n + m + 2, n + m + 2))
    matrix[0, 1 : n + 1] = 1
    matrix[1 : n + 1, n + 1 : n + m + 1] = edges
    matrix[n + 1 : n + m + 1, n + m + 1] = 1
    return matrix


@register_jitable
def shuffled(random: Random, matrix: Array) -> Array:
    """Permutes the nodes of a graph randomly."""
    order = random.permutation(len(matrix))
    result = np.empty_like(matrix)
    for u in range(len(matrix)):
        neighbors = matrix[order[u]]
        for v in range(len(matrix)):
            result[u, v] = neighbors[order[v]]
    return result


@register_jitable
def choose_probability(random: Random, p: Probabilities) -> float:
    """Chooses one of several probabilities uniformly; a single one also takes one draw."""
    return random.choice(np.atleast_1d(np.asarray(p)))
