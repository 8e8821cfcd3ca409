"""Streams of operations on disjoint sets and on forests."""

import numbers
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.problems.array_checks import positions, real_array
from nar.problems.exact_numbers import check_told_apart
from nar.problems.problem import Arguments, Array, Problem, Random

MAX_PER_ELEMENT = 1_000
"""Largest number of pairs per element of a sampled problem."""


class ElementsInput(NamedTuple):
    """Input probes of elements with priorities."""

    pos: Array
    priority: Array


def _element_probes(priority: Array, pairs: Array) -> ElementsInput:
    return ElementsInput(positions(len(priority)), priority)


def _sample_unions(random: Random, size: int, per_element: float = 1.5) -> Arguments:
    """Uniform priorities, and round(`per_element` · N) pairs of different elements."""
    priority = random.uniform(low=0.0, high=1.0, size=(size,))
    pairs = np.zeros((max(1, int(per_element * size + 0.5)), 2), np.int64)
    for step in range(len(pairs)):
        u, v = random.randint(size), random.randint(size - 1)
        pairs[step, 0], pairs[step, 1] = u, v + (v >= u)
    return priority, pairs


def _check_per_element(size: int, *, per_element: float) -> None:
    """Raises ValueError unless the number of pairs per element is positive, and at most `MAX_PER_ELEMENT`."""
    del size
    valid = isinstance(per_element, int | float) and not isinstance(per_element, bool)
    if not valid or not 0 < per_element <= MAX_PER_ELEMENT:
        raise ValueError(
            f"per_element must be a number greater than 0 and at most {MAX_PER_ELEMENT}, got {per_element!r}"
        )


def _check_unions(priority: Any, pairs: Any) -> Arguments:
    given = priority
    priority = real_array("priority", priority, rank=1)
    check_told_apart("priority", given)
    return priority, _check_pairs(pairs, len(priority))


def _check_pairs(pairs: Any, size: int) -> Array:
    """Pairs of different elements as int64 [M, 2]; raises ValueError if they are others."""
    table = real_array("pairs", pairs, rank=2)
    invalid = table[(table != np.round(table)) | (table < 0) | (table >= size)]
    if table.shape[1] != 2 or invalid.size:
        raise ValueError(
            f"pairs must have two elements from 0 to {size - 1} in each row, got "
            + (f"{invalid[0]:g}" if invalid.size else f"shape {table.shape}")
        )
    equal = table[table[:, 0] == table[:, 1]]
    if len(equal):
        raise ValueError(f"pairs must have two different elements in each row, got {equal[0, 0]:g} twice")
    return table.astype(np.int64)


UNIONS = Problem(
    sample=_sample_unions,
    check=_check_unions,
    probes=_element_probes,
    min_size=2,
    canonical=True,
    check_options=_check_per_element,
    ranges=lambda size, **options: {"priority": (0.0, 1.0)},
)
"""Elements with priorities uniform in [0, 1), and pairs of elements whose sets are united, one after another.

Veličković et al. 2020 (arXiv 2006.06380) have 30, 75 and 150 operations on 20, 50 and 100 elements.
"""


class PositionsInput(NamedTuple):
    """Input probes of nodes without features of their own."""

    pos: Array


def _node_probes(num_nodes: int, pairs: Array) -> PositionsInput:
    return PositionsInput(positions(num_nodes))


def _sample_toggles(random: Random, size: int, per_element: float = 1.5) -> Arguments:
    """round(`per_element` · N) pairs u < v: an edge with probability 1/2, or else any two nodes."""
    pairs = np.zeros((max(1, int(per_element * size + 0.5)), 2), np.int64)
    edges = np.zeros((size, 2), np.int64)
    num_edges = 0
    label = np.arange(size)
    for step in range(len(pairs)):
        index = -1
        if random.randint(2) and num_edges:
            index = random.randint(num_edges)
            u, v = edges[index, 0], edges[index, 1]
        else:
            one, other = random.randint(size), random.randint(size - 1)
            other += other >= one
            u, v = min(one, other), max(one, other)
            for place in range(num_edges):
                if edges[place, 0] == u and edges[place, 1] == v:
                    index = place
        pairs[step, 0], pairs[step, 1] = u, v
        if index >= 0:
            num_edges -= 1
            edges[index] = edges[num_edges]
        elif label[u] != label[v]:
            edges[num_edges, 0], edges[num_edges, 1] = u, v
            num_edges += 1
        _label_trees(edges[:num_edges], label)
    return size, pairs


@register_jitable
def _label_trees(edges: Array, label: Array) -> None:
    """Gives all nodes of a tree the same label."""
    for node in range(len(label)):
        label[node] = node
    for index in range(len(edges)):
        old, new = label[edges[index, 0]], label[edges[index, 1]]
        for node in range(len(label)):
            if label[node] == old:
                label[node] = new


def _check_toggles(num_nodes: Any, pairs: Any) -> Arguments:
    if not isinstance(num_nodes, numbers.Integral) or isinstance(num_nodes, bool) or num_nodes < 2:
        raise ValueError(f"num_nodes must be an integer of at least 2, got {num_nodes!r}")
    return int(num_nodes), _check_pairs(pairs, int(num_nodes))


TOGGLES = Problem(
    sample=_sample_toggles,
    check=_check_toggles,
    probes=_node_probes,
    min_size=2,
    canonical=True,
    check_options=_check_per_element,
)
"""Pairs of nodes of a forest, which has no edges at first: an edge between them is removed, or else one is
added if they are in two trees.

Half of the pairs are edges, if there are any. Veličković et al. 2020 (arXiv 2006.06380) have 30, 75 and 150
operations on 20, 50 and 100 nodes.
"""
