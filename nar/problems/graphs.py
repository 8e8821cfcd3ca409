"""Graphs, as matrices A: A[u, v] is the weight of the edge from u to v, 0 means that there is none."""

import dataclasses
import reprlib
from typing import Any

import numpy as np

from nar.problems.arrays import integer, node_index, one_hot, positions, square_matrix
from nar.problems.definition import Arguments, Array, Problem, Random
from nar.problems.families import draw_graph
from nar.problems.options import Probabilities

# ---------------------------------------------------------------------------------------------------
# Random graphs


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


def communities(random: Random, num_nodes: int, k: int, p: float, eps: float) -> Array:
    """A directed graph of k communities, as CLRS-30 draws it.

    Args:
      random: the stream to draw from.
      num_nodes: N.
      k: number of communities, at most N; all have N // k nodes but the last, which has the rest.
      p: probability of an edge within a community.
      eps: probability with which an edge within a community is removed or added, and one from a community
        to a later one added. No edge leads back, so that communities are never strongly connected.

    Returns:
      0/1 matrix [N, N], the nodes shuffled. The diagonal may be set.
    """
    starts = np.arange(k) * (num_nodes // k)
    stops = np.append(starts[1:], num_nodes)
    matrix = np.zeros((num_nodes, num_nodes))
    for start, stop in zip(starts, stops, strict=True):
        matrix[start:stop, start:stop] = erdos_renyi(random, stop - start, p, directed=True)
    toggled = erdos_renyi(random, num_nodes, eps, directed=True)
    for start, stop in zip(starts, stops, strict=True):
        toggled[start:stop, :start] = 0
    return _shuffled(random, np.where(toggled == 1, 1 - matrix, matrix))


def flow_network(random: Random, num_left: int, num_right: int, p: float) -> Array:
    """A bipartite graph between a source and a sink, as CLRS-30 draws it.

    Args:
      random: the stream to draw from.
      num_left: n, the number of nodes on the left.
      num_right: m, the number of nodes on the right.
      p: probability of an edge from a node on the left to one on the right.

    Returns:
      0/1 matrix [n + m + 2, n + m + 2]: the source is node 0 and has an edge to every node on the left
      (1 ... n), the sink is the last node and has one from every node on the right.
    """
    return _between_source_and_sink(random.binomial(1, p, size=(num_left, num_right)))


def _between_source_and_sink(edges: Array) -> Array:
    """The flow network around the edges [n, m] from left to right."""
    n, m = edges.shape
    left, right, sink = slice(1, n + 1), slice(n + 1, n + m + 1), n + m + 1
    matrix = np.zeros((n + m + 2, n + m + 2))
    matrix[0, left] = 1
    matrix[left, right] = edges
    matrix[right, sink] = 1
    return matrix


def _shuffled(random: Random, matrix: Array) -> Array:
    order = random.permutation(len(matrix))
    return matrix[np.ix_(order, order)]


def _one_of(random: Random, p: Probabilities) -> float:
    return random.choice(np.atleast_1d(p))


# ---------------------------------------------------------------------------------------------------
# Checks


def _unweighted(A: Any) -> Array:
    A = square_matrix("A", A)
    if (A < 0).any():
        raise ValueError(f"A must not hold negative entries, got {A[A < 0][0]:g}")
    return A


def _undirected(A: Array) -> Array:
    if (A != A.T).any():
        u, v = np.argwhere(A != A.T)[0]
        raise ValueError(f"A must be symmetric, got A[{u}, {v}] = {A[u, v]:g} and A[{v}, {u}] = {A[v, u]:g}")
    return A


def _acyclic(A: Array) -> Array:
    cycle = _find_cycle(A != 0)
    if cycle:
        raise ValueError(f"A must be acyclic, got the cycle {reprlib.repr(cycle)}")
    return A


def _find_cycle(edges: Array) -> list[int]:
    """The nodes of a cycle, the first again at the end; empty if there is none."""
    left = np.ones(len(edges), bool)
    num_predecessors = edges.sum(axis=0)
    free = np.flatnonzero(num_predecessors == 0).tolist()
    while free:
        node = free.pop()
        left[node] = False
        num_predecessors -= edges[node]
        free.extend(np.flatnonzero(edges[node] & (num_predecessors == 0)).tolist())
    if not left.any():
        return []
    node, path = int(np.argmax(left)), {}
    while node not in path:  # every node that is left has a predecessor that is left
        path[node] = len(path)
        node = int(np.argmax(edges[:, node] & left))
    return [*list(path)[path[node] :], node][::-1]


def _no_negative_cycle(A: Array) -> Array:
    if (A < 0).any():
        distances = np.where(A != 0, A, np.inf)
        for k in range(len(A)):
            distances = np.minimum(distances, distances[:, k, None] + distances[k])
            if (np.diagonal(distances) < 0).any():
                node = np.argmax(np.diagonal(distances) < 0)
                raise ValueError(f"A has a cycle of negative weight through node {node}")
    return A


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


def _check_graph(A: Any) -> Arguments:
    return (_unweighted(A),)


def _check_graph_and_source(A: Any, s: Any) -> Arguments:
    A = _unweighted(A)
    return A, node_index("s", s, len(A))


def _check_undirected_graph(A: Any) -> Arguments:
    return (_undirected(_unweighted(A)),)


def _check_acyclic_graph(A: Any) -> Arguments:
    return (_acyclic(_unweighted(A)),)


def _check_undirected_weights(A: Any) -> Arguments:
    return (_undirected(square_matrix("A", A)),)


def _check_undirected_weights_and_source(A: Any, s: Any) -> Arguments:
    A = _undirected(square_matrix("A", A))
    return A, node_index("s", s, len(A))


def _check_acyclic_weights_and_source(A: Any, s: Any) -> Arguments:
    A = _acyclic(square_matrix("A", A))
    return A, node_index("s", s, len(A))


def _check_weights_without_negative_cycle(A: Any) -> Arguments:
    return (_no_negative_cycle(square_matrix("A", A)),)


def _check_weighted_graph_and_source(A: Any, s: Any) -> Arguments:
    A = square_matrix("A", A)
    source = node_index("s", s, len(A))
    if _reaches_negative_cycle(A, source):
        raise ValueError(f"A has a cycle of negative weight that node {source} reaches")
    return A, source


# ---------------------------------------------------------------------------------------------------
# Input probes


def _graph_probes(A: Array) -> dict[str, Array]:
    return {"pos": positions(A), "A": A, "adj": (A + np.eye(A.shape[-1]) != 0).astype(np.int8)}


def _graph_and_source_probes(A: Array, s: Array) -> dict[str, Array]:
    return {**_graph_probes(A), "s": one_hot(s, A.shape[-1])}


# ---------------------------------------------------------------------------------------------------
# Graphs without weights


def _sample_directed_graph(
    random: Random, size: int, p: Probabilities = 0.5, family: str = "erdos_renyi"
) -> Arguments:
    return (random_graph(random, size, p, family, directed=True),)


DIRECTED_GRAPH = Problem(
    sample=_sample_directed_graph, check=_check_graph, probes=_graph_probes, directed=True
)
"""A directed graph without weights (see `erdos_renyi`), its p drawn from `p`."""


def _sample_acyclic_graph(
    random: Random, size: int, p: Probabilities = 0.5, family: str = "erdos_renyi"
) -> Arguments:
    return (random_graph(random, size, p, family, directed=True, acyclic=True),)


ACYCLIC_GRAPH = Problem(
    sample=_sample_acyclic_graph, check=_check_acyclic_graph, probes=_graph_probes, directed=True
)
"""A directed acyclic graph without weights (see `erdos_renyi`), its p drawn from `p`."""


def _sample_sparse_graph(
    random: Random, size: int, p: Probabilities = 0.2, family: str = "erdos_renyi"
) -> Arguments:
    return (random_graph(random, size, p, family),)


SPARSE_GRAPH = Problem(
    sample=_sample_sparse_graph, check=_check_undirected_graph, probes=_graph_probes, directed=False
)
"""An undirected graph without weights and with few edges (see `erdos_renyi`), its p drawn from `p`."""


def _sample_graph_and_source(
    random: Random, size: int, p: Probabilities = 0.5, family: str = "erdos_renyi", directed: bool = False
) -> Arguments:
    return random_graph(random, size, p, family, directed=directed), random.choice(size)


GRAPH_AND_SOURCE = Problem(
    sample=_sample_graph_and_source,
    check=_check_graph_and_source,
    probes=_graph_and_source_probes,
    directed=False,
)
"""An undirected graph without weights (see `erdos_renyi`), its p drawn from `p`, and a source node."""


def _sample_communities(
    random: Random, size: int, k: int | None = None, p: Probabilities = 0.5, eps: float = 0.01
) -> Arguments:
    return (communities(random, size, k or min(4, size), _one_of(random, p), eps),)


def _check_number_of_communities(size: int, k: int | None, **options: Any) -> None:
    del options
    if k is not None and k > size:
        raise ValueError(f"k must be at most the size {size}, got {k}")


COMMUNITIES = Problem(
    sample=_sample_communities,
    check=_check_graph,
    probes=_graph_probes,
    check_draw=_check_number_of_communities,
    directed=True,
)
"""A directed graph of k communities (see `communities`; if k is None, 4 or the size), p drawn from `p`."""


# ---------------------------------------------------------------------------------------------------
# Graphs with weights


def _sample_weighted_graph(
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
    return (random_graph(random, size, p, family, **form),)


WEIGHTED_GRAPH = Problem(
    sample=_sample_weighted_graph,
    check=_check_weights_without_negative_cycle,
    probes=_graph_probes,
    directed=False,
    min_low=0.0,
)
"""An undirected weighted graph (see `erdos_renyi`), its p drawn from `p`.

A user's own may be directed and have negative weights, but no cycle of negative weight.
"""


def _sample_sparse_weighted_graph(
    random: Random,
    size: int,
    p: Probabilities = 0.2,
    low: float = 0.0,
    high: float = 1.0,
    family: str = "erdos_renyi",
) -> Arguments:
    return _sample_weighted_graph(random, size, p, low, high, family)


SPARSE_WEIGHTED_GRAPH = Problem(
    sample=_sample_sparse_weighted_graph,
    check=_check_undirected_weights,
    probes=_graph_probes,
    directed=False,
    min_low=0.0,
)
"""An undirected weighted graph with few edges (see `erdos_renyi`), its p drawn from `p`."""


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
    graph = _sample_weighted_graph(random, size, p, low, high, family, directed, weighted)
    return *graph, random.choice(size)


WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_weighted_graph_and_source,
    check=_check_weighted_graph_and_source,
    probes=_graph_and_source_probes,
    directed=False,
    min_low=0.0,
)
"""An undirected weighted graph (see `erdos_renyi`), its p drawn from `p`, and a source node.

A user's own may be directed and have negative weights, but no cycle of negative weight behind the source.
"""

LENGTHS_AND_SOURCE = dataclasses.replace(WEIGHTED_GRAPH_AND_SOURCE, check=_check_graph_and_source)
"""The same draws; a user's own may be directed, but have no negative weights."""


def _sample_undirected_weighted_graph_and_source(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str = "erdos_renyi",
) -> Arguments:
    return _sample_weighted_graph_and_source(random, size, p, low, high, family)


UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE = dataclasses.replace(
    WEIGHTED_GRAPH_AND_SOURCE,
    sample=_sample_undirected_weighted_graph_and_source,
    check=_check_undirected_weights_and_source,
)
"""The same draws; a user's own must be undirected, and may have negative weights."""


def _sample_acyclic_weighted_graph_and_source(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str = "erdos_renyi",
) -> Arguments:
    form = {"directed": True, "acyclic": True, "weighted": True, "low": low, "high": high}
    return random_graph(random, size, p, family, **form), random.choice(size)


ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_acyclic_weighted_graph_and_source,
    check=_check_acyclic_weights_and_source,
    probes=_graph_and_source_probes,
    directed=True,
)
"""A directed acyclic graph with weights (see `erdos_renyi`), its p drawn from `p`, and a source node."""


