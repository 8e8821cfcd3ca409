"""Graphs, as matrices in which 0 is no edge."""

from typing import Any

import numpy as np

from nar.problems.arrays import node_index, one_hot, positions, square_matrix
from nar.problems.definition import Arguments, Array, Problem, Random
from nar.problems.options import Probabilities


def erdos_renyi(
    random: Random,
    num_nodes: int,
    p: float,
    *,
    weighted: bool = False,
    low: float = 0.0,
    high: float = 1.0,
) -> Array:
    """An undirected random graph as CLRS-30 draws it.

    Args:
      random: the stream to draw from.
      num_nodes: N.
      p: probability of each of the two coins of a pair; an edge exists with probability p².
      weighted: whether edges carry weights sqrt(u·v + 0.001) with u, v uniform in [low, high), or 1.
      low: least value of u and v.
      high: greatest value of u and v.

    Returns:
      Symmetric matrix [N, N], 0 where there is no edge. The diagonal may be set.
    """
    matrix = random.binomial(1, p, size=(num_nodes, num_nodes))
    matrix = matrix * matrix.T
    if not weighted:
        return matrix.astype(np.float64)
    weights = random.uniform(low=low, high=high, size=(num_nodes, num_nodes))
    return matrix * np.sqrt(weights * weights.T + 1e-3)


def _sample_graph_and_source(random: Random, size: int, p: Probabilities = 0.5) -> Arguments:
    graph = erdos_renyi(random, size, random.choice(np.atleast_1d(p)))
    return graph, random.choice(size)


def _sample_weighted_graph_and_source(
    random: Random, size: int, p: Probabilities = 0.5, low: float = 0.0, high: float = 1.0
) -> Arguments:
    probability = random.choice(np.atleast_1d(p))
    graph = erdos_renyi(random, size, probability, weighted=True, low=low, high=high)
    return graph, random.choice(size)


def _check_graph_and_source(A: Any, s: Any) -> Arguments:
    A = square_matrix("A", A)
    if (A < 0).any():
        raise ValueError(f"A must not hold negative entries, got {A[A < 0][0]:g}")
    return A, node_index("s", s, len(A))


def _check_weighted_graph_and_source(A: Any, s: Any) -> Arguments:
    A = square_matrix("A", A)
    source = node_index("s", s, len(A))
    if _reaches_negative_cycle(A, source):
        raise ValueError(f"A has a cycle of negative weight that node {source} reaches")
    return A, source


def _reaches_negative_cycle(A: Array, source: int) -> bool:
    """Whether distances from `source` still shrink after n - 1 rounds of relaxation.

    No tolerance: rounds of these very sums are what the algorithms repeat until nothing shrinks any more.
    """
    if (A >= 0).all():
        return False
    lengths = np.where(A != 0, A, np.inf)
    distances = np.full(len(A), np.inf)
    distances[source] = 0
    for _ in range(len(A) - 1):
        distances = np.minimum(distances, (distances[:, None] + lengths).min(axis=0))
    relaxed = (distances[:, None] + lengths).min(axis=0)
    return bool((relaxed < distances).any())


def _graph_and_source_probes(A: Array, s: Array) -> dict[str, Array]:
    num_nodes = A.shape[-1]
    return {
        "pos": positions(A),
        "s": one_hot(s, num_nodes),
        "A": A,
        "adj": (A + np.eye(num_nodes) != 0).astype(np.int8),
    }


GRAPH_AND_SOURCE = Problem(
    sample=_sample_graph_and_source,
    check=_check_graph_and_source,
    probes=_graph_and_source_probes,
    directed=False,
)
"""An undirected graph without weights (see `erdos_renyi`), its p drawn from `p`, and a source node."""

WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_weighted_graph_and_source,
    check=_check_weighted_graph_and_source,
    probes=_graph_and_source_probes,
    directed=False,
    min_low=0.0,
)
"""An undirected weighted graph (see `erdos_renyi`), its p drawn from `p`, and a source node."""
