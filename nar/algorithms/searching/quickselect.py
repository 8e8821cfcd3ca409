"""Median by quickselect."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import predecessors
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
        "i_rank": (Location.GRAPH, Kind.SCALAR),
        "target": (Location.GRAPH, Kind.SCALAR),
        "pivot": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"median": (Location.NODE, Kind.MASK_ONE)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    p: int
    r: int
    i: int
    j: int
    i_rank: float
    target: float
    pivot: int


def quickselect(A, median):
    """Partitions positions p ... r around their last key until that key has rank n // 2.

    `target` is the wanted rank, counted from position p. `i_rank` is the rank of position i, counted from p
    once the pivot is there, but from 0 before that, as in CLRS-30.
    """
    n = len(A)
    order = np.arange(n)
    p, r, target = 0, n - 1, n // 2
    while True:
        position = r
        for i, j in partition(A, order, p, r):
            finished = j == r
            yield Hints(
                pred_h=predecessors(order),
                p=order[p],
                r=order[r],
                i=order[i],
                j=order[j],
                i_rank=(i - p if finished else i) / n,
                target=target / n,
                pivot=order[i] if finished else order[r],
            )
            position = i
        rank = position - p
        if target == rank:
            break
        if target < rank:
            r = position - 1
        else:
            p = position + 1
            target -= rank + 1
    median[()] = order[position]


QUICKSELECT = Algorithm(
    name="quickselect",
    family="searching",
    spec=SPEC,
    problem=SEQUENCE,
    scaling=Scaling(("A",), "order", degrees={"i_rank": 0, "target": 0}),
    steps=quickselect,
    source="Hoare 1961; Cormen et al., Introduction to Algorithms, 3rd ed., section 9.2, p. 216",
    clrs30_multiplier=64,
    in_clrs30=True,
)
