"""Flow networks: bipartite graphs between a source and a sink."""

from typing import Any, NamedTuple

import numpy as np

from nar.problems.array_checks import integer, node_index, positions, square_matrix
from nar.problems.graphs import adjacency_mask
from nar.problems.options import Probabilities
from nar.problems.problem import Arguments, Array, Problem, Random
from nar.problems.random_graphs import add_source_and_sink, choose_probability, flow_network, random_graph


class FlowNetworkInput(NamedTuple):
    """Input probes of a flow network, its source and its sink."""

    pos: Array
    A: Array
    adj: Array
    s: int
    t: int


def _flow_network_probes(A: Array, n: int, m: int, s: int, t: int) -> FlowNetworkInput:
    return FlowNetworkInput(positions(len(A)), A, adjacency_mask(A), s, t)


def _sample_flow_network(
    random: Random,
    size: int,
    length_2: int | None = None,
    p: Probabilities = 0.3,
    family: str | None = None,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    n, m = size - size // 2, size // 2
    if length_2 is not None:
        n, m = size, length_2
    probability = choose_probability(random, p)
    if family is not None:
        graph = random_graph(random, n + m, probability, family, k=k, rewiring=rewiring)
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
