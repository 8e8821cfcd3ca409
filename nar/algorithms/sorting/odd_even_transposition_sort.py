"""Odd-even transposition sort: a parallel sort, whose comparisons of one round are independent."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import predecessors, swap, write_predecessors
from nar.problems import SEQUENCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
    hints={
        "pred_h": (Location.NODE, Kind.POINTER),
        "swapped": (Location.EDGE, Kind.MASK),
        "is_odd": (Location.GRAPH, Kind.MASK),
    },
    outputs={"pred": (Location.NODE, Kind.SHOULD_BE_PERMUTATION)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    swapped: np.ndarray
    is_odd: int


def odd_even_transposition_sort(A, pred):
    """Swaps neighbors in the wrong order, from even positions in one round and from odd ones in the next.

    All pairs of a round are disjoint, so that a round is one step, and n rounds sort n keys. `swapped` marks
    the pairs of nodes that the last round swapped, in both directions; `is_odd` is that of the next round.
    """
    n = len(A)
    order = np.arange(n)
    swapped = np.zeros((n, n), np.int64)
    yield Hints(pred_h=predecessors(order), swapped=swapped, is_odd=0)
    for number in range(n):
        swapped[:] = 0
        for i in range(number % 2, n - 1, 2):
            if A[i] > A[i + 1]:
                swapped[order[i], order[i + 1]] = 1
                swapped[order[i + 1], order[i]] = 1
                swap(A, order, i, i + 1)
        yield Hints(pred_h=predecessors(order), swapped=swapped, is_odd=(number + 1) % 2)
    write_predecessors(order, pred)


ODD_EVEN_TRANSPOSITION_SORT = Algorithm(
    name="odd_even_transposition_sort",
    family="sorting",
    spec=SPEC,
    problem=SEQUENCE,
    scaling=Scaling(("A",), "order"),
    steps=odd_even_transposition_sort,
    source="Habermann 1972; as a task for networks: Engelmayer et al. 2023, arXiv 2307.04049",
)
