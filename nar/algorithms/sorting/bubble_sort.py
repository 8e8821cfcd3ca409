"""Bubble sort."""

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
        "i": (Location.NODE, Kind.MASK_ONE),
        "j": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"pred": (Location.NODE, Kind.SHOULD_BE_PERMUTATION)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    i: int
    j: int


def bubble_sort(A, pred):
    """Moves the smallest key at positions i, i + 1, ... to position i by adjacent swaps, for increasing i.

    Each comparison is one step.
    """
    n = len(A)
    order = np.arange(n)
    yield Hints(pred_h=predecessors(order), i=0, j=0)
    for i in range(n - 1):
        for j in range(n - 1, i, -1):
            if A[j] < A[j - 1]:
                swap(A, order, j, j - 1)
            yield Hints(pred_h=predecessors(order), i=order[i], j=order[j])
    write_predecessors(order, pred)


BUBBLE_SORT = Algorithm(
    name="bubble_sort",
    family="sorting",
    spec=SPEC,
    problem=SEQUENCE,
    scaling=Scaling(("A",), "order"),
    steps=bubble_sort,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., problem 2-2, p. 40",
    in_clrs30=True,
)
