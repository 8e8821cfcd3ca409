"""Graph problems. A graph is a matrix A: A[u, v] is the weight of the edge from u to v, 0 means no edge."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.problems.array_checks import integer, node_index, positions, square_matrix
from nar.problems.graph_checks import (
    check_acyclic_graph,
    check_acyclic_weights_and_source,
    check_graph,
    check_graph_and_source,
    check_undirected_graph,
    check_undirected_weights,
    check_undirected_weights_and_source,
    check_weighted_graph_and_source,
    check_weights_without_negative_cycle,
)
from nar.problems.options import Probabilities
from nar.problems.problem import Arguments, Array, Problem, Random
from nar.problems.random_graphs import (
    add_source_and_sink,
    choose_probability,
    communities,
    flow_network,
    random_graph,
)

# ---------------------------------------------------------------------------------------------------
# Input probes


class GraphInput(NamedTuple):
    """Input probes of a graph; `adj` has self-loops."""

    pos: Array
    A: Array
    adj: Array


class GraphAndSourceInput(NamedTuple):
    """Input probes of a graph and a source node."""

    pos: Array
    A: Array
    adj: Array
    s: int


class FlowNetworkInput(NamedTuple):
    """Input probes of a flow network, its source and its sink."""

    pos: Array
    A: Array
    adj: Array
    s: int
    t: int


@register_jitable
def _adjacency(A: Array) -> Array:
    """Adjacency mask with self-loops, [N, N] bool."""
    adj = A != 0
    for u in range(len(A)):
        adj[u, u] = True
    return adj


def _graph_probes(A: Array) -> GraphInput:
    return GraphInput(positions(len(A)), A, _adjacency(A))


def _graph_and_source_probes(A: Array, s: int) -> GraphAndSourceInput:
    return GraphAndSourceInput(positions(len(A)), A, _adjacency(A), s)


def _flow_network_probes(A: Array, n: int, m: int, s: int, t: int) -> FlowNetworkInput:
    return FlowNetworkInput(positions(len(A)), A, _adjacency(A), s, t)


# ---------------------------------------------------------------------------------------------------
# Unweighted graphs


def _sample_directed_graph(
    random: Random, size: int, p: Probabilities = 0.5, family: str | None = None
) -> Arguments:
    return (random_graph(random, size, p, family, True),)


DIRECTED_GRAPH = Problem(
    sample=_sample_directed_graph,
    check=check_graph,
    probes=_graph_probes,
    directed=True,
    uses_weights=False,
    canonical=True,
    integer_inputs=("A",),
)
"""A directed unweighted graph (see `erdos_renyi`); the edge probability is drawn from `p`."""


def _sample_acyclic_graph(
    random: Random, size: int, p: Probabilities = 0.5, family: str | None = None
) -> Arguments:
    return (random_graph(random, size, p, family, True, True),)


ACYCLIC_GRAPH = Problem(
    sample=_sample_acyclic_graph,
    check=check_acyclic_graph,
    probes=_graph_probes,
    directed=True,
    uses_weights=False,
    canonical=True,
    integer_inputs=("A",),
)
"""A directed acyclic unweighted graph (see `erdos_renyi`); the edge probability is drawn from `p`."""


def _sample_sparse_graph(
    random: Random, size: int, p: Probabilities = 0.2, family: str | None = None
) -> Arguments:
    return (random_graph(random, size, p, family),)


SPARSE_GRAPH = Problem(
    sample=_sample_sparse_graph,
    check=check_undirected_graph,
    probes=_graph_probes,
    directed=False,
    uses_weights=False,
    canonical=True,
    integer_inputs=("A",),
)
"""A sparse undirected unweighted graph (see `erdos_renyi`); the edge probability is drawn from `p`."""


def _sample_graph_and_source(
    random: Random, size: int, p: Probabilities = 0.5, family: str | None = None, directed: bool = False
) -> Arguments:
    return random_graph(random, size, p, family, directed), random.choice(size)


GRAPH_AND_SOURCE = Problem(
    sample=_sample_graph_and_source,
    check=check_graph_and_source,
    probes=_graph_and_source_probes,
    directed=False,
    uses_weights=False,
    canonical=True,
    integer_inputs=("A",),
)
"""An undirected unweighted graph (see `erdos_renyi`; edge probability drawn from `p`) and a source node."""


def _sample_communities(
    random: Random,
    size: int,
    k: int | None = None,
    p: Probabilities = 0.5,
    eps: float = 0.01,
    family: str | None = None,
) -> Arguments:
    if family is not None:
        return (random_graph(random, size, p, family, True),)
    num_communities = min(4, size)
    if k is not None:
        num_communities = k
    return (communities(random, size, num_communities, choose_probability(random, p), eps),)


def _check_number_of_communities(size: int, k: int | None, **options: Any) -> None:
    del options
    if k is not None and k > size:
        raise ValueError(f"k must be at most the size {size}, got {k}")


COMMUNITIES = Problem(
    sample=_sample_communities,
    check=check_graph,
    probes=_graph_probes,
    check_options=_check_number_of_communities,
    directed=True,
    family=None,
    uses_weights=False,
    canonical=True,
)
"""A directed graph of k communities (see `communities`); the edge probability is drawn from `p`.

