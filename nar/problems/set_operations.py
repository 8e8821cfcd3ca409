"""Streams of operations on disjoint sets."""

from typing import Any, NamedTuple

import numpy as np

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
    table = real_array("pairs", pairs, rank=2)
    invalid = table[(table != np.round(table)) | (table < 0) | (table >= len(priority))]
    if table.shape[1] != 2 or invalid.size:
        raise ValueError(
            f"pairs must have two elements from 0 to {len(priority) - 1} in each row, got "
            + (f"{invalid[0]:g}" if invalid.size else f"shape {table.shape}")
        )
    equal = table[table[:, 0] == table[:, 1]]
    if len(equal):
        raise ValueError(f"pairs must have two different elements in each row, got {equal[0, 0]:g} twice")
    return priority, table.astype(np.int64)


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
