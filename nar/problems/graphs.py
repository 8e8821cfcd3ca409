"""Graph problems. A graph is a matrix A: A[u, v] is the weight of the edge from u to v, 0 means no edge."""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

from numba.extending import register_jitable

from nar.problems.array_checks import positions
from nar.problems.graph_checks import (
    check_acyclic_graph,
    check_acyclic_weights_and_source,
    check_graph,
    check_graph_and_source,
    check_undirected_graph,
    check_undirected_graph_and_source,
    check_undirected_weights,
    check_undirected_weights_and_source,
    check_weighted_graph_and_source,
    check_weights_without_negative_cycle,
)
from nar.problems.options import Probabilities
from nar.problems.problem import Arguments, Array, Problem, Random
from nar.problems.random_graphs import (
    choose_probability,
    communities,
    random_graph,
)
from nar.problems.scaling import Ranges

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


@register_jitable
def adjacency_mask(A: Array) -> Array:
    """Adjacency mask with self-loops, [N, N] bool."""
    adj = A != 0
    for u in range(len(A)):
        adj[u, u] = True
    return adj


def _graph_probes(A: Array) -> GraphInput:
    return GraphInput(positions(len(A)), A, adjacency_mask(A))


def _graph_and_source_probes(A: Array, s: int) -> GraphAndSourceInput:
    return GraphAndSourceInput(positions(len(A)), A, adjacency_mask(A), s)


# ---------------------------------------------------------------------------------------------------
# Unweighted graphs


def _sample_directed_graph(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    family: str | None = None,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return (random_graph(random, size, p, family, True, k=k, rewiring=rewiring),)


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
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    family: str | None = None,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return (random_graph(random, size, p, family, True, True, k=k, rewiring=rewiring),)


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
    random: Random,
    size: int,
    p: Probabilities = 0.2,
    family: str | None = None,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return (random_graph(random, size, p, family, k=k, rewiring=rewiring),)


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
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    family: str | None = None,
    directed: bool = False,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return random_graph(random, size, p, family, directed, k=k, rewiring=rewiring), random.choice(size)


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


def _sample_undirected_graph_and_source(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    family: str | None = None,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return random_graph(random, size, p, family, k=k, rewiring=rewiring), random.choice(size)


UNDIRECTED_GRAPH_AND_SOURCE = dataclasses.replace(
    GRAPH_AND_SOURCE, sample=_sample_undirected_graph_and_source, check=check_undirected_graph_and_source
)
"""The same draws; user-provided graphs must be undirected, too."""


def _sample_communities(
    random: Random,
    size: int,
    k: int | None = None,
    p: Probabilities = 0.5,
    eps: float = 0.01,
    family: str | None = None,
    rewiring: float | None = None,
) -> Arguments:
    if family is not None:
        return (random_graph(random, size, p, family, True, k=k, rewiring=rewiring),)
    num_communities = min(4, size)
    if k is not None:
        num_communities = k
    return (communities(random, size, num_communities, choose_probability(random, p), eps),)


COMMUNITIES = Problem(
    sample=_sample_communities,
    check=check_graph,
    probes=_graph_probes,
    directed=True,
    family=None,
    options_without_family=("k",),
    uses_weights=False,
    canonical=True,
)
"""A directed graph of k communities (see `communities`); the edge probability is drawn from `p`.

If k is None, there are 4 communities, or as many as nodes if those are fewer. If `family` is given, it is a
directed graph of that family, and eps is ignored.
"""


# ---------------------------------------------------------------------------------------------------
# Weighted graphs


def _weight_ranges(
    size: int, *, low: float, high: float, weighted: bool = True, directed: bool = False, **options: Any
) -> Ranges:
    """Ranges of the sampled weights, slightly wider for undirected graphs; [1, 1] without weights."""
    del size, options
    return {"A": (low, high if directed else math.sqrt(high**2 + 1e-3)) if weighted else (1.0, 1.0)}


def _sample_weighted_graph(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    family: str | None = None,
    directed: bool = False,
    weighted: bool = True,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return (random_graph(random, size, p, family, directed, False, weighted, low, high, k, rewiring),)


WEIGHTED_GRAPH = Problem(
    sample=_sample_weighted_graph,
    check=check_weights_without_negative_cycle,
    probes=_graph_probes,
    directed=False,
    min_low=0.0,
    canonical=True,
    ranges=_weight_ranges,
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
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return (random_graph(random, size, p, family, False, False, True, low, high, k, rewiring),)


SPARSE_WEIGHTED_GRAPH = Problem(
    sample=_sample_sparse_weighted_graph,
    check=check_undirected_weights,
    probes=_graph_probes,
    directed=False,
    min_low=0.0,
    canonical=True,
    ranges=_weight_ranges,
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
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    A = random_graph(random, size, p, family, directed, False, weighted, low, high, k, rewiring)
    return A, random.choice(size)


WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_weighted_graph_and_source,
    check=check_weighted_graph_and_source,
    probes=_graph_and_source_probes,
    directed=False,
    min_low=0.0,
    canonical=True,
    ranges=_weight_ranges,
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
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    A = random_graph(random, size, p, family, False, False, True, low, high, k, rewiring)
    return A, random.choice(size)


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
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    A = random_graph(random, size, p, family, True, True, True, low, high, k, rewiring)
    return A, random.choice(size)


ACYCLIC_WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_acyclic_weighted_graph_and_source,
    check=check_acyclic_weights_and_source,
    probes=_graph_and_source_probes,
    directed=True,
    canonical=True,
    ranges=functools.partial(_weight_ranges, directed=True),
)
"""A weighted directed acyclic graph (see `erdos_renyi`; edge probability from `p`) and a source node."""
