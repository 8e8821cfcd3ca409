"""Quicksort."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import predecessors, write_predecessors
from nar.algorithms.shared.partition import partition
from nar.problems import SEQUENCE
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
    hints={
        "pred_h": (Location.NODE, Kind.POINTER),
        "p": (Location.NODE, Kind.MASK_ONE),
        "r": (Location.NODE, Kind.MASK_ONE),
        "i": (Location.NODE, Kind.MASK_ONE),
        "j": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"pred": (Location.NODE, Kind.SHOULD_BE_PERMUTATION)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    p: int
    r: int
    i: int
    j: int


def quicksort(A, pred):
    """Partitions positions p ... r around their last key, then sorts the keys to its left and right.

    `ranges` is a stack of ranges still to be sorted. The whole array is partitioned even if it has a single
    key, so that every trace has at least one step.
    """
    order = np.arange(len(A))
    ranges = [(0, len(A) - 1)]
    while ranges:
        p, r = ranges.pop()
        pivot = r
        for i, j in partition(A, order, p, r):
            yield Hints(pred_h=predecessors(order), p=order[p], r=order[r], i=order[i], j=order[j])
            pivot = i
        if pivot + 1 < r:
            ranges.append((pivot + 1, r))
        if p < pivot - 1:
            ranges.append((p, pivot - 1))
    write_predecessors(order, pred)


QUICKSORT = Algorithm(
    name="quicksort",
    family="sorting",
    spec=SPEC,
    problem=SEQUENCE,
    scaling=Scaling(("A",), "order"),
    steps=quicksort,
    source="Hoare 1962; Cormen et al., Introduction to Algorithms, 3rd ed., section 7.1, p. 171",
    in_clrs30=True,
)