If k is None, there are 4 communities, or as many as nodes if those are fewer. If `family` is given, it is a
directed graph of that family, and k and eps are ignored.
"""


# ---------------------------------------------------------------------------------------------------
# Weighted graphs


def _sample_weighted_graph(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str | None = None,
    directed: bool = False,
    weighted: bool = True,
) -> Arguments:
    return (random_graph(random, size, p, family, directed, False, weighted, low, high),)


WEIGHTED_GRAPH = Problem(
    sample=_sample_weighted_graph,
    check=check_weights_without_negative_cycle,
    probes=_graph_probes,
    directed=False,
    min_low=0.0,
    canonical=True,
)
"""An undirected weighted graph (see `erdos_renyi`); the edge probability is drawn from `p`.

User-provided graphs may be directed and have negative weights, but no negative cycles.
"""


def _sample_sparse_weighted_graph(
    random: Random,
    size: int,
    p: Probabilities = 0.2,
    low: float = 0.0,
    high: float = 1.0,
    family: str | None = None,
) -> Arguments:
    return (random_graph(random, size, p, family, False, False, True, low, high),)


SPARSE_WEIGHTED_GRAPH = Problem(
    sample=_sample_sparse_weighted_graph,
    check=check_undirected_weights,
    probes=_graph_probes,
    directed=False,
    min_low=0.0,
    canonical=True,
)
"""A sparse undirected weighted graph (see `erdos_renyi`); the edge probability is drawn from `p`."""


def _sample_weighted_graph_and_source(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str | None = None,
    directed: bool = False,
    weighted: bool = True,
) -> Arguments:
    A = random_graph(random, size, p, family, directed, False, weighted, low, high)
    return A, random.choice(size)


WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_weighted_graph_and_source,
    check=check_weighted_graph_and_source,
    probes=_graph_and_source_probes,
    directed=False,
    min_low=0.0,
    canonical=True,
)
"""An undirected weighted graph (see `erdos_renyi`; edge probability drawn from `p`) and a source node.

User-provided graphs may be directed and have negative weights, but no negative cycle that the source reaches.
"""

NONNEGATIVE_WEIGHTED_GRAPH_AND_SOURCE = dataclasses.replace(
    WEIGHTED_GRAPH_AND_SOURCE, check=check_graph_and_source
)
"""The same draws; user-provided graphs may be directed, but must not have negative weights."""


def _sample_undirected_weighted_graph_and_source(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str | None = None,
) -> Arguments:
    return random_graph(random, size, p, family, False, False, True, low, high), random.choice(size)


UNDIRECTED_WEIGHTED_GRAPH_AND_SOURCE = dataclasses.replace(
    WEIGHTED_GRAPH_AND_SOURCE,
    sample=_sample_undirected_weighted_graph_and_source,
    check=check_undirected_weights_and_source,
)
"""The same draws; user-provided graphs must be undirected, and may have negative weights."""


def _sample_acyclic_weighted_graph_and_source(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str | None = None,
) -> Arguments:
    return random_graph(random, size, p, family, True, True, True, low, high), random.choice(size)


ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_acyclic_weighted_graph_and_source,
    check=check_acyclic_weights_and_source,
    probes=_graph_and_source_probes,
    directed=True,
    canonical=True,
)
"""A weighted directed acyclic graph (see `erdos_renyi`; edge probability from `p`) and a source node."""


# ---------------------------------------------------------------------------------------------------
# Flow networks


def _sample_flow_network(
    random: Random,
    size: int,
    length_2: int | None = None,
    p: Probabilities = 0.3,
    family: str | None = None,
) -> Arguments:
    n, m = size - size // 2, size // 2
    if length_2 is not None:
        n, m = size, length_2
    probability = choose_probability(random, p)
    if family is not None:
        graph = random_graph(random, n + m, probability, family)
        return add_source_and_sink(graph[:n, n:]), n, m, 0, n + m + 1
    return flow_network(random, n, m, probability), n, m, 0, n + m + 1


def _check_flow_network(A: Any, n: Any, m: Any, s: Any, t: Any) -> Arguments:
    A = square_matrix("A", A)
    num_nodes = len(A)
    n, m = integer("n", n, 0, num_nodes), integer("m", m, 0, num_nodes)
    s, t = node_index("s", s, num_nodes), node_index("t", t, num_nodes)
    if n + m + 2 != num_nodes:
        raise ValueError(f"A must have n + m + 2 nodes, got {num_nodes} with n = {n} and m = {m}")
    if s != 0 or t != n + m + 1:
        raise ValueError(f"s must be 0 and t the last node, {n + m + 1}; got {s} and {t}")
    invalid = (A != 0) & (add_source_and_sink(np.ones((n, m))) != A)
    if invalid.any():
        u, v = np.argwhere(invalid)[0]
        raise ValueError(
            "A may only contain edges of weight 1 from s to the left nodes (1 to n), from left to right "
            f"nodes, and from right nodes to t; got A[{u}, {v}] = {A[u, v]:g}"
        )
    return A, n, m, s, t


FLOW_NETWORK = Problem(
    sample=_sample_flow_network,
    check=_check_flow_network,
    probes=_flow_network_probes,
    directed=True,
    family=None,
    canonical=True,
)
"""A bipartite graph between a source and a sink (see `flow_network`); the edge probability is drawn from `p`.

`size` is the number of nodes on both sides together, without source and sink; the left side has one more if
it is odd. If `length_2` is given, `size` nodes are on the left and `length_2` on the right. If `family` is
given, the edges from left to right are those of a graph of that family.
"""
