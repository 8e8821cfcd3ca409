"""Graphs with random numbers, which a randomized algorithm consumes."""

from typing import Any

from numba.extending import register_jitable

from nar.problems.array_checks import positions, real_array
from nar.problems.graph_checks import check_undirected_graph, count_graph_nodes
from nar.problems.graphs import GraphInput, adjacency_mask
from nar.problems.options import Probabilities
from nar.problems.problem import Arguments, Array, Problem, Random
from nar.problems.random_graphs import random_graph


@register_jitable
def draw_rounds(random: Random, num_nodes: int) -> Array:
    """Numbers uniform in [0, 1) for each node and round, [2 · ceil(log2 N) + 4, N].

    Randomized algorithms with a logarithmic number of rounds seldom need more.
    """
    num_rounds = 4
    power = 1
    while power < num_nodes:
        num_rounds += 2
        power *= 2
    return random.uniform(low=0.0, high=1.0, size=(num_rounds, num_nodes))


def _sample(
    random: Random,
    size: int,
    p: Probabilities = 0.5,
    family: str | None = None,
    k: int | None = None,
    rewiring: float | None = None,
) -> Arguments:
    return random_graph(random, size, p, family, k=k, rewiring=rewiring), draw_rounds(random, size)


def _check(A: Any, numbers: Any) -> Arguments:
    (A,) = check_undirected_graph(A)
    numbers = real_array("numbers", numbers, rank=2)
    num_nodes = count_graph_nodes(A)
    if numbers.shape[1] != num_nodes:
        raise ValueError(
            f"numbers must have {num_nodes} columns, one for each node, got shape {numbers.shape}"
        )
    return A, numbers


def _probes(A: Array, numbers: Array) -> GraphInput:
    return GraphInput(positions(len(A)), A, adjacency_mask(A))


GRAPH_AND_RANDOM_NUMBERS = Problem(
    sample=_sample,
    check=_check,
    probes=_probes,
    directed=False,
    uses_weights=False,
    canonical=True,
    integer_inputs=("A",),
    ranges=lambda size, **options: {"numbers": (0.0, 1.0)},
)
"""An undirected unweighted graph (see `erdos_renyi`; edge probability drawn from `p`), and a number for each
node and round (see `draw_rounds`).
"""
