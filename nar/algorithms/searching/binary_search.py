"""Binary search in a sorted array."""

from typing import NamedTuple

import numpy as np

from nar.algorithms.algorithm import Algorithm
from nar.algorithms.shared.orders import FIXED_ORDER, predecessors
from nar.problems import SEARCH
from nar.problems.scaling import Scaling
from nar.specs import Kind, Location, make_spec

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "key": (Location.NODE, Kind.SCALAR),
        "target": (Location.GRAPH, Kind.SCALAR),
    },
    hints={
        **FIXED_ORDER,
        "low": (Location.NODE, Kind.MASK_ONE),
        "high": (Location.NODE, Kind.MASK_ONE),
        "mid": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"return": (Location.NODE, Kind.MASK_ONE)},
)


class Hints(NamedTuple):
    pred_h: np.ndarray
    low: int
    high: int
    mid: int


def binary_search(x, A, return_):
    """Halves the range of the first key that is not less than x; finds the last key if all are less."""
    n = len(A)
    pred_h = predecessors(np.arange(n))
    low, high = 0, n - 1
    mid = (low + high) // 2
    yield Hints(pred_h=pred_h, low=low, high=high, mid=mid)
    while low < high:
        if x <= A[mid]:
            high = mid
        else:
            low = mid + 1
        mid = (low + high) // 2
        yield Hints(pred_h=pred_h, low=low, high=high, mid=mid)
    return_[()] = high


BINARY_SEARCH = Algorithm(
    name="binary_search",
    family="searching",
    spec=SPEC,
    problem=SEARCH,
    scaling=Scaling(("x", "A"), "order"),
    steps=binary_search,
    source="Cormen et al., Introduction to Algorithms, 3rd ed., exercise 2.3-5, p. 39",
    fixed_hints=("pred_h",),
    clrs30_multiplier=64,
    in_clrs30=True,
)