# ---------------------------------------------------------------------------------------------------
# Flow networks


def _sample_flow_network(
    random: Random, size: int, length_2: int | None = None, p: Probabilities = 0.3
) -> Arguments:
    n, m = (size - size // 2, size // 2) if length_2 is None else (size, length_2)
    return flow_network(random, n, m, _one_of(random, p)), n, m, 0, n + m + 1


def _check_flow_network(A: Any, n: Any, m: Any, s: Any, t: Any) -> Arguments:
    A = square_matrix("A", A)
    num_nodes = len(A)
    n, m = integer("n", n, 0, num_nodes), integer("m", m, 0, num_nodes)
    s, t = node_index("s", s, num_nodes), node_index("t", t, num_nodes)
    if n + m + 2 != num_nodes:
        raise ValueError(f"A must have n + m + 2 nodes, got {num_nodes} with n = {n} and m = {m}")
    if s != 0 or t != n + m + 1:
        raise ValueError(f"s must be 0 and t the last node, {n + m + 1}; got {s} and {t}")
    wrong = (A != 0) & (_between_source_and_sink(np.ones((n, m))) != A)
    if wrong.any():
        u, v = np.argwhere(wrong)[0]
        raise ValueError(
            "A may only hold edges of weight 1, from s to the left (nodes 1 to n), from there to the right "
            f"and from there to t; got A[{u}, {v}] = {A[u, v]:g}"
        )
    return A, n, m, s, t


def _flow_network_probes(A: Array, n: Array, m: Array, s: Array, t: Array) -> dict[str, Array]:
    del n, m
    return {**_graph_and_source_probes(A, s), "t": one_hot(t, A.shape[-1])}


FLOW_NETWORK = Problem(
    sample=_sample_flow_network,
    check=_check_flow_network,
    probes=_flow_network_probes,
    directed=True,
)
"""A bipartite graph between a source and a sink (see `flow_network`), its p drawn from `p`.

`size` is the number of nodes on both sides, the left has one more if it is odd; there are two nodes more than
that. If `length_2` is given, `size` nodes are on the left and `length_2` on the right.
"""
