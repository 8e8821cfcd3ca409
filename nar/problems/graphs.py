"""Graphs, as matrices in which 0 is no edge."""

from typing import Any

import numpy as np

from nar.problems.arrays import node_index, one_hot, positions, square_matrix
from nar.problems.definition import Arguments, Array, Problem, Random
from nar.problems.families import draw_graph
from nar.problems.options import Probabilities


def erdos_renyi(
    random: Random,
    num_nodes: int,
    p: float,
    *,
    directed: bool = False,
    acyclic: bool = False,
    weighted: bool = False,
    low: float = 0.0,
    high: float = 1.0,
) -> Array:
    """A random graph as CLRS-30 draws it.

    Args:
      random: the stream to draw from.
      num_nodes: N.
      p: probability of an edge that may exist, if the graph is directed; an undirected edge takes two coins,
        one for each direction, and exists with probability p².
      directed: whether an edge from u to v may exist without one from v to u.
      acyclic: whether a directed graph has only edges that lead upwards in a random order of the nodes.
      weighted: whether edges carry weights, or all 1. Weights of directed edges are uniform in [low, high),
        those of undirected ones are sqrt(x·y + 0.001) with x and y uniform in [low, high).
      low: least value of weights, or of x and y.
      high: bound of weights, or of x and y.

    Returns:
      Matrix [N, N], 0 where there is no edge, symmetric unless directed. The diagonal may be set unless the
      graph is acyclic.
    """
    matrix = random.binomial(1, p, size=(num_nodes, num_nodes)).astype(np.float64)
    if not directed:
        matrix *= matrix.T
    elif acyclic:
        matrix = _shuffled(random, np.triu(matrix, k=1))
    if weighted:
        weights = random.uniform(low=low, high=high, size=(num_nodes, num_nodes))
        matrix *= weights if directed else np.sqrt(weights * weights.T + 1e-3)
    return matrix


def random_graph(
    random: Random, num_nodes: int, p: Probabilities, family: str = "erdos_renyi", **form: Any
) -> Array:
    """A graph of any family; its p is drawn from `p` first.

    Args:
      random: the stream to draw from.
      num_nodes: N.
      p: one probability or several.
      family: "erdos_renyi" or one of `GRAPH_FAMILIES`.
      **form: directed, acyclic, weighted, low, high: see `erdos_renyi` and `draw_graph`.

    Returns:
      Matrix [N, N], 0 where there is no edge.
    """
    probability = _one_of(random, p)
    if family == "erdos_renyi":
        return erdos_renyi(random, num_nodes, probability, **form)
    return draw_graph(random, num_nodes, family, probability, **form)


def _shuffled(random: Random, matrix: Array) -> Array:
    order = random.permutation(len(matrix))
    return matrix[np.ix_(order, order)]


def _one_of(random: Random, p: Probabilities) -> float:
    return random.choice(np.atleast_1d(p))


def _sample_graph_and_source(
    random: Random, size: int, p: Probabilities = 0.5, family: str = "erdos_renyi", directed: bool = False
) -> Arguments:
    return random_graph(random, size, p, family, directed=directed), random.choice(size)


def _sample_weighted_graph_and_source(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str = "erdos_renyi",
    directed: bool = False,
    weighted: bool = True,
) -> Arguments:
    form = {"directed": directed, "weighted": weighted, "low": low, "high": high}
    return random_graph(random, size, p, family, **form), random.choice(size)


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
