"""The median by quickselect."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import predecessors
from nar.algorithms.shared.partition import partition
from nar.problems import SEQUENCE
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
    """Partitions the places p ... r around their last key until it is the key of rank n // 2.

    `target` is its rank among the places from p on. So is `i_rank` that of place i once the pivot stands
    there; before, CLRS-30 counts it from place 0.
    """
    n = len(A)
    order = np.arange(n)
    p, r, target = 0, n - 1, n // 2
    while True:
        place = r
        for i, j in partition(A, order, p, r):
            ended = j == r
            yield Hints(
                pred_h=predecessors(order),
                p=order[p],
                r=order[r],
                i=order[i],
                j=order[j],
                i_rank=(i - p if ended else i) / n,
                target=target / n,
                pivot=order[i] if ended else order[r],
            )
            place = i
        rank = place - p
        if target == rank:
            break
        if target < rank:
            r = place - 1
        else:
            p = place + 1
            target -= rank + 1
    median[()] = order[place]


QUICKSELECT = Algorithm(
    name="quickselect",
    family="searching",
    spec=SPEC,
    problem=SEQUENCE,
    steps=quickselect,
    source="Hoare 1961; Cormen et al., Introduction to Algorithms, 3rd ed., section 9.2, p. 216",
    clrs30_multiplier=64,
    in_clrs30=True,
)
