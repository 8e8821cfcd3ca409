"""Insertion sort."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import predecessors, write_predecessors
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


def insertion_sort(A, pred):
    """Inserts node j into the sorted prefix; the hint i is the node that was at its new position."""
    n = len(A)
    order = np.arange(n)
    yield Hints(pred_h=predecessors(order), i=0, j=0)
    for j in range(1, n):
        key = A[j]
        i = j - 1
        while i >= 0 and A[i] > key:
            A[i + 1] = A[i]
            order[i + 1] = order[i]
            i -= 1
        A[i + 1] = key
        displaced = order[i + 1]
        order[i + 1] = j
        yield Hints(pred_h=predecessors(order), i=displaced, j=j)
    write_predecessors(order, pred)


INSERTION_SORT = Algorithm(
    name="insertion_sort",
    family="sorting",
    spec=SPEC,
    problem=SEQUENCE,
    scaling=Scaling(("A",), "order"),
    steps=insertion_sort,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., section 2.1, p. 18",
    in_clrs30=True,
)
